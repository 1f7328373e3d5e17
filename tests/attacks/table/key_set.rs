//! Keys that a key set should not have, and tokens that count on them (RFC 7517 §4, RFC 7518 §6).
//!
//! A key that is not loaded is as if it were not there. Most of them are in one large set, each under a
//! name of its own, so that none may spoil another.

use keyward::Algorithm;
use num_bigint::BigUint;
use serde_json::{Value, json};

use super::algorithm::algorithm_of;
use crate::case::Case;
use crate::lab::{self, Key};

pub fn cases() -> Vec<Case> {
    let altered: Vec<_> = [altered_keys(), rsa_keys(), points()].concat();
    let jwks: Vec<_> = altered.iter().map(|(jwk, _)| jwk.clone()).collect();
    let keys = lab::keys(&jwks);
    let altered = altered.into_iter().map(|(_, case)| case.keys(keys.clone()));
    let mut cases: Vec<_> = altered.collect();
    cases.push(block_as_signature());
    cases.extend(symmetric_keys());
    cases.extend(selection());
    cases
}

/// A key of the lab with changes, and a token that it signed.
fn altered(name: &str, key: Key, changes: Value, expected: &'static str) -> (Value, Case) {
    let name = format!("{} key: {name}", key.id());
    let jwk = lab::with(key.public_jwk(), json!({ "kid": name }));
    let algorithm = algorithm_of(key);
    let header = lab::with(lab::header(algorithm), json!({ "kid": name }));
    let token = lab::signed(algorithm, header.to_string(), lab::claims().to_string());
    (lab::with(jwk, changes), Case::new(name, token, expected))
}

fn altered_keys() -> Vec<(Value, Case)> {
    const SKIPPED: &str = "key_unknown";
    let mut cases = vec![];
    for key in Key::ALL {
        cases.push(altered("as it is", key, json!({}), "accepted"));
        for (name, changes) in [
            ("use enc", json!({"use": "enc"})),
            ("use tls", json!({"use": "tls"})),
            ("use SIG", json!({"use": "SIG"})),
            ("use of an array", json!({"use": ["sig"]})),
            ("key_ops sign", json!({"key_ops": ["sign"]})),
            ("key_ops of none", json!({"key_ops": []})),
            (
                "key_ops encrypt and wrapKey",
                json!({"key_ops": ["encrypt", "wrapKey"]}),
            ),
            ("key_ops Verify", json!({"key_ops": ["Verify"]})),
            ("key_ops of a string", json!({"key_ops": "verify"})),
            (
                "use sig but key_ops encrypt",
                json!({"use": "sig", "key_ops": ["encrypt"]}),
            ),
            ("private part", json!({"d": "AA"})),
            ("symmetric part", json!({"k": "AA"})),
            ("alg of HMAC", json!({"alg": "HS256"})),
            ("alg none", json!({"alg": "none"})),
            ("alg of a number", json!({"alg": 7})),
            ("alg nobody knows", json!({"alg": "ML-DSA-44"})),
            ("kty oct", json!({"kty": "oct"})),
            ("kty AKP", json!({"kty": "AKP"})),
            ("kty of a number", json!({"kty": 1})),
            ("no kty", json!({"kty": null})),
            ("kid of a number", json!({"kid": 1})),
        ] {
            cases.push(altered(name, key, changes, SKIPPED));
        }
        for (name, changes) in [
            ("use sig", json!({"use": "sig"})),
            ("key_ops verify", json!({"key_ops": ["verify"]})),
            (
                "key_ops sign and verify",
                json!({"key_ops": ["sign", "verify"]}),
            ),
            (
                "x5c, x5u and what else",
                json!({"x5c": 7, "x5u": "http://127.0.0.1:9/", "exp": 1, "status": "revoked"}),
            ),
        ] {
            cases.push(altered(name, key, changes, "accepted"));
        }
    }
    for (key, label) in [
        (Key::Ed25519, "RS256"),
        (Key::Ed25519, "ES256"),
        (Key::P256, "ES384"),
        (Key::P256, "EdDSA"),
        (Key::P384, "ES256"),
        (Key::P521, "ES256"),
        (Key::Rsa, "EdDSA"),
        (Key::Rsa, "ES256"),
        (Key::Rsa, "RSA-OAEP"),
    ] {
        // Better Auth labels a row without `alg` with the configured one.
        cases.push(altered(
            &format!("labelled {label}"),
            key,
            json!({ "alg": label }),
            SKIPPED,
        ));
    }
    for (key, curve) in [
        (Key::Ed25519, "Ed448"),
        (Key::Ed25519, "X25519"),
        (Key::Ed25519, "ed25519"),
        (Key::P256, "secp256k1"),
        (Key::P256, "P-384"),
        (Key::P256, "p-256"),
        (Key::P384, "P-521"),
        (Key::P521, "P-256"),
        (Key::P521, "P-512"),
    ] {
        cases.push(altered(
            &format!("crv {curve}"),
            key,
            json!({"crv": curve, "alg": null}),
            SKIPPED,
        ));
    }
    for (name, x) in [
        ("x one byte shorter", lab::encode([1; 31])),
        ("x one byte longer", lab::encode([1; 33])),
        ("x of nothing", String::new()),
    ] {
        cases.push(altered(name, Key::Ed25519, json!({ "x": x }), SKIPPED));
    }
    for (key, member) in [(Key::Ed25519, "x"), (Key::P256, "y")] {
        let text = key.public_jwk()[member].as_str().unwrap().to_owned();
        let standard = text.replace('_', "/").replace('-', "+");
        assert_ne!(text, standard);
        let last = char::from(text.as_bytes()[42] + 1);
        for (name, spelled) in [
            ("padded", format!("{text}=")),
            ("in the standard alphabet", standard),
            ("with a space", format!(" {text}")),
            ("with a trailing bit", format!("{}{last}", &text[..42])),
        ] {
            let name = format!("{member} {name}");
            cases.push(altered(&name, key, json!({ member: spelled }), SKIPPED));
        }
    }
    cases
}

