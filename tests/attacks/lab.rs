//! Keys whose private parts are printed in RFCs, and everything an attacker needs to go with them.
//!
//! Fixed keys make a failing case the same in each run, and RSA keys are not generated for minutes.
//! Nothing here asks Keyward how a token is made: signatures are aws-lc-rs's or built by hand.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyward::Algorithm;
use num_bigint::BigUint;
use serde_json::{Value, json};

/// The issuer and the audience of every token that is to be accepted.
pub const ISSUER: &str = "https://app.example.com";

/// When everything here happens.
pub const NOW: u64 = 1_795_450_000;

/// The one user.
pub const SUBJECT: &str = "koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8";

/// A key of the lab, by its `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa,
}

impl Key {
    pub const ALL: [Self; 5] = [Self::Ed25519, Self::P256, Self::P384, Self::P521, Self::Rsa];

    pub const fn id(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::P521 => "p521",
            Self::Rsa => "rsa",
        }
    }

    pub const fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EdDsa | Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::Es256 => Self::P256,
            Algorithm::Es384 => Self::P384,
            Algorithm::Es512 => Self::P521,
            _ => Self::Rsa,
        }
    }

    /// As it is published. The RSA key has no `alg`, so that it is for all six of its algorithms.
    pub fn public_jwk(self) -> Value {
        let mut jwk = match self {
            Self::Ed25519 => json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X, "alg": "EdDSA"}),
            Self::P256 => ec_jwk("P-256", "ES256", P256),
            Self::P384 => ec_jwk("P-384", "ES384", P384),
            Self::P521 => ec_jwk("P-521", "ES512", P521),
            Self::Rsa => json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}),
        };
        jwk["kid"] = self.id().into();
        jwk
    }

    /// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), in DER.
    pub fn spki(self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Ed25519 => ED_PAIR.public_key().as_der(),
            Self::P256 => P256_PAIR.public_key().as_der(),
            Self::P384 => P384_PAIR.public_key().as_der(),
            Self::P521 => P521_PAIR.public_key().as_der(),
            Self::Rsa => RSA_PAIR.public_key().as_der(),
        }
        .unwrap();
        der.as_ref().to_vec()
    }

    /// The point, or the RSA key as PKCS #1 has it.
    pub fn raw_public(self) -> Vec<u8> {
        match self {
            Self::Ed25519 => ED_PAIR.public_key().as_ref().to_vec(),
            Self::P256 => P256_PAIR.public_key().as_ref().to_vec(),
            Self::P384 => P384_PAIR.public_key().as_ref().to_vec(),
            Self::P521 => P521_PAIR.public_key().as_ref().to_vec(),
            Self::Rsa => RSA_PAIR.public_key().as_ref().to_vec(),
        }
    }
}

/// RFC 8037 A.1.
const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// x, y and d.
type EcNumbers = [&'static str; 3];

/// RFC 7515 A.3.
const P256: EcNumbers = [
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
];
/// RFC 6979 A.2.6.
const P384: EcNumbers = [
    "7DpOQVtOGaRWhhgCn0J_pdqai8SukuAuBqrlKGswDGTe-PDqkFWGYGSiVFFUgLwT",
    "gBXZty19VyROqO-awMYhiWcIpZNn-d-59UyoSz8cnbEoiyMcOuDU_nNE_SUzJkcg",
    "a509rS4bjBwFsZh1tmWfTeI8O2Z78pe6mqR3QHhxN9iW1XJOTHCoJfhyyepg0u31",
];
/// RFC 7520 3.2.
const P521: EcNumbers = [
    "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
    "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
    "AAhRON2r9cqXX1hg-RoI6R1tX5p2rUAYdmpHZoC1XNM56KtscrX6zbKipQrCW9CGZH3T4ubpnoTKLDYJ_fF3_rJt",
];

/// RFC 7515 A.2.
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const RSA_P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const RSA_Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const RSA_DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const RSA_DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const RSA_QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";

static ED_PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&decode(ED_D)).unwrap());
static P256_PAIR: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| ec_pair(&ECDSA_P256_SHA256_FIXED_SIGNING, P256));
static P384_PAIR: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| ec_pair(&ECDSA_P384_SHA384_FIXED_SIGNING, P384));
static P521_PAIR: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| ec_pair(&ECDSA_P521_SHA512_FIXED_SIGNING, P521));
static RSA_PAIR: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents {
            n: decode(RSA_N),
            e: decode("AQAB"),
        },
        d: decode(RSA_D),
        p: decode(RSA_P),
        q: decode(RSA_Q),
        dP: decode(RSA_DP),
        dQ: decode(RSA_DQ),
        qInv: decode(RSA_QI),
    };
    RsaKeyPair::from_components(&components).unwrap()
});

fn ec_pair(algorithm: &'static EcdsaSigningAlgorithm, [x, y, d]: EcNumbers) -> EcdsaKeyPair {
    let point = [&[4][..], &decode(x), &decode(y)].concat();
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &decode(d), &point).unwrap()
}

