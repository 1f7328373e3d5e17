//! Several issuers in one verifier: what each is trusted with, and that nothing of one passes for
//! the other's.

#[path = "support/auth_server.rs"]
mod auth_server;

use std::time::Duration;

use auth_server::{AuthServer, Reply};
use keyward::testing::{TestClock, TestIssuer, TestToken};
use keyward::{Algorithm, KeySource, Policy, TrustError, Verifier, VerifierBuilder};
use serde_json::json;

const A: &str = "https://a.example.com";
const B: &str = "https://b.example.com";
const API: &str = "https://api.example.com";

fn policy(issuer: &str) -> Policy {
    Policy::new([issuer], [issuer]).unwrap()
}

/// Two issuers with keys under the same `kid`, and how often each was asked for its keys.
struct Two {
    a: TestIssuer,
    b: TestIssuer,
    keys_of_a: AuthServer,
    keys_of_b: AuthServer,
}

impl Two {
    fn new() -> Self {
        let (a, b) = (TestIssuer::new(A), TestIssuer::new(B));
        assert_eq!(a.key().id(), b.key().id());
        Self {
            keys_of_a: AuthServer::new(a.key_set_json()),
            keys_of_b: AuthServer::new(b.key_set_json()),
            a,
            b,
        }
    }

    fn builder(&self) -> VerifierBuilder {
        self.with_policies(policy(A), policy(B))
    }

    fn with_policies(&self, of_a: Policy, of_b: Policy) -> VerifierBuilder {
        Verifier::builder(of_a, self.keys_of_a.key_set())
            .trust(of_b, self.keys_of_b.key_set())
            .unwrap()
    }

    /// Publishes the keys that the issuers have now.
    fn publish(&self) {
        let reply = |issuer: &TestIssuer| Reply::Document(issuer.key_set_json());
        self.keys_of_a.replies(reply(&self.a));
        self.keys_of_b.replies(reply(&self.b));
    }

    fn fetches(&self) -> (usize, usize) {
        (self.keys_of_a.fetches(), self.keys_of_b.fetches())
    }
}

