//! One token has one spelling (RFC 7515 §2, RFC 4648 §3.5): otherwise what is compared as text, in
//! a cache or a revocation list, is not what was verified.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};
use keyward::Algorithm;

use crate::case::Case;
use crate::lab;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    cases.extend(trailing_bits());
    cases.extend(padding_and_alphabet());
    cases.extend(foreign_characters());
    cases.extend(lengths());
    cases
}

/// The characters that decode to the same bytes as `last`, if unused bits are not looked at.
fn other_spellings(last: u8, unused_bits: u32) -> impl Iterator<Item = char> {
    let value = ALPHABET.iter().position(|byte| *byte == last).unwrap();
    (1..1 << unused_bits).map(move |bits: usize| char::from(ALPHABET[value | bits]))
}

fn trailing_bits() -> Vec<Case> {
    let mut cases = vec![];
    // 64 bytes: the last of 86 characters carries two bits.
    let good = lab::token(Algorithm::EdDsa);
    let (rest, last) = good.split_at(good.len() - 1);
    for other in other_spellings(last.as_bytes()[0], 4) {
        cases.push(Case::new(
            format!("signature's last character {other} for {last}"),
            format!("{rest}{other}"),
            "token_malformed",
        ));
    }
    for algorithm in Algorithm::ALL {
        let good = lab::token(algorithm);
        let signature = good.rsplit('.').next().unwrap();
        let unused_bits = match signature.len() % 4 {
            2 => 4,
            3 => 2,
            _ => 0,
        };
        let (rest, last) = good.split_at(good.len() - 1);
        for other in other_spellings(last.as_bytes()[0], unused_bits).take(1) {
            cases.push(Case::new(
                format!("{algorithm}: signature with a trailing bit"),
                format!("{rest}{other}"),
                "token_malformed",
            ));
        }
    }
    // In header and payload the spelling is signed as well: the issuer itself writes it.
    for (part, name) in [(0, "header"), (1, "payload")] {
        for (length, unused_bits) in [(1, 4), (2, 2)] {
            let texts = texts_of_length(length);
            let mut parts = texts.map(lab::encode);
            let last = parts[part].pop().unwrap();
            let other = other_spellings(last as u8, unused_bits).last().unwrap();
            parts[part].push(other);
            cases.push(Case::new(
                format!("{name} with trailing bits, signed that way: {other} for {last}"),
                lab::signed_text(Algorithm::EdDsa, &parts.join(".")),
                "token_malformed",
            ));
        }
    }
    cases
}

/// Header and payload whose lengths leave this remainder when divided by three.
fn texts_of_length(remainder: usize) -> [String; 2] {
    let texts = [
        lab::header(Algorithm::EdDsa).to_string(),
        lab::claims().to_string(),
    ];
    texts.map(|mut text| {
        while text.len() % 3 != remainder {
            text.push(' ');
        }
        text
    })
}

fn padding_and_alphabet() -> Vec<Case> {
    let mut cases = vec![];
    let good = lab::token(Algorithm::EdDsa);
    for padding in ["=", "==", "%3D", "%3d%3d"] {
        let case = Case::new(
            format!("signature with {padding} behind it"),
            format!("{good}{padding}"),
            "token_malformed",
        );
        cases.push(match padding.starts_with('%') {
            true => case.over_http("authorization_malformed"),
            false => case,
        });
    }
    for (part, name) in [(0, "header"), (1, "payload")] {
        for remainder in [1, 2] {
            let texts = texts_of_length(remainder);
            let mut parts = texts.clone().map(lab::encode);
            parts[part] = URL_SAFE.encode(&texts[part]);
            let token = lab::signed_text(Algorithm::EdDsa, &parts.join("."));
            let case = Case::new(
                format!("{name} padded with {}, signed that way", 3 - remainder),
                token,
                "token_malformed",
            );
            // Padding belongs at the end of a b64token (RFC 6750 §2.1), but the parts of a JWS
            // are told apart later.
            cases.push(case);
        }
    }
    // A payload and a signature with `-` or `_` in them, in the alphabet that has + and /.
    let payload = lab::with(lab::claims(), serde_json::json!({"x": "???>>>~~~ÿÿÿ"})).to_string();
    let standard = STANDARD_NO_PAD.encode(&payload);
    assert!(standard.contains(['+', '/']));
    let header = lab::encode(lab::header(Algorithm::EdDsa).to_string());
    cases.push(Case::new(
        "payload in the standard alphabet, signed that way",
        lab::signed_text(Algorithm::EdDsa, &format!("{header}.{standard}")),
        "token_malformed",
    ));
    let (input, signature) = (0..)
        .find_map(|n| {
            let token = lab::with_claims(serde_json::json!({ "n": n }));
            let (input, signature) = token.rsplit_once('.')?;
            let both = signature.contains('-') && signature.contains('_');
            both.then(|| (input.to_owned(), signature.to_owned()))
        })
        .unwrap();
    for (name, from, to) in [
        ("+ for -", '-', "+"),
        ("/ for _", '_', "/"),
        ("%2D for -", '-', "%2D"),
    ] {
        let case = Case::new(
            format!("signature with {name}"),
            format!("{input}.{}", signature.replace(from, to)),
            "token_malformed",
        );
        cases.push(match to.starts_with('%') {
            true => case.over_http("authorization_malformed"),
            false => case,
        });
    }
    cases
}

