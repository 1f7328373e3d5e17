//! The attack table through two other verifiers: jsonwebtoken and jose.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use keyward::Algorithm;
use serde_json::{Value, json};

use crate::case::Case;
use crate::lab::{ISSUER, NOW};
use crate::table;

/// jsonwebtoken, set up as strictly as it can be, with the key that the token names.
fn jsonwebtoken_accepts(case: &Case) -> bool {
    let Ok(header) = jsonwebtoken::decode_header(&case.token) else {
        return false;
    };
    // Without its users' allow-list it would take HMAC from whoever has a symmetric key in the set.
    let named = format!("{:?}", header.alg);
    if !Algorithm::ALL.iter().any(|known| known.name() == named) {
        return false;
    }
    let keys = case.keys["keys"].as_array().unwrap();
    // What a user of it writes: the key with the kid, or the only one.
    let key = match &header.kid {
        Some(kid) => keys.iter().find(|key| key["kid"] == **kid),
        None if keys.len() == 1 => keys.first(),
        None => None,
    };
    let jwk = key.and_then(|key| serde_json::from_value(key.clone()).ok());
    let Some(key) = jwk.and_then(|jwk| jsonwebtoken::DecodingKey::from_jwk(&jwk).ok()) else {
        return false;
    };
    let mut validation = jsonwebtoken::Validation::new(header.alg);
    // It knows no clock but the system's. With a longer leeway the lab's time has not passed yet.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    // One second more, since it may tick between here and there.
    validation.leeway = 31 + now.elapsed().unwrap().as_secs();
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    jsonwebtoken::decode::<Value>(&case.token, &key, &validation).is_ok()
}

/// jose's verdicts, by Node.
fn jose_verdicts(cases: &[&Case]) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/better-auth");
    assert!(
        directory.join("node_modules").is_dir(),
        "run tests/run.sh (or npm ci in tests/better-auth) first"
    );
    let input = json!({
        "issuer": ISSUER,
        "audience": ISSUER,
        "algorithms": Algorithm::ALL.map(Algorithm::name),
        "now": NOW,
        "leeway": 30,
        "cases": cases
            .iter()
            .map(|case| json!({"keys": case.keys, "token": case.token}))
            .collect::<Vec<_>>(),
    });
    let mut node = Command::new("node")
        .arg(directory.join("jose.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = node.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        std::io::Write::write_all(&mut stdin, input.to_string().as_bytes()).unwrap();
    });
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Peer {
    Jose,
    JsonWebToken,
}

use Peer::{Jose, JsonWebToken};

/// A rule by which Keyward's verdict differs from a peer's.
struct Difference {
    peers: &'static [Peer],
    /// Keyward refuses what the peer accepts, or the other way round.
    stricter: bool,
    reason: &'static str,
    /// How the names of its rows begin; behind a `*`, what is in them.
    rows: &'static [&'static str],
}

const fn stricter(
    peers: &'static [Peer],
    reason: &'static str,
    rows: &'static [&'static str],
) -> Difference {
    Difference {
        peers,
        stricter: true,
        reason,
        rows,
    }
}

const fn laxer(
    peers: &'static [Peer],
    reason: &'static str,
    rows: &'static [&'static str],
) -> Difference {
    Difference {
        peers,
        stricter: false,
        reason,
        rows,
    }
}

const BOTH: &[Peer] = &[Jose, JsonWebToken];

