//! Tokens with the default payload of Better Auth's jwt plugin.

use std::time::{Duration, SystemTime};

use keyward::testing::SigningKey;
use keyward::{Algorithm, KeySet, KeySource, Policy, Verifier, VerifierBuilder};
use serde_json::{Value, json};

pub const URL: &str = "https://app.example.com";

/// An issuer's key, with a `kid` as Better Auth makes them.
pub fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate("zWc1IzgzmZCYmOcVM0RVaL7BrK20dr2M", algorithm)
}

pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}

/// What the jwt plugin writes for a user, with the times a day apart so that no run outlives it.
pub fn payload(subject: &str) -> Value {
    let now = now();
    json!({
        "iat": now,
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "emailVerified": true,
        "image": null,
        "createdAt": "2026-11-23T16:12:02.423Z",
        "updatedAt": "2026-11-23T16:12:02.423Z",
        "id": subject,
        "sub": subject,
        "exp": now + 24 * 60 * 60,
        "iss": URL,
        "aud": URL,
    })
}

/// The `number`th user's id, in Better Auth's form.
pub fn subject(number: usize) -> String {
    format!("koHxfvpE7L2pT78wzAph8z2d{number:08}")
}

/// 606 characters with EdDSA and ES256, 862 with 2048-bit RSA.
pub fn token(key: &SigningKey) -> String {
    sign(key, &payload(&subject(0)))
}

/// A token that is longer by `padding` bytes of claims that nobody reads.
pub fn padded(key: &SigningKey, padding: usize) -> String {
    let mut payload = payload(&subject(0));
    payload["image"] = "x".repeat(padding).into();
    sign(key, &payload)
}

pub fn sign(key: &SigningKey, payload: &Value) -> String {
    key.sign(key.header().to_string(), payload.to_string())
}

pub fn key_set(keys: &[&SigningKey]) -> KeySet {
    let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
    KeySet::from_json(json!({ "keys": keys }).to_string().as_bytes()).expect("a key set")
}

pub fn builder(keys: impl Into<KeySource>) -> VerifierBuilder {
    Verifier::builder(Policy::new([URL], [URL]).expect("a policy"), keys)
}
