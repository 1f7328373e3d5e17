//! An issuer for tests and for `keyward dev`: makes keys, publishes them as a key set, and signs
//! tokens shaped like Better Auth's.
//!
//! ```
//! use keyward::testing::TestIssuer;
//! use keyward::{KeySet, Policy, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::new("https://app.example.com");
//! let policy = Policy::new([issuer.url()], [issuer.url()])?;
//! let verifier: Verifier = Verifier::builder(policy, KeySet::from_json(&issuer.key_set_json())?).build();
//!
//! assert_eq!(verifier.verify(&issuer.token("ada")).await?.subject(), "ada");
//! # Ok(())
//! # }
//! ```

// A key that cannot be made or signed with ends the test that wanted it.
#![allow(clippy::expect_used)]

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use crate::algorithm::Algorithm;

/// Better Auth's default lifetime.
const LIFETIME: Duration = Duration::from_secs(900);

/// What precedes the PKCS #1 key in a PKCS #8 document of an RSA key of 2048 bits or more
/// (RFC 5958 §2): two long lengths, the version, rsaEncryption with NULL, a long octet string.
const RSA_PKCS8_PREFIX_LEN: usize = 26;

/// A private key with its algorithm.
pub struct SigningKey {
    id: String,
    algorithm: Algorithm,
    public: Value,
    signer: Signer,
}

enum Signer {
    /// jsonwebtoken knows every algorithm but ES512.
    JsonWebToken(EncodingKey, jsonwebtoken::Algorithm),
    Es512(EcdsaKeyPair),
}

impl SigningKey {
    /// Makes a key. RSA keys have 2048 bits.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn generate(id: impl Into<String>, algorithm: Algorithm) -> Self {
        // jsonwebtoken panics where another crate has turned on its second backend as well,
        // unless one is chosen. A choice made before stands.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        use jsonwebtoken::Algorithm as Known;
        let (public, signer) = match algorithm {
            Algorithm::EdDsa | Algorithm::Ed25519 => ed25519(),
            Algorithm::Es256 => ec(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                "P-256",
                Some(Known::ES256),
            ),
            Algorithm::Es384 => ec(
                &ECDSA_P384_SHA384_FIXED_SIGNING,
                "P-384",
                Some(Known::ES384),
            ),
            Algorithm::Es512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521", None),
            Algorithm::Rs256 => rsa(Known::RS256),
            Algorithm::Rs384 => rsa(Known::RS384),
            Algorithm::Rs512 => rsa(Known::RS512),
            Algorithm::Ps256 => rsa(Known::PS256),
            Algorithm::Ps384 => rsa(Known::PS384),
            Algorithm::Ps512 => rsa(Known::PS512),
        };
        Self {
            id: id.into(),
            algorithm,
            public,
            signer,
        }
    }

    /// The `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as Better Auth publishes it: `kty`, its parameters, `alg` and `kid`.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk["alg"] = self.algorithm.name().into();
        jwk["kid"] = self.id.as_str().into();
        jwk
    }

    /// Signs any header and payload, however wrong, into a compact JWS.
    ///
    /// # Panics
    /// When the key cannot sign, which no generated key does.
    pub fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = match &self.signer {
            Signer::JsonWebToken(key, algorithm) => {
                jsonwebtoken::crypto::sign(input.as_bytes(), key, *algorithm)
                    .expect("the key signs")
            }
            Signer::Es512(key) => {
                let signature = key
                    .sign(&SystemRandom::new(), input.as_bytes())
                    .expect("the key signs");
                URL_SAFE_NO_PAD.encode(signature)
            }
        };
        format!("{input}.{signature}")
    }

    /// The header Better Auth writes: `alg` and `kid`, no `typ`.
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "kid": self.id})
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn ed25519() -> (Value, Signer) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key just made");
    let public =
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key())});
    (
        public,
        Signer::JsonWebToken(
            EncodingKey::from_ed_der(pkcs8.as_ref()),
            jsonwebtoken::Algorithm::EdDSA,
        ),
    )
}