/// All that there are. A row that differs and is in none of them fails the test, as does a rule that
/// no row needs any more.
#[rustfmt::skip]
const DIFFERENCES: &[Difference] = &[
    stricter(BOTH, "typ says what a token is for; a verifier of Better Auth's tokens, which have none, cannot be told of several (RFC 8725 §3.11)", &["typ "]),
    stricter(BOTH, "no member name stands twice, at any depth (RFC 7515 §4, RFC 7519 §4)", &[
        "header: unknown member twice", "header: member twice", "payload: unknown member twice",
        "payload: empty name twice", "payload: member twice", "payload: 1000 members and one twice",
    ]),
    stricter(&[Jose], "nor does one that is read; jose takes the last", &[
        "alg twice, none first", "typ twice", "exp twice", "sub is \"ada\",\"sub\"",
    ]),
    stricter(BOTH, "b64 is not supported, whatever it says (RFC 7797)", &["b64 "]),
    stricter(&[JsonWebToken], "crit is understood by nobody (RFC 7515 §4.1.11)", &["crit "]),
    stricter(BOTH, "sizes have limits", &["header: over 4 KiB", "17 KiB, genuinely signed", "just over 16 KiB"]),
    stricter(&[Jose], "nesting has a limit", &[
        "header: 200 levels deep", "payload: arrays 200 deep", "payload: arrays 5000 deep", "payload: objects 2000 deep",
    ]),
    stricter(&[Jose], "a number that no double holds is none", &[
        "header: number out of range", "exp is 1e309", "iat is 1e309", "payload: a number of 11,000 digits",
    ]),
    stricter(&[Jose], "JSON has no byte order mark (RFC 8259 §8.1)", &["header: byte order mark", "payload: byte order mark"]),
    stricter(&[Jose], "half a surrogate pair is no text", &[
        "header: half a surrogate pair", "payload: half a surrogate pair", "payload: surrogates in the wrong order",
        "payload: name with half a surrogate pair", "sub is \"\\ud800\"",
    ]),
    stricter(&[Jose], "a token has one spelling: no unused bits, no padding, no white space (RFC 7515 §2)", &[
        "signature's last character", "*: signature with a trailing bit", "*with trailing bits, signed that way",
        "signature with == behind it", "* padded with ", "a space in the signature", "a tab in the signature",
        "a line end behind it", "payload in lines", "a space behind it", "a tab behind it",
    ]),
    stricter(&[Jose], "so has a key", &[
        "* key: x padded", "* key: y padded", "* key: n padded", "*in the standard alphabet", "*key: x with a space",
        "*key: y with a space", "*key: x with a trailing bit", "*key: y with a trailing bit", "*key: x one byte longer",
    ]),
    stricter(BOTH, "a key of small order is none: anybody can sign for it", &["EdDSA key: "]),
    stricter(&[Jose], "an RSA key with e = 1 is none: anybody can sign for it", &["rsa key: e = 1, and"]),
    stricter(&[JsonWebToken], "a key is for the algorithm of its JWK alone (RFC 7517 §4.4)", &[
        "*under an RSA key labelled", "* key: labelled ", "* key: alg ",
    ]),
    stricter(&[JsonWebToken], "a key is for what use and key_ops say (RFC 7517 §4.2, §4.3)", &["* key: use ", "* key: key_ops "]),
    stricter(BOTH, "a private key that is published is not trusted", &["* key: private part", "* key: symmetric part", "rsa key: other primes", "rsa key: p and q"]),
    stricter(&[JsonWebToken], "coordinates are as long as the curve's (RFC 7518 §6.2.1.2)", &["p256 key: crv P-384", "p384 key: crv P-521"]),
    stricter(&[JsonWebToken], "at the second of exp it is too late, and fractions count (RFC 7519 §4.1.4)", &["exp is 1795449970", "exp is 1795449969.999"]),
    stricter(BOTH, "a time beyond the year 5138 is in milliseconds", &[
        "exp is 100000000000", "exp is 1795450900000", "exp is 1844674407370955161", "exp is 1e99", "exp is 1e308",
        "iat is 1000", "iat is 1795450000000",
    ]),
    stricter(BOTH, "iat does not lie in the future", &["iat is 17954500", "iat is 99999999999"]),
    stricter(&[JsonWebToken], "iat is a number", &["iat is null", "iat is false", "iat is \"", "iat is [", "iat is {"]),
    stricter(&[JsonWebToken], "none: nbf lies within the leeway that stands in for a clock", &["nbf is 1795450030.001", "nbf is 1795450031"]),
    stricter(&[JsonWebToken], "iss is one string (RFC 7519 §4.1.1)", &["iss is ["]),
    stricter(&[Jose], "aud holds nothing but strings (RFC 7519 §4.1.3)", &["aud is [\"https://app.example.com\","]),
    stricter(BOTH, "sub is a string of 1 to 1020 bytes without control characters", &["sub is "]),
    stricter(BOTH, "a bearer proves no possession of a key (RFC 9449 §7.2)", &["cnf is "]),
    stricter(BOTH, "claims are of the application's types", &[
        "email is ", "emailVerified is ", "name is ", "image is ", "role is ", "id is ",
    ]),

    laxer(&[Jose], "Ed25519 and EdDSA are two names of one algorithm, for a key of either (RFC 9864 §2.2)", &["genuine Ed25519"]),
    laxer(&[JsonWebToken], "Ed25519 is known by its new name as well (RFC 9864 §2.2)", &["genuine Ed25519"]),
    laxer(&[JsonWebToken], "ES512 is known", &["genuine ES512", "ES512 signature: s = n", "p521 key: "]),
    laxer(&[JsonWebToken], "members that are never read may be of any type", &[
        "genuine, with a jwk, jku, x5u and x5c of the wrong types", "* key: x5c, x5u and what else",
    ]),
    laxer(&[JsonWebToken], "without a kid the one fitting key is found, and with one the fitting key of that name", &[
        "KID is not kid", "no kid, one fitting key of five", "one kid for two kinds of key: the second",
    ]),
    laxer(&[JsonWebToken], "a NumericDate may be negative (RFC 7519 §2)", &["nbf is -"]),
    laxer(&[JsonWebToken], "zeros before an RSA key's numbers, which some issuers write, change nothing", &[
        "rsa key: n with zeros before it", "rsa key: e with a zero before it",
    ]),
    laxer(&[Jose], "key_ops may name more than verify", &["* key: key_ops sign and verify"]),
    laxer(&[Jose], "of two keys of a kind with one kid the first counts, and a warning says so", &["one kid for two keys of a kind: the first"]),
    laxer(&[Jose], "what is no key in a set spoils no other", &["a key that is a string beside it"]),
];

