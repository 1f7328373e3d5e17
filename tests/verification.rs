//! Tokens through the verifier's front door: every algorithm, every refusal, and jsonwebtoken as
//! the oracle for the algorithms it knows.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::testing::{SigningKey, TestIssuer};
use keyward::{Algorithm, BetterAuthUser, KeySet, Policy, Verifier};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

const ISSUER: &str = "https://app.example.com";

fn policy() -> Policy {
    Policy::new([ISSUER], [ISSUER]).unwrap()
}

fn verifier(issuer: &TestIssuer) -> Verifier {
    Verifier::builder(policy(), KeySet::from_json(&issuer.key_set_json()).unwrap()).build()
}

async fn code(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token).await {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

/// A token of `issuer`'s key with changed header parameters and claims; `null` removes one.
fn altered(issuer: &TestIssuer, header_changes: Value, claim_changes: Value) -> String {
    let merge = |mut value: Value, changes: &Value| {
        for (name, change) in changes.as_object().unwrap() {
            match change {
                Value::Null => drop(value.as_object_mut().unwrap().remove(name)),
                change => value[name] = change.clone(),
            }
        }
        value.to_string()
    };
    let header = merge(issuer.key().header(), &header_changes);
    issuer
        .key()
        .sign(header, merge(issuer.claims("ada"), &claim_changes))
}

#[tokio::test]
async fn every_algorithm_is_verified_with_and_without_a_label_on_its_key() {
    for algorithm in Algorithm::ALL {
        let issuer = TestIssuer::with_algorithm(ISSUER, algorithm);
        let mut unlabelled = issuer.key().public_jwk();
        unlabelled.as_object_mut().unwrap().remove("alg");
        let unlabelled =
            KeySet::from_json(json!({"keys": [unlabelled]}).to_string().as_bytes()).unwrap();
        for verifier in [
            verifier(&issuer),
            Verifier::builder(policy(), unlabelled).build(),
        ] {
            let principal = verifier.verify(&issuer.token("ada")).await.unwrap();
            assert_eq!(principal.algorithm(), algorithm);
            assert_eq!(principal.key_id(), Some("key-1"));
            assert_eq!(
                principal.user().unwrap().email.as_deref(),
                Some("ada@example.com")
            );

            let stranger = TestIssuer::with_algorithm(ISSUER, algorithm);
            assert_eq!(
                code(&verifier, &stranger.token("ada")).await,
                "token_signature_invalid",
                "{algorithm}"
            );
        }
    }
}

#[tokio::test]
async fn ed25519_goes_by_both_its_names() {
    let issuer = TestIssuer::with_algorithm(ISSUER, Algorithm::EdDsa);
    let verifier = verifier(&issuer);
    assert_eq!(
        code(
            &verifier,
            &altered(&issuer, json!({"alg": "Ed25519"}), json!({}))
        )
        .await,
        "accepted"
    );
    let only_one = policy().algorithms([Algorithm::EdDsa]).unwrap();
    let strict =
        Verifier::builder(only_one, KeySet::from_json(&issuer.key_set_json()).unwrap()).build();
    let token = altered(&issuer, json!({"alg": "Ed25519"}), json!({}));
    assert_eq!(code(&strict, &token).await, "token_algorithm_not_allowed");
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    let issuer = TestIssuer::new(ISSUER);
    let verifier = verifier(&issuer);
    let good = issuer.token("ada");
    let header = |changes: Value| altered(&issuer, changes, json!({}));
    let claims = |changes: Value| altered(&issuer, json!({}), changes);
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = input.split_once('.').unwrap();
    let signature_bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let with_signature = |bytes: &[u8]| format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let tampered = URL_SAFE_NO_PAD.encode(
        String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap())
            .unwrap()
            .replace("\"ada\"", "\"eve\""),
    );
    let raw_payload = |payload: &str| {
        issuer
            .key()
            .sign(issuer.key().header().to_string(), payload)
    };
    let table = [
        ("as issued", good.clone(), "accepted"),
        ("typ JWT", header(json!({"typ": "JWT"})), "accepted"),
        (
            "typ at+jwt",
            header(json!({"typ": "application/at+jwt"})),
            "accepted",
        ),
        ("no kid, one key", header(json!({"kid": null})), "accepted"),
        (
            "key material in the header",
            header(json!({"jwk": {}, "jku": "https://evil.example", "x5u": "x", "x5c": []})),
            "accepted",
        ),
        ("empty", String::new(), "token_malformed"),
        (
            "17 KiB",
            claims(json!({"image": "x".repeat(17 * 1024)})),
            "token_too_large",
        ),
        (
            "session token",
            "koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8".to_owned(),
            "session_token",
        ),
        (
            "signed session token",
            "koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8.c2lnbmF0dXJl=".to_owned(),
            "session_token",
        ),
        ("JWE", "a.b.c.d.e".to_owned(), "token_encrypted"),
        (
            "detached payload",
            format!("{head}..{signature}"),
            "token_malformed",
        ),
        ("no signature", format!("{input}."), "token_malformed"),
        ("padding", format!("{good}="), "token_malformed"),
        (
            "header is no object",
            issuer.key().sign("[]", "{}"),
            "token_header_invalid",
        ),
        (
            "no alg",
            header(json!({"alg": null})),
            "token_header_invalid",
        ),
        (
            "kid is a number",
            header(json!({"kid": 7})),
            "token_header_invalid",
        ),
        (
            "huge header",
            header(json!({"x": "x".repeat(5000)})),
            "token_header_invalid",
        ),
        (
            "crit",
            header(json!({"crit": ["exp"], "exp": 1})),
            "token_critical_header",
        ),
        (
            "b64",
            header(json!({"b64": true})),
            "token_payload_unencoded",
        ),
        (
            "session-cookie JWT",
            header(json!({"typ": "better-auth.session-cache+jwt"})),
            "token_type_not_accepted",
        ),
        (
            "logout token",
            header(json!({"typ": "logout+jwt"})),
            "token_type_not_accepted",
        ),
        (
            "alg none",
            header(json!({"alg": "none"})),
            "token_algorithm_not_allowed",
        ),
        (
            "alg nOnE",
            header(json!({"alg": "nOnE"})),
            "token_algorithm_not_allowed",
        ),
        (
            "HMAC",
            header(json!({"alg": "HS256"})),
            "token_algorithm_not_allowed",
        ),
        (
            "another key's algorithm",
            header(json!({"alg": "ES256"})),
            "key_algorithm_mismatch",
        ),
        (
            "unknown kid",
            header(json!({"kid": "key-2"})),
            "key_unknown",
        ),
        (
            "no kid, no fitting key",
            header(json!({"kid": null, "alg": "RS256"})),
            "key_id_missing",
        ),
        (
            "tampered payload",
            format!("{head}.{tampered}.{signature}"),
            "token_signature_invalid",
        ),
        (
            "truncated signature",
            with_signature(&signature_bytes[..63]),
            "token_signature_invalid",
        ),
        (
            "longer signature",
            with_signature(&[&*signature_bytes, &[0]].concat()),
            "token_signature_invalid",
        ),
        (
            "endless signature",
            format!("{input}.{}", "A".repeat(8000)),
            "token_signature_invalid",
        ),
        (
            "payload is no object",
            raw_payload("\"text\""),
            "token_payload_invalid",
        ),
        (
            "payload is no JSON",
            raw_payload("{"),
            "token_payload_invalid",
        ),
        ("nested JWT", raw_payload(&good), "token_payload_invalid"),
        (
            "duplicate claim",
            raw_payload(r#"{"sub":"a","sub":"b"}"#),
            "token_payload_invalid",
        ),
        (
            "no exp",
            claims(json!({"exp": null})),
            "token_claim_missing",
        ),
        (
            "no sub",
            claims(json!({"sub": null})),
            "token_claim_missing",
        ),
        (
            "no iss",
            claims(json!({"iss": null})),
            "token_claim_missing",
        ),
        (
            "no aud",
            claims(json!({"aud": null})),
            "token_claim_missing",
        ),
        (
            "exp is text",
            claims(json!({"exp": "soon"})),
            "token_claim_invalid",
        ),
        (
            "iss is a list",
            claims(json!({"iss": [ISSUER]})),
            "token_claim_invalid",
        ),
        (
            "exp in milliseconds",
            claims(json!({"exp": 1_795_460_000_000_u64})),
            "token_time_in_milliseconds",
        ),
        ("expired", claims(json!({"exp": 3600})), "token_expired"),
        (
            "not yet valid",
            claims(json!({"nbf": 99_999_999_999_u64})),
            "token_not_yet_valid",
        ),
        (
            "issued in the future",
            claims(json!({"iat": 99_999_999_999_u64})),
            "token_issued_in_future",
        ),
        (
            "issuer with a slash",
            claims(json!({"iss": format!("{ISSUER}/")})),
            "token_issuer_mismatch",
        ),
        (
            "OAuth provider's issuer",
            claims(json!({"iss": format!("{ISSUER}/api/auth")})),
            "token_issuer_mismatch",
        ),
        (
            "id_token",
            claims(json!({"aud": "client-id", "nonce": "n"})),
            "token_audience_mismatch",
        ),
        (
            "no audience",
            claims(json!({"aud": []})),
            "token_audience_mismatch",
        ),
        (
            "DPoP-bound",
            claims(json!({"cnf": {"jkt": "x"}})),
            "token_sender_constrained",
        ),
        (
            "e-mail is a number",
            claims(json!({"email": 7})),
            "token_claims_rejected",
        ),
    ];
    for (name, token, expected) in table {
        assert_eq!(code(&verifier, &token).await, expected, "{name}");
    }
    let never_fetched = Verifier::builder(
        policy(),
        keyward::RemoteKeySet::new(Down, Default::default()),
    );
    assert_eq!(
        code(&never_fetched.build(), &good).await,
        "keys_unavailable"
    );
}

/// An auth server that is away.
#[derive(Debug)]
struct Down;

impl keyward::FetchKeySet for Down {
    fn fetch(&self, _: Option<String>) -> keyward::FetchFuture<'_> {
        Box::pin(async { Err(keyward::FetchError::Connect) })
    }
}

