//! Ed25519 signatures (RFC 8032 §5.1.7), with the edge cases of "Taming the many EdDSAs" (Chalkias,
//! Garillot, Nikolaenko 2020): Keyward's verdict is that of the equation without cofactor, with S
//! below the order, and R compared as bytes.

use aws_lc_rs::digest::SHA512;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use curve25519_dalek::traits::Identity;
use keyward::Algorithm;
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::case::Case;
use crate::lab;

pub fn cases() -> Vec<Case> {
    let mut cases = altered_signatures();
    cases.extend(other_schemes());
    cases.extend(small_order_keys());
    cases.extend(mixed_order());
    cases
}

/// The lab's key as RFC 8032 §5.1.5 expands it.
struct Secret {
    scalar: Scalar,
    prefix: Vec<u8>,
    public: [u8; 32],
}

impl Secret {
    fn of_the_lab() -> Self {
        let hash = lab::sha(&SHA512, &[&lab::ed25519_seed()]);
        let clamped = clamp_integer(hash[..32].try_into().unwrap());
        let scalar = Scalar::from_bytes_mod_order(clamped);
        Self {
            scalar,
            prefix: hash[32..].to_vec(),
            public: (ED25519_BASEPOINT_POINT * scalar).compress().0,
        }
    }
}

fn challenge(dom: &[u8], r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    wide(&lab::sha(&SHA512, &[dom, r, key, message]))
}

fn wide(hash: &[u8]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(hash.try_into().unwrap())
}

fn joined(r: &[u8; 32], s: &[u8; 32]) -> Vec<u8> {
    [&r[..], &s[..]].concat()
}

/// 2²⁵² + 27742317777372353535851937790883648493.
fn order() -> BigUint {
    (BigUint::from(1_u8) << 252) + 27_742_317_777_372_353_535_851_937_790_883_648_493_u128
}

fn little_endian(number: &BigUint) -> [u8; 32] {
    let mut bytes = number.to_bytes_le();
    bytes.resize(32, 0);
    bytes.try_into().unwrap()
}

fn altered_signatures() -> Vec<Case> {
    let genuine = lab::sign(Algorithm::EdDsa, lab::input(Algorithm::EdDsa).as_bytes());
    let (r, s): ([u8; 32], [u8; 32]) = (
        genuine[..32].try_into().unwrap(),
        genuine[32..].try_into().unwrap(),
    );
    let s_number = BigUint::from_bytes_le(&s);
    let n = order();
    let plus = |times: u32| little_endian(&(&s_number + &n * times));
    let with_bit = |bytes: [u8; 32], at: usize, bit: u8| {
        let mut bytes = bytes;
        bytes[at] ^= bit;
        bytes
    };
    let reversed = |bytes: [u8; 32]| {
        let mut bytes = bytes;
        bytes.reverse();
        bytes
    };
    let identity = EdwardsPoint::identity().compress().0;
    let refused: Vec<(String, Vec<u8>)> = vec![
        // §5.1.7 step 1: S below the order. With a multiple of it added, the equation holds.
        ("S + L".into(), joined(&r, &plus(1))),
        ("S + 2 L".into(), joined(&r, &plus(2))),
        ("S + 7 L".into(), joined(&r, &plus(7))),
        ("S = L".into(), joined(&r, &little_endian(&n))),
        ("S = 0".into(), joined(&r, &[0; 32])),
        ("S = L − 1".into(), joined(&r, &little_endian(&(&n - 1_u8)))),
        ("S all ones".into(), joined(&r, &[0xff; 32])),
        ("S with bit 253".into(), joined(&r, &with_bit(s, 31, 0x20))),
        ("S with bit 255".into(), joined(&r, &with_bit(s, 31, 0x80))),
        (
            "R with its sign changed".into(),
            joined(&with_bit(r, 31, 0x80), &s),
        ),
        ("R = 0".into(), joined(&[0; 32], &s)),
        ("R all ones".into(), joined(&[0xff; 32], &s)),
        ("all zeros".into(), vec![0; 64]),
        ("all ones".into(), vec![0xff; 64]),
        ("the identity and 0".into(), joined(&identity, &[0; 32])),
        (
            "the base point and 0".into(),
            joined(&ED25519_BASEPOINT_POINT.compress().0, &[0; 32]),
        ),
        ("R and S swapped".into(), joined(&s, &r)),
        ("R twice".into(), joined(&r, &r)),
        ("S twice".into(), joined(&s, &s)),
        ("big-endian".into(), joined(&reversed(r), &reversed(s))),
        ("one byte cut off its end".into(), genuine[..63].to_vec()),
        (
            "one byte cut off its beginning".into(),
            genuine[1..].to_vec(),
        ),
        ("R alone".into(), r.to_vec()),
        ("a zero behind it".into(), [&*genuine, &[0]].concat()),
        ("a zero before it".into(), [&[0], &*genuine].concat()),
        ("itself once more behind it".into(), genuine.repeat(2)),
        ("as long as Ed448's".into(), [&*genuine, &[0; 50]].concat()),
        ("in base64url".into(), lab::encode(&genuine).into_bytes()),
        (
            "another message's".into(),
            lab::sign(Algorithm::EdDsa, b"another message"),
        ),
        (
            "the payload's alone".into(),
            lab::sign(Algorithm::EdDsa, lab::claims().to_string().as_bytes()),
        ),
        (
            "the decoded header's and payload's".into(),
            lab::sign(
                Algorithm::EdDsa,
                format!("{}.{}", lab::header(Algorithm::EdDsa), lab::claims()).as_bytes(),
            ),
        ),
        (
            "the input's with a line end".into(),
            lab::sign(
                Algorithm::EdDsa,
                format!("{}\n", lab::input(Algorithm::EdDsa)).as_bytes(),
            ),
        ),
    ];
    // Encodings of points of small order, canonical and not, where R belongs.
    let small = odd_encodings()
        .into_iter()
        .map(|(name, r)| (format!("R = {name}"), joined(&r, &s)));
    refused
        .into_iter()
        .chain(small)
        .map(|(name, signature)| {
            Case::new(
                format!("EdDSA signature: {name}"),
                lab::forged(Algorithm::EdDsa, signature),
                "token_signature_invalid",
            )
        })
        .collect()
}