fn foreign_characters() -> Vec<Case> {
    let good = lab::token(Algorithm::EdDsa);
    let [header, payload, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut cases = vec![];
    for (name, inserted, over_http) in [
        ("a space", " ", "authorization_malformed"),
        ("a tab", "\t", "authorization_malformed"),
        ("a comma", ",", "authorization_repeated"),
        ("a semicolon", ";", "authorization_malformed"),
        ("a quote", "\"", "authorization_malformed"),
        ("a tilde", "~", "token_malformed"),
        ("an é", "é", "authorization_malformed"),
        ("a full-width A", "Ａ", "authorization_malformed"),
        ("a zero-width space", "\u{200b}", "authorization_malformed"),
        ("a soft hyphen", "\u{ad}", "authorization_malformed"),
    ] {
        for (place, token) in [
            ("header", format!("{}{inserted}{}", &good[..9], &good[9..])),
            (
                "payload",
                format!(
                    "{header}.{}{inserted}{}.{signature}",
                    &payload[..7],
                    &payload[7..]
                ),
            ),
            (
                "signature",
                format!(
                    "{header}.{payload}.{}{inserted}{}",
                    &signature[..40],
                    &signature[40..]
                ),
            ),
        ] {
            cases.push(
                Case::new(format!("{name} in the {place}"), token, "token_malformed")
                    .over_http(over_http),
            );
        }
    }
    let lines: Vec<_> = payload
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let wrapped = format!("{header}.{}", lines.join("\r\n"));
    for (name, token) in [
        ("a line end behind it", format!("{good}\n")),
        ("a NUL behind it", format!("{good}\0")),
        (
            "a NUL in the signature",
            format!("{header}.{payload}.\0{signature}"),
        ),
        (
            "payload in lines, signed that way",
            lab::signed_text(Algorithm::EdDsa, &wrapped),
        ),
    ] {
        // No header value can hold these (RFC 9110 §5.5).
        cases.push(Case::new(name, token, "token_malformed").over_http("no such header"));
    }
    for (name, token, over_http) in [
        // White space around a header's value, and between scheme and token, is no part of it.
        ("a space before it", format!(" {good}"), "accepted"),
        ("a space behind it", format!("{good} "), "accepted"),
        ("a tab behind it", format!("{good}\t"), "accepted"),
        (
            "in quotes",
            format!("\"{good}\""),
            "authorization_malformed",
        ),
        (
            "in brackets",
            format!("<{good}>"),
            "authorization_malformed",
        ),
        (
            "the scheme once more",
            format!("Bearer {good}"),
            "authorization_malformed",
        ),
        (
            "a byte order mark before it",
            format!("\u{feff}{good}"),
            "authorization_malformed",
        ),
        (
            "the dots percent-encoded",
            good.replace('.', "%2E"),
            "authorization_malformed",
        ),
        (
            "full-width dots",
            good.replace('.', "．"),
            "authorization_malformed",
        ),
        ("a dot before it", format!(".{good}"), "token_malformed"),
        ("a dot behind it", format!("{good}."), "token_malformed"),
        ("twice in a row", format!("{good}{good}"), "token_encrypted"),
    ] {
        let expected = match name {
            "twice in a row" => "token_encrypted",
            _ => "token_malformed",
        };
        cases.push(Case::new(name, token, expected).over_http(over_http));
    }
    cases.push(
        Case::new(
            "percent-encoded dots look like one part",
            "eyJh%2EeyJh%2EAA",
            "token_malformed",
        )
        .over_http("authorization_malformed"),
    );
    cases
}

/// Without the last three bytes of its payload.
fn cut_off(input: &str) -> String {
    let (header, payload) = input.split_once('.').unwrap();
    let payload = lab::decode(payload);
    format!("{header}.{}", lab::encode(&payload[..payload.len() - 3]))
}

fn lengths() -> Vec<Case> {
    let good = lab::token(Algorithm::EdDsa);
    let (input, signature) = good.rsplit_once('.').unwrap();
    let mut cases = vec![
        Case::new("empty", "", "token_malformed").over_http("authorization_malformed"),
        Case::new("two dots", "..", "token_malformed"),
        Case::new("one character a part", "a.b.c", "token_malformed"),
        Case::new(
            "a signature of one character",
            format!("{input}.A"),
            "token_malformed",
        ),
        Case::new(
            "a signature of one byte",
            format!("{input}.AA"),
            "token_signature_invalid",
        ),
        Case::new(
            "a signature one character shorter",
            format!("{input}.{}", &signature[..85]),
            "token_malformed",
        ),
        Case::new(
            "a signature twice",
            format!(
                "{input}.{}",
                lab::encode([lab::decode(signature), lab::decode(signature)].concat())
            ),
            "token_signature_invalid",
        ),
        Case::new(
            "a signature of 8 KiB",
            format!("{input}.{}", "A".repeat(8192)),
            "token_signature_invalid",
        ),
        Case::new(
            "a payload cut off",
            format!("{}.{signature}", cut_off(input)),
            "token_signature_invalid",
        ),
        Case::new(
            "a mebibyte of letters",
            "A".repeat(1 << 20),
            "token_too_large",
        )
        .in_service("431"),
        Case::new(
            "17 KiB, genuinely signed",
            lab::with_claims(serde_json::json!({"image": "x".repeat(17 * 1024)})),
            "token_too_large",
        ),
    ];
    // To the byte: 16 KiB are accepted, and what is one base64 group longer is not.
    for len in 12_000..12_200 {
        let token = lab::with_claims(serde_json::json!({"image": "x".repeat(len)}));
        if token.len() > 16 * 1024 {
            cases.push(Case::new("just over 16 KiB", token, "token_too_large"));
            let token = lab::with_claims(serde_json::json!({"image": "x".repeat(len - 1)}));
            cases.push(Case::new("just under 16 KiB", token, "accepted"));
            break;
        }
    }
    cases
}