#[tokio::test]
async fn reasons_that_depend_on_claims_other_than_exp_are_given_only_for_a_proven_signature() {
    let issuer = TestIssuer::new(ISSUER);
    let forger = TestIssuer::new(ISSUER);
    for (changes, expected) in [
        (json!({"aud": "other"}), "token_signature_invalid"),
        (json!({"iss": "other"}), "token_signature_invalid"),
        (json!({"sub": 7}), "token_signature_invalid"),
        (json!({"exp": "3600"}), "token_signature_invalid"),
        (
            json!({"nbf": 99_999_999_999_u64}),
            "token_signature_invalid",
        ),
        // All that this tells its maker is the time.
        (json!({"exp": 3600}), "token_expired"),
    ] {
        let forged = altered(&forger, json!({}), changes);
        assert_eq!(code(&verifier(&issuer), &forged).await, expected);
    }
}

#[tokio::test]
async fn a_size_limit_is_configurable_and_names_define_payload() {
    let issuer = TestIssuer::new(ISSUER);
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    let verifier: Verifier = Verifier::builder(policy().max_token_len(100), keys).build();
    let error = verifier.verify(&issuer.token("ada")).await.unwrap_err();
    assert!(error.to_string().contains("definePayload") && error.to_string().contains("100 bytes"));
}