/// Ed25519ph and Ed25519ctx (RFC 8032 §5.1) are other schemes, for which JOSE has no name.
fn other_schemes() -> Vec<Case> {
    let secret = Secret::of_the_lab();
    let message = lab::input(Algorithm::EdDsa).into_bytes();
    let sign = |dom: &[u8], message: &[u8]| {
        let nonce = wide(&lab::sha(&SHA512, &[dom, &secret.prefix, message]));
        let r = (ED25519_BASEPOINT_POINT * nonce).compress().0;
        let s = nonce + challenge(dom, &r, &secret.public, message) * secret.scalar;
        joined(&r, s.as_bytes())
    };
    // By the same hand, so that the refusals below are not a mistake of it.
    let pure = lab::forged(Algorithm::EdDsa, sign(b"", &message));
    let dom = |flag: u8, context: &[u8]| {
        let len = u8::try_from(context.len()).unwrap();
        [
            b"SigEd25519 no Ed25519 collisions",
            &[flag, len][..],
            context,
        ]
        .concat()
    };
    let prehashed = sign(&dom(1, b""), &lab::sha(&SHA512, &[&message]));
    let with_context = sign(&dom(0, b"JWT"), &message);
    let hashed_first = sign(b"", &lab::sha(&SHA512, &[&message]));
    let mut cases = vec![Case::new("Ed25519, signed by hand", pure, "accepted")];
    for (name, signature) in [
        ("Ed25519ph", prehashed),
        ("Ed25519ctx", with_context),
        ("Ed25519 of the message's hash", hashed_first),
    ] {
        cases.push(Case::new(
            name,
            lab::forged(Algorithm::EdDsa, signature),
            "token_signature_invalid",
        ));
    }
    cases
}

/// The eight points of small order, in each encoding that decoders are known to take for one.
fn odd_encodings() -> Vec<(String, [u8; 32])> {
    let mut encodings: Vec<(String, [u8; 32])> = EIGHT_TORSION
        .iter()
        .enumerate()
        .map(|(at, point)| (format!("torsion point {at}"), point.compress().0))
        .collect();
    let prime: BigUint = (BigUint::from(1_u8) << 255) - 19_u8;
    // y = 0 and y = 1 once more, above the prime; and x = 0 with a sign.
    for (name, y) in [("0 + p", &prime + 0_u8), ("1 + p", &prime + 1_u8)] {
        encodings.push((format!("y = {name}"), little_endian(&y)));
        let mut signed = little_endian(&y);
        signed[31] |= 0x80;
        encodings.push((format!("y = {name} with a sign"), signed));
    }
    for (name, y) in [
        ("1 with a sign", BigUint::from(1_u8)),
        ("p − 1 with a sign", &prime - 1_u8),
    ] {
        let mut signed = little_endian(&y);
        signed[31] |= 0x80;
        encodings.push((format!("y = {name}"), signed));
    }
    encodings
}

fn okp(x: &[u8; 32], kid: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": lab::encode(x)})
}

