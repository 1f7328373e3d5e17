//! What one verification allocates, and what a remembered token weighs. Counts, not times: they are
//! the same on every machine.

mod support;

use std::alloc::System;
use std::hint::black_box;

use keyward::{Algorithm, CacheOptions, Verifier};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::contenders::{JsonWebToken, accept, refuse, warm_up};
use support::record;
use support::token::{self, builder, key_set};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Distinct tokens that pass through a cache of a tenth.
const FLOOD: usize = 1_000_000;

fn main() {
    record::begin();
    println!("{:44} {:>12}", "allocations a verification", "");
    let key = token::key(Algorithm::EdDsa);
    let good = token::token(&key);
    let uncached: Verifier = builder(key_set(&[&key])).without_cache().build();
    let cached: Verifier = builder(key_set(&[&key])).build();
    warm_up(&uncached, &good);
    warm_up(&cached, &good);
    let jsonwebtoken = JsonWebToken::new(&key, Algorithm::EdDsa, &good).expect("it knows EdDSA");
    count("keyward", || accept(&uncached, &good));
    count("keyward, cached", || accept(&cached, &good));
    count("jsonwebtoken", || jsonwebtoken.check());
    count("keyward, garbage", || refuse(&cached, "garbage"));
    weight();
    flood();
    support::table::print();
}

fn count(name: &str, mut work: impl FnMut()) {
    const TIMES: usize = 1000;
    let region = Region::new(ALLOCATOR);
    for _ in 0..TIMES {
        work();
    }
    let change = region.change();
    let each = (change.allocations + change.reallocations) as f64 / TIMES as f64;
    report(&format!("allocations/{name}"), each);
}

/// Memory that a cache holds for each token, and what it takes that to be.
fn weight() {
    const TOKENS: usize = 10_000;
    let key = token::key(Algorithm::EdDsa);
    let mut options = CacheOptions::default();
    options.max_entries = 4 * TOKENS;
    options.max_bytes = usize::MAX;
    let tokens = |from: usize| {
        (from..from + TOKENS)
            .map(|number| token::sign(&key, &token::payload(&token::subject(number))))
    };
    let verifier: Verifier = builder(key_set(&[&key])).cache(options).build();
    warm_up(&verifier, &token::token(&key));
    let tokens: Vec<String> = tokens(1).collect();
    let before = resident();
    let region = Region::new(ALLOCATOR);
    for token in &tokens {
        accept(&verifier, token);
    }
    let change = region.change();
    let requested = change.bytes_allocated - change.bytes_deallocated;
    let status = verifier.cache_status().expect("a cache");
    let each = |bytes: usize| bytes as f64 / TOKENS as f64;
    report("memory a token, requested", each(requested));
    report("memory a token, resident", each(resident() - before));
    report("memory a token, as counted", each(status.bytes));
    black_box(verifier);
}

/// A million users of whom nobody comes back.
fn flood() {
    let key = token::key(Algorithm::EdDsa);
    let mut options = CacheOptions::default();
    options.max_entries = FLOOD / 10;
    options.max_bytes = 64 * 1024 * 1024;
    let verifier: Verifier = builder(key_set(&[&key])).cache(options).build();
    warm_up(&verifier, &token::token(&key));
    let before = resident();
    for number in 0..FLOOD {
        accept(
            &verifier,
            &token::sign(&key, &token::payload(&token::subject(number))),
        );
    }
    let status = verifier.cache_status().expect("a cache");
    assert!(status.entries <= options.max_entries && status.bytes <= options.max_bytes);
    report("flood/max bytes", options.max_bytes as f64);
    report("flood/entries", status.entries as f64);
    report("flood/resident bytes", (resident() - before) as f64);
    report("flood/counted bytes", status.bytes as f64);
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("it runs on Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kilobytes.expect("a number") * 1024
}

fn report(id: &str, count: f64) {
    println!("{id:44} {count:12.1}");
    record::write_count(id, count);
}