/// A secret that is published is none. Whoever reads the set could sign with it.
fn symmetric_keys() -> Vec<Case> {
    use aws_lc_rs::hmac;
    let secret = [0x42; 32];
    let mut cases = vec![];
    for alg in [Some("HS256"), Some("RS256"), Some("EdDSA"), None] {
        let mut jwk = json!({"kty": "oct", "k": lab::encode(secret), "kid": "secret"});
        if let Some(alg) = alg {
            jwk["alg"] = alg.into();
        }
        let name = alg.unwrap_or("no alg");
        for (header_alg, expected) in [
            ("HS256", "token_algorithm_not_allowed"),
            ("EdDSA", "key_unknown"),
        ] {
            let input = format!(
                "{}.{}",
                lab::encode(json!({"alg": header_alg, "kid": "secret"}).to_string()),
                lab::encode(lab::claims().to_string())
            );
            let tag = hmac::sign(
                &hmac::Key::new(hmac::HMAC_SHA256, &secret),
                input.as_bytes(),
            );
            cases.push(
                Case::new(
                    format!("oct key with {name}, {header_alg} in the header"),
                    format!("{input}.{}", lab::encode(tag)),
                    expected,
                )
                .keys(lab::keys(&[jwk.clone(), Key::Ed25519.public_jwk()])),
            );
        }
    }
    cases
}