fn signing_input(kid: &str, subject: &str) -> String {
    let header = json!({"alg": "EdDSA", "kid": kid});
    let claims = lab::with(lab::claims(), json!({"sub": subject}));
    format!(
        "{}.{}",
        lab::encode(header.to_string()),
        lab::encode(claims.to_string())
    )
}

/// With a key of small order, R = S·B is a signature of every message, or of every eighth: anybody
/// can sign. Such a key is not loaded.
fn small_order_keys() -> Vec<Case> {
    let weak = odd_encodings();
    let jwks = weak.iter().map(|(name, x)| okp(x, name));
    let keys = lab::keys(
        &jwks
            .chain([lab::Key::Ed25519.public_jwk()])
            .collect::<Vec<_>>(),
    );
    let mut cases = vec![];
    for (name, x) in &weak {
        let s = Scalar::from(7_u8);
        let r = (ED25519_BASEPOINT_POINT * s).compress().0;
        // A message whose challenge is a multiple of eight makes even an order of eight vanish.
        let input = (0..)
            .map(|n| signing_input(name, &format!("ada{n}")))
            .find(|input| {
                let k = challenge(b"", &r, x, input.as_bytes());
                k.as_bytes()[0].is_multiple_of(8)
            })
            .unwrap();
        let token = format!("{input}.{}", lab::encode(joined(&r, s.as_bytes())));
        let name = format!("EdDSA key: {name}, which signs by itself");
        cases.push(Case::new(name, token, "key_unknown").keys(keys.clone()));
    }
    cases
}

/// Keys and nonces with a component of small order. Implementations differ in nothing more than
/// in these; only who has the secret can make them.
fn mixed_order() -> Vec<Case> {
    let secret = Secret::of_the_lab();
    let torsion = EIGHT_TORSION[1];
    let mut cases = vec![];

    // The key mixed: the signature of its secret holds only if eight divides the challenge, and if
    // both sides are multiplied by eight always. That is where the two equations part.
    let mixed = (ED25519_BASEPOINT_POINT * secret.scalar + torsion)
        .compress()
        .0;
    let keys = lab::keys(&[okp(&mixed, "mixed"), lab::Key::Ed25519.public_jwk()]);
    for (vanishes, name, expected) in [
        (true, "a challenge that eight divides", "accepted"),
        (
            false,
            "a challenge that eight does not divide",
            "token_signature_invalid",
        ),
    ] {
        let nonce = Scalar::from(1_234_567_u32);
        let r = (ED25519_BASEPOINT_POINT * nonce).compress().0;
        let (input, k) = (0..)
            .map(|n| {
                let input = signing_input("mixed", &format!("ada{n}"));
                let k = challenge(b"", &r, &mixed, input.as_bytes());
                (input, k)
            })
            .find(|(_, k)| k.as_bytes()[0].is_multiple_of(8) == vanishes)
            .unwrap();
        let s = nonce + k * secret.scalar;
        let token = format!("{input}.{}", lab::encode(joined(&r, s.as_bytes())));
        cases.push(
            Case::new(
                format!("EdDSA key with a component of small order and {name}"),
                token,
                expected,
            )
            .keys(keys.clone()),
        );
    }

    // The nonce mixed, with a key as it should be.
    let input = lab::input(Algorithm::EdDsa);
    let sign = |nonce: Scalar, r: [u8; 32]| {
        let s = nonce + challenge(b"", &r, &secret.public, input.as_bytes()) * secret.scalar;
        lab::forged(Algorithm::EdDsa, joined(&r, s.as_bytes()))
    };
    let nonce = Scalar::from(1_234_567_u32);
    let mixed_r = (ED25519_BASEPOINT_POINT * nonce + torsion).compress().0;
    cases.push(Case::new(
        "EdDSA signature: R with a component of small order",
        sign(nonce, mixed_r),
        "token_signature_invalid",
    ));
    for (at, point) in EIGHT_TORSION.iter().enumerate().skip(1) {
        cases.push(Case::new(
            format!("EdDSA signature: R is torsion point {at}, and S made for it"),
            sign(Scalar::ZERO, point.compress().0),
            "token_signature_invalid",
        ));
    }
    // A nonce of zero gives the key away, and is a signature by RFC 8032 all the same. The identity
    // in any spelling but its one is not.
    let identity = EdwardsPoint::identity().compress().0;
    cases.push(Case::new(
        "EdDSA signature: R is the identity, and S made for it",
        sign(Scalar::ZERO, identity),
        "accepted",
    ));
    for (name, r) in odd_encodings() {
        if name.starts_with("y = 1 ") {
            cases.push(Case::new(
                format!("EdDSA signature: R is the identity as {name}, and S made for it"),
                sign(Scalar::ZERO, r),
                "token_signature_invalid",
            ));
        }
    }
    cases
}
