//! One verification: for each algorithm, each outcome, each size of token and key set, in turns
//! with the bare signature check of aws-lc-rs.

mod support;

use std::time::Duration;

use criterion::Criterion;
use keyward::testing::SigningKey;
use keyward::{
    Algorithm, CacheOptions, FetchFuture, FetchKeySet, Fetched, RefreshOptions, RemoteKeySet,
    Verifier,
};
use support::contenders::{ALGORITHMS, JsonWebToken, RawSignature, accept, refuse, warm_up};
use support::token::{self, builder, key, key_set};
use support::{is_wanted, paired, record};

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
    remote_keys(&mut criterion);
    threads();
    criterion.final_summary();
    support::table::print();
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
    // Without a cache every token of the warm-up counts as a use of the key, which gets its table.
    let verifier: Verifier = builder(key_set(&[&key])).without_cache().build();
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

/// Keys that are fetched: each verification asks as well whether the set is still fresh enough.
fn remote_keys(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let (key, token) = signed(Algorithm::EdDsa);
    let raw = RawSignature::new(&key, Algorithm::EdDsa, &token);
    let document = serde_json::json!({ "keys": [key.public_jwk()] }).to_string();
    let mut options = RefreshOptions::default();
    // Longer than the bench, so that an unknown key is one that was asked for just now.
    options.cooldown = Duration::from_secs(3600);
    let keys = RemoteKeySet::new(Published(document.into()), options);
    let verifier: Verifier = token::builder(keys).build();
    runtime
        .block_on(verifier.verify(&token))
        .expect("a good token");
    let stranger = token::token(&SigningKey::generate("another", Algorithm::EdDsa));
    runtime
        .block_on(verifier.verify(&stranger))
        .expect_err("an unknown key");
    let mut group = criterion.benchmark_group("remote keys");
    paired::bench(
        &mut group,
        ("remote keys", "keyward, cached"),
        || raw.check(),
        || accept(&verifier, &token),
    );
    paired::bench(
        &mut group,
        ("remote keys", "unknown kid"),
        || raw.check(),
        || refuse(&verifier, &stranger),
    );
}

/// An auth server that answers at once.
#[derive(Debug)]
struct Published(Vec<u8>);

impl FetchKeySet for Published {
    fn fetch(&self, _: Option<String>) -> FetchFuture<'_> {
        Box::pin(async { Ok(Fetched::document(self.0.clone())) })
    }
}

/// Two threads against one, by processor time, so that a busy machine does not count: the ratio is
/// what two do in the time in which one does 1.
fn threads() {
    const ROUNDS: usize = 15;
    let key = key(Algorithm::EdDsa);
    let tokens: Vec<String> = (0..10_000)
        .map(|number| token::sign(&key, &token::payload(&token::subject(number))))
        .collect();
    let mut options = CacheOptions::default();
    options.max_entries = 2 * tokens.len();
    let cached: Verifier = builder(key_set(&[&key])).cache(options).build();
    let uncached: Verifier = builder(key_set(&[&key])).without_cache().build();
    for (name, verifier, count) in [("cached", cached, 400_000), ("uncached", uncached, 8_000)] {
        if !is_wanted(&format!("threads/{name}")) {
            continue;
        }
        warm_up(&verifier, &tokens[0]);
        tokens.iter().for_each(|token| accept(&verifier, token));
        let work = |seed: usize| {
            // Its own way through the tokens.
            let mut at = seed;
            let before = thread_time();
            for _ in 0..count {
                at = (at + 7_919) % tokens.len();
                accept(&verifier, &tokens[at]);
            }
            (thread_time() - before) / count as f64
        };
        let (mut alone, mut ratios) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let one = work(round);
            let both = std::thread::scope(|scope| {
                let other = scope.spawn(|| work(round + 5_000));
                let own = work(round + 1_000);
                (own + other.join().expect("the other thread")) / 2.0
            });
            alone.push(one);
            ratios.push(2.0 * one / both);
        }
        if let (Some(ns), Some(ratio)) = (paired::median(&mut alone), paired::median(&mut ratios)) {
            println!("threads/{name}: {ns:.0} ns on one, {ratio:.2} as much on two");
            record::write(&format!("threads/{name}"), ns, Some(ratio));
        }
    }
}

/// Processor time of this thread, in nanoseconds.
fn thread_time() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let time = statistics
        .split(' ')
        .next()
        .and_then(|time| time.parse().ok());
    time.expect("a number")
}
