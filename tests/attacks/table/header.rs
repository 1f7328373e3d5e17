//! The rest of the header: keys that a token brings along, `kid`, `crit`, `b64`, what is no JWS.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use keyward::Algorithm;
use serde_json::{Value, json};

use crate::case::Case;
use crate::lab;

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    cases.extend(own_keys());
    cases.extend(key_ids());
    cases.extend(extensions());
    cases.extend(other_forms());
    cases.extend(malformed_headers());
    cases
}

/// A key of the attacker's own: its JWK, and a token that it signed.
pub fn own_key(header: impl FnOnce(&Value) -> Value) -> String {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": lab::encode(pair.public_key())});
    let input = format!(
        "{}.{}",
        lab::encode(header(&jwk).to_string()),
        lab::encode(lab::claims().to_string())
    );
    format!("{input}.{}", lab::encode(pair.sign(input.as_bytes())))
}

/// RFC 8725 §3.10: CVE-2018-0114 and its like. That nothing is fetched is another test's to show.
fn own_keys() -> Vec<Case> {
    let mut cases = vec![];
    for (kid, named, expected) in [
        (json!("ed25519"), "the known kid", "token_signature_invalid"),
        (json!("attacker"), "a kid of its own", "key_unknown"),
        (Value::Null, "no kid", "token_signature_invalid"),
    ] {
        for member in ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"] {
            let token = own_key(|jwk| {
                let value = match member {
                    "jwk" => lab::with(jwk.clone(), json!({"kid": "attacker"})),
                    "jku" => json!("http://127.0.0.1:9/jwks"),
                    "x5u" => json!("http://127.0.0.1:9/cert.pem"),
                    "x5c" => json!([lab::encode(lab::Key::Rsa.spki())]),
                    _ => json!("dGh1bWJwcmludA"),
                };
                let header = lab::with(json!({"alg": "EdDSA"}), json!({ "kid": kid }));
                lab::with(header, json!({ member: value }))
            });
            cases.push(Case::new(
                format!("own key in {member}, with {named}"),
                token,
                expected,
            ));
        }
    }
    // What is not read does no harm, whatever it is.
    for (name, changes) in [
        (
            "genuine, with a jwk, jku, x5u and x5c beside it",
            json!({"jwk": {"kty": "oct", "k": "AA"}, "jku": "file:///etc/passwd", "x5u": "http://127.0.0.1:9/", "x5c": []}),
        ),
        (
            "genuine, with a jwk, jku, x5u and x5c of the wrong types",
            json!({"jwk": 1, "jku": ["x"], "x5u": {}, "x5c": true}),
        ),
        (
            "genuine, with cty, zip and members nobody knows",
            json!({"cty": "JWT", "zip": "DEF", "enc": "A256GCM", "nonce": "x", "__proto__": {"alg": "none"}, "constructor": {}}),
        ),
    ] {
        cases.push(Case::new(name, lab::with_header(changes), "accepted"));
    }
    cases
}

