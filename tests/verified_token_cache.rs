//! The cache of verified tokens, as users of a verifier meet it: a verifier with one gives the
//! verdict of a verifier without one, at every moment and whatever the key set does.

#[path = "support/auth_server.rs"]
mod auth_server;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use auth_server::{AuthServer, Reply};
use keyward::testing::TestIssuer;
use keyward::{
    Algorithm, CacheOptions, Clock, FetchError, KeySet, Policy, RefreshOptions, RemoteKeySet,
    Verifier,
};
use serde_json::{Value, json};
use tokio::time::advance;

const ISSUER: &str = "https://app.example.com";
const NOW: i64 = 1_795_450_000;

/// A clock that is set by hand, in thousandths of a second after [`NOW`].
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn set(&self, milliseconds: i64) {
        self.0.store(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        let milliseconds = NOW * 1000 + self.0.load(Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds.try_into().unwrap())
    }
}

fn policy() -> Policy {
    Policy::new([ISSUER], [ISSUER]).unwrap()
}

fn token(issuer: &TestIssuer, changes: Value) -> String {
    let mut claims = issuer.claims("ada");
    claims["iat"] = json!(NOW);
    claims["exp"] = json!(NOW + 900);
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    issuer.sign(&claims)
}

async fn code(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token).await {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

fn entries(verifier: &Verifier) -> usize {
    verifier.cache_status().unwrap().entries
}

#[tokio::test]
async fn a_token_that_comes_again_is_the_same_principal() {
    let issuer = TestIssuer::new(ISSUER);
    let keys = || KeySet::from_json(&issuer.key_set_json()).unwrap();
    let verifier: Verifier = Verifier::builder(policy(), keys()).build();
    let (ada, bob) = (issuer.token("ada"), issuer.token("bob"));
    let first = verifier.verify(&ada).await.unwrap();
    let again = verifier.verify(&ada).await.unwrap();
    // Handed out from one place: nothing was read anew.
    assert!(std::ptr::eq(first.claims(), again.claims()));
    assert_eq!(verifier.verify(&bob).await.unwrap().subject(), "bob");
    assert_eq!(entries(&verifier), 2);

    let without: Verifier = Verifier::builder(policy(), keys()).without_cache().build();
    let first = without.verify(&ada).await.unwrap();
    let again = without.verify(&ada).await.unwrap();
    assert!(!std::ptr::eq(first.claims(), again.claims()));
    assert_eq!(without.cache_status(), None);
}

#[tokio::test]
async fn what_was_refused_is_not_kept() {
    let issuer = TestIssuer::new(ISSUER);
    let stranger = TestIssuer::new(ISSUER);
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    let verifier: Verifier = Verifier::builder(policy(), keys).build();
    for refused in [
        stranger.token("ada"),
        "garbage".to_owned(),
        issuer.sign(&json!({"sub": "ada"})),
    ] {
        for _ in 0..3 {
            assert!(verifier.verify(&refused).await.is_err());
        }
    }
    assert_eq!(entries(&verifier), 0);
}

/// A token differs from the one in the cache in one character, anywhere in it.
#[tokio::test]
async fn a_neighbour_of_a_known_token_is_not_taken_for_it() {
    let issuer = TestIssuer::new(ISSUER);
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    let verifier: Verifier = Verifier::builder(policy(), keys).build();
    let good = issuer.token("ada");
    assert_eq!(code(&verifier, &good).await, "accepted");
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = match bytes[at] {
            b'A' => b'B',
            _ => b'A',
        };
        let neighbour = String::from_utf8(bytes).unwrap();
        assert_ne!(code(&verifier, &neighbour).await, "accepted", "{at}");
        assert_ne!(code(&verifier, &good[..at]).await, "accepted", "{at}");
    }
    assert_ne!(code(&verifier, &format!("{good}A")).await, "accepted");
    assert_eq!(entries(&verifier), 1);
}

