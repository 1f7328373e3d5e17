//! The life of a fetched key set, as users of a verifier meet it. Tokio's clock is paused: hours
//! pass in no time, and a request that waits shows as time that passed.

#[path = "support/auth_server.rs"]
mod auth_server;

use std::time::Duration;

use auth_server::{AuthServer, Reply};
use keyward::testing::{SigningKey, TestIssuer};
use keyward::{
    Algorithm, Clock, FetchError, Fetched, KeySetError, Policy, RefreshError, Verifier, VerifyError,
};
use serde_json::json;
use tokio::time::{Instant, advance, sleep};

const ISSUER: &str = "https://app.example.com";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Tokens whose lifetime is not what these tests are about.
fn token(issuer: &TestIssuer) -> String {
    let mut claims = issuer.claims("ada");
    claims["exp"] = json!(99_999_999_999_u64);
    issuer.sign(&claims)
}

fn token_of_unknown_key(n: usize) -> String {
    let header = json!({"alg": "EdDSA", "kid": format!("made-up-{n}")});
    let payload = json!({"sub": "eve"});
    // The signature is never looked at.
    SigningKey::generate("other", Algorithm::EdDsa).sign(header.to_string(), payload.to_string())
}

async fn code(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token).await {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_first_requests_share_one_fetch() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    let token = token(&issuer);
    let requests: Vec<_> = (0..200)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token).await.is_ok() })
        })
        .collect();
    for request in requests {
        assert!(request.await.unwrap());
    }
    assert_eq!(server.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn five_thousand_made_up_kids_cost_two_fetches_and_stall_no_valid_request() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    let valid = token(&issuer);
    assert_eq!(code(&verifier, &valid).await, "accepted");

    // The refresh that the flood starts never ends, and still nobody with a known key waits.
    server.replies(Reply::Hang);
    let flood: Vec<_> = (0..5000)
        .map(|n| {
            let verifier = verifier.clone();
            tokio::spawn(async move { verifier.verify(&token_of_unknown_key(n)).await.err() })
        })
        .collect();
    for _ in 0..500 {
        let before = Instant::now();
        assert_eq!(code(&verifier, &valid).await, "accepted");
        assert_eq!(before.elapsed(), Duration::ZERO);
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    for request in flood {
        assert!(matches!(
            request.await.unwrap(),
            Some(VerifyError::KeyUnknown { .. } | VerifyError::KeysUnavailable { .. })
        ));
    }
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert!(server.fetches() <= 2, "{}", server.fetches());
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_accepted_at_once_and_a_flood_delays_it_by_one_cooldown_at_most() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");

    // However often: each fetch brings what it was made for.
    for fetches in 2..5 {
        issuer.rotate(Algorithm::Es256);
        server.replies(Reply::Document(issuer.key_set_json()));
        assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
        assert_eq!(server.fetches(), fetches);
    }

    assert_eq!(
        code(&verifier, &token_of_unknown_key(1)).await,
        "key_unknown"
    );
    assert_eq!(server.fetches(), 5);
    issuer.rotate(Algorithm::EdDsa);
    server.replies(Reply::Document(issuer.key_set_json()));
    assert_eq!(code(&verifier, &token(&issuer)).await, "key_unknown"); // cooling down
    assert_eq!(server.fetches(), 5);
    advance(Duration::from_secs(10)).await;
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
    assert_eq!(server.fetches(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_unpublished_key_gets_the_message_that_says_so() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    verifier.verify(&token(&issuer)).await.unwrap();
    let error = verifier.verify(&token_of_unknown_key(1)).await.unwrap_err();
    assert_eq!(error, VerifyError::KeyUnknown { refreshed: true });
    assert!(error.to_string().contains("does not publish"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_set_is_refreshed_in_the_background_and_a_removed_key_is_refused() {
    let issuer = TestIssuer::new(ISSUER);
    let old = token(&issuer);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &old).await, "accepted");

    issuer.rotate(Algorithm::EdDsa);
    issuer.drop_old_keys();
    server.replies(Reply::Document(issuer.key_set_json()));
    sleep(4 * MINUTE).await;
    assert_eq!(code(&verifier, &old).await, "accepted");
    sleep(2 * MINUTE).await; // 5 min ± 10 % and the fetch itself are over
    assert_eq!(server.fetches(), 2);
    assert_eq!(code(&verifier, &old).await, "key_unknown");
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
}

#[tokio::test(start_paused = true)]
async fn the_last_good_set_outlives_failures_for_a_day_and_the_server_is_not_stormed() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    let valid = token(&issuer);
    assert_eq!(code(&verifier, &valid).await, "accepted");

    server.replies(Reply::Fail(FetchError::Connect));
    sleep(23 * HOUR).await;
    assert_eq!(code(&verifier, &valid).await, "accepted");
    let status = verifier.key_set_status().unwrap();
    assert!(status.usable && status.consecutive_failures > 100);
    assert_eq!(
        status.last_error,
        Some(RefreshError::Fetch(FetchError::Connect))
    );
    // A failure every 30 to 60 s.
    assert!(server.fetches() < 23 * 60 * 2 + 20, "{}", server.fetches());

    sleep(HOUR + MINUTE).await;
    let error = verifier.verify(&valid).await.unwrap_err();
    assert!(matches!(error, VerifyError::KeysUnavailable { retry_after } if retry_after <= MINUTE));
    assert!(!verifier.key_set_status().unwrap().usable);

    server.replies(Reply::Document(issuer.key_set_json()));
    sleep(MINUTE + Duration::from_secs(1)).await;
    assert_eq!(code(&verifier, &valid).await, "accepted");
    assert_eq!(verifier.key_set_status().unwrap().consecutive_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_without_the_auth_server_recovers_by_itself() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    server.replies(Reply::Fail(FetchError::Connect));
    let verifier = server.verifier(ISSUER);
    let valid = token(&issuer);

    let error = verifier.verify(&valid).await.unwrap_err();
    assert_eq!(
        error,
        VerifyError::KeysUnavailable {
            retry_after: Duration::from_secs(1)
        }
    );
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(code(&verifier, &valid).await, "keys_unavailable");
    }
    assert_eq!((began.elapsed(), server.fetches()), (Duration::ZERO, 1));

    server.replies(Reply::Document(issuer.key_set_json()));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(code(&verifier, &valid).await, "accepted");
    assert_eq!(server.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_auth_server_keeps_first_requests_waiting_no_longer_than_a_fetch_may_take() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    server.replies(Reply::Hang);
    let verifier = server.verifier(ISSUER);
    let began = Instant::now();
    assert_eq!(code(&verifier, &token(&issuer)).await, "keys_unavailable");
    assert!(
        began.elapsed() <= Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        verifier.key_set_status().unwrap().last_error,
        Some(RefreshError::Fetch(FetchError::Timeout))
    );
}

#[tokio::test(start_paused = true)]
async fn a_document_without_a_usable_key_counts_as_a_failure() {
    let issuer = TestIssuer::new(ISSUER);
    let valid = token(&issuer);
    let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 257].join(","));
    for (document, expected) in [
        (r#"{"keys":[]}"#, KeySetError::Empty),
        ("<html>502</html>", KeySetError::Malformed),
        (r#"{"keys":[{"kty":"#, KeySetError::Malformed),
        (
            r#"{"keys":[{"kty":"oct","k":"AA"},7]}"#,
            KeySetError::NoUsableKey(2),
        ),
        (&many, KeySetError::TooManyKeys(257)),
    ] {
        let server = AuthServer::new(issuer.key_set_json());
        let verifier = server.verifier(ISSUER);
        assert_eq!(code(&verifier, &valid).await, "accepted");
        server.replies(Reply::Document(document.into()));
        sleep(6 * MINUTE).await;
        assert_eq!(code(&verifier, &valid).await, "accepted", "{expected}");
        let status = verifier.key_set_status().unwrap();
        assert_eq!(status.last_error, Some(RefreshError::Document(expected)));
        assert!(status.age.unwrap() > 5 * MINUTE);
    }
}

#[tokio::test(start_paused = true)]
async fn half_unknown_keys_spoil_none_of_the_others() {
    let issuer = TestIssuer::new(ISSUER);
    let good = issuer.key().public_jwk();
    let mut mislabelled = TestIssuer::new(ISSUER).key().public_jwk();
    (mislabelled["alg"], mislabelled["kid"]) = (json!("RS256"), json!("mislabelled"));
    let keys = json!({"keys": [{"kty": "AKP", "alg": "ML-DSA-44"}, 7, mislabelled, {"kty": "EC", "crv": "P-521"}, good]});
    let server = AuthServer::new(keys.to_string().into_bytes());
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
    assert_eq!(verifier.key_set_status().unwrap().keys, 1);
}

#[tokio::test(start_paused = true)]
async fn a_reused_kid_is_found_out_by_a_bad_signature_and_nobody_waits() {
    // An auth database that was rebuilt numbers its keys from 1 again.
    let (before, after) = (TestIssuer::new(ISSUER), TestIssuer::new(ISSUER));
    assert_eq!(before.key().id(), after.key().id());
    let server = AuthServer::new(before.key_set_json());
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(&before)).await, "accepted");

    server.replies(Reply::Document(after.key_set_json()));
    let began = Instant::now();
    assert_eq!(
        code(&verifier, &token(&after)).await,
        "token_signature_invalid"
    );
    assert_eq!(began.elapsed(), Duration::ZERO);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(code(&verifier, &token(&after)).await, "accepted");
    assert_eq!(
        code(&verifier, &token(&before)).await,
        "token_signature_invalid"
    );

    // Its budget is one a minute, however many bad signatures come.
    for _ in 0..100 {
        assert_eq!(
            code(&verifier, &token(&before)).await,
            "token_signature_invalid"
        );
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_validator_is_sent_only_for_a_document_that_was_usable() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(Vec::new());
    let document = |body: Vec<u8>, etag: &str| {
        Reply::Fetched(Fetched::Document {
            body,
            max_age: None,
            etag: Some(etag.to_owned()),
        })
    };
    server.replies(document(issuer.key_set_json(), "\"good\""));
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");

    server.replies(Reply::Fetched(Fetched::NotModified { max_age: None }));
    sleep(6 * MINUTE).await;
    let status = verifier.key_set_status().unwrap();
    assert!(status.last_error.is_none() && status.age.unwrap() < 2 * MINUTE);

    server.replies(document(b"garbage".to_vec(), "\"bad\""));
    sleep(10 * MINUTE).await;
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
    let good = Some("\"good\"".to_owned());
    assert_eq!(server.validators()[..3], [None, good.clone(), good.clone()]);
    assert!(
        server.validators()[3..]
            .iter()
            .all(|validator| *validator == good)
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_not_modified_to_a_first_fetch_is_a_failure() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(Vec::new());
    server.replies(Reply::Fetched(Fetched::NotModified { max_age: None }));
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(&issuer)).await, "keys_unavailable");
}

#[tokio::test(start_paused = true)]
async fn the_server_is_left_alone_for_as_long_as_it_asks() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    server.replies(Reply::Fail(FetchError::Status {
        status: 429,
        retry_after: Some(MINUTE * 10),
    }));
    let verifier = server.verifier(ISSUER);
    for minute in 0..10 {
        assert_eq!(
            code(&verifier, &token(&issuer)).await,
            "keys_unavailable",
            "{minute}"
        );
        sleep(MINUTE - Duration::from_secs(1)).await;
    }
    assert_eq!(server.fetches(), 1);
    server.replies(Reply::Document(issuer.key_set_json()));
    sleep(MINUTE).await;
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_panics_keeps_nobody_waiting_and_is_asked_again_after_a_pause() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    server.replies(Reply::Panic);
    let verifier = server.verifier(ISSUER);
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(code(&verifier, &token(&issuer)).await, "keys_unavailable");
    }
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(server.fetches(), 1);
    server.replies(Reply::Document(issuer.key_set_json()));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
}