fn ec(
    algorithm: &'static EcdsaSigningAlgorithm,
    curve: &str,
    known: Option<jsonwebtoken::Algorithm>,
) -> (Value, Signer) {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).expect("randomness");
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).expect("a key just made");
    // An uncompressed point: 4, then both coordinates (SEC 1 §2.3.3).
    let coordinates = &pair.public_key().as_ref()[1..];
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    let public = json!({
        "kty": "EC",
        "crv": curve,
        "x": URL_SAFE_NO_PAD.encode(x),
        "y": URL_SAFE_NO_PAD.encode(y),
    });
    let signer = match known {
        Some(known) => Signer::JsonWebToken(EncodingKey::from_ec_der(pkcs8.as_ref()), known),
        None => Signer::Es512(pair),
    };
    (public, signer)
}

fn rsa(algorithm: jsonwebtoken::Algorithm) -> (Value, Signer) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("randomness");
    let public = json!({
        "kty": "RSA",
        "n": URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero()),
        "e": URL_SAFE_NO_PAD.encode(pair.public_key().exponent().big_endian_without_leading_zero()),
    });
    let pkcs8 = pair.as_der().expect("a key just made");
    let pkcs1 = &pkcs8.as_ref()[RSA_PKCS8_PREFIX_LEN..];
    (
        public,
        Signer::JsonWebToken(EncodingKey::from_rsa_der(pkcs1), algorithm),
    )
}

/// An issuer that behaves as Better Auth's jwt plugin does by default.
#[derive(Debug)]
pub struct TestIssuer {
    url: String,
    keys: Vec<SigningKey>,
    keys_made: usize,
}

impl TestIssuer {
    /// An issuer with one EdDSA key. `url` is its `iss` and the `aud` of its tokens.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn new(url: impl Into<String>) -> Self {
        Self::with_algorithm(url, Algorithm::EdDsa)
    }

    /// An issuer with one key of the given algorithm.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn with_algorithm(url: impl Into<String>, algorithm: Algorithm) -> Self {
        let mut issuer = Self {
            url: url.into(),
            keys: Vec::new(),
            keys_made: 0,
        };
        issuer.rotate(algorithm);
        issuer
    }

    /// Signs with a new key from now on. The old ones stay published.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn rotate(&mut self, algorithm: Algorithm) {
        self.keys_made += 1;
        let id = format!("key-{}", self.keys_made);
        self.keys.push(SigningKey::generate(id, algorithm));
    }

    /// Publishes and signs with the newest key only.
    pub fn drop_old_keys(&mut self) {
        self.keys.drain(..self.keys.len() - 1);
    }

    /// Its URL: issuer and audience.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key it signs with.
    ///
    /// # Panics
    /// Never: an issuer has a key from the start.
    pub fn key(&self) -> &SigningKey {
        self.keys.last().expect("an issuer has a key")
    }

    /// The key set document that `/api/auth/jwks` serves.
    pub fn key_set_json(&self) -> Vec<u8> {
        let keys: Vec<Value> = self.keys.iter().map(SigningKey::public_jwk).collect();
        json!({ "keys": keys }).to_string().into_bytes()
    }

    /// Better Auth's payload for a user, valid from now for 15 minutes.
    pub fn claims(&self, subject: &str) -> Value {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        json!({
            "iat": now,
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "emailVerified": true,
            "image": null,
            "createdAt": "2026-11-23T16:12:02.423Z",
            "updatedAt": "2026-11-23T16:12:02.423Z",
            "role": "user",
            "id": subject,
            "sub": subject,
            "exp": now + LIFETIME.as_secs(),
            "iss": self.url,
            "aud": self.url,
        })
    }

    /// A token for a user.
    pub fn token(&self, subject: &str) -> String {
        self.sign(&self.claims(subject))
    }

    /// A token that says `claims`.
    pub fn sign(&self, claims: &Value) -> String {
        self.key()
            .sign(self.key().header().to_string(), claims.to_string())
    }
}