#[tokio::test]
async fn verdicts_are_those_of_a_verifier_without_a_cache_at_every_moment() {
    let issuer = TestIssuer::new(ISSUER);
    let keys = || KeySet::from_json(&issuer.key_set_json()).unwrap();
    let clock = Hand::default();
    let policy = || policy().leeway(Duration::from_secs(5));
    let cached: Verifier = Verifier::builder(policy(), keys())
        .clock(clock.clone())
        .build();
    let uncached: Verifier = Verifier::builder(policy(), keys())
        .clock(clock.clone())
        .without_cache()
        .build();
    let tokens = [
        token(&issuer, json!({})),
        token(&issuer, json!({"nbf": NOW + 20})),
        token(&issuer, json!({"nbf": NOW as f64 + 20.25, "exp": NOW + 60})),
        token(&issuer, json!({"exp": NOW as f64 + 30.5})),
        token(&issuer, json!({"iat": NOW as f64 - 7.125, "exp": NOW - 3})),
    ];
    // Forwards in small steps, then back and forth as a clock does that is being set.
    let steps = (-20_000..70_000).step_by(125);
    let jumps = (0..2_000).scan(fastrand::Rng::with_seed(7), |rng, _| {
        Some(rng.i64(-40_000..950_000))
    });
    let mut verdicts = std::collections::BTreeSet::new();
    for moment in steps.chain(jumps) {
        clock.set(moment);
        for token in &tokens {
            let verdict = code(&cached, token).await;
            assert_eq!(verdict, code(&uncached, token).await, "at {moment} ms");
            verdicts.insert(verdict);
        }
    }
    let all = [
        "accepted",
        "token_expired",
        "token_issued_in_future",
        "token_not_yet_valid",
    ];
    assert!(verdicts.iter().eq(&all), "{verdicts:?}");
}