#[test]
fn a_fetch_that_ends_with_its_runtime_says_nothing_about_a_key() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    assert_eq!(first.block_on(code(&verifier, &token(&issuer))), "accepted");

    issuer.rotate(Algorithm::EdDsa);
    server.replies(Reply::Hang);
    let fresh = token(&issuer);
    let waiting = second.spawn({
        let (verifier, fresh) = (verifier.clone(), fresh.clone());
        async move { code(&verifier, &fresh).await }
    });
    while server.fetches() < 2 {
        std::thread::yield_now();
    }
    first.shutdown_background(); // with the fetch
    assert_eq!(second.block_on(waiting).unwrap(), "keys_unavailable");
    server.replies(Reply::Document(issuer.key_set_json()));
    let accepted = second.block_on(async {
        for _ in 0..50 {
            if code(&verifier, &fresh).await == "accepted" {
                return true;
            }
            sleep(Duration::from_millis(100)).await;
        }
        false
    });
    assert!(accepted, "the key is still taken for absent");
}

#[test]
fn many_threads_at_the_moment_a_fetch_ends_are_all_accepted() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    let issuer = TestIssuer::new(ISSUER);
    runtime.block_on(async {
        for _ in 0..300 {
            let server = AuthServer::new(issuer.key_set_json());
            server.answers_at_once();
            let verifier = server.verifier(ISSUER);
            // Cold, then with a key that the set does not have yet.
            for _ in 0..2 {
                let token = token(&issuer);
                let requests: Vec<_> = (0..16)
                    .map(|_| {
                        let (verifier, token) = (verifier.clone(), token.clone());
                        tokio::spawn(async move { code(&verifier, &token).await })
                    })
                    .collect();
                for request in requests {
                    assert_eq!(request.await.unwrap(), "accepted");
                }
                issuer.rotate(Algorithm::EdDsa);
                issuer.drop_old_keys();
                server.replies(Reply::Document(issuer.key_set_json()));
            }
        }
    });
}

