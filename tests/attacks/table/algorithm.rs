//! `alg`: none, symmetric, another key's, misspelled (RFC 8725 §2.1, §3.1, §3.2).

use aws_lc_rs::hmac;
use keyward::Algorithm;
use serde_json::{Value, json};

use crate::case::Case;
use crate::lab::{self, Key};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    cases.extend(genuine());
    cases.extend(none());
    cases.extend(unknown_names());
    cases.extend(wrong_types());
    cases.extend(hmac_with_a_public_key());
    cases.extend(another_keys_algorithm());
    cases.extend(another_algorithm_than_the_jwks());
    cases
}

/// Without these, a table of refusals would pass with a verifier that accepts nothing.
fn genuine() -> impl Iterator<Item = Case> {
    Algorithm::ALL.into_iter().map(|algorithm| {
        Case::new(
            format!("genuine {algorithm}"),
            lab::token(algorithm),
            "accepted",
        )
    })
}

fn none() -> Vec<Case> {
    let genuine = lab::sign(Algorithm::EdDsa, b"whatever");
    let spellings = [
        r#""none""#,
        r#""None""#,
        r#""NONE""#,
        r#""nOnE""#,
        r#""nonE""#,
        r#""\u006eone""#,
        r#""n\u006fne""#,
        r#"" none""#,
        r#""none ""#,
        r#""none\u0000""#,
        r#""no\u0000ne""#,
        r#""ｎｏｎｅ""#,
        r#""nοne""#,
        r#""unsecured""#,
        r#""null""#,
        r#""""#,
    ];
    let mut cases = vec![];
    for spelling in spellings {
        for (kid, named) in [("", "no kid"), (r#","kid":"ed25519""#, "a kid")] {
            let header = lab::encode(format!(r#"{{"alg":{spelling}{kid}}}"#));
            let input = format!("{header}.{}", lab::encode(lab::claims().to_string()));
            for (signature, how) in [
                (String::new(), "no signature"),
                (lab::encode(&genuine), "somebody's signature"),
            ] {
                cases.push(Case::new(
                    format!("alg {spelling} with {named} and {how}"),
                    format!("{input}.{signature}"),
                    "token_algorithm_not_allowed",
                ));
            }
        }
    }
    // RFC 7515 A.5: an unsecured JWS, and a signed one whose signature was taken off.
    let (input, _) = lab::token(Algorithm::EdDsa)
        .rsplit_once('.')
        .map(|(input, signature)| (input.to_owned(), signature.to_owned()))
        .unwrap();
    cases.push(Case::new(
        "signature taken off",
        format!("{input}."),
        "token_malformed",
    ));
    cases.push(Case::new(
        "signature taken off with its dot",
        input,
        "token_malformed",
    ));
    cases
}

fn unknown_names() -> impl Iterator<Item = Case> {
    [
        "eddsa",
        "EDDSA",
        "EdDSA ",
        " EdDSA",
        "EdDSA\u{0}",
        "ed25519",
        "Ed25519ph",
        "Ed448",
        "ES256K",
        "ES521",
        "es256",
        "ESP256",
        "RS1",
        "RS256 ",
        "rs256",
        "PS256\n",
        "HS256",
        "HS384",
        "HS512",
        "HS1",
        "hs256",
        "dir",
        "A128KW",
        "RSA1_5",
        "RSA-OAEP",
        "RSA-OAEP-256",
        "ECDH-ES",
        "PBES2-HS256+A128KW",
        "ML-DSA-44",
        "SHA256",
        "SM2",
        "EdDSA,none",
        "EdDSA/none",
        "\u{430}lg",
    ]
    .into_iter()
    .map(|name| {
        Case::new(
            format!("alg {name:?}, genuinely signed"),
            lab::with_header(json!({ "alg": name })),
            "token_algorithm_not_allowed",
        )
    })
}

fn wrong_types() -> impl Iterator<Item = Case> {
    [
        json!(1),
        json!(true),
        json!([]),
        json!(["EdDSA"]),
        json!(["none", "EdDSA"]),
        json!({}),
        json!({"name": "EdDSA"}),
    ]
    .into_iter()
    .map(|value| {
        Case::new(
            format!("alg is {value}"),
            lab::with_header(json!({ "alg": value })),
            "token_header_invalid",
        )
    })
    .chain(
        [
            ("no alg", r#"{"kid":"ed25519"}"#),
            ("alg is null", r#"{"alg":null,"kid":"ed25519"}"#),
            (
                "alg twice, none last",
                r#"{"alg":"EdDSA","kid":"ed25519","alg":"none"}"#,
            ),
            (
                "alg twice, none first",
                r#"{"alg":"none","alg":"EdDSA","kid":"ed25519"}"#,
            ),
            (
                "alg twice, one of them escaped",
                r#"{"alg":"EdDSA","\u0061lg":"none","kid":"ed25519"}"#,
            ),
            ("ALG", r#"{"ALG":"EdDSA","kid":"ed25519"}"#),
        ]
        .map(|(name, header)| {
            Case::new(name, lab::with_raw_header(header), "token_header_invalid")
        }),
    )
}

/// The classic: a verifier that takes `alg` at its word uses the public key as the secret.
fn hmac_with_a_public_key() -> Vec<Case> {
    let mut cases = vec![];
    for key in Key::ALL {
        let spki = key.spki();
        let jwk = key.public_jwk();
        let text = |member: &str| jwk[member].as_str().unwrap_or_default().to_owned();
        let first_number = match key {
            Key::Rsa => text("n"),
            _ => text("x"),
        };
        let spellings: Vec<(&str, Vec<u8>)> = vec![
            ("PEM", lab::pem(&spki, "\n").into()),
            (
                "PEM without its last line end",
                lab::pem(&spki, "\n").trim_end().into(),
            ),
            ("PEM with CRLF", lab::pem(&spki, "\r\n").into()),
            ("DER", spki.clone()),
            ("base64 of DER", lab::encode(&spki).into()),
            ("JWK text", jwk.to_string().into()),
            ("JWK text for its thumbprint", thumbprint_text(&jwk).into()),
            ("raw bytes", key.raw_public()),
            ("first number as bytes", lab::decode(&first_number)),
            ("first number as text", first_number.into()),
            ("its kid", key.id().into()),
            ("whole key set", lab::key_set().to_string().into()),
            ("nothing", vec![]),
        ];
        for (spelling, secret) in spellings {
            for (name, algorithm) in [
                ("HS256", hmac::HMAC_SHA256),
                ("HS384", hmac::HMAC_SHA384),
                ("HS512", hmac::HMAC_SHA512),
            ] {
                let header = json!({"alg": name, "kid": key.id()});
                cases.push(Case::new(
                    format!("{name} with the {} key as secret: {spelling}", key.id()),
                    hmac_token(&header, &secret, algorithm),
                    "token_algorithm_not_allowed",
                ));
            }
        }
        // The key's own algorithm in the header, and an HMAC where its signature belongs.
        let algorithm = algorithm_of(key);
        cases.push(Case::new(
            format!("{algorithm} in the header, an HMAC as signature"),
            hmac_token(&lab::header(algorithm), &spki, hmac::HMAC_SHA256),
            "token_signature_invalid",
        ));
    }
    cases
}

fn hmac_token(header: &Value, secret: &[u8], algorithm: hmac::Algorithm) -> String {
    let input = format!(
        "{}.{}",
        lab::encode(header.to_string()),
        lab::encode(lab::claims().to_string())
    );
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    format!("{input}.{}", lab::encode(tag))
}

/// The members that RFC 7638 §3.2 and RFC 8037 §2 hash, in their order.
fn thumbprint_text(jwk: &Value) -> String {
    let members: Vec<_> = ["crv", "e", "kty", "n", "x", "y"]
        .iter()
        .filter(|member| !jwk[**member].is_null())
        .map(|member| format!("\"{member}\":{}", jwk[*member]))
        .collect();
    format!("{{{}}}", members.join(","))
}

pub fn algorithm_of(key: Key) -> Algorithm {
    match key {
        Key::Ed25519 => Algorithm::EdDsa,
        Key::P256 => Algorithm::Es256,
        Key::P384 => Algorithm::Es384,
        Key::P521 => Algorithm::Es512,
        Key::Rsa => Algorithm::Rs256,
    }
}

/// Each key with each algorithm that is not its own; the signature is good under that algorithm's
/// own key.
fn another_keys_algorithm() -> impl Iterator<Item = Case> {
    let pairs = Key::ALL
        .into_iter()
        .flat_map(|key| Algorithm::ALL.map(|algorithm| (key, algorithm)));
    pairs
        .filter(|(key, algorithm)| Key::of(*algorithm) != *key)
        .map(|(key, algorithm)| {
            let header = json!({"alg": algorithm.name(), "kid": key.id()});
            Case::new(
                format!("{algorithm} under the kid of {}", key.id()),
                lab::signed(algorithm, header.to_string(), lab::claims().to_string()),
                "key_algorithm_mismatch",
            )
        })
}

/// An RSA key that its JWK binds to one algorithm is good for no other, although it could.
fn another_algorithm_than_the_jwks() -> Vec<Case> {
    let rsa: Vec<_> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| Key::of(*algorithm) == Key::Rsa)
        .collect();
    let labelled = |label: &Algorithm| {
        let name = label.name();
        lab::with(Key::Rsa.public_jwk(), json!({"alg": name, "kid": name}))
    };
    let keys = lab::keys(&rsa.iter().map(labelled).collect::<Vec<_>>());
    let mut cases = vec![];
    for label in &rsa {
        for algorithm in &rsa {
            let expected = match algorithm == label {
                true => "accepted",
                false => "key_algorithm_mismatch",
            };
            let header = json!({"alg": algorithm.name(), "kid": label.name()});
            let token = lab::signed(*algorithm, header.to_string(), lab::claims().to_string());
            let name = format!("{algorithm} under an RSA key labelled {label}");
            cases.push(Case::new(name, token, expected).keys(keys.clone()));
        }
    }
    cases
}
