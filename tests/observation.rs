//! What an observer of verifications is told.

#[path = "support/auth_server.rs"]
mod auth_server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use auth_server::AuthServer;
use keyward::testing::TestIssuer;
use keyward::{Observation, Policy, VerificationObserver, Verifier};

const URL: &str = "https://app.example.com";

/// Each verification as `code cached timed`.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>);

impl VerificationObserver for Seen {
    fn observe(&self, verification: &Observation<'_>) {
        let code = verification.error.map_or("accepted", |error| error.code());
        let cached = if verification.cached { "hit" } else { "miss" };
        self.0.lock().unwrap().push(format!("{code} {cached}"));
        let timed = verification.duration.is_some();
        assert!(timed || verification.cached);
        self.1.fetch_add(usize::from(timed), Ordering::Relaxed);
    }
}

impl Seen {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_of_each_verification_once() {
    let issuer = TestIssuer::new(URL);
    let auth = AuthServer::new(issuer.key_set_json());
    let seen = Seen::default();
    let policy = Policy::new([URL], [URL]).unwrap();
    let verifier: Verifier = Verifier::builder(policy, auth.key_set())
        .observer(seen.clone())
        .build();
    let token = issuer.token("ada");
    // It waits for the first fetch, and is one verification all the same.
    verifier.verify(&token).await.unwrap();
    assert_eq!(seen.take(), ["accepted miss"]);
    verifier.verify(&token).await.unwrap();
    assert_eq!(seen.take(), ["accepted hit"]);
    verifier.verify("garbage").await.unwrap_err();
    assert_eq!(seen.take(), ["token_malformed miss"]);
    issuer.rotate(keyward::Algorithm::Es256);
    verifier.verify(&issuer.token("ada")).await.unwrap_err();
    assert_eq!(seen.take(), ["key_unknown miss"]);
    seen.1.store(0, Ordering::Relaxed);
    for _ in 0..10_000 {
        verifier.verify(&token).await.unwrap();
    }
    assert_eq!(seen.take().len(), 10_000);
    // One in 64 is 156; by chance it is out of these bounds once in a billion runs.
    let timed = seen.1.load(Ordering::Relaxed);
    assert!((80..240).contains(&timed), "{timed}");
}