#[tokio::test(start_paused = true)]
async fn looking_at_its_status_is_enough_to_have_it_fetched() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let keys = std::thread::spawn({
        let server = server.clone();
        move || server.key_set() // where there is no runtime
    });
    let keys = keys.join().unwrap();
    assert!(!keys.status().usable);
    sleep(Duration::from_secs(1)).await;
    assert!(keys.status().usable);
}

#[tokio::test(start_paused = true)]
async fn not_modified_since_nothing_is_no_answer() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json()); // without an ETag
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
    server.replies(Reply::Fetched(Fetched::NotModified { max_age: None }));
    sleep(25 * HOUR).await;
    assert_eq!(code(&verifier, &token(&issuer)).await, "keys_unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_known_kid_with_another_algorithm_makes_it_look_again_too() {
    let (before, after) = (
        TestIssuer::new(ISSUER),
        TestIssuer::with_algorithm(ISSUER, Algorithm::Es256),
    );
    let server = AuthServer::new(before.key_set_json());
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(&before)).await, "accepted");
    server.replies(Reply::Document(after.key_set_json()));
    assert_eq!(
        code(&verifier, &token(&after)).await,
        "key_algorithm_mismatch"
    );
    sleep(Duration::from_secs(1)).await;
    assert_eq!(code(&verifier, &token(&after)).await, "accepted");
}