fn rsa_keys() -> Vec<(Value, Case)> {
    const SKIPPED: &str = "key_unknown";
    let (n, _) = lab::rsa_numbers();
    let bytes = |number: &BigUint| lab::encode(number.to_bytes_be());
    let ones = |bits: u32| (BigUint::from(1_u8) << bits) - 1_u8;
    let mut cases = vec![];
    for (name, changes) in [
        ("e = 1", json!({"e": "AQ"})),
        ("e = 0", json!({"e": "AA"})),
        ("e of nothing", json!({"e": ""})),
        ("e = 2", json!({"e": "Ag"})),
        ("e = 65536", json!({"e": "AQAA"})),
        ("e of 33 bits", json!({"e": "AQAAAAE"})),
        ("e = n", json!({"e": bytes(&n)})),
        ("e missing", json!({"e": null})),
        ("e of a number", json!({"e": 65537})),
        ("n of 512 bits", json!({"n": bytes(&ones(512))})),
        ("n of 1024 bits", json!({"n": bytes(&ones(1024))})),
        ("n of 2047 bits", json!({"n": bytes(&ones(2047))})),
        ("n of 8193 bits", json!({"n": bytes(&ones(8193))})),
        ("n of 16384 bits", json!({"n": bytes(&ones(16384))})),
        (
            "n of 2047 bits, with zeros before it",
            json!({"n": lab::encode([vec![0; 64], ones(2047).to_bytes_be()].concat())}),
        ),
        ("n even", json!({"n": bytes(&(&n - 1_u8))})),
        ("n = 0", json!({"n": "AA"})),
        ("n of nothing", json!({"n": ""})),
        ("n missing", json!({"n": null})),
        ("n padded", json!({"n": format!("{}=", bytes(&n))})),
        ("other primes", json!({"oth": []})),
        ("p and q", json!({"p": "AQ", "q": "AQ"})),
    ] {
        cases.push(altered(name, Key::Rsa, changes, SKIPPED));
    }
    // RFC 7518 §2 forbids them; some issuers write them all the same, and they change no number.
    let with_zeros = lab::encode([vec![0; 3], n.to_bytes_be()].concat());
    cases.push(altered(
        "n with zeros before it",
        Key::Rsa,
        json!({"n": with_zeros}),
        "accepted",
    ));
    cases.push(altered(
        "e with a zero before it",
        Key::Rsa,
        json!({"e": "AAEAAQ"}),
        "accepted",
    ));
    cases
}

/// With e = 1 the block is its own signature, which needs no key.
fn block_as_signature() -> Case {
    let hash = lab::sha(
        &aws_lc_rs::digest::SHA256,
        &[lab::input(Algorithm::Rs256).as_bytes()],
    );
    let info = [
        &[
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x01, 0x05, 0x00, 0x04, 0x20,
        ][..],
        &hash,
    ]
    .concat();
    let block = [&[0, 1][..], &vec![0xff; 253 - info.len()], &[0], &info].concat();
    let jwk = lab::with(Key::Rsa.public_jwk(), json!({"e": "AQ"}));
    Case::new(
        "rsa key: e = 1, and the block as its signature",
        lab::forged(Algorithm::Rs256, block),
        "key_unknown",
    )
    .keys(lab::keys(&[jwk, Key::Ed25519.public_jwk()]))
}

fn points() -> Vec<(Value, Case)> {
    const SKIPPED: &str = "key_unknown";
    let mut cases = vec![];
    for (key, len) in [(Key::P256, 32), (Key::P384, 48), (Key::P521, 66)] {
        let jwk = key.public_jwk();
        let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
        let changed = |text: &str| {
            let mut bytes = lab::decode(text);
            *bytes.last_mut().unwrap() ^= 1;
            lab::encode(bytes)
        };
        for (name, changes) in [
            ("a point off the curve", json!({"y": changed(y)})),
            ("another point off the curve", json!({"x": changed(x)})),
            (
                "0, 0",
                json!({"x": lab::encode(vec![0; len]), "y": lab::encode(vec![0; len])}),
            ),
            (
                "all ones",
                json!({"x": lab::encode(vec![0xff; len]), "y": lab::encode(vec![0xff; len])}),
            ),
            ("x and y swapped", json!({"x": y, "y": x})),
            ("no y", json!({"y": null})),
            ("no x", json!({"x": null})),
            (
                "y one byte shorter",
                json!({"y": lab::encode(&lab::decode(y)[1..])}),
            ),
            (
                "x one byte longer",
                json!({"x": lab::encode([vec![0], lab::decode(x)].concat())}),
            ),
            ("y of a number", json!({"y": 7})),
        ] {
            cases.push(altered(name, key, changes, SKIPPED));
        }
    }
    // Anybody's key on another curve under the name of this one: an invalid-curve attack wants a
    // private operation, of which a verifier has none, and still.
    let p256 = Key::P256.public_jwk();
    cases.push(altered(
        "P-256's coordinates as an OKP key",
        Key::P256,
        json!({"kty": "OKP", "crv": "Ed25519", "alg": null, "x": p256["x"]}),
        // A point that happens to decode or not: the token's algorithm is not the key's, or there
        // is no key.
        "key_algorithm_mismatch",
    ));
    cases
}

