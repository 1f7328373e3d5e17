//! Defects found in other Rust verifiers, each as a test that Keyward passes.

#[path = "support/auth_server.rs"]
mod auth_server;
#[path = "support/raw_server.rs"]
mod raw_server;

use std::time::Duration;

use auth_server::{AuthServer, Reply};
use keyward::testing::{SigningKey, TestIssuer};
use keyward::{
    Algorithm, FetchError, FetchKeySet, KeySet, Policy, PolicyError, Rejection, RemoteKeySet,
    Verifier,
};
use raw_server::{RawServer, ok, response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const ISSUER: &str = "https://app.example.com";
const MINUTE: Duration = Duration::from_secs(60);

fn token(issuer: &TestIssuer) -> String {
    let mut claims = issuer.claims("ada");
    claims["exp"] = json!(99_999_999_999_u64);
    issuer.sign(&claims)
}

fn fixed(keys: &[Value]) -> Verifier {
    let keys = KeySet::from_json(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    Verifier::builder(Policy::new([ISSUER], [ISSUER]).unwrap(), keys).build()
}

async fn code(verifier: &Verifier, token: &str) -> &'static str {
    verifier
        .verify(token)
        .await
        .map_or_else(|error| error.code(), |_| "accepted")
}

/// A verifier that has its keys, and the server they came from.
async fn warm(issuer: &TestIssuer) -> (Verifier, AuthServer) {
    let server = AuthServer::new(issuer.key_set_json());
    let verifier = server.verifier(ISSUER);
    assert_eq!(code(&verifier, &token(issuer)).await, "accepted");
    (verifier, server)
}

mod jwt_authorizer {
    use super::*;

    #[tokio::test]
    async fn an_eddsa_key_without_alg_as_better_auth_1_2_publishes_it_verifies() {
        let issuer = TestIssuer::new(ISSUER);
        let mut key = issuer.key().public_jwk();
        key.as_object_mut().unwrap().remove("alg");
        assert_eq!(code(&fixed(&[key]), &token(&issuer)).await, "accepted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_kid_is_accepted_at_once_and_not_after_ten_minutes() {
        let issuer = TestIssuer::new(ISSUER);
        let (verifier, server) = warm(&issuer).await;
        issuer.rotate(Algorithm::EdDsa);
        server.replies(Reply::Document(issuer.key_set_json()));
        let began = Instant::now();
        assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_tokens_kid_is_never_part_of_a_request_to_the_auth_server() {
        let issuer = TestIssuer::new(ISSUER);
        let document = issuer.key_set_json();
        let server = RawServer::start(move |_| ok(&document)).await;
        let keys = RemoteKeySet::new(server.fetcher(), Default::default());
        let policy = Policy::new([ISSUER], [ISSUER]).unwrap();
        let verifier: Verifier = Verifier::builder(policy, keys).build();
        let key = SigningKey::generate("?x=y&z=/../admin", Algorithm::EdDsa);
        let token = key.sign(key.header().to_string(), "{}");
        assert_eq!(code(&verifier, &token).await, "key_unknown");
        assert!(
            server.paths().iter().all(|path| path == "/jwks"),
            "{:?}",
            server.paths()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_hung_auth_server_stops_no_request_with_a_known_key() {
        let issuer = TestIssuer::new(ISSUER);
        let (verifier, server) = warm(&issuer).await;
        server.replies(Reply::Hang);
        sleep(6 * MINUTE).await; // a refresh is hanging now
        let began = Instant::now();
        assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

mod tower_oauth2_resource_server {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_without_kid_or_of_an_unknown_type_discards_no_other() {
        let issuer = TestIssuer::new(ISSUER);
        let mut nameless = SigningKey::generate("x", Algorithm::Es256).public_jwk();
        nameless.as_object_mut().unwrap().remove("kid");
        let keys =
            json!({"keys": [nameless, {"kty": "XYZ", "kid": "y"}, issuer.key().public_jwk()]});
        let server = AuthServer::new(keys.to_string().into_bytes());
        assert_eq!(
            code(&server.verifier(ISSUER), &token(&issuer)).await,
            "accepted"
        );
    }

    #[tokio::test]
    async fn the_body_has_a_limit_and_the_status_is_checked() {
        let large = RawServer::start(|_| ok(&vec![b' '; 1024 * 1024])).await;
        assert!(matches!(
            large.fetcher().fetch(None).await,
            Err(FetchError::TooLarge(_))
        ));
        let document = TestIssuer::new(ISSUER).key_set_json();
        let error = RawServer::start(move |_| response("500 Oops", "", &document)).await;
        assert!(matches!(
            error.fetcher().fetch(None).await,
            Err(FetchError::Status { status: 500, .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hung_fetch_does_not_end_the_refreshes() {
        let issuer = TestIssuer::new(ISSUER);
        let (verifier, server) = warm(&issuer).await;
        server.replies(Reply::Hang);
        sleep(10 * MINUTE).await;
        let old = token(&issuer);
        issuer.rotate(Algorithm::EdDsa);
        issuer.drop_old_keys();
        server.replies(Reply::Document(issuer.key_set_json()));
        sleep(2 * MINUTE).await;
        assert_eq!(code(&verifier, &old).await, "key_unknown");
    }

    #[tokio::test(start_paused = true)]
    async fn first_requests_wait_for_the_keys_instead_of_being_refused() {
        let issuer = TestIssuer::new(ISSUER);
        let server = AuthServer::new(issuer.key_set_json());
        assert_eq!(
            code(&server.verifier(ISSUER), &token(&issuer)).await,
            "accepted"
        );
    }

    #[test]
    fn issuer_and_audience_cannot_be_left_unchecked() {
        let none: [&str; 0] = [];
        assert_eq!(
            Policy::new(none, [ISSUER]).err(),
            Some(PolicyError::NoIssuer)
        );
        assert_eq!(
            Policy::new([ISSUER], none).err(),
            Some(PolicyError::NoAudience)
        );
    }

    #[tokio::test]
    async fn a_refused_token_is_told_why() {
        let rejection = Rejection::from(
            fixed(&[TestIssuer::new(ISSUER).key().public_jwk()])
                .verify("x")
                .await
                .unwrap_err(),
        );
        assert_eq!(rejection.problem(None).code, "token_malformed");
        assert!(
            rejection
                .www_authenticate("api")
                .unwrap()
                .contains("invalid_token")
        );
    }
}

mod aliri {
    use super::*;

    #[tokio::test]
    async fn a_p521_key_panics_nobody_and_verifies() {
        let issuer = TestIssuer::with_algorithm(ISSUER, Algorithm::Es512);
        assert_eq!(
            code(&fixed(&[issuer.key().public_jwk()]), &token(&issuer)).await,
            "accepted"
        );
    }

    #[tokio::test]
    async fn the_algorithm_is_checked_before_any_key_is_used() {
        let issuer = TestIssuer::with_algorithm(ISSUER, Algorithm::Es512);
        let policy = Policy::new([ISSUER], [ISSUER])
            .unwrap()
            .algorithms([Algorithm::EdDsa])
            .unwrap();
        // Not even a fetch: the remote set is never asked.
        let server = AuthServer::new(issuer.key_set_json());
        let verifier: Verifier = Verifier::builder(policy, server.key_set()).build();
        assert_eq!(
            code(&verifier, &token(&issuer)).await,
            "token_algorithm_not_allowed"
        );
        assert_eq!(server.fetches(), 0);
    }
}

mod axum_jwt_auth_and_axum_jwks {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unknown_kid_is_a_401_and_not_a_500() {
        let (verifier, _server) = warm(&TestIssuer::new(ISSUER)).await;
        let other = TestIssuer::new(ISSUER);
        other.rotate(Algorithm::EdDsa);
        let rejection = Rejection::from(verifier.verify(&token(&other)).await.unwrap_err());
        assert_eq!((rejection.status(), rejection.code()), (401, "key_unknown"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_key_fails_no_refresh() {
        let issuer = TestIssuer::new(ISSUER);
        let (verifier, server) = warm(&issuer).await;
        issuer.rotate(Algorithm::EdDsa);
        let bad = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "bad"});
        let keys = json!({"keys": [bad, issuer.key().public_jwk()]});
        server.replies(Reply::Document(keys.to_string().into_bytes()));
        assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
    }

    #[tokio::test]
    async fn keys_that_are_not_rsa_fail_no_start() {
        let issuer = TestIssuer::with_algorithm(ISSUER, Algorithm::Rs256);
        let ed = SigningKey::generate("ed", Algorithm::EdDsa).public_jwk();
        assert_eq!(
            code(&fixed(&[ed, issuer.key().public_jwk()]), &token(&issuer)).await,
            "accepted"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_starts_while_the_auth_server_is_down() {
        let issuer = TestIssuer::new(ISSUER);
        let server = AuthServer::new(issuer.key_set_json());
        server.replies(Reply::Fail(FetchError::Connect));
        let verifier = server.verifier(ISSUER);
        assert_eq!(code(&verifier, &token(&issuer)).await, "keys_unavailable");
        server.replies(Reply::Document(issuer.key_set_json()));
        sleep(Duration::from_secs(2)).await;
        assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
    }

    #[tokio::test]
    async fn the_issuer_is_checked() {
        let issuer = TestIssuer::new("https://evil.example");
        let mut claims = issuer.claims("ada");
        claims["aud"] = json!(ISSUER);
        let verifier = fixed(&[issuer.key().public_jwk()]);
        assert_eq!(
            code(&verifier, &issuer.sign(&claims)).await,
            "token_issuer_mismatch"
        );
    }
}

mod jwks_client_jwtk_and_keycloak {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn unknown_kids_do_not_storm_the_auth_server() {
        let (verifier, server) = warm(&TestIssuer::new(ISSUER)).await;
        for n in 0..100 {
            let key = SigningKey::generate(format!("made-up-{n}"), Algorithm::EdDsa);
            let token = key.sign(key.header().to_string(), "{}");
            assert_eq!(code(&verifier, &token).await, "key_unknown");
        }
        assert_eq!(server.fetches(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_set_and_a_failing_server_refuse_nobody() {
        let issuer = TestIssuer::new(ISSUER);
        let (verifier, server) = warm(&issuer).await;
        server.replies(Reply::Fail(FetchError::Timeout));
        sleep(60 * MINUTE).await;
        let began = Instant::now();
        assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_signature_under_a_known_kid_makes_it_look_again() {
        let (before, after) = (TestIssuer::new(ISSUER), TestIssuer::new(ISSUER));
        let (verifier, server) = warm(&before).await;
        server.replies(Reply::Document(after.key_set_json()));
        assert_eq!(
            code(&verifier, &token(&after)).await,
            "token_signature_invalid"
        );
        sleep(Duration::from_secs(1)).await;
        assert_eq!(code(&verifier, &token(&after)).await, "accepted");
    }
}

mod huskarl {
    use super::*;

    #[tokio::test]
    async fn es512_is_supported() {
        let issuer = TestIssuer::with_algorithm(ISSUER, Algorithm::Es512);
        assert_eq!(
            code(&fixed(&[issuer.key().public_jwk()]), &token(&issuer)).await,
            "accepted"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn staleness_is_bounded() {
        let issuer = TestIssuer::new(ISSUER);
        let (verifier, server) = warm(&issuer).await;
        server.replies(Reply::Fail(FetchError::Connect));
        sleep(25 * 60 * MINUTE).await;
        assert_eq!(code(&verifier, &token(&issuer)).await, "keys_unavailable");
    }

    #[tokio::test(start_paused = true)]
    async fn no_reader_pays_for_a_refresh() {
        let issuer = TestIssuer::new(ISSUER);
        let (verifier, server) = warm(&issuer).await;
        for _ in 0..100 {
            sleep(MINUTE).await;
            let began = Instant::now();
            assert_eq!(code(&verifier, &token(&issuer)).await, "accepted");
            assert_eq!(began.elapsed(), Duration::ZERO);
        }
        assert!(server.fetches() > 15, "{}", server.fetches());
    }

    #[tokio::test]
    async fn better_auths_plain_token_without_typ_and_client_id_is_accepted() {
        let issuer = TestIssuer::new(ISSUER);
        assert!(issuer.key().header().get("typ").is_none());
        assert_eq!(
            code(&fixed(&[issuer.key().public_jwk()]), &issuer.token("ada")).await,
            "accepted"
        );
    }
}