#[tokio::test]
async fn claims_are_read_into_any_type() {
    #[derive(Deserialize)]
    struct Member {
        sub: String,
        organization: Organization,
    }
    #[derive(Deserialize)]
    struct Organization {
        id: u32,
    }
    let issuer = TestIssuer::new(ISSUER);
    let keys = || KeySet::from_json(&issuer.key_set_json()).unwrap();
    let verifier: Verifier<Member> = Verifier::builder(policy(), keys()).build();
    let mut claims = issuer.claims("ada");
    claims["organization"] = json!({"id": 7});
    let principal = verifier.verify(&issuer.sign(&claims)).await.unwrap();
    let member = principal.user().unwrap();
    assert_eq!((&*member.sub, member.organization.id), ("ada", 7));
    let error = verifier.verify(&issuer.token("ada")).await.unwrap_err();
    assert_eq!(error.code(), "token_claims_rejected");
    assert!(!error.to_string().contains("organization"));
    let untyped: Verifier<Value> = Verifier::builder(policy(), keys()).build();
    assert_eq!(
        untyped
            .verify(&issuer.token("ada"))
            .await
            .unwrap()
            .user()
            .unwrap()["role"],
        "user"
    );
}

#[tokio::test]
async fn what_define_payload_leaves_out_is_absent() {
    let issuer = TestIssuer::new(ISSUER);
    let claims = issuer.claims("ada");
    let bare = json!({"sub": "ada", "exp": claims["exp"], "iss": ISSUER, "aud": [ISSUER]});
    let principal = verifier(&issuer).verify(&issuer.sign(&bare)).await.unwrap();
    let BetterAuthUser {
        id,
        email,
        name,
        role,
        ..
    } = principal.user().unwrap();
    assert_eq!((&**id, email, name, role), ("ada", &None, &None, &None));
}

