//! Where the fuzzer starts from: the attack table's rows, and for each target its own good inputs.

use std::fs;
use std::path::Path;

use keyward::Algorithm;
use serde_json::json;

use crate::{lab, table, targets};

/// Writes `directory/TARGET/N` for each seed.
pub fn write(directory: &Path) {
    let put = |target: &str, seeds: Vec<Vec<u8>>| {
        let directory = directory.join(target);
        fs::create_dir_all(&directory).unwrap();
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(directory.join(format!("{number:04}")), seed).unwrap();
        }
        println!("{} seeds: {target}", seeds.len());
    };
    let tokens = || table::cases().filter(|case| case.token.len() < 20_000);
    put(
        "token",
        tokens()
            .map(|case| case.token.clone().into_bytes())
            .collect(),
    );
    // Of the other issuer, whom one of the verifiers trusts too.
    let payload = lab::with(
        lab::claims(),
        json!({"iss": targets::OAUTH_ISSUER, "client_id": "app"}),
    );
    let header = json!({"alg": "EdDSA", "kid": "ed25519", "typ": "at+jwt"});
    let access_token = format!("{header}\n{payload}").into_bytes();
    put(
        "claims",
        tokens()
            .filter_map(|case| parts(&case.token))
            .chain([access_token])
            .collect(),
    );

    let of_tokens = tokens().map(|case| format!("Bearer {}", case.token).into_bytes());
    let requests = table::transport::requests();
    let of_requests = requests.into_iter().map(|request| {
        let values: Vec<_> = request
            .headers
            .into_iter()
            .map(|(_, value)| value)
            .collect();
        values.join(&b'\n')
    });
    put(
        "authorization",
        of_requests.chain(of_tokens.step_by(8)).collect(),
    );

    let mut key_sets: Vec<Vec<u8>> = table::cases()
        .map(|case| case.keys.to_string().into_bytes())
        .collect();
    let altered =
        table::cases().flat_map(|case| case.keys["keys"].as_array().into_iter().flatten());
    key_sets.extend(altered.map(|key| {
        lab::keys(std::slice::from_ref(key))
            .to_string()
            .into_bytes()
    }));
    key_sets.sort();
    key_sets.dedup();
    key_sets.retain(|document| document.len() < 20_000);
    put("key_set", key_sets);

    let with_kind = |kind: u8, texts: &[&str]| -> Vec<Vec<u8>> {
        let with = |text: &&str| [&[kind], text.as_bytes()].concat();
        texts.iter().map(with).collect()
    };
    let queries = with_kind(
        b'q',
        &[
            "",
            "limit=1",
            "limit=100&completed=true&q=milk",
            "cursor=AZqyw9Tlf2CKGyw9Tl9gcQ",
            "cursor=null",
            "q=%25%5F%5C",
            "limit=0",
            "limit=1&limit=2",
            "x=1",
            "cursor=%ff",
            "completed=yes",
            "q=%F0%9F%A5%9B",
            "cursor=____________________-w",
            "limit=+1",
            "&&q=a+b",
        ],
    );
    let cursors = with_kind(
        0xff,
        &[
            "AZqyw9Tlf2CKGyw9Tl9gcQ",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "x",
            "null",
        ],
    );
    put("cursor", [queries, cursors].concat());

    let bodies = [
        r#"{"title":"Buy milk","completed":false}"#,
        r#"{"title":"\ud83e\udd5b"}"#,
        r#"{"completed":true}"#,
        r#"{"title":"a","title":"b"}"#,
        r#"{"title":"\u0000"}"#,
        r#"{"title":7}"#,
        r#"{"title":null}"#,
        "{}",
        "[]",
        "",
        r#"{"title":" "}"#,
        r#"{"title":"a","id":"x"}"#,
        r#"{"completed":"true"}"#,
        r#"{"title":"é\n"}"#,
        r#"{"title":"a","completed":1e400}"#,
        r#"{"ti\u0074le":"a"}"#,
    ];
    put(
        "body",
        [
            with_kind(0xff, &bodies),
            with_kind(0x07, &bodies),
            with_kind(0x08, &bodies),
        ]
        .concat(),
    );
}

/// Header and payload of a token that the lab's Ed25519 key signed.
fn parts(token: &str) -> Option<Vec<u8>> {
    let decode =
        |part: &str| base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, part).ok();
    let mut parts = token.split('.');
    let (header, payload) = (decode(parts.next()?)?, decode(parts.next()?)?);
    let own = lab::header(Algorithm::EdDsa).to_string().into_bytes();
    let header = if header == own { vec![] } else { header };
    Some([header, b"\n".to_vec(), payload].concat())
}