/// Rotations, withdrawals, an outage, the staleness limit: one set of keys under two verifiers.
#[tokio::test(start_paused = true)]
async fn verdicts_are_those_of_a_verifier_without_a_cache_whatever_the_key_set_does() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let keys = RemoteKeySet::new(server.clone(), RefreshOptions::default());
    let cached: Verifier = Verifier::builder(policy(), keys.clone()).build();
    let uncached: Verifier = Verifier::builder(policy(), keys).without_cache().build();
    let mut rng = fastrand::Rng::with_seed(11);
    let lasting = |issuer: &TestIssuer| {
        let mut claims = issuer.claims("ada");
        claims["exp"] = json!(99_999_999_999_u64);
        issuer.sign(&claims)
    };
    let mut tokens = vec![lasting(&issuer)];
    let mut verdicts = std::collections::BTreeSet::new();
    for _ in 0..300 {
        match rng.u8(..8) {
            0 => {
                issuer.rotate(Algorithm::EdDsa);
                tokens.push(lasting(&issuer));
            }
            1 => issuer.drop_old_keys(),
            2 => server.replies(Reply::Fail(FetchError::Connect)),
            3 => advance(Duration::from_secs(rng.u64(..100_000))).await,
            _ => advance(Duration::from_secs(rng.u64(..400))).await,
        }
        if rng.u8(..3) == 0 {
            server.replies(Reply::Document(issuer.key_set_json()));
        }
        tokio::task::yield_now().await;
        for token in tokens.iter().rev().take(5) {
            let verdict = code(&uncached, token).await;
            assert_eq!(code(&cached, token).await, verdict);
            verdicts.insert(verdict);
        }
    }
    let all = ["accepted", "key_unknown", "keys_unavailable"];
    assert!(verdicts.iter().eq(&all), "{verdicts:?}");
    assert!(entries(&cached) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_takes_its_cached_tokens_with_it_and_other_keys_keep_theirs() {
    let issuer = TestIssuer::new(ISSUER);
    let of_the_first = issuer.token("ada");
    issuer.rotate(Algorithm::Es256);
    let of_the_second = issuer.token("ada");
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    let first = verifier.verify(&of_the_first).await.unwrap();
    let second = verifier.verify(&of_the_second).await.unwrap();

    // A refresh that changes nothing about the keys.
    tokio::time::sleep(Duration::from_secs(400)).await;
    let again = verifier.verify(&of_the_first).await.unwrap();
    assert!(std::ptr::eq(first.claims(), again.claims()));

    issuer.drop_old_keys();
    server.replies(Reply::Document(issuer.key_set_json()));
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(code(&verifier, &of_the_first).await, "key_unknown");
    let again = verifier.verify(&of_the_second).await.unwrap();
    assert!(std::ptr::eq(second.claims(), again.claims()));
    assert_eq!(entries(&verifier), 1);
}

#[tokio::test]
async fn an_expired_token_leaves_the_cache_when_it_is_met() {
    let issuer = TestIssuer::new(ISSUER);
    let clock = Hand::default();
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    let verifier: Verifier = Verifier::builder(policy(), keys)
        .clock(clock.clone())
        .build();
    let token = token(&issuer, json!({}));
    assert_eq!(code(&verifier, &token).await, "accepted");
    clock.set(929_999);
    assert_eq!(
        (code(&verifier, &token).await, entries(&verifier)),
        ("accepted", 1)
    );
    clock.set(930_000);
    assert_eq!(
        (code(&verifier, &token).await, entries(&verifier)),
        ("token_expired", 0)
    );
}

#[tokio::test]
async fn a_cache_of_nothing_and_one_of_a_single_token_work() {
    let issuer = TestIssuer::new(ISSUER);
    for (max_entries, held) in [(0, 0), (1, 1)] {
        let mut options = CacheOptions::default();
        options.max_entries = max_entries;
        let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
        let verifier: Verifier = Verifier::builder(policy(), keys).cache(options).build();
        for subject in ["ada", "bob", "eve"] {
            let token = issuer.token(subject);
            for _ in 0..2 {
                assert_eq!(verifier.verify(&token).await.unwrap().subject(), subject);
            }
        }
        assert_eq!(entries(&verifier), held);
    }
}

/// Two verifiers over one key set share keys and no verdicts: what one accepts, the other may not.
#[tokio::test]
async fn verifiers_share_no_cache() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let keys = RemoteKeySet::new(server.clone(), RefreshOptions::default());
    let ours: Verifier = Verifier::builder(policy(), keys.clone()).build();
    let other = Policy::new([ISSUER], ["https://other.example.com"]).unwrap();
    let others: Verifier = Verifier::builder(other, keys).build();
    let token = issuer.token("ada");
    assert_eq!(code(&ours, &token).await, "accepted");
    assert_eq!(code(&others, &token).await, "token_audience_mismatch");
    // Clones share everything.
    assert_eq!(entries(&ours.clone()), 1);
}

/// Readers on other threads, all the time; what they put into the cache may be of the set before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_under_load_never_let_a_withdrawn_key_through() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    server.answers_at_once();
    let mut options = RefreshOptions::default();
    options.cooldown = Duration::from_millis(100);
    let keys = RemoteKeySet::new(server.clone(), options);
    let verifier: Verifier = Verifier::builder(policy(), keys).build();
    let mut withdrawn: Vec<String> = Vec::new();
    for _ in 0..15 {
        let token = issuer.token("ada");
        while code(&verifier, &token).await != "accepted" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for old in &withdrawn {
            assert_eq!(code(&verifier, old).await, "key_unknown");
        }
        withdrawn.push(token.clone());
        for _ in 0..3 {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move {
                for _ in 0..500 {
                    let _ = verifier.verify(&token).await;
                    tokio::task::yield_now().await;
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
        issuer.rotate(Algorithm::EdDsa);
        issuer.drop_old_keys();
        server.replies(Reply::Document(issuer.key_set_json()));
    }
}
