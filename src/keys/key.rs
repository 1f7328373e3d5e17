//! One public key of a key set: read from its JWK (RFC 7517), bound to its algorithms, prepared.
//!
//! A key that is symmetric, private, weak, mislabelled, of the wrong length or not made for
//! signatures is not loaded; [`SkipReason`] says why.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
#[cfg(feature = "remote")]
use serde_json::value::RawValue;

use super::ed25519::Ed25519Key;
use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::json::{Object, Value};

/// RFC 7518 §3.3 and §3.5 demand 2048 bits or more; above 8192 a verification costs too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// In bytes. Everybody uses 65537; a long exponent only makes verification slow.
const MAX_RSA_EXPONENT_LEN: usize = 4;

/// Why a key of a key set was not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// Not an object, or a member name stands twice in it.
    #[error("not a JSON object with unique names")]
    NotAnObject,
    /// A member that must be a string (or, for `key_ops`, an array of strings) is not.
    #[error("the member {0} has the wrong type")]
    MemberType(&'static str),
    /// A member that this kind of key needs is not there.
    #[error("the member {0} is missing")]
    MemberMissing(&'static str),
    /// A member is not strict base64url, or not as long as the curve demands.
    #[error("the member {0} is not base64url of the right length")]
    MemberValue(&'static str),
    /// `kty` is neither `OKP`, `EC` nor `RSA`. Symmetric keys (`oct`) have no place here.
    #[error("this type of key (kty) cannot verify tokens")]
    KeyType,
    /// The set publishes a private key. Whoever reads the set can sign with it.
    #[error("it holds private key material: the auth server publishes a secret")]
    PrivateKey,
    /// A curve other than Ed25519, P-256, P-384 and P-521.
    #[error("this curve (crv) is not supported")]
    Curve,
    /// An `alg` that Keyward does not verify.
    #[error("this algorithm (alg) is not supported")]
    Algorithm,
    /// The `alg` contradicts the kind of key, as `RS256` on an Ed25519 key does.
    #[error("its algorithm (alg) contradicts its type (kty, crv)")]
    AlgorithmContradictsType,
    /// `use` is not `sig`, or `key_ops` has no `verify` (RFC 7517 §4.2, §4.3).
    #[error("it is not meant for verifying signatures (use, key_ops)")]
    NotForSignatures,
    /// An RSA modulus outside of 2048 to 8192 bits.
    #[error("its RSA modulus is not between 2048 and 8192 bits")]
    RsaSize,
    /// The numbers are no public key: a point off the curve, an even RSA exponent.
    #[error("its numbers are not a valid public key")]
    InvalidKey,
    /// Another key of the set has the same `kid` and an algorithm in common.
    #[error("an earlier key of the set has the same kid")]
    DuplicateKeyId,
}

/// A public key that can verify signatures of its own algorithms and no others.
pub struct VerifyingKey {
    /// SHA-256 of the JWK it was read from.
    digest: JwkDigest,
    id: Option<Box<str>>,
    algorithms: AlgorithmSet,
    prepared: Prepared,
}

/// Tells whether a newer document holds the very same JWK, so that the prepared key can be kept.
pub(super) type JwkDigest = [u8; 32];

pub(super) fn digest(jwk: &[u8]) -> JwkDigest {
    let digest = digest::digest(&digest::SHA256, jwk);
    digest.as_ref().try_into().unwrap_or_default()
}

/// A public key made ready to verify.
enum Prepared {
    Ed25519(Ed25519Key),
    /// For each of the key's algorithms. An RSA key may have several.
    AwsLc(Vec<(Algorithm, ParsedPublicKey)>),
}

impl VerifyingKey {
    /// Reads one JWK.
    pub(crate) fn from_jwk(json: &[u8]) -> (Option<Box<str>>, Result<Self, SkipReason>) {
        match Jwk::parse(json) {
            Err(reason) => (None, Err(reason)),
            Ok(jwk) => {
                let id = jwk.kid.as_deref().map(Box::from);
                (id, jwk.prepare(digest(json)))
            }
        }
    }

    /// The key's `kid`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The algorithms this key may verify.
    pub fn algorithms(&self) -> AlgorithmSet {
        self.algorithms
    }

    pub(super) fn is_of(&self, digest: &JwkDigest) -> bool {
        self.digest == *digest
    }

    /// Whether `signature` is this key's over `message`. An algorithm that is not the key's is
    /// `false`, as is a signature of the wrong length.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.prepared {
            // Both of its names mean the same.
            Prepared::Ed25519(key) => {
                self.algorithms.contains(algorithm) && key.verify(message, signature)
            }
            Prepared::AwsLc(keys) => keys
                .iter()
                .find(|(own, _)| *own == algorithm)
                .is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok()),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// The JWK of a public key without the members that verifying does not need. `None` for one that
/// cannot be read, or that is not public.
#[cfg(feature = "remote")]
pub(super) fn public_members(json: &[u8]) -> Option<Box<RawValue>> {
    let jwk = Jwk::parse(json).ok().filter(|jwk| !jwk.private)?;
    serde_json::value::to_raw_value(&jwk).ok()
}

/// The members of a JWK that Keyward reads.
#[derive(Default, Serialize)]
struct Jwk<'j> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kty: Option<Cow<'j, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<Cow<'j, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<Cow<'j, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<Cow<'j, str>>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    public_key_use: Option<Cow<'j, str>>,
    /// Whether `key_ops` has `verify` in it.
    #[serde(skip)]
    may_verify: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<Cow<'j, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<Cow<'j, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<Cow<'j, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<Cow<'j, str>>,
    #[serde(skip)]
    private: bool,
}

impl<'j> Jwk<'j> {
    fn parse(json: &'j [u8]) -> Result<Self, SkipReason> {
        let mut jwk = Self::default();
        let mut wrong_type = None;
        let object = Object::parse(json).map_err(|_| SkipReason::NotAnObject)?;
        for (name, value) in object.into_members() {
            let (member, slot) = match &*name {
                "kty" => ("kty", &mut jwk.kty),
                "crv" => ("crv", &mut jwk.crv),
                "alg" => ("alg", &mut jwk.alg),
                "kid" => ("kid", &mut jwk.kid),
                "use" => ("use", &mut jwk.public_key_use),
                "x" => ("x", &mut jwk.x),
                "y" => ("y", &mut jwk.y),
                "n" => ("n", &mut jwk.n),
                "e" => ("e", &mut jwk.e),
                "key_ops" => {
                    match value.as_texts() {
                        Some(mut operations) => {
                            jwk.may_verify =
                                Some(operations.any(|operation| operation == "verify"));
                        }
                        None => wrong_type = Some("key_ops"),
                    }
                    continue;
                }
                // RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2.
                "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" | "k" => {
                    jwk.private = true;
                    continue;
                }
                _ => continue,
            };
            match value {
                Value::Text(text) => *slot = Some(text),
                // An absent `alg` as older Better Auth databases write it.
                Value::Null if member == "alg" => {}
                _ => wrong_type = Some(member),
            }
        }
        match wrong_type {
            Some(member) => Err(SkipReason::MemberType(member)),
            None => Ok(jwk),
        }
    }

    fn prepare(self, digest: JwkDigest) -> Result<VerifyingKey, SkipReason> {
        let kty = self
            .kty
            .as_deref()
            .ok_or(SkipReason::MemberMissing("kty"))?;
        if kty == "oct" {
            return Err(SkipReason::KeyType);
        }
        if self.private {
            return Err(SkipReason::PrivateKey);
        }
        if self
            .public_key_use
            .as_deref()
            .is_some_and(|purpose| purpose != "sig")
            || self.may_verify == Some(false)
        {
            return Err(SkipReason::NotForSignatures);
        }
        let (algorithms, prepared) = match kty {
            "OKP" => self.prepare_okp(),
            "EC" => self.prepare_ec(),
            "RSA" => self.prepare_rsa(),
            _ => Err(SkipReason::KeyType),
        }?;
        Ok(VerifyingKey {
            digest,
            id: self.kid.map(|kid| kid.into_owned().into_boxed_str()),
            algorithms,
            prepared,
        })
    }

    /// Which of the algorithms that fit the kind of key the key is for: its `alg` where it has
    /// one, else all of them. Better Auth before 1.3 publishes no `alg`.
    fn bind(&self, fitting: &[Algorithm]) -> Result<Vec<Algorithm>, SkipReason> {
        let Some(alg) = &self.alg else {
            return Ok(fitting.to_vec());
        };
        let algorithm: Algorithm = alg.parse().map_err(|_| SkipReason::Algorithm)?;
        match (fitting.contains(&algorithm), algorithm) {
            (false, _) => Err(SkipReason::AlgorithmContradictsType),
            // Two names for one algorithm (RFC 9864 §2.2): a key labelled with either has both.
            (true, Algorithm::EdDsa | Algorithm::Ed25519) => Ok(fitting.to_vec()),
            (true, _) => Ok(vec![algorithm]),
        }
    }

    /// RFC 8037 §2.
    fn prepare_okp(&self) -> Result<(AlgorithmSet, Prepared), SkipReason> {
        match self.crv.as_deref() {
            Some("Ed25519") => {}
            Some(_) => return Err(SkipReason::Curve),
            None => return Err(SkipReason::MemberMissing("crv")),
        }
        let algorithms = self.bind(&[Algorithm::EdDsa, Algorithm::Ed25519])?;
        let x: [u8; 32] = decode("x", self.x.as_deref(), 32)?
            .try_into()
            .map_err(|_| SkipReason::MemberValue("x"))?;
        if is_small_order(&x) {
            return Err(SkipReason::InvalidKey);
        }
        let key = Ed25519Key::new(parse(&signature::ED25519, &x)?, x);
        Ok((algorithms.into_iter().collect(), Prepared::Ed25519(key)))
    }

    /// RFC 7518 §6.2.1.
    fn prepare_ec(&self) -> Result<(AlgorithmSet, Prepared), SkipReason> {
        let (algorithm, verification, coordinate_len): (_, &'static dyn VerificationAlgorithm, _) =
            match self.crv.as_deref() {
                Some("P-256") => (Algorithm::Es256, &signature::ECDSA_P256_SHA256_FIXED, 32),
                Some("P-384") => (Algorithm::Es384, &signature::ECDSA_P384_SHA384_FIXED, 48),
                Some("P-521") => (Algorithm::Es512, &signature::ECDSA_P521_SHA512_FIXED, 66),
                Some(_) => return Err(SkipReason::Curve),
                None => return Err(SkipReason::MemberMissing("crv")),
            };
        self.bind(&[algorithm])?;
        // An uncompressed point (SEC 1 §2.3.3).
        let mut point = vec![4];
        point.extend(decode("x", self.x.as_deref(), coordinate_len)?);
        point.extend(decode("y", self.y.as_deref(), coordinate_len)?);
        let key = parse(verification, &point)?;
        Ok((
            AlgorithmSet::from_iter([algorithm]),
            Prepared::AwsLc(vec![(algorithm, key)]),
        ))
    }

    /// RFC 7518 §6.3.1.
    fn prepare_rsa(&self) -> Result<(AlgorithmSet, Prepared), SkipReason> {
        let algorithms = self.bind(&[
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
        ])?;
        let n = decode_number("n", self.n.as_deref())?;
        let e = decode_number("e", self.e.as_deref())?;
        let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(SkipReason::RsaSize);
        }
        // An even number is never the product of odd primes, nor prime to their totient.
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        if !odd(&n) || !odd(&e) || e == [1] || e.len() > MAX_RSA_EXPONENT_LEN {
            return Err(SkipReason::InvalidKey);
        }
        let components = RsaPublicKeyComponents { n: &*n, e: &*e };
        let prepared = algorithms
            .iter()
            .filter_map(|algorithm| Some((*algorithm, rsa_parameters(*algorithm)?)))
            .map(|(algorithm, parameters)| {
                let key = components
                    .to_parsed_public_key(parameters)
                    .map_err(|_| SkipReason::InvalidKey)?;
                Ok((algorithm, key))
            })
            .collect::<Result<_, _>>()?;
        Ok((algorithms.into_iter().collect(), Prepared::AwsLc(prepared)))
    }
}

/// Whether an Ed25519 public key is a point of small order, for which anybody can sign, or no
/// canonical encoding of a point (RFC 8032 §5.1.3). The sign bit makes no difference.
pub(super) fn is_small_order(x: &[u8; 32]) -> bool {
    /// The y of the points of order 8, least significant byte first; of one, and of its negative.
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let mut y = *x;
    y[31] &= 0x7f;
    let [first, middle @ .., last] = &y;
    // Orders 4 and 1: y is 0 or 1. Order 2: y is p − 1, and p or more is no canonical y.
    let zero_or_one = *first <= 1 && *last == 0 && middle.iter().all(|byte| *byte == 0);
    let at_the_top = *first >= 0xec && *last == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    zero_or_one || at_the_top || ORDER_8.contains(&y)
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn parse(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
) -> Result<ParsedPublicKey, SkipReason> {
    ParsedPublicKey::new(algorithm, key).map_err(|_| SkipReason::InvalidKey)
}

fn decode(member: &'static str, value: Option<&str>, len: usize) -> Result<Vec<u8>, SkipReason> {
    let value = value.ok_or(SkipReason::MemberMissing(member))?;
    match URL_SAFE_NO_PAD.decode(value) {
        Ok(bytes) if bytes.len() == len => Ok(bytes),
        _ => Err(SkipReason::MemberValue(member)),
    }
}

/// A positive number without its leading zeros, which some issuers write against RFC 7518 §2.
fn decode_number(member: &'static str, value: Option<&str>) -> Result<Vec<u8>, SkipReason> {
    let value = value.ok_or(SkipReason::MemberMissing(member))?;
    let bytes = URL_SAFE_NO_PAD
        .decode(value)
        .map_err(|_| SkipReason::MemberValue(member))?;
    let number: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    match number.is_empty() {
        true => Err(SkipReason::MemberValue(member)),
        false => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys as a real Better Auth 1.7 published them.
    const ED25519: &str = r#"{"alg":"EdDSA","crv":"Ed25519","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610","kty":"OKP","kid":"zWc1IzgzmZCYmOcVM0RVaL7BrK20dr2M"}"#;
    const P256: &str = r#"{"alg":"ES256","crv":"P-256","kty":"EC","x":"Cy2F20xBlTnc5Q5NDGyL1HFHWhTYs5xp0jDe4-CoTEc","y":"XA_A1ZspuSAQCX6KHskLogTOvK4zUhaQWaM6RfxFDbw","kid":"D93DIgvICAzBA28OtZ6wizGnL3LMoBto"}"#;
    const P521: &str = r#"{"alg":"ES512","crv":"P-521","kty":"EC","x":"AZwy8XfsEWU57TyglCnI21wJPDB0CSeNKuLxn6ihZ8nj7_8StVaDkmhOIUbpLS-R-D5xk8GdoLtMIwKrOxV-VM-g","y":"ASFJTL_lAM3v7MneOSePZA6WhNhRzuMHmZPc1fHEnhUHkNuKmBJfIqbU-_jy5Yc8GQf9I3wcCDPtJOCvTeFj9ZpJ","kid":"owgfPEGVRgUxlcO64FfwXzDUeqV7lXBu"}"#;

    fn load(json: &str) -> Result<AlgorithmSet, SkipReason> {
        VerifyingKey::from_jwk(json.as_bytes())
            .1
            .map(|key| key.algorithms())
    }

    fn set(algorithms: &[Algorithm]) -> AlgorithmSet {
        algorithms.iter().copied().collect()
    }

    fn rsa(n_bytes: usize, last: u8, rest: &str) -> String {
        let mut n = vec![0xff; n_bytes];
        n[n_bytes - 1] = last;
        format!(
            r#"{{"kty":"RSA","n":"{}",{rest}}}"#,
            URL_SAFE_NO_PAD.encode(n)
        )
    }

    #[test]
    fn a_key_gets_the_algorithms_of_its_type_and_label() {
        let eddsa = set(&[Algorithm::EdDsa, Algorithm::Ed25519]);
        let rsa_all: Vec<_> = Algorithm::ALL[5..].to_vec();
        for (json, expected) in [
            (ED25519.to_owned(), eddsa),
            (ED25519.replace("EdDSA", "Ed25519"), eddsa),
            // Better Auth 1.2 and an `alg` column that is NULL.
            (ED25519.replace(r#""alg":"EdDSA","#, ""), eddsa),
            (ED25519.replace(r#""EdDSA""#, "null"), eddsa),
            (P256.to_owned(), set(&[Algorithm::Es256])),
            (
                P256.replace(r#""alg":"ES256","#, ""),
                set(&[Algorithm::Es256]),
            ),
            (P521.to_owned(), set(&[Algorithm::Es512])),
            (
                P256.replace('{', r#"{"use":"sig","key_ops":["verify"],"x5c":7,"#),
                set(&[Algorithm::Es256]),
            ),
            (rsa(256, 0xff, r#""e":"AQAB""#), set(&rsa_all)),
            (
                rsa(256, 0xff, r#""e":"AQAB","alg":"PS256""#),
                set(&[Algorithm::Ps256]),
            ),
            (
                rsa(1024, 0xff, r#""e":"AQAB","alg":"RS512""#),
                set(&[Algorithm::Rs512]),
            ),
        ] {
            assert_eq!(load(&json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn an_unusable_key_says_why() {
        for (json, expected) in [
            ("null".to_owned(), SkipReason::NotAnObject),
            (r#""key""#.to_owned(), SkipReason::NotAnObject),
            (P256.replace('{', r#"{"kid":"a","#), SkipReason::NotAnObject),
            ("{}".to_owned(), SkipReason::MemberMissing("kty")),
            (
                r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.to_owned(),
                SkipReason::KeyType,
            ),
            (
                r#"{"kty":"oct","k":"AAAA","alg":"HS256"}"#.to_owned(),
                SkipReason::KeyType,
            ),
            (P256.replace('{', r#"{"d":"AA","#), SkipReason::PrivateKey),
            (
                P256.replace(r#""ES256""#, "7"),
                SkipReason::MemberType("alg"),
            ),
            (
                P256.replace('{', r#"{"use":["sig"],"#),
                SkipReason::MemberType("use"),
            ),
            (
                P256.replace('{', r#"{"key_ops":"verify","#),
                SkipReason::MemberType("key_ops"),
            ),
            (
                r#"{"kty":"EC","kid":7}"#.to_owned(),
                SkipReason::MemberType("kid"),
            ),
            (
                P256.replace('{', r#"{"use":"enc","#),
                SkipReason::NotForSignatures,
            ),
            (
                P256.replace('{', r#"{"key_ops":["sign"],"#),
                SkipReason::NotForSignatures,
            ),
            // Better Auth labels a row without `alg` with the configured one.
            (
                ED25519.replace("EdDSA", "RS256"),
                SkipReason::AlgorithmContradictsType,
            ),
            (
                P256.replace("ES256", "ES512"),
                SkipReason::AlgorithmContradictsType,
            ),
            (P256.replace("ES256", "HS256"), SkipReason::Algorithm),
            (P256.replace("P-256", "secp256k1"), SkipReason::Curve),
            (ED25519.replace("Ed25519", "X25519"), SkipReason::Curve),
            (
                ED25519.replace(r#""crv":"Ed25519","#, ""),
                SkipReason::MemberMissing("crv"),
            ),
            (ED25519.replace("H5mX", ""), SkipReason::MemberValue("x")),
            (
                ED25519.replace("H5mX", "AAAAH5mX"),
                SkipReason::MemberValue("x"),
            ),
            (
                ED25519.replace("610\"", "610=\""),
                SkipReason::MemberValue("x"),
            ),
            (P256.replace("XA_A1", "XA/A1"), SkipReason::MemberValue("y")),
            (
                P256.replace(r#""y""#, r#""z""#),
                SkipReason::MemberMissing("y"),
            ),
            (P256.replace("XA_A1", "XA_A2"), SkipReason::InvalidKey), // off the curve
            (rsa(128, 0xff, r#""e":"AQAB""#), SkipReason::RsaSize),
            (rsa(1025, 0xff, r#""e":"AQAB""#), SkipReason::RsaSize),
            (rsa(256, 0xfe, r#""e":"AQAB""#), SkipReason::InvalidKey),
            (rsa(256, 0xff, r#""e":"AQAA""#), SkipReason::InvalidKey),
            (rsa(256, 0xff, r#""e":"AQ""#), SkipReason::InvalidKey),
            (rsa(256, 0xff, r#""e":"""#), SkipReason::MemberValue("e")),
            (
                rsa(256, 0xff, r#""x":"AQ""#),
                SkipReason::MemberMissing("e"),
            ),
        ] {
            assert_eq!(load(&json), Err(expected), "{json}");
        }
    }

    #[test]
    fn a_point_that_anybody_can_sign_for_is_no_key() {
        let identity = {
            let mut y = [0; 32];
            y[0] = 1;
            y
        };
        let order_2 = {
            let mut y = [0xff; 32];
            (y[0], y[31]) = (0xec, 0x7f);
            y
        };
        let order_8 = "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU";
        let sign_bit = {
            let mut y = identity;
            y[31] = 0x80;
            y
        };
        let weak =
            [[0; 32], identity, order_2, [0xff; 32], sign_bit].map(|y| URL_SAFE_NO_PAD.encode(y));
        for x in weak.iter().map(|x| &**x).chain([order_8]) {
            let json = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
            assert_eq!(load(&json), Err(SkipReason::InvalidKey), "{x}");
        }
    }

    #[test]
    fn a_key_refuses_an_algorithm_that_is_not_its_own() {
        let key = VerifyingKey::from_jwk(P256.as_bytes()).1.unwrap();
        assert!(!key.verify(Algorithm::Es384, b"message", &[0; 96]));
        assert!(!key.verify(Algorithm::Es256, b"message", &[0; 64]));
        assert!(!key.verify(Algorithm::Es256, b"message", b""));
    }
}