async fn code(verifier: &Verifier, token: impl AsRef<str>) -> &'static str {
    match verifier.verify(token.as_ref()).await {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

#[tokio::test(start_paused = true)]
async fn each_token_is_held_against_the_keys_of_the_issuer_it_names() {
    let two = Two::new();
    for verifier in [
        two.builder().build::<keyward::BetterAuthUser>(),
        two.builder().without_cache().build(),
    ] {
        for _ in 0..2 {
            assert_eq!(code(&verifier, two.a.token("ada")).await, "accepted");
            assert_eq!(code(&verifier, two.b.token("ada")).await, "accepted");
        }
        let principal = verifier.verify(&two.b.token("ada")).await.unwrap();
        assert_eq!(&*principal.claims().issuer, B);
        // A key of the one signs nothing for the other, though both have the same `kid`.
        let mut claims = two.a.claims("ada");
        let by_b = two.b.sign(&claims);
        assert_eq!(code(&verifier, by_b).await, "token_signature_invalid");
        claims = two.b.claims("ada");
        let by_a = two.a.sign(&claims);
        assert_eq!(code(&verifier, by_a).await, "token_signature_invalid");
        // Nor does the other's audience count.
        let for_b = two.a.user("ada").audience(B).token();
        assert_eq!(code(&verifier, for_b).await, "token_audience_mismatch");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signature_moved_from_one_issuers_token_to_the_others_proves_nothing() {
    let two = Two::new();
    let verifier: Verifier = two.builder().build();
    let (of_a, of_b) = (two.a.token("ada"), two.b.token("ada"));
    assert_eq!(code(&verifier, &of_a).await, "accepted");
    assert_eq!(code(&verifier, &of_b).await, "accepted");
    let parts = |token: &str| -> Vec<String> { token.split('.').map(str::to_owned).collect() };
    let (a, b) = (parts(&of_a), parts(&of_b));
    for token in [
        format!("{}.{}.{}", a[0], a[1], b[2]),
        format!("{}.{}.{}", a[0], b[1], a[2]),
    ] {
        assert_eq!(code(&verifier, token).await, "token_signature_invalid");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_an_unknown_issuer_is_refused_without_a_fetch() {
    let two = Two::new();
    let verifier: Verifier = two.builder().build();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let at_the_start = two.fetches();
    assert_eq!(at_the_start, (1, 1));
    let stranger = TestIssuer::new("https://stranger.example.com");
    stranger.rotate(Algorithm::Es256);
    let named = |issuer: serde_json::Value| two.a.user("ada").claim("iss", issuer);
    for (token, expected) in [
        (stranger.token("ada"), "token_issuer_mismatch"),
        (
            stranger.user("ada").audience(A).token(),
            "token_issuer_mismatch",
        ),
        (
            named(json!(format!("{A}/"))).token(),
            "token_issuer_mismatch",
        ),
        (named(json!("")).token(), "token_issuer_mismatch"),
        (named(json!([A])).token(), "token_claim_invalid"),
        (named(json!([A, B])).token(), "token_claim_invalid"),
        (named(json!(null)).token(), "token_claim_invalid"),
        (named(json!({"iss": A})).token(), "token_claim_invalid"),
        (
            two.a.user("ada").without_claim("iss").token(),
            "token_claim_missing",
        ),
        (two.a.key().sign("{}", "[]"), "token_payload_invalid"),
        // Which of two names would be read is a guess.
        (
            two.a
                .key()
                .sign("{}", format!(r#"{{"iss":"{A}","iss":"{B}"}}"#)),
            "token_payload_invalid",
        ),
        (two.a.key().sign("{}", "\u{0}"), "token_payload_invalid"),
        ("a.b.c".to_owned(), "token_malformed"),
        ("eyJ9.!.c".to_owned(), "token_malformed"),
        (
            two.a.key().sign("x", json!({"iss": A}).to_string()),
            "token_header_invalid",
        ),
    ] {
        assert_eq!(code(&verifier, &token).await, expected, "{token}");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(two.fetches(), at_the_start);
}

#[tokio::test(start_paused = true)]
async fn a_token_with_an_unknown_key_asks_only_the_issuer_it_names() {
    let two = Two::new();
    let verifier: Verifier = two.builder().build();
    assert_eq!(code(&verifier, two.a.token("ada")).await, "accepted");
    assert_eq!(code(&verifier, two.b.token("ada")).await, "accepted");
    let (of_a, of_b) = two.fetches();
    // What was fetched at the start is news for a while.
    tokio::time::sleep(Duration::from_secs(20)).await;
    two.a.rotate(Algorithm::Es256);
    two.publish();
    assert_eq!(code(&verifier, two.a.token("ada")).await, "accepted");
    assert_eq!(two.fetches(), (of_a + 1, of_b));
    // Its new key under B's name is not looked for at A.
    let claims = two.b.claims("ada");
    assert_eq!(code(&verifier, two.a.sign(&claims)).await, "key_unknown");
    assert_eq!(two.fetches(), (of_a + 1, of_b + 1));
}

#[tokio::test(start_paused = true)]
async fn one_issuer_that_is_away_does_not_hold_up_the_other() {
    let two = Two::new();
    two.keys_of_b
        .replies(Reply::Fail(keyward::FetchError::Connect));
    let verifier: Verifier = two.builder().build();
    assert_eq!(
        code(&verifier, two.b.token("ada")).await,
        "keys_unavailable"
    );
    assert_eq!(code(&verifier, two.a.token("ada")).await, "accepted");
    let status = verifier.key_set_status().unwrap();
    assert!(!status.usable, "the one that is worst off");
    let usable: Vec<(String, bool)> = verifier
        .key_sets()
        .into_iter()
        .map(|set| (set.issuers[0].to_string(), set.status.usable))
        .collect();
    assert_eq!(usable, [(A.to_owned(), true), (B.to_owned(), false)]);
}

#[tokio::test(start_paused = true)]
async fn each_policy_holds_for_its_own_issuers_alone() {
    let two = Two::new();
    let strict = policy(A)
        .algorithms([Algorithm::Es256])
        .unwrap()
        .token_types(["a+jwt"])
        .leeway(Duration::ZERO)
        .require_claim("plan")
        .max_token_len(700);
    let lax = policy(B)
        .leeway(Duration::from_secs(300))
        .max_token_len(20_000);
    two.a.rotate(Algorithm::Es256);
    two.publish();
    let verifier: Verifier = two.with_policies(strict, lax).build();
    let of_a = || two.a.user("ada").without_claim("image");
    let good = || of_a().typ("a+jwt").claim("plan", "pro");
    let of_b = || two.b.user("ada");
    let expired = |token: TestToken, issuer: &TestIssuer| {
        let exp = issuer.claims("ada")["iat"].as_u64().unwrap() - 60;
        token.claim("exp", exp).token()
    };
    let long = "x".repeat(8000);
    for (token, expected) in [
        (good().token(), "accepted"),
        (
            of_a().claim("plan", "pro").typ("JWT").token(),
            "token_type_not_accepted",
        ),
        (of_a().typ("a+jwt").token(), "token_claim_missing"),
        (expired(good(), &two.a), "token_expired"),
        (good().claim("x", &*long).token(), "token_too_large"),
        (of_b().token(), "accepted"),
        (of_b().typ("a+jwt").token(), "token_type_not_accepted"),
        (expired(of_b(), &two.b), "accepted"),
        (of_b().claim("x", &*long).token(), "accepted"),
        (
            of_b().claim("x", "x".repeat(20_000)).token(),
            "token_too_large",
        ),
    ] {
        for _ in 0..2 {
            assert_eq!(code(&verifier, &token).await, expected, "{}", token.len());
        }
    }
    // The algorithm that only B's may have.
    two.a.rotate(Algorithm::EdDsa);
    assert_eq!(
        code(&verifier, good().token()).await,
        "token_algorithm_not_allowed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_goes_by_the_keys_and_the_policy_it_was_verified_with() {
    let two = Two::new();
    let clock = TestClock::new();
    let lax = policy(B).leeway(Duration::from_secs(3600));
    let verifier: Verifier = two
        .with_policies(policy(A), lax)
        .clock(clock.clone())
        .build();
    let (of_a, of_b) = (two.a.token("ada"), two.b.token("ada"));
    for token in [&of_a, &of_b] {
        assert_eq!(code(&verifier, token).await, "accepted");
    }
    assert_eq!(verifier.cache_status().unwrap().entries, 2);

    // B's keys change; A's token stays, and B's goes with its key.
    let mut withdrawn = two.b.key().public_jwk();
    two.b.rotate(Algorithm::Es256);
    two.b.drop_old_keys();
    two.publish();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(code(&verifier, two.b.token("ada")).await, "accepted");
    assert_eq!(code(&verifier, &of_a).await, "accepted");
    assert_eq!(code(&verifier, &of_b).await, "key_unknown");

    // A now has the key that B has withdrawn: B's token is not A's for that.
    let mut keys: serde_json::Value = serde_json::from_slice(&two.a.key_set_json()).unwrap();
    withdrawn["kid"] = "another".into();
    keys["keys"].as_array_mut().unwrap().push(withdrawn);
    two.keys_of_a
        .replies(Reply::Document(keys.to_string().into_bytes()));
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(code(&verifier, &of_a).await, "accepted");
    assert_eq!(code(&verifier, &of_b).await, "key_unknown");

    // Each expires with its own leeway.
    let of_b = two.b.token("ada");
    assert_eq!(code(&verifier, &of_b).await, "accepted");
    clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(code(&verifier, &of_a).await, "token_expired");
    assert_eq!(code(&verifier, &of_b).await, "accepted");
}

#[tokio::test(start_paused = true)]
async fn a_set_of_keys_that_two_trusts_share_is_fetched_once_and_counted_once() {
    let issuer = TestIssuer::new(A);
    let server = AuthServer::new(issuer.key_set_json());
    let keys = server.key_set();
    let oauth = Policy::for_access_tokens([format!("{A}/api/auth")], [A]).unwrap();
    let clock = TestClock::new();
    let verifier: Verifier = Verifier::builder(policy(A), keys.clone())
        .trust(oauth.leeway(Duration::from_secs(3600)), keys)
        .unwrap()
        .clock(clock.clone())
        .build();
    let token = issuer.token("ada");
    assert_eq!(code(&verifier, &token).await, "accepted");
    let lifetime = Duration::from_secs(15 * 60);
    let access_token = issuer.access_token("app", "ada").expires_in(lifetime);
    let access_token = access_token.token();
    assert_eq!(code(&verifier, &access_token).await, "accepted");
    assert_eq!(server.fetches(), 1);
    // Proven with the same key, remembered side by side, and still two policies.
    assert_eq!(verifier.cache_status().unwrap().entries, 2);
    clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(code(&verifier, &token).await, "token_expired");
    assert_eq!(code(&verifier, &access_token).await, "accepted");
    let sets = verifier.key_sets();
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0].issuers, [A.into(), format!("{A}/api/auth").into()]);
}

/// Who takes what: one server that signs all of them with one key, as Better Auth's does.
#[tokio::test(start_paused = true)]
async fn one_key_for_several_kinds_of_token_makes_none_of_them_another() {
    let server = TestIssuer::new(A);
    let issuer = format!("{A}/api/auth");
    let keys = || -> KeySource { server.key_source() };
    let oauth = || Policy::for_access_tokens([&*issuer], [API]).unwrap();
    let first_party: Verifier = server
        .verifier_for(Policy::new([A], [API]).unwrap())
        .build();
    let oauth_only: Verifier = server.verifier_for(oauth()).build();
    let both: Verifier = server
        .verifier_for(Policy::new([A], [API]).unwrap())
        .trust(oauth(), keys())
        .unwrap()
        .build();

    let jwt = || server.user("ada").audience(API);
    let access = || server.access_token("app", "ada").audience(API);
    let id_token = || {
        server
            .user("ada")
            .claim("iss", &*issuer)
            .audience("app")
            .claim("azp", "app")
    };
    let (yes, other) = ("accepted", "token_issuer_mismatch");
    let (typ, aud) = ("token_type_not_accepted", "token_audience_mismatch");
    for (name, token, of_first_party, of_oauth, of_both) in [
        ("first-party", jwt(), yes, typ, yes),
        ("access token", access(), other, yes, yes),
        (
            "client's own",
            server.client("app").audience(API),
            other,
            yes,
            yes,
        ),
        (
            "its full media type",
            access().typ("application/at+jwt"),
            other,
            yes,
            yes,
        ),
        ("id_token", id_token(), other, typ, typ),
        ("id_token for us", id_token().audience(API), other, typ, typ),
        ("access token as JWT", access().typ("JWT"), other, typ, typ),
        ("logout token", access().typ("logout+jwt"), typ, typ, typ),
        (
            "first-party as at+jwt",
            jwt().typ("at+jwt"),
            yes,
            other,
            yes,
        ),
        (
            "first-party with OAuth's issuer",
            jwt().claim("iss", &*issuer),
            other,
            typ,
            typ,
        ),
        (
            "for another resource",
            access().audience(A),
            other,
            aud,
            aud,
        ),
        (
            "for nobody",
            access().claim("aud", json!([])),
            other,
            aud,
            aud,
        ),
        (
            "without client_id",
            access().without_claim("client_id"),
            other,
            "token_claim_missing",
            "token_claim_missing",
        ),
        (
            "bound to a key",
            access().claim("cnf", json!({"jkt": "x"})),
            "token_sender_constrained",
            "token_sender_constrained",
            "token_sender_constrained",
        ),
    ] {
        let token = token.token();
        for _ in 0..2 {
            assert_eq!(code(&first_party, &token).await, of_first_party, "{name}");
            assert_eq!(code(&oauth_only, &token).await, of_oauth, "{name}, OAuth");
            assert_eq!(code(&both, &token).await, of_both, "{name}, both");
        }
    }
    // A client that acts for itself is no user, in whichever company it is verified.
    let own = server.client("app").audience(API).token();
    let principal = both.verify(&own).await.unwrap();
    assert!(principal.claims().is_client() && principal.user().is_none());
}

#[test]
fn an_issuer_with_two_policies_is_an_error() {
    let keys = || keyward::KeySet::from_json(&TestIssuer::new(A).key_set_json()).unwrap();
    let builder = || Verifier::builder(policy(A), keys());
    let error = builder().trust(policy(A), keys()).unwrap_err();
    assert_eq!(error, TrustError::IssuerRepeated(A.into()));
    assert!(error.to_string().contains(A), "{error}");
    let several = Policy::new([B, A], [API]).unwrap();
    assert!(builder().trust(several, keys()).is_err());
    let third = builder().trust(policy(B), keys()).unwrap();
    assert!(third.trust(policy(B), keys()).is_err());
}

/// Whatever is changed about a token, none becomes another's, and nobody is asked for keys that are
/// there: a `kid` that is changed is unknown, which may cost its own issuer one refresh.
#[tokio::test(start_paused = true)]
async fn no_bit_of_a_token_can_be_changed() {
    let two = Two::new();
    let verifier: Verifier = two.builder().build();
    let token = two.b.token("ada");
    assert_eq!(code(&verifier, &token).await, "accepted");
    assert_eq!(code(&verifier, two.a.token("ada")).await, "accepted");
    let of_a = two.keys_of_a.fetches();
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut changed = token.clone().into_bytes();
            changed[at] ^= 1 << bit;
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(code(&verifier, &changed).await, "accepted", "{at} {bit}");
        }
        let cut = &token[..at];
        assert_ne!(code(&verifier, cut).await, "accepted", "{at}");
    }
    assert_eq!(
        two.keys_of_a.fetches(),
        of_a,
        "of an issuer that no token names"
    );
}
