//! Claims under a genuine signature (RFC 7519 §4.1): the issuer signed them, for somebody else, for
//! another time, or by mistake.

use keyward::Algorithm;
use serde_json::{Value, json};

use crate::case::Case;
use crate::lab::{self, ISSUER, NOW};

pub fn cases() -> Vec<Case> {
    let mut cases = times();
    cases.extend(issuers());
    cases.extend(audiences());
    cases.extend(subjects());
    cases.extend(bound_tokens_and_clients());
    cases.extend(application_claims());
    cases.extend(payload_forms());
    cases.extend(unproven());
    cases
}

/// One claim changed.
fn row(name: &str, value: Value, expected: &'static str) -> Case {
    Case::new(
        format!("{name} is {}", abbreviated(&value.to_string())),
        lab::with_claims(json!({ name: value })),
        expected,
    )
}

/// One claim as it is spelled in the payload's text.
fn raw(name: &str, text: &str, expected: &'static str) -> Case {
    let rest = lab::with(lab::claims(), json!({ name: null })).to_string();
    let rest = rest.strip_prefix('{').unwrap();
    Case::new(
        format!("{name} is {}", abbreviated(text)),
        lab::with_raw_payload(format!(r#"{{"{name}":{text},{rest}"#)),
        expected,
    )
}

fn missing(name: &str, expected: &'static str) -> Case {
    Case::new(
        format!("no {name}"),
        lab::with_claims(json!({ name: null })),
        expected,
    )
}

fn abbreviated(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}… of {} bytes", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

fn times() -> Vec<Case> {
    const INVALID: &str = "token_claim_invalid";
    const EXPIRED: &str = "token_expired";
    const MILLISECONDS: &str = "token_time_in_milliseconds";
    const NOT_JSON: &str = "token_payload_invalid";
    let mut cases = vec![missing("exp", "token_claim_missing")];
    // The leeway is 30 s: at that second it is too late (RFC 7519 §4.1.4).
    for (seconds, expected) in [
        ("1795449970", EXPIRED),
        ("1795449970.0", EXPIRED),
        ("1795449969.999", EXPIRED),
        ("1795449970.001", "accepted"),
        ("1795449971", "accepted"),
        ("1795450900.75", "accepted"),
        ("1.7954509e9", "accepted"),
        ("17954509000e-1", "accepted"),
        ("99999999999", "accepted"),
        ("99999999999.99", "accepted"),
        ("100000000000", MILLISECONDS),
        ("1795450900000", MILLISECONDS),
        ("1795450900000000", MILLISECONDS),
        ("1795450900000000000", MILLISECONDS),
        ("18446744073709551615", MILLISECONDS),
        ("18446744073709551616", MILLISECONDS),
        ("1e99", MILLISECONDS),
        ("1e308", MILLISECONDS),
        ("1e309", NOT_JSON),
        ("-1e309", NOT_JSON),
        ("0", EXPIRED),
        ("-0", EXPIRED),
        ("1", EXPIRED),
        ("3600", EXPIRED),
        ("-1", EXPIRED),
        ("-1795450900", EXPIRED),
        ("-9223372036854775809", EXPIRED),
        ("-1e308", EXPIRED),
        ("1e-308", EXPIRED),
        ("1e-999", EXPIRED),
        ("null", INVALID),
        ("true", INVALID),
        (r#""""#, INVALID),
        (r#""1795450900""#, INVALID),
        (r#""1e99""#, INVALID),
        (r#""2h""#, INVALID),
        (r#""tomorrow""#, INVALID),
        (r#""2026-11-24T00:00:00Z""#, INVALID),
        (r#""Infinity""#, INVALID),
        ("[]", INVALID),
        ("[1795450900]", INVALID),
        ("{}", INVALID),
        (r#"{"$date":1795450900}"#, INVALID),
        (r#"{"$serde_json::private::Number":"1795450900"}"#, INVALID),
        ("NaN", NOT_JSON),
        ("Infinity", NOT_JSON),
        ("-Infinity", NOT_JSON),
        ("+1795450900", NOT_JSON),
        ("01795450900", NOT_JSON),
        ("0x6b0510d4", NOT_JSON),
        ("1795450900.", NOT_JSON),
        (".5", NOT_JSON),
        ("1_795_450_900", NOT_JSON),
        ("1795450900n", NOT_JSON),
        ("", NOT_JSON),
    ] {
        cases.push(raw("exp", seconds, expected));
    }
    for (name, early) in [
        ("nbf", "token_not_yet_valid"),
        ("iat", "token_issued_in_future"),
    ] {
        cases.push(missing(name, "accepted"));
        for (seconds, expected) in [
            ("1795450030", "accepted"),
            ("1795450030.001", early),
            ("1795450031", early),
            ("99999999999", early),
            ("100000000000", MILLISECONDS),
            ("1795450000000", MILLISECONDS),
            ("5", "accepted"),
            ("0", "accepted"),
            ("-5", "accepted"),
            ("-1e308", "accepted"),
            ("1e309", NOT_JSON),
            ("null", INVALID),
            ("false", INVALID),
            (r#""1795450000""#, INVALID),
            (r#""now""#, INVALID),
            ("[]", INVALID),
            ("[0]", INVALID),
            ("{}", INVALID),
            ("NaN", NOT_JSON),
        ] {
            cases.push(raw(name, seconds, expected));
        }
    }
    for (name, members) in [
        (
            "exp twice",
            format!(r#""exp":{},"exp":{}"#, NOW + 900, NOW + 900),
        ),
        (
            "exp twice, one of them past",
            format!(r#""exp":1,"exp":{}"#, NOW + 900),
        ),
        (
            "exp twice, one of them escaped",
            format!(r#""\u0065xp":1,"exp":{}"#, NOW + 900),
        ),
    ] {
        let rest = lab::with(lab::claims(), json!({"exp": null})).to_string();
        let payload = format!("{{{members},{}", rest.strip_prefix('{').unwrap());
        cases.push(Case::new(name, lab::with_raw_payload(payload), NOT_JSON));
    }
    for name in ["EXP", "exp ", "exp\u{0}", "еxp", "expires", "expiresAt"] {
        cases.push(Case::new(
            format!("{name:?} instead of exp"),
            lab::with_claims(json!({"exp": null, name: NOW + 900})),
            "token_claim_missing",
        ));
    }
    cases
}

fn issuers() -> Vec<Case> {
    const MISMATCH: &str = "token_issuer_mismatch";
    const INVALID: &str = "token_claim_invalid";
    let mut cases = vec![missing("iss", "token_claim_missing")];
    for issuer in [
        "",
        " ",
        "https://app.example.com/",
        "https://app.example.com//",
        "https://app.example.com/api/auth",
        "https://app.example.com?",
        "https://app.example.com#",
        "https://app.example.com:443",
        "http://app.example.com",
        "HTTPS://app.example.com",
        "https://APP.example.com",
        "https://app.example.com.",
        "https://app.example.com.evil.example",
        "https://app.example.com@evil.example",
        "https://evil.example/https://app.example.com",
        "https://evil.app.example.com",
        "app.example.com",
        "//app.example.com",
        " https://app.example.com",
        "https://app.example.com ",
        "https://app.example.com\n",
        "https://app.example.com\u{0}",
        "https://app.example.com\u{0}.evil.example",
        "https://аpp.example.com",
        "https://app.example。com",
        "https://app\u{ad}.example.com",
        "https://app.example.com\u{200b}",
        "https://app.example.com,https://evil.example",
        "*",
        "null",
        "https://evil.example",
    ] {
        cases.push(row("iss", json!(issuer), MISMATCH));
    }
    for issuer in [
        json!(7),
        json!(true),
        json!([]),
        json!([ISSUER]),
        json!([ISSUER, "https://evil.example"]),
        json!({}),
        json!({"url": ISSUER}),
    ] {
        cases.push(row("iss", issuer, INVALID));
    }
    cases.push(raw("iss", "null", INVALID));
    cases.push(raw("iss", r#""https:\/\/app.example.com""#, "accepted"));
    cases.push(raw(
        "iss",
        r#""https://app.example.com\ud800""#,
        "token_payload_invalid",
    ));
    cases
}

fn audiences() -> Vec<Case> {
    const MISMATCH: &str = "token_audience_mismatch";
    const INVALID: &str = "token_claim_invalid";
    let mut cases = vec![missing("aud", "token_claim_missing")];
    let among_many: Vec<_> = (0..200)
        .map(|n| json!(format!("a{n}")))
        .chain([json!(ISSUER)])
        .collect();
    let others: Vec<_> = (0..200).map(|n| json!(format!("a{n}"))).collect();
    for (audience, expected) in [
        (json!([ISSUER]), "accepted"),
        (json!([ISSUER, ISSUER]), "accepted"),
        (json!(["https://other.example", ISSUER]), "accepted"),
        (json!(among_many), "accepted"),
        (json!(others), MISMATCH),
        (json!([]), MISMATCH),
        (json!([""]), MISMATCH),
        (json!(""), MISMATCH),
        (json!("https://other.example"), MISMATCH),
        (json!(["https://other.example"]), MISMATCH),
        (json!("https://app.example.com/"), MISMATCH),
        (json!("HTTPS://APP.EXAMPLE.COM"), MISMATCH),
        (json!("https://app.example.co"), MISMATCH),
        (json!("https://app.example.com.evil.example"), MISMATCH),
        (json!(format!("{ISSUER} https://other.example")), MISMATCH),
        (json!(format!("{ISSUER},https://other.example")), MISMATCH),
        (json!(format!("[\"{ISSUER}\"]")), MISMATCH),
        (json!(format!("{ISSUER}\u{0}")), MISMATCH),
        (json!("*"), MISMATCH),
        (json!(["*"]), MISMATCH),
        (json!("null"), MISMATCH),
        // Of Better Auth's other tokens: an id_token's client, the session cookie's.
        (json!("ohgDqZxkWvUtSrQpOnMlKjIhGfEdCbA0"), MISMATCH),
        (json!("better-auth:session-cache"), MISMATCH),
        (json!(7), INVALID),
        (json!(true), INVALID),
        (json!([7]), INVALID),
        (json!([ISSUER, 7]), INVALID),
        (json!([ISSUER, null]), INVALID),
        (json!([[ISSUER]]), INVALID),
        (json!([{"aud": ISSUER}]), INVALID),
        (json!({}), INVALID),
        (json!({ISSUER: true}), INVALID),
        (json!({"0": ISSUER}), INVALID),
    ] {
        cases.push(row("aud", audience, expected));
    }
    cases.push(raw("aud", "null", INVALID));
    let twice = format!(r#""{ISSUER}","aud":"https://other.example""#);
    cases.push(raw("aud", &twice, "token_payload_invalid"));
    let in_another =
        lab::with_claims(json!({"aud": null, "audience": ISSUER, "AUD": ISSUER, "azp": ISSUER}));
    cases.push(Case::new(
        "audience, AUD and azp instead of aud",
        in_another,
        "token_claim_missing",
    ));
    cases
}

fn subjects() -> Vec<Case> {
    const INVALID: &str = "token_claim_invalid";
    let mut cases = vec![missing("sub", "token_claim_missing")];
    for (subject, expected) in [
        (json!("s".repeat(1020)), "accepted"),
        (json!("s".repeat(1021)), INVALID),
        (json!("é".repeat(510)), "accepted"),
        (json!("é".repeat(511)), INVALID),
        (json!(""), INVALID),
        (json!("a\u{0}"), INVALID),
        (json!("\u{0}"), INVALID),
        (json!("a\nb"), INVALID),
        (json!("a\u{1b}[2J"), INVALID),
        (json!("a\u{7f}"), INVALID),
        (json!("a\u{85}"), INVALID),
        (json!(7), INVALID),
        (json!(true), INVALID),
        (json!([]), INVALID),
        (json!(["ada"]), INVALID),
        (json!({}), INVALID),
        (json!({"$ne": null}), INVALID),
        // Whatever the issuer calls its users, SQL binds it.
        (json!("' OR 1=1 --"), "accepted"),
        (json!("../../etc/passwd"), "accepted"),
        (json!("ada@example.com"), "accepted"),
        (json!(" "), "accepted"),
        (json!("null"), "accepted"),
    ] {
        cases.push(row("sub", subject, expected));
    }
    cases.push(raw("sub", "null", INVALID));
    cases.push(raw("sub", r#""\ud800""#, "token_payload_invalid"));
    cases.push(raw("sub", r#""ada","sub":"eve""#, "token_payload_invalid"));
    cases
}

/// RFC 9449 §7.2, RFC 8705 §3; RFC 9068 §5.
fn bound_tokens_and_clients() -> Vec<Case> {
    let mut cases = vec![];
    for confirmation in [
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        json!({"jwk": {"kty": "OKP"}}),
        json!({"kid": "x"}),
        json!({}),
        json!([]),
        json!(""),
        json!(false),
    ] {
        cases.push(row("cnf", confirmation, "token_sender_constrained"));
    }
    cases.push(raw("cnf", "null", "token_sender_constrained"));
    for (name, claims) in [
        (
            "client credentials by client_id",
            json!({"sub": "client", "client_id": "client"}),
        ),
        (
            "client credentials by azp",
            json!({"sub": "client", "azp": "client"}),
        ),
        (
            "client credentials with a user's claims",
            json!({"sub": "client", "client_id": "client", "role": "admin", "email": "ada@example.com"}),
        ),
    ] {
        // A good token; but no user's.
        let case = Case::new(name, lab::with_claims(claims), "accepted");
        cases.push(case.in_service("user_required"));
    }
    for client in [json!("web"), json!(7), json!([lab::SUBJECT]), json!({})] {
        cases.push(row("client_id", client, "accepted"));
    }
    cases
}

/// What the application reads must be of its types.
fn application_claims() -> Vec<Case> {
    let mut cases = vec![];
    for (name, value, expected) in [
        ("email", json!(7), "token_claims_rejected"),
        ("email", json!(["ada@example.com"]), "token_claims_rejected"),
        ("emailVerified", json!("true"), "token_claims_rejected"),
        ("name", json!({"first": "Ada"}), "token_claims_rejected"),
        ("image", json!(false), "token_claims_rejected"),
        ("role", json!(7), "token_claims_rejected"),
        ("role", json!(["admin", 1]), "token_claims_rejected"),
        ("role", json!({"admin": true}), "token_claims_rejected"),
        ("id", json!(7), "token_claims_rejected"),
        ("role", json!(["admin", "user"]), "accepted"),
        ("role", json!("admin,user"), "accepted"),
        ("__proto__", json!({"role": "admin"}), "accepted"),
        ("scope", json!(7), "accepted"),
    ] {
        cases.push(row(name, value, expected));
    }
    cases
}

fn payload_forms() -> Vec<Case> {
    const INVALID: &str = "token_payload_invalid";
    let good = lab::claims().to_string();
    let inside = good.strip_suffix('}').unwrap();
    let nested = |depth: usize| {
        format!(
            "{inside},\"x\":{}{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let objects = |depth: usize| {
        format!(
            "{inside},\"x\":{}1{}}}",
            "{\"x\":".repeat(depth),
            "}".repeat(depth)
        )
    };
    let with_bytes = |bytes: &[u8]| [inside.as_bytes(), b",\"x\":\"", bytes, b"\"}"].concat();
    let members: Vec<_> = (0..1000).map(|n| format!("\"m{n}\":0")).collect();
    let payloads: Vec<(&str, Vec<u8>, &'static str)> = vec![
        ("array", format!("[{good}]").into(), INVALID),
        ("array of pairs", b"[[\"sub\",\"ada\"]]".to_vec(), INVALID),
        ("string", b"\"ada\"".to_vec(), INVALID),
        ("number", b"1".to_vec(), INVALID),
        ("true", b"true".to_vec(), INVALID),
        ("null", b"null".to_vec(), INVALID),
        ("text", b"sub=ada".to_vec(), INVALID),
        ("white space", b" ".to_vec(), INVALID),
        ("empty object", b"{}".to_vec(), "token_claim_missing"),
        ("cut off", inside.into(), INVALID),
        ("two documents", format!("{good}{good}").into(), INVALID),
        ("garbage behind it", format!("{good}x").into(), INVALID),
        ("NUL behind it", format!("{good}\0").into(), INVALID),
        (
            "comma behind the last member",
            format!("{inside},}}").into(),
            INVALID,
        ),
        ("single quotes", good.replace('"', "'").into(), INVALID),
        ("comment", format!("{inside}/*x*/}}").into(), INVALID),
        ("byte order mark", format!("\u{feff}{good}").into(), INVALID),
        (
            "UTF-16",
            good.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            INVALID,
        ),
        ("not UTF-8", with_bytes(b"\xff"), INVALID),
        ("overlong UTF-8", with_bytes(b"\xc0\xaf"), INVALID),
        ("surrogate in UTF-8", with_bytes(b"\xed\xa0\x80"), INVALID),
        ("beyond U+10FFFF", with_bytes(b"\xf4\x90\x80\x80"), INVALID),
        ("UTF-8 cut off", with_bytes(b"\xe2\x82"), INVALID),
        ("raw control character", with_bytes(b"\x01"), INVALID),
        ("raw line end in a string", with_bytes(b"\n"), INVALID),
        ("bad escape", with_bytes(b"\\x41"), INVALID),
        ("short escape", with_bytes(b"\\u12"), INVALID),
        ("half a surrogate pair", with_bytes(b"\\ud800"), INVALID),
        (
            "surrogates in the wrong order",
            with_bytes(b"\\udc00\\ud800"),
            INVALID,
        ),
        (
            "name with half a surrogate pair",
            format!("{inside},\"\\ud800\":1}}").into(),
            INVALID,
        ),
        (
            "unknown member twice",
            format!("{inside},\"x\":1,\"x\":1}}").into(),
            INVALID,
        ),
        (
            "empty name twice",
            format!("{inside},\"\":1,\"\":1}}").into(),
            INVALID,
        ),
        (
            "member twice five levels deep",
            format!("{inside},\"x\":[[[[{{\"y\":1,\"y\":2}}]]]]}}").into(),
            INVALID,
        ),
        (
            "1000 members",
            format!("{inside},{}}}", members.join(",")).into(),
            "accepted",
        ),
        (
            "1000 members and one twice",
            format!("{inside},{},\"m0\":0}}", members.join(",")).into(),
            INVALID,
        ),
        ("arrays 100 deep", nested(100).into(), "accepted"),
        ("arrays 200 deep", nested(200).into(), INVALID),
        ("arrays 5000 deep", nested(5000).into(), INVALID),
        ("objects 100 deep", objects(100).into(), "accepted"),
        ("objects 2000 deep", objects(2000).into(), INVALID),
        ("brackets alone", "[".repeat(11_000).into(), INVALID),
        (
            "a number of 11,000 digits",
            format!("{inside},\"x\":{}}}", "9".repeat(11_000)).into(),
            INVALID,
        ),
        (
            "a number of 300 digits",
            format!("{inside},\"x\":{}}}", "9".repeat(300)).into(),
            "accepted",
        ),
        (
            "white space as JSON allows it",
            format!("\r\n\t {good} \n").into(),
            "accepted",
        ),
        (
            "gzip",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec(),
            INVALID,
        ),
        ("CBOR", b"\xa1\x63sub\x63ada".to_vec(), INVALID),
    ];
    let mut cases: Vec<Case> = payloads
        .into_iter()
        .map(|(name, payload, expected)| {
            Case::new(
                format!("payload: {name}"),
                lab::with_raw_payload(payload),
                expected,
            )
        })
        .collect();
    let empty = lab::with_raw_payload("");
    cases.push(Case::new("payload: nothing", empty, "token_malformed"));
    cases
}

/// What a claim is refused for is told only with a proven signature; except that a token which says
/// that it has expired is told so, which its maker knew.
fn unproven() -> Vec<Case> {
    let mut cases = vec![];
    for (changes, expected) in [
        (
            json!({"aud": "https://other.example"}),
            "token_signature_invalid",
        ),
        (
            json!({"iss": "https://other.example"}),
            "token_signature_invalid",
        ),
        (json!({"sub": ""}), "token_signature_invalid"),
        (json!({"exp": null}), "token_signature_invalid"),
        (json!({"exp": "soon"}), "token_signature_invalid"),
        (
            json!({"exp": 1_795_450_900_000_u64}),
            "token_signature_invalid",
        ),
        (json!({"nbf": NOW + 3600}), "token_signature_invalid"),
        (json!({"cnf": {}}), "token_signature_invalid"),
        (json!({"email": 7}), "token_signature_invalid"),
        (json!({"exp": 3600}), "token_expired"),
    ] {
        let name = format!("forged, and {changes}");
        let input = format!(
            "{}.{}",
            lab::encode(lab::header(Algorithm::EdDsa).to_string()),
            lab::encode(lab::with(lab::claims(), changes).to_string())
        );
        let token = format!("{input}.{}", lab::encode([0x5a; 64]));
        cases.push(Case::new(name, token, expected));
    }
    cases
}