impl Difference {
    fn is_about(&self, peer: Peer, stricter: bool, case: &Case) -> bool {
        let matches = |row: &&str| match row.strip_prefix('*') {
            Some(part) => case.name.contains(part),
            None => case.name.starts_with(row),
        };
        self.peers.contains(&peer) && self.stricter == stricter && self.rows.iter().any(matches)
    }
}

#[test]
fn verdicts_differ_from_joses_and_jsonwebtokens_by_named_rules_only() {
    let cases: Vec<&Case> = table::cases().collect();
    let jose = jose_verdicts(&cases);
    assert_eq!(jose.len(), cases.len());
    let mut needed = vec![0; DIFFERENCES.len()];
    let mut failures = vec![];
    for (case, jose) in cases.iter().zip(&jose) {
        let keyward = case.expected == "accepted";
        let verdicts = [
            (Jose, jose == "accepted"),
            (JsonWebToken, jsonwebtoken_accepts(case)),
        ];
        for (peer, accepts) in verdicts {
            if keyward == accepts {
                continue;
            }
            let rule = DIFFERENCES
                .iter()
                .position(|rule| rule.is_about(peer, accepts, case));
            match rule {
                Some(rule) => needed[rule] += 1,
                None => failures.push(format!(
                    "{}: {} here, {} by {peer:?}",
                    case.name,
                    case.expected,
                    if accepts { "accepted" } else { "refused" }
                )),
            }
        }
    }
    for (rule, needed) in DIFFERENCES.iter().zip(&needed) {
        if *needed == 0 {
            failures.push(format!("no row needs the rule: {}", rule.reason));
        }
        let direction = if rule.stricter { "stricter" } else { "laxer" };
        println!(
            "{direction} than {:?} in {needed} rows: {}",
            rule.peers, rule.reason
        );
    }
    println!("ran {} cases: attacks on jose", cases.len());
    println!("ran {} cases: attacks on jsonwebtoken", cases.len());
    super::none_of(failures);
}
