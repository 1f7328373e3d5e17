//! README's comparison, as far as it runs here: what Keyward and jsonwebtoken, set up as its
//! documentation shows, make of the same genuinely signed tokens.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use keyward::testing::{TestIssuer, TestToken};
use keyward::{Policy, Verifier};
use serde_json::Value;

const ORIGIN: &str = "https://app.example.com";

async fn keyward(issuer: &TestIssuer, token: &str) -> Result<(), &'static str> {
    let policy = Policy::new([ORIGIN], [ORIGIN]).unwrap();
    let verifier: Verifier = issuer.verifier_for(policy).build();
    let verdict = verifier.verify(token).await;
    verdict.map(|_| ()).map_err(|error| error.code())
}

fn jsonwebtoken(issuer: &TestIssuer, token: &str) -> bool {
    let jwk = serde_json::from_value(issuer.key().public_jwk()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ORIGIN]);
    validation.set_audience(&[ORIGIN]);
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).is_ok()
}

#[tokio::test]
async fn what_is_not_meant_for_this_api_is_refused_here_and_let_in_there() {
    let issuer = TestIssuer::new(ORIGIN);
    let ada = || issuer.user("ada");
    let cases: [(&str, TestToken, &str); 4] = [
        ("no iss", ada().without_claim("iss"), "token_claim_missing"),
        ("no aud", ada().without_claim("aud"), "token_claim_missing"),
        (
            "a session cookie's",
            ada().typ("better-auth.session-cache+jwt"),
            "token_type_not_accepted",
        ),
        (
            "a logout token",
            ada().typ("logout+jwt"),
            "token_type_not_accepted",
        ),
    ];
    for (name, token, code) in cases {
        let token = token.token();
        assert_eq!(keyward(&issuer, &token).await, Err(code), "{name}");
        assert!(jsonwebtoken(&issuer, &token), "{name}: change README");
    }
    let good = issuer.token("ada");
    assert_eq!(keyward(&issuer, &good).await, Ok(()));
    assert!(jsonwebtoken(&issuer, &good));
    let elsewhere = ada().audience("https://other.example").token();
    assert_eq!(
        keyward(&issuer, &elsewhere).await,
        Err("token_audience_mismatch")
    );
    assert!(!jsonwebtoken(&issuer, &elsewhere));
}

#[tokio::test]
async fn es512_is_verified_here_and_unknown_there() {
    let issuer = TestIssuer::with_algorithm(ORIGIN, keyward::Algorithm::Es512);
    let token = issuer.token("ada");
    assert_eq!(keyward(&issuer, &token).await, Ok(()));
    assert!(
        jsonwebtoken::decode_header(&token).is_err(),
        "change README"
    );
}
