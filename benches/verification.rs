//! One verification: for each algorithm, each outcome, each size of token and key set, in turns
//! with the bare signature check of aws-lc-rs.

mod support;

use std::time::Duration;

use criterion::Criterion;
use keyward::testing::SigningKey;
use keyward::{Algorithm, Verifier};
use support::contenders::{ALGORITHMS, JsonWebToken, RawSignature, accept, refuse, warm_up};
use support::token::{self, builder, key, key_set};
use support::{paired, record};

fn main() {
    record::begin();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    algorithms(&mut criterion);
    refusals(&mut criterion);
    token_sizes(&mut criterion);
    key_set_sizes(&mut criterion);
    criterion.final_summary();
}

/// Raw signature, Keyward uncached, jsonwebtoken, Keyward cached.
fn algorithms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verification");
    for algorithm in ALGORITHMS {
        let (key, token) = signed(algorithm);
        let raw = RawSignature::new(&key, algorithm, &token);
        let name = algorithm.name();
        let baseline = || raw.check();
        paired::bench(&mut group, (name, "raw signature"), baseline, || {
            raw.check()
        });
        let uncached: Verifier = builder(key_set(&[&key])).without_cache().build();
        warm_up(&uncached, &token);
        paired::bench(&mut group, (name, "keyward"), baseline, || {
            accept(&uncached, &token)
        });
        if let Some(jsonwebtoken) = JsonWebToken::new(&key, algorithm, &token) {
            paired::bench(&mut group, (name, "jsonwebtoken"), baseline, || {
                jsonwebtoken.check()
            });
        }
        let cached: Verifier = builder(key_set(&[&key])).build();
        warm_up(&cached, &token);
        paired::bench(&mut group, (name, "keyward, cached"), baseline, || {
            accept(&cached, &token)
        });
    }
}

fn signed(algorithm: Algorithm) -> (SigningKey, String) {
    let key = key(algorithm);
    let token = token::token(&key);
    (key, token)
}

fn refusals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("refusal");
    let (key, good) = signed(Algorithm::EdDsa);
    let raw = RawSignature::new(&key, Algorithm::EdDsa, &good);
    let verifier: Verifier = builder(key_set(&[&key])).build();
    warm_up(&verifier, &good);

    let (input, signature) = good.rsplit_once('.').expect("a token");
    let swapped: String = signature.chars().rev().skip(2).collect();
    let mut expired = token::payload("ada");
    expired["exp"] = (token::now() - 3600).into();
    let stranger = SigningKey::generate("another", Algorithm::EdDsa);
    for (name, token) in [
        ("garbage", "garbage".repeat(80)),
        ("oversized", "x".repeat(20_000)),
        ("unknown kid", token::token(&stranger)),
        ("expired", token::sign(&key, &expired)),
        (
            "bad signature",
            format!("{input}.{swapped}{}", &signature[84..]),
        ),
    ] {
        let baseline = || raw.check();
        paired::bench(&mut group, ("refusal", name), baseline, || {
            refuse(&verifier, &token)
        });
    }
}

fn token_sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("token size");
    let key = key(Algorithm::EdDsa);
    let keys = || key_set(&[&key]);
    for (name, padding) in [("0.6 KiB", 0), ("2 KiB", 1100), ("8 KiB", 5700)] {
        let token = token::padded(&key, padding);
        let raw = RawSignature::new(&key, Algorithm::EdDsa, &token);
        let uncached: Verifier = builder(keys()).without_cache().build();
        let cached: Verifier = builder(keys()).build();
        for (id, verifier) in [("keyward", uncached), ("keyward, cached", cached)] {
            warm_up(&verifier, &token);
            let id = format!("{name}, {id}");
            paired::bench(
                &mut group,
                ("token size", &id),
                || raw.check(),
                || accept(&verifier, &token),
            );
        }
    }
}

/// The baseline is a set of one key.
fn key_set_sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key set size");
    let (key, token) = signed(Algorithm::Es256);
    let others: Vec<SigningKey> = (0..999)
        .map(|number| SigningKey::generate(format!("other-{number}"), Algorithm::Es256))
        .collect();
    let one: Verifier = builder(key_set(&[&key])).without_cache().build();
    for count in [1, 10, 100, 1000] {
        let keys: Vec<&SigningKey> = others.iter().take(count - 1).chain([&key]).collect();
        let verifier: Verifier = builder(key_set(&keys)).without_cache().build();
        warm_up(&verifier, &token);
        let id = format!("{count} keys");
        paired::bench(
            &mut group,
            ("key set size", &id),
            || accept(&one, &token),
            || accept(&verifier, &token),
        );
    }
}