fn key_ids() -> Vec<Case> {
    let unknown = [
        "../../../../../../dev/null",
        "..\\..\\windows\\win.ini",
        "/dev/null",
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1:9/key",
        "ed25519/../ed25519",
        "ed25519?x=y",
        "ed25519#",
        "%65d25519",
        "' OR '1'='1",
        "ed25519' --",
        "x' UNION SELECT 'AAAA",
        "ed25519; DROP TABLE jwks",
        "$(touch /tmp/x)",
        "`id`",
        "| id",
        "{{7*7}}",
        "${jndi:ldap://127.0.0.1:9/a}",
        "%s%s%n",
        "*",
        "ed*",
        ".*",
        "^ed25519$",
        "\u{0}",
        "ed25519\u{0}",
        "ed25519\u{0}x",
        " ed25519",
        "ed25519 ",
        "ed25519\n",
        "ed25519\r\nx: y",
        "ED25519",
        "Ed25519",
        "еd25519",
        "ed２５５１９",
        "ed25519\u{200b}",
        "ed25519\u{301}",
        "\u{202e}91552de",
        "\u{feff}ed25519",
        "\u{fffd}",
        "\u{10ffff}",
        "\u{1f511}",
        "",
        "0",
        "null",
        "undefined",
        "__proto__",
        "constructor",
        "toString",
        "attacker",
    ];
    let mut cases = vec![];
    for kid in unknown {
        cases.push(Case::new(
            format!("kid {kid:?}"),
            lab::with_header(json!({ "kid": kid })),
            "key_unknown",
        ));
    }
    for kid in [
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(true),
        json!(false),
        json!([]),
        json!(["ed25519"]),
        json!({}),
        json!({"kid": "ed25519"}),
        json!({"$ne": null}),
    ] {
        let name = format!("kid is {kid}");
        cases.push(Case::new(
            name,
            lab::with_header(json!({ "kid": kid })),
            "token_header_invalid",
        ));
    }
    for (name, header) in [
        ("kid is null", r#"{"alg":"EdDSA","kid":null}"#),
        (
            "kid twice",
            r#"{"alg":"EdDSA","kid":"ed25519","kid":"p256"}"#,
        ),
        (
            "kid twice, one of them escaped",
            r#"{"alg":"EdDSA","kid":"ed25519","\u006bid":"p256"}"#,
        ),
        (
            "kid is half a surrogate pair",
            r#"{"alg":"EdDSA","kid":"\ud83d"}"#,
        ),
        (
            "kid with a raw NUL",
            "{\"alg\":\"EdDSA\",\"kid\":\"ed25519\0\"}",
        ),
        (
            "kid with a raw line end",
            "{\"alg\":\"EdDSA\",\"kid\":\"ed25519\n\"}",
        ),
    ] {
        cases.push(Case::new(
            name,
            lab::with_raw_header(header),
            "token_header_invalid",
        ));
    }
    let not_utf8 = [&br#"{"alg":"EdDSA","kid":"ed25519"#[..], b"\xff", b"\"}"].concat();
    cases.push(Case::new(
        "kid is not UTF-8",
        lab::with_raw_header(not_utf8),
        "token_header_invalid",
    ));
    let overlong = [&br#"{"alg":"EdDSA","kid":""#[..], b"\xc1\xa5d25519", b"\"}"].concat();
    cases.push(Case::new(
        "kid with an overlong e",
        lab::with_raw_header(overlong),
        "token_header_invalid",
    ));
    // A string is what its escapes mean (RFC 8259 §8.3).
    let escaped = lab::with_raw_header(r#"{"alg":"EdDSA","kid":"\u0065d25519"}"#);
    cases.push(Case::new("kid with an escape", escaped, "accepted"));
    let other_name = lab::with_raw_header(r#"{"alg":"EdDSA","KID":"p256"}"#);
    cases.push(Case::new("KID is not kid", other_name, "accepted"));

    let of_length =
        |kilobytes: usize| lab::with_header(json!({"kid": "k".repeat(kilobytes * 1024)}));
    cases.push(Case::new("kid of 2 KiB", of_length(2), "key_unknown"));
    cases.push(Case::new(
        "kid of 5 KiB",
        of_length(5),
        "token_header_invalid",
    ));
    // 64 KiB of kid are 87 KiB of header, which the HTTP library answers itself.
    let whole = Case::new("kid of 64 KiB", of_length(64), "token_too_large");
    cases.push(whole.in_service("431"));
    cases.push(Case::new("kid of 40 KiB", of_length(40), "token_too_large"));
    cases
}

/// RFC 7515 §4.1.11, RFC 7797.
fn extensions() -> Vec<Case> {
    let mut cases = vec![];
    for critical in [
        json!([]),
        json!(["exp"]),
        json!(["alg"]),
        json!(["b64"]),
        json!(["http://example.com/UNDEFINED"]),
        json!(["exp", "exp"]),
        json!([1]),
        json!("exp"),
        json!({}),
        json!(true),
        json!(0),
    ] {
        let changes =
            json!({"crit": critical, "exp": lab::NOW, "http://example.com/UNDEFINED": true});
        cases.push(Case::new(
            format!("crit {critical}"),
            lab::with_header(changes),
            "token_critical_header",
        ));
    }
    let null = r#"{"alg":"EdDSA","kid":"ed25519","crit":null}"#;
    cases.push(Case::new(
        "crit null",
        lab::with_raw_header(null),
        "token_critical_header",
    ));
    let twice = r#"{"alg":"EdDSA","kid":"ed25519","crit":[],"crit":["exp"]}"#;
    cases.push(Case::new(
        "crit twice",
        lab::with_raw_header(twice),
        "token_header_invalid",
    ));
    for unencoded in [json!(false), json!(true), json!("false"), json!(0)] {
        cases.push(Case::new(
            format!("b64 {unencoded} without crit"),
            lab::with_header(json!({ "b64": unencoded })),
            "token_payload_unencoded",
        ));
        cases.push(Case::new(
            format!("b64 {unencoded} with crit"),
            lab::with_header(json!({"b64": unencoded, "crit": ["b64"]})),
            "token_critical_header",
        ));
    }
    // What b64 false is for: the payload as it is, signed as it is.
    let header = lab::with(
        lab::header(Algorithm::EdDsa),
        json!({"b64": false, "crit": ["b64"]}),
    );
    let payload = lab::claims().to_string();
    let input = format!("{}.{payload}", lab::encode(header.to_string()));
    let signature = lab::encode(lab::sign(Algorithm::EdDsa, input.as_bytes()));
    let in_place = Case::new(
        "b64 false with its payload in place",
        format!("{input}.{signature}"),
        // The dots of its issuer's name make it more than three parts.
        "token_malformed",
    );
    // The payload has commas in it.
    cases.push(in_place.over_http("authorization_repeated"));
    let detached = format!("{}..{signature}", lab::encode(header.to_string()));
    cases.push(Case::new(
        "b64 false with its payload detached",
        detached,
        "token_malformed",
    ));
    cases
}

/// What is no compact JWS.
fn other_forms() -> Vec<Case> {
    let good = lab::token(Algorithm::EdDsa);
    let [header, payload, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let jwe_header = lab::encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    let flattened =
        json!({"protected": header, "payload": payload, "signature": signature}).to_string();
    let general =
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})
            .to_string();
    let nested = |payload: &str| {
        let header = lab::with(lab::header(Algorithm::EdDsa), json!({"cty": "JWT"}));
        lab::signed(Algorithm::EdDsa, header.to_string(), payload)
    };
    vec![
        Case::new(
            "JWE with direct encryption",
            format!(
                "{jwe_header}..{}.{}.{}",
                lab::encode([1; 12]),
                payload,
                lab::encode([2; 16])
            ),
            "token_encrypted",
        ),
        Case::new(
            "JWE with a wrapped key",
            format!(
                "{}.{}.{}.{payload}.{}",
                lab::encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"rsa"}"#),
                lab::encode([3; 256]),
                lab::encode([1; 12]),
                lab::encode([2; 16])
            ),
            "token_encrypted",
        ),
        Case::new(
            "JWE header in three parts",
            format!("{jwe_header}.{payload}.{signature}"),
            "token_algorithm_not_allowed",
        ),
        Case::new(
            "five parts that begin as a JWS",
            format!("{good}.{payload}.{signature}"),
            "token_encrypted",
        ),
        Case::new(
            "four parts",
            format!("{good}.{signature}"),
            "token_malformed",
        ),
        Case::new("six parts", format!("{good}.{good}"), "token_malformed"),
        Case::new(
            "two parts",
            format!("{header}.{payload}"),
            "token_malformed",
        ),
        Case::new("one part", header, "token_malformed"),
        Case::new(
            "detached",
            format!("{header}..{signature}"),
            "token_malformed",
        ),
        Case::new(
            "no header",
            format!(".{payload}.{signature}"),
            "token_malformed",
        ),
        Case::new("a thousand dots", ".".repeat(1000), "token_malformed"),
        Case::new("flattened JSON serialization", flattened, "token_malformed")
            .over_http("authorization_repeated"),
        Case::new("general JSON serialization", general, "token_malformed")
            .over_http("authorization_repeated"),
        Case::new("nested JWT", nested(&good), "token_payload_invalid"),
        Case::new(
            "nested JWT as a JSON string",
            nested(&json!(good).to_string()),
            "token_payload_invalid",
        ),
        Case::new("session token", lab::SUBJECT, "session_token"),
        Case::new(
            "session token with its signature",
            format!(
                "{}.wGx3CqoNvGSnZzTn+5QyyR/AQ4bJ6Kw2P9hG8v0iBfE=",
                lab::SUBJECT
            ),
            "session_token",
        ),
        Case::new(
            "session token as a cookie has it, and as Better Auth up to 1.4 hands it out",
            format!(
                "{}.wGx3CqoNvGSnZzTn%2B5QyyR%2FAQ4bJ6Kw2P9hG8v0iBfE%3D",
                lab::SUBJECT
            ),
            "session_token",
        ),
        Case::new(
            "PASETO",
            "v4.public.eyJzdWIiOiJhZGEifQ.AAAA",
            "token_malformed",
        ),
        Case::new(
            "SD-JWT",
            format!("{good}~WyJzYWx0IiwibmFtZSIsIkFkYSJd~"),
            "token_malformed",
        ),
        Case::new("SAML", lab::encode("<saml:Assertion/>"), "session_token"),
    ]
}

fn malformed_headers() -> Vec<Case> {
    let deep = format!(
        r#"{{"alg":"EdDSA","kid":"ed25519","x":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let headers: Vec<(&str, Vec<u8>)> = vec![
        ("empty object", b"{}".to_vec()),
        ("array", br#"[{"alg":"EdDSA","kid":"ed25519"}]"#.to_vec()),
        (
            "array of pairs",
            br#"[["alg","EdDSA"],["kid","ed25519"]]"#.to_vec(),
        ),
        ("string", br#""EdDSA""#.to_vec()),
        ("number", b"1".to_vec()),
        ("null", b"null".to_vec()),
        ("text", b"alg=EdDSA".to_vec()),
        ("white space", b" ".to_vec()),
        ("cut off", br#"{"alg":"EdDSA","kid":"ed25519""#.to_vec()),
        (
            "two documents",
            br#"{"alg":"EdDSA","kid":"ed25519"}{"alg":"none"}"#.to_vec(),
        ),
        (
            "garbage behind it",
            br#"{"alg":"EdDSA","kid":"ed25519"}x"#.to_vec(),
        ),
        (
            "NUL behind it",
            b"{\"alg\":\"EdDSA\",\"kid\":\"ed25519\"}\0".to_vec(),
        ),
        (
            "comma behind the last member",
            br#"{"alg":"EdDSA","kid":"ed25519",}"#.to_vec(),
        ),
        ("single quotes", b"{'alg':'EdDSA','kid':'ed25519'}".to_vec()),
        (
            "names without quotes",
            br#"{alg:"EdDSA",kid:"ed25519"}"#.to_vec(),
        ),
        (
            "comment",
            br#"{"alg":"EdDSA","kid":"ed25519"/*x*/}"#.to_vec(),
        ),
        (
            "NaN",
            br#"{"alg":"EdDSA","kid":"ed25519","x":NaN}"#.to_vec(),
        ),
        (
            "number out of range",
            br#"{"alg":"EdDSA","kid":"ed25519","x":1e999}"#.to_vec(),
        ),
        (
            "unknown member twice",
            br#"{"alg":"EdDSA","kid":"ed25519","x":1,"x":2}"#.to_vec(),
        ),
        (
            "member twice inside a member",
            br#"{"alg":"EdDSA","kid":"ed25519","x":{"y":1,"y":1}}"#.to_vec(),
        ),
        (
            "byte order mark",
            b"\xef\xbb\xbf{\"alg\":\"EdDSA\",\"kid\":\"ed25519\"}".to_vec(),
        ),
        (
            "UTF-16",
            r#"{"alg":"EdDSA"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            "not UTF-8",
            b"{\"alg\":\"EdDSA\",\"kid\":\"ed25519\",\"x\":\"\xff\"}".to_vec(),
        ),
        (
            "surrogate in UTF-8",
            b"{\"alg\":\"EdDSA\",\"kid\":\"ed25519\",\"x\":\"\xed\xa0\x80\"}".to_vec(),
        ),
        (
            "half a surrogate pair",
            br#"{"alg":"EdDSA","kid":"ed25519","x":"\ud800"}"#.to_vec(),
        ),
        (
            "bad escape",
            br#"{"alg":"EdDSA","kid":"ed25519","x":"\x41"}"#.to_vec(),
        ),
        ("200 levels deep", deep.into_bytes()),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec()),
        (
            "over 4 KiB",
            format!(
                r#"{{"alg":"EdDSA","kid":"ed25519","x":"{}"}}"#,
                "x".repeat(4096)
            )
            .into_bytes(),
        ),
    ];
    let mut cases: Vec<Case> = headers
        .into_iter()
        .map(|(name, header)| {
            Case::new(
                format!("header: {name}"),
                lab::with_raw_header(header),
                "token_header_invalid",
            )
        })
        .collect();
    let spaced = "\r\n { \"alg\" : \"EdDSA\" ,\t\"kid\" : \"ed25519\" } \n";
    cases.push(Case::new(
        "header: white space as JSON allows it",
        lab::with_raw_header(spaced),
        "accepted",
    ));
    let many: Vec<_> = (0..300).map(|n| format!(r#""{n}":0"#)).collect();
    let many = format!(r#"{{"alg":"EdDSA","kid":"ed25519",{}}}"#, many.join(","));
    cases.push(Case::new(
        "header: 300 members",
        lab::with_raw_header(many),
        "accepted",
    ));
    cases
}