#[tokio::test]
async fn a_client_credentials_token_yields_a_client_and_never_a_user() {
    let issuer = TestIssuer::new(ISSUER);
    let claims = issuer.claims("x");
    for client in ["client_id", "azp"] {
        let mut token = json!({"sub": "ohgD", "exp": claims["exp"], "iss": ISSUER, "aud": ISSUER, "scope": "tasks:read"});
        token[client] = json!("ohgD");
        let principal = verifier(&issuer)
            .verify(&issuer.sign(&token))
            .await
            .unwrap();
        assert!(principal.claims().is_client() && principal.user().is_none());
        assert_eq!(
            principal.require_user().unwrap_err().code(),
            "user_required"
        );
        assert!(principal.claims().has_scope("tasks:read"));
    }
}

#[tokio::test]
async fn the_leeway_covers_half_a_minute_of_clock_difference() {
    let issuer = TestIssuer::new(ISSUER);
    let now = issuer.claims("ada")["iat"].as_u64().unwrap();
    for (exp, expected) in [(now - 20, "accepted"), (now - 40, "token_expired")] {
        let token = altered(&issuer, json!({}), json!({"exp": exp}));
        assert_eq!(code(&verifier(&issuer), &token).await, expected);
    }
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    let none: Verifier = Verifier::builder(policy().leeway(Duration::ZERO), keys).build();
    let token = altered(&issuer, json!({}), json!({"exp": now - 1}));
    assert_eq!(code(&none, &token).await, "token_expired");
}

/// jsonwebtoken, set up as strictly as it can be.
fn oracle(issuer: &TestIssuer, algorithm: Algorithm, token: &str) -> bool {
    let known: jsonwebtoken::Algorithm = algorithm.name().parse().unwrap();
    let jwk = serde_json::from_value(issuer.key().public_jwk()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let mut validation = jsonwebtoken::Validation::new(known);
    validation.leeway = 30;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
}

/// The algorithms that both know, each with an issuer. RSA keys take long to make.
fn oracle_issuers() -> &'static [(Algorithm, TestIssuer, Verifier)] {
    static ISSUERS: std::sync::OnceLock<Vec<(Algorithm, TestIssuer, Verifier)>> =
        std::sync::OnceLock::new();
    ISSUERS.get_or_init(|| {
        Algorithm::ALL
            .into_iter()
            .filter(|algorithm| algorithm.name().parse::<jsonwebtoken::Algorithm>().is_ok())
            .map(|algorithm| {
                let issuer = TestIssuer::with_algorithm(ISSUER, algorithm);
                let verifier = verifier(&issuer);
                (algorithm, issuer, verifier)
            })
            .collect()
    })
}

fn verdict(verifier: &Verifier, token: &str) -> bool {
    // A fixed key set: the future never waits.
    let mut future = std::pin::pin!(verifier.verify(token));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(result) => result.is_ok(),
        std::task::Poll::Pending => panic!("waited without a remote key set"),
    }
}