/// Which key a token selects (RFC 7515 §4.1.4).
fn selection() -> Vec<Case> {
    let ed = Key::Ed25519.public_jwk();
    let nameless = |key: Key| lab::with(key.public_jwk(), json!({"kid": null}));
    let named = |key: Key, kid: &str| lab::with(key.public_jwk(), json!({ "kid": kid }));
    let token = |algorithm: Algorithm, kid: Value| {
        let header = lab::with(lab::header(algorithm), json!({ "kid": kid }));
        lab::signed(algorithm, header.to_string(), lab::claims().to_string())
    };
    let other_ed = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed25519", "x": "H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"});
    let eddsa = || token(Algorithm::EdDsa, Value::Null);
    vec![
        Case::new("no kid, one fitting key of five", eddsa(), "accepted"),
        Case::new("no kid, two fitting keys", eddsa(), "key_id_missing")
            .keys(lab::keys(&[ed.clone(), named(Key::Ed25519, "second")])),
        Case::new("no kid, no fitting key", eddsa(), "key_id_missing")
            .keys(lab::keys(&[Key::P256.public_jwk()])),
        Case::new("a kid, the only key has none", lab::token(Algorithm::EdDsa), "key_unknown")
            .keys(lab::keys(&[nameless(Key::Ed25519)])),
        Case::new("no kid, the only key has none", eddsa(), "accepted")
            .keys(lab::keys(&[nameless(Key::Ed25519)])),
        Case::new("an empty kid, the only key has none", token(Algorithm::EdDsa, json!("")), "key_unknown")
            .keys(lab::keys(&[nameless(Key::Ed25519)])),
        Case::new("an empty kid, the key's is empty too", token(Algorithm::EdDsa, json!("")), "accepted")
            .keys(lab::keys(&[named(Key::Ed25519, "")])),
        Case::new("one kid for two kinds of key: the first", lab::token(Algorithm::EdDsa), "accepted")
            .keys(lab::keys(&[ed.clone(), named(Key::P256, "ed25519")])),
        Case::new("one kid for two kinds of key: the second", token(Algorithm::Es256, json!("ed25519")), "accepted")
            .keys(lab::keys(&[ed.clone(), named(Key::P256, "ed25519")])),
        Case::new("one kid for two keys of a kind: the first", lab::token(Algorithm::EdDsa), "accepted")
            .keys(lab::keys(&[ed.clone(), other_ed.clone()])),
        Case::new("one kid for two keys of a kind: the second", lab::token(Algorithm::EdDsa), "token_signature_invalid")
            .keys(lab::keys(&[other_ed, ed.clone()])),
        Case::new("a key that is a string beside it", lab::token(Algorithm::EdDsa), "accepted")
            .keys(lab::keys(&[json!("key"), json!(null), json!(7), json!([]), json!({}), ed.clone()])),
        Case::new("unknown members of the set", lab::token(Algorithm::EdDsa), "accepted")
            .keys(json!({"keys": [ed], "issuer": "https://evil.example", "jwks_uri": "http://127.0.0.1:9/"})),
    ]
}
