//! A private key that signs whatever it is told to.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::algorithm::Algorithm;

/// What precedes the modulus in the RSAPublicKey of a key of 2048 bits (RFC 8017 §A.1.1): two long
/// lengths, and a zero before the modulus, whose first bit is set.
const RSA_MODULUS_START: usize = 9;

/// Tag, length and 65537, which is every generated key's exponent.
const RSA_EXPONENT_LEN: usize = 5;

/// A private key with its algorithm.
pub struct SigningKey {
    id: String,
    algorithm: Algorithm,
    public: Value,
    signer: Signer,
}

enum Signer {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl SigningKey {
    /// Makes a key. RSA keys have 2048 bits.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn generate(id: impl Into<String>, algorithm: Algorithm) -> Self {
        let (public, signer) = match algorithm {
            Algorithm::EdDsa | Algorithm::Ed25519 => ed25519(),
            Algorithm::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            Algorithm::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            Algorithm::Es512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384),
            Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512),
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
            Algorithm::Ps384 => rsa(&RSA_PSS_SHA384),
            Algorithm::Ps512 => rsa(&RSA_PSS_SHA512),
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

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
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
        let random = SystemRandom::new();
        let signature = match &self.signer {
            Signer::Ed25519(key) => key.sign(input.as_bytes()).as_ref().to_vec(),
            Signer::Ecdsa(key) => {
                let signature = key.sign(&random, input.as_bytes());
                signature.expect("the key signs").as_ref().to_vec()
            }
            Signer::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, input.as_bytes(), &mut signature)
                    .expect("the key signs");
                signature
            }
        };
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
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
    let pair = Ed25519KeyPair::generate().expect("randomness");
    let public =
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key())});
    (public, Signer::Ed25519(pair))
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &str) -> (Value, Signer) {
    let pair = EcdsaKeyPair::generate(algorithm).expect("randomness");
    // An uncompressed point: 4, then both coordinates (SEC 1 §2.3.3).
    let coordinates = &pair.public_key().as_ref()[1..];
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    let public = json!({
        "kty": "EC",
        "crv": curve,
        "x": URL_SAFE_NO_PAD.encode(x),
        "y": URL_SAFE_NO_PAD.encode(y),
    });
    (public, Signer::Ecdsa(pair))
}

fn rsa(encoding: &'static dyn RsaEncoding) -> (Value, Signer) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("randomness");
    let der = pair.public_key().as_ref();
    let modulus = &der[RSA_MODULUS_START..der.len() - RSA_EXPONENT_LEN];
    let public = json!({
        "kty": "RSA",
        "n": URL_SAFE_NO_PAD.encode(modulus),
        "e": URL_SAFE_NO_PAD.encode(&der[der.len() - 3..]),
    });
    (public, Signer::Rsa(pair, encoding))
}