#[test]
fn the_verdict_is_jsonwebtokens_where_both_rules_are_the_same() {
    assert_eq!(oracle_issuers().len(), 9);
    let far = 99_999_999_999_u64;
    for (algorithm, issuer, verifier) in oracle_issuers() {
        for changes in [
            json!({}),
            json!({"exp": 3600}),
            json!({"exp": null}),
            json!({"nbf": 5}),
            json!({"nbf": far}),
            json!({"iss": "https://other.example"}),
            json!({"iss": null}),
            json!({"aud": ["https://other.example", ISSUER]}),
            json!({"aud": "https://other.example"}),
            json!({"aud": []}),
            json!({"sub": null}),
            json!({"exp": "text"}),
        ] {
            let token = altered(issuer, json!({}), changes.clone());
            assert_eq!(
                verdict(verifier, &token),
                oracle(issuer, *algorithm, &token),
                "{algorithm} {changes}"
            );
        }
    }
}

#[test]
fn keyward_is_stricter_than_jsonwebtoken_by_named_rules_only() {
    for (algorithm, issuer, verifier) in oracle_issuers() {
        for (rule, header, claims) in [
            (
                "crit is understood by nobody",
                json!({"crit": ["exp"]}),
                json!({}),
            ),
            (
                "b64 is not supported",
                json!({"b64": false, "crit": ["b64"]}),
                json!({}),
            ),
            (
                "typ says what a token is for",
                json!({"typ": "logout+jwt"}),
                json!({}),
            ),
            (
                "iat lies not in the future",
                json!({}),
                json!({"iat": 99_999_999_999_u64}),
            ),
            (
                "iss is one string",
                json!({}),
                json!({"iss": ["https://evil.example", ISSUER]}),
            ),
            (
                "times are in seconds",
                json!({}),
                json!({"exp": 1_795_460_000_000_u64}),
            ),
            (
                "a bearer proves no possession",
                json!({}),
                json!({"cnf": {"jkt": "x"}}),
            ),
            ("sub is not empty", json!({}), json!({"sub": ""})),
        ] {
            let token = altered(issuer, header, claims);
            assert!(
                oracle(issuer, *algorithm, &token),
                "{algorithm}: {rule}: jsonwebtoken has it now"
            );
            assert!(!verdict(verifier, &token), "{algorithm}: {rule}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_with_any_byte_changed_is_refused_by_both(which in 0..9_usize, position: prop::sample::Index, byte: u8) {
        let (algorithm, issuer, verifier) = &oracle_issuers()[which];
        let mut token = issuer.token("ada").into_bytes();
        let position = position.index(token.len());
        prop_assume!(token[position] != byte);
        token[position] = byte;
        let token = String::from_utf8_lossy(&token);
        prop_assert!(!verdict(verifier, &token));
        prop_assert!(!oracle(issuer, *algorithm, &token));
    }

    #[test]
    fn no_text_is_accepted_and_none_panics(token in ".{0,200}") {
        prop_assert!(!verdict(&oracle_issuers()[0].2, &token));
    }

    #[test]
    fn no_signed_bytes_panic(header in prop::collection::vec(any::<u8>(), 0..60), payload in prop::collection::vec(any::<u8>(), 0..60)) {
        let (_, issuer, verifier) = &oracle_issuers()[0];
        prop_assert!(!verdict(verifier, &issuer.key().sign(header, &payload)));
        let proven = issuer.key().sign(issuer.key().header().to_string(), payload);
        prop_assert!(!verdict(verifier, &proven));
    }

    #[test]
    fn no_document_panics_a_key_set(document in prop::collection::vec(any::<u8>(), 0..200), jwk in "[\\[\\]{}\":,a-zA-Z0-9]{0,80}") {
        let _ = KeySet::from_json(&document);
        let _ = KeySet::from_json(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes());
    }
}

#[tokio::test]
async fn a_key_made_for_one_issuer_object_signs_what_it_is_told() {
    // The signer is part of the tests' own tools: what it signs must be what was asked for.
    let key = SigningKey::generate("k", Algorithm::Es512);
    let token = key.sign("{\"alg\":\"ES512\"}", "{}");
    let parts: Vec<_> = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
        .collect();
    assert_eq!(
        (&*parts[0], &*parts[1], parts[2].len()),
        (&b"{\"alg\":\"ES512\"}"[..], &b"{}"[..], 132)
    );
}
