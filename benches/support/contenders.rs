//! The same token checked by what Keyward is compared with.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use keyward::testing::SigningKey;
use keyward::{Algorithm, Principal, Verifier, VerifyError};
use serde::Deserialize;

use super::token::URL;

/// The algorithms that Better Auth issues.
pub const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::EdDsa,
    Algorithm::Es256,
    Algorithm::Es512,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

/// The bare signature check of aws-lc-rs, with everything decoded and the key prepared before.
pub struct RawSignature {
    key: ParsedPublicKey,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
}

impl RawSignature {
    pub fn new(key: &SigningKey, algorithm: Algorithm, token: &str) -> Self {
        let (signing_input, signature) = token.rsplit_once('.').expect("a token");
        Self {
            key: aws_lc_key(key, algorithm),
            signing_input: signing_input.into(),
            signature: decode(signature),
        }
    }

    pub fn check(&self) {
        black_box(&self.key)
            .verify_sig(black_box(&self.signing_input), black_box(&self.signature))
            .expect("a good signature");
    }
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn aws_lc_key(key: &SigningKey, algorithm: Algorithm) -> ParsedPublicKey {
    let jwk = key.public_jwk();
    let member = |name: &str| decode(jwk[name].as_str().expect("a member"));
    let parse = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
        ParsedPublicKey::new(algorithm, key).expect("a key")
    };
    let point = || [&[4][..], &member("x"), &member("y")].concat();
    let rsa = |parameters| {
        let (n, e) = (member("n"), member("e"));
        RsaPublicKeyComponents { n: &*n, e: &*e }
            .to_parsed_public_key(parameters)
            .expect("a key")
    };
    match algorithm {
        Algorithm::EdDsa => parse(&signature::ED25519, &member("x")),
        Algorithm::Es256 => parse(&signature::ECDSA_P256_SHA256_FIXED, &point()),
        Algorithm::Es512 => parse(&signature::ECDSA_P521_SHA512_FIXED, &point()),
        Algorithm::Ps256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        other => unreachable!("{other} is not benchmarked"),
    }
}

/// jsonwebtoken's `decode`, with issuer, audience and expiry checked and the key found before.
pub struct JsonWebToken {
    key: DecodingKey,
    validation: Validation,
    token: String,
}

/// The claims that Keyward's principal holds too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "read and thrown away")]
struct OwnedClaims {
    sub: String,
    id: String,
    email: String,
    email_verified: bool,
    name: String,
    image: Option<String>,
    created_at: String,
    updated_at: String,
}

impl JsonWebToken {
    /// `None` for ES512, which jsonwebtoken does not know.
    pub fn new(key: &SigningKey, algorithm: Algorithm, token: &str) -> Option<Self> {
        let algorithm = algorithm.name().parse().ok()?;
        let jwk = serde_json::from_value(key.public_jwk()).ok()?;
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[URL]);
        validation.set_audience(&[URL]);
        Some(Self {
            key: DecodingKey::from_jwk(&jwk).ok()?,
            validation,
            token: token.to_owned(),
        })
    }

    pub fn check(&self) {
        let decoded = jsonwebtoken::decode::<OwnedClaims>(
            black_box(self.token.as_bytes()),
            black_box(&self.key),
            &self.validation,
        );
        black_box(decoded.expect("a good token"));
    }
}

/// A verification that need not wait for keys.
pub fn verify(verifier: &Verifier, token: &str) -> Result<Principal, VerifyError> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(verifier.verify(black_box(token))).poll(&mut context) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("a fixed key set is always there"),
    }
}

/// As [`verify`], for a token that is good.
pub fn accept(verifier: &Verifier, token: &str) {
    black_box(verify(verifier, token).expect("a good token"));
}

/// As [`verify`], for a token that is not.
pub fn refuse(verifier: &Verifier, token: &str) {
    black_box(verify(verifier, token).expect_err("a bad token"));
}

/// Verifies until the key's table is there, if it gets one.
pub fn warm_up(verifier: &Verifier, token: &str) {
    for _ in 0..200 {
        accept(verifier, token);
    }
    // A table is made in a millisecond or two.
    std::thread::sleep(std::time::Duration::from_millis(50));
}