#[test]
fn a_set_made_outside_of_a_runtime_works_in_one_and_in_the_next() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    assert_eq!(server.fetches(), 0);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    assert_eq!(
        runtime().block_on(code(&verifier, &token(&issuer))),
        "accepted"
    );
    // The task that fetched has ended with its runtime. A rotated key needs a new one.
    issuer.rotate(Algorithm::EdDsa);
    server.replies(Reply::Document(issuer.key_set_json()));
    assert_eq!(
        runtime().block_on(code(&verifier, &token(&issuer))),
        "accepted"
    );
    assert_eq!(server.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_verifier_ends_the_refreshes() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
    drop(verifier);
    sleep(HOUR).await;
    assert_eq!(server.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gives_up_waiting_stops_nothing_for_the_others() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    let valid = token(&issuer);
    let given_up = tokio::time::timeout(Duration::from_millis(1), verifier.verify(&valid)).await;
    assert!(given_up.is_err());
    assert_eq!(code(&verifier, &valid).await, "accepted");
    assert_eq!(server.fetches(), 1);
}

/// A wall clock that jumps.
#[derive(Debug)]
struct At(std::time::SystemTime);

impl Clock for At {
    fn now(&self) -> std::time::SystemTime {
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_wall_clock_changes_what_has_expired_and_not_the_age_of_the_keys() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let keys = server.key_set();
    let now = std::time::SystemTime::now();
    for (time, expected) in [
        (now, "accepted"),
        (now + 30 * HOUR, "token_expired"),
        (now - 30 * HOUR, "token_issued_in_future"),
        (
            std::time::SystemTime::UNIX_EPOCH - HOUR,
            "token_issued_in_future",
        ),
    ] {
        let policy = Policy::new([ISSUER], [ISSUER]).unwrap();
        let verifier = Verifier::builder(policy, keys.clone())
            .clock(At(time))
            .build();
        assert_eq!(code(&verifier, &issuer.token("ada")).await, expected);
    }
    assert_eq!(server.fetches(), 1);
    assert!(keys.status().usable);
}