fn ec_jwk(curve: &str, algorithm: &str, [x, y, _]: EcNumbers) -> Value {
    json!({"kty": "EC", "crv": curve, "x": x, "y": y, "alg": algorithm})
}

/// base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub fn pem(der: &[u8], line_end: &str) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----{line_end}{}{line_end}-----END PUBLIC KEY-----{line_end}",
        lines.join(line_end)
    )
}

/// The lab's whole key set.
pub fn key_set() -> Value {
    keys(&Key::ALL.map(Key::public_jwk))
}

pub fn keys(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

/// The header Better Auth writes.
pub fn header(algorithm: Algorithm) -> Value {
    json!({"alg": algorithm.name(), "kid": Key::of(algorithm).id()})
}

/// What a good token says.
pub fn claims() -> Value {
    json!({
        "iat": NOW,
        "email": "ada@example.com",
        "sub": SUBJECT,
        "exp": NOW + 900,
        "iss": ISSUER,
        "aud": ISSUER,
    })
}

/// `value` with its members changed as `changes` says; `null` removes one.
pub fn with(mut value: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(value.as_object_mut().unwrap().remove(name)),
            change => value[name] = change.clone(),
        }
    }
    value
}

/// A genuine signature.
pub fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let ec = |pair: &EcdsaKeyPair| pair.sign(&random, message).unwrap().as_ref().to_vec();
    let encoding: &'static dyn RsaEncoding = match algorithm {
        Algorithm::EdDsa | Algorithm::Ed25519 => return ED_PAIR.sign(message).as_ref().to_vec(),
        Algorithm::Es256 => return ec(&P256_PAIR),
        Algorithm::Es384 => return ec(&P384_PAIR),
        Algorithm::Es512 => return ec(&P521_PAIR),
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        other => panic!("the lab does not know {other}"),
    };
    let mut signature = vec![0; RSA_PAIR.public_modulus_len()];
    RSA_PAIR
        .sign(encoding, &random, message, &mut signature)
        .unwrap();
    signature
}

/// Any header and any payload, genuinely signed.
pub fn signed(algorithm: Algorithm, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    signed_text(
        algorithm,
        &format!("{}.{}", encode(header), encode(payload)),
    )
}

/// Any signing input, however spelled, genuinely signed.
pub fn signed_text(algorithm: Algorithm, input: &str) -> String {
    format!("{input}.{}", encode(sign(algorithm, input.as_bytes())))
}

/// A good token.
pub fn token(algorithm: Algorithm) -> String {
    signed(
        algorithm,
        header(algorithm).to_string(),
        claims().to_string(),
    )
}

/// A token of the Ed25519 key with changes in its header.
pub fn with_header(changes: Value) -> String {
    let header = with(header(Algorithm::EdDsa), changes);
    signed(Algorithm::EdDsa, header.to_string(), claims().to_string())
}

/// A token of the Ed25519 key with exactly this header.
pub fn with_raw_header(header: impl AsRef<[u8]>) -> String {
    signed(Algorithm::EdDsa, header, claims().to_string())
}

/// A token of the Ed25519 key with changes in its claims.
pub fn with_claims(changes: Value) -> String {
    with_raw_payload(with(claims(), changes).to_string())
}

/// A token of the Ed25519 key with exactly this payload.
pub fn with_raw_payload(payload: impl AsRef<[u8]>) -> String {
    signed(
        Algorithm::EdDsa,
        header(Algorithm::EdDsa).to_string(),
        payload,
    )
}

/// A token with a signature of the attacker's choice.
pub fn forged(algorithm: Algorithm, signature: impl AsRef<[u8]>) -> String {
    format!("{}.{}", input(algorithm), encode(signature))
}

/// The signing input of [`token`].
pub fn input(algorithm: Algorithm) -> String {
    format!(
        "{}.{}",
        encode(header(algorithm).to_string()),
        encode(claims().to_string())
    )
}

pub fn sha(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// The seed of the Ed25519 key, to sign with by hand.
pub fn ed25519_seed() -> Vec<u8> {
    decode(ED_D)
}

/// The RSA key as numbers: n and d.
pub fn rsa_numbers() -> (BigUint, BigUint) {
    (
        BigUint::from_bytes_be(&decode(RSA_N)),
        BigUint::from_bytes_be(&decode(RSA_D)),
    )
}

/// The private key's operation on a block that no padding was checked of (RFC 8017 §5.2.1).
pub fn rsa_raw(block: &[u8]) -> Vec<u8> {
    let (n, d) = rsa_numbers();
    number(&BigUint::from_bytes_be(block).modpow(&d, &n), 256)
}

/// Big-endian in so many bytes.
pub fn number(number: &BigUint, len: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut padded = vec![0; len.saturating_sub(bytes.len())];
    padded.extend(bytes);
    padded
}
