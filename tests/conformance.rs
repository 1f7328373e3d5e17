//! The examples that the JOSE RFCs print, and tokens that another implementation made, through the
//! public API. See `vectors/`: each file names its source.
//!
//! Hardly any example is an access token, so that a refusal alone would show nothing. What shows
//! that the signature was checked and is right:
//! - a vector with `proven: true` gets a reason that is given only for a proven signature
//!   (`token_payload_invalid`, `token_claim_missing`), or is accepted;
//! - with any one byte of its signature changed by a bit, or the end of its payload, the same token gets
//!   `token_signature_invalid`.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::{Algorithm, Clock, KeySet, Policy, Verifier};
use serde::Deserialize;
use serde_json::{Value, json};

/// The examples expire at 1300819380, in March 2011.
const NOW: u64 = 1_300_819_300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    source: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    key: Value,
    token: String,
    proven: bool,
    /// The code of the refusal, or "accepted".
    expected: String,
    /// Only of what is proven.
    algorithm: Option<String>,
    payload: Option<String>,
}

fn vectors() -> Vec<(String, Vector)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut vectors = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let File {
            source,
            vectors: of_file,
        } = serde_json::from_str(&text).unwrap();
        vectors.extend(of_file.into_iter().map(|vector| {
            let name = format!("{source}: {}", vector.name);
            (name, vector)
        }));
    }
    vectors
}

#[derive(Debug)]
struct InTheirTime;

impl Clock for InTheirTime {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

fn verifier(key: &Value) -> Verifier<Value> {
    let document = json!({ "keys": [key] }).to_string();
    let keys = KeySet::from_json(document.as_bytes()).unwrap();
    let policy = Policy::new(["joe", "hobbiton.example"], ["https://api.example.com"]).unwrap();
    Verifier::builder(policy, keys)
        .clock(InTheirTime)
        .without_cache()
        .build()
}

async fn code(verifier: &Verifier<Value>, token: &str) -> &'static str {
    match verifier.verify(token).await {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

/// The parts of a compact JWS, decoded.
fn parts(token: &str) -> [Vec<u8>; 3] {
    let parts: Vec<_> = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
        .collect();
    parts.try_into().unwrap()
}

fn joined(parts: &[Vec<u8>; 3]) -> String {
    parts
        .each_ref()
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".")
}

#[tokio::test]
async fn every_example_has_its_outcome() {
    let vectors = vectors();
    for (name, vector) in &vectors {
        let outcome = code(&verifier(&vector.key), &vector.token).await;
        assert_eq!(outcome, vector.expected, "{name}");
    }
    assert_eq!(vectors.len(), 39);
    println!("ran {} cases: conformance vectors", vectors.len());
}

#[tokio::test]
async fn a_proven_example_says_what_its_source_says_and_loses_its_proof_with_a_bit_of_any_byte() {
    let mut algorithms = Vec::new();
    let mut flips = 0;
    for (name, vector) in vectors().iter().filter(|(_, vector)| vector.proven) {
        let verifier = verifier(&vector.key);
        let genuine = parts(&vector.token);
        let algorithm = vector.algorithm.as_deref().unwrap();
        let header: Value = serde_json::from_slice(&genuine[0]).unwrap();
        assert_eq!(header["alg"], algorithm, "{name}");
        let payload = vector.payload.as_deref().unwrap();
        assert_eq!(genuine[1], payload.as_bytes(), "{name}");
        algorithms.push(algorithm.to_owned());

        // One bit of each of the signature's bytes, and each bit of the payload's last one: an
        // earlier one may make another time of its `exp`.
        let last = genuine[1].len() - 1;
        let signature = (0..genuine[2].len()).map(|at| (2, at, at % 8));
        for (part, at, bit) in signature.chain((0..8).map(|bit| (1, last, bit))) {
            let mut forged = genuine.clone();
            forged[part][at] ^= 1 << bit;
            let outcome = code(&verifier, &joined(&forged)).await;
            assert_eq!(outcome, "token_signature_invalid", "{name}: {part} {at}");
            flips += 1;
        }
        let longer = format!("{}AAAA", vector.token);
        assert_eq!(
            code(&verifier, &longer).await,
            "token_signature_invalid",
            "{name}"
        );
    }
    println!("ran {flips} cases: conformance vectors with one bit flipped");
    for algorithm in Algorithm::ALL {
        let count = algorithms
            .iter()
            .filter(|name| **name == algorithm.name())
            .count();
        assert!(count > 0, "no example of {algorithm}");
    }
}

/// A vector's key is all that proves it: with the key of another example it is refused.
#[tokio::test]
async fn an_example_is_proven_by_no_other_examples_key() {
    let vectors = vectors();
    let mut pairs = 0;
    for (name, vector) in vectors.iter().filter(|(_, vector)| vector.proven) {
        for (_, other) in &vectors {
            if same_numbers(&vector.key, &other.key) {
                continue;
            }
            let mut key = other.key.clone();
            key["kid"] = header_of(&vector.token)["kid"].clone();
            if key["kid"].is_null() {
                key.as_object_mut().unwrap().remove("kid");
            }
            let outcome = code(&verifier(&key), &vector.token).await;
            let refusals = [
                "token_signature_invalid",
                "key_algorithm_mismatch",
                "key_id_missing",
            ];
            assert!(refusals.contains(&outcome), "{name}: {outcome}");
            pairs += 1;
        }
    }
    println!("ran {pairs} cases: conformance vectors with another key");
}

fn header_of(token: &str) -> Value {
    serde_json::from_slice(&parts(token)[0]).unwrap()
}

fn same_numbers(one: &Value, other: &Value) -> bool {
    ["x", "y", "n", "e"]
        .iter()
        .all(|member| one[*member] == other[*member])
}
