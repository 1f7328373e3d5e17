//! What each target does with an input, and what must hold.

use std::future::Future;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method};
use keyward::{Algorithm, Clock, KeySet, Policy, Verifier};
use serde_json::Value;

use crate::lab::{self, ISSUER, NOW};
use crate::service;

pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const ALL: [Target; 6] = [
    Target {
        name: "token",
        run: token,
    },
    Target {
        name: "claims",
        run: claims,
    },
    Target {
        name: "authorization",
        run: authorization,
    },
    Target {
        name: "key_set",
        run: key_set,
    },
    Target {
        name: "cursor",
        run: cursor,
    },
    Target {
        name: "body",
        run: body,
    },
];

#[derive(Debug)]
struct LabClock;

impl Clock for LabClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

fn verifier(cached: bool) -> Verifier {
    let keys = KeySet::from_json(lab::key_set().to_string().as_bytes()).unwrap();
    let policy = Policy::new([ISSUER], [ISSUER]).unwrap();
    let builder = Verifier::builder(policy, keys).clock(LabClock);
    match cached {
        true => builder.build(),
        false => builder.without_cache().build(),
    }
}

pub static CACHED: LazyLock<Verifier> = LazyLock::new(|| verifier(true));
static UNCACHED: LazyLock<Verifier> = LazyLock::new(|| verifier(false));

/// The issuer of access tokens, signed with the same keys.
pub const OAUTH_ISSUER: &str = "https://app.example.com/api/auth";

fn oauth_policy() -> Policy {
    Policy::for_access_tokens([OAUTH_ISSUER], [ISSUER]).unwrap()
}

fn lab_keys() -> KeySet {
    KeySet::from_json(lab::key_set().to_string().as_bytes()).unwrap()
}

static OAUTH: LazyLock<Verifier> = LazyLock::new(|| {
    let builder = Verifier::builder(oauth_policy(), lab_keys());
    builder.clock(LabClock).without_cache().build()
});

/// Trusts both.
static BOTH: LazyLock<Verifier> = LazyLock::new(|| {
    let policy = Policy::new([ISSUER], [ISSUER]).unwrap();
    let builder = Verifier::builder(policy, lab_keys());
    let builder = builder.trust(oauth_policy(), lab_keys()).unwrap();
    builder.clock(LabClock).build()
});

/// Who trusts two issuers accepts what one of those accepts who trust one of them, and as that one
/// does.
fn by_either(token: &str) {
    for _ in 0..2 {
        let both = ready(BOTH.verify(token));
        let one = ready(UNCACHED.verify(token)).or(ready(OAUTH.verify(token)));
        match (both, one) {
            (Ok(both), Ok(one)) => {
                assert_eq!(both.claims().issuer, one.claims().issuer);
                assert_eq!(both.subject(), one.subject());
                assert_eq!(both.claims().is_client(), one.claims().is_client());
            }
            (both, one) => assert_eq!(both.is_ok(), one.is_ok()),
        }
    }
}

/// What a future gives that never waits, as none does with a fixed key set.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Any bytes as a token. What is accepted has one spelling, and the cache makes no difference.
fn token(input: &[u8]) {
    let token = String::from_utf8_lossy(input);
    by_either(&token);
    let verdict = ready(UNCACHED.verify(&token)).map(|principal| principal.subject().to_owned());
    for _ in 0..2 {
        let cached = ready(CACHED.verify(&token)).map(|principal| principal.subject().to_owned());
        assert_eq!(cached, verdict);
    }
    if verdict.is_ok() {
        let parts: Vec<_> = token.split('.').map(lab::decode).collect();
        let respelled: Vec<_> = parts.iter().map(lab::encode).collect();
        assert_eq!(respelled.join("."), token);
    }
}

/// A header and a payload, one line end between them, genuinely signed. What is accepted says by
/// another JSON parser too what a token must say.
fn claims(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n');
    let (header, payload) = input.split_at(at.unwrap_or(0));
    let payload = payload.strip_prefix(b"\n").unwrap_or(payload);
    let token = match header.is_empty() {
        true => lab::with_raw_payload(payload),
        false => lab::signed(Algorithm::EdDsa, header, payload),
    };
    by_either(&token);
    let Ok(principal) = ready(UNCACHED.verify(&token)) else {
        return;
    };
    let says: Value = serde_json::from_slice(payload).unwrap();
    assert_eq!(says["iss"], ISSUER);
    let audience = &says["aud"];
    assert!(*audience == ISSUER || audience.as_array().unwrap().contains(&ISSUER.into()));
    let time = |name: &str| says[name].as_f64();
    assert!(time("exp").unwrap() > NOW as f64 - 30.0);
    assert!(time("nbf").is_none_or(|time| time <= NOW as f64 + 30.0));
    assert!(time("iat").is_none_or(|time| time <= NOW as f64 + 30.0));
    assert_eq!(says["sub"], principal.subject());
    assert!(!principal.subject().is_empty() && says.get("cnf").is_none());
}

/// Authorization headers, one a line, for the library and for the service.
fn authorization(input: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("authorization", value);
        }
    }
    let verdict = ready(UNCACHED.authenticate(&headers));
    let (status, challenge) = match &verdict {
        // A client that acts for itself is none of the service's users.
        Ok(principal) if principal.claims().is_client() => (403, None),
        Ok(_) => (200, None),
        Err(rejection) => {
            let realm = CACHED.realm();
            (rejection.status(), rejection.www_authenticate(realm))
        }
    };
    let answer = service::call(Method::GET, "/api/me", headers, b"").unwrap();
    assert_eq!(answer.status, status, "{verdict:?}");
    if let Some(challenge) = challenge {
        assert_eq!(answer.challenge, Some(challenge));
    }
}

/// Any bytes as a key set. What is loaded is JSON, and every key is for something.
fn key_set(input: &[u8]) {
    let Ok(keys) = KeySet::from_json(input) else {
        return;
    };
    assert!(std::str::from_utf8(input).is_ok());
    // Members that are skipped may hold a number that no double does.
    if let Ok(document) = serde_json::from_slice::<Value>(input) {
        let count = document["keys"].as_array().unwrap().len();
        assert_eq!(count, keys.outcomes().len());
    }
    assert_eq!(
        keys.outcomes()
            .iter()
            .filter(|outcome| outcome.result.is_ok())
            .count(),
        keys.len()
    );
    for key in keys.keys() {
        assert!(!key.algorithms().is_empty());
    }
    let policy = Policy::new([ISSUER], [ISSUER]).unwrap();
    let verifier: Verifier = Verifier::builder(policy, keys).clock(LabClock).build();
    static TOKENS: LazyLock<Vec<String>> =
        LazyLock::new(|| Algorithm::ALL.map(lab::token).to_vec());
    for token in &*TOKENS {
        let _ = ready(verifier.verify(token));
    }
}

/// A cursor, and with a first byte below 128 a whole query string.
fn cursor(input: &[u8]) {
    let Some((kind, input)) = input.split_first() else {
        return;
    };
    let query = match *kind < 128 {
        true => String::from_utf8_lossy(input).into_owned(),
        false => {
            let encoded: String = input.iter().map(|byte| format!("%{byte:02x}")).collect();
            format!("limit=2&cursor={encoded}")
        }
    };
    let path = format!("/api/tasks?{query}");
    if let Some(answer) = service::call(Method::GET, &path, service::bearer(), b"") {
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
    }
}

/// A body of POST, or with a first byte below 128 of PATCH. What is taken is by another JSON parser
/// too an object with a title that may be one.
fn body(input: &[u8]) {
    let Some((kind, input)) = input.split_first() else {
        return;
    };
    let (method, path) = match *kind < 128 {
        true => (Method::PATCH, service::task()),
        false => (Method::POST, "/api/tasks"),
    };
    let mut headers = service::bearer();
    let media_type = match kind % 8 {
        0 => "application/merge-patch+json",
        1 => "text/plain",
        _ => "application/json",
    };
    headers.insert("content-type", HeaderValue::from_static(media_type));
    let answer = service::call(method.clone(), path, headers, input).unwrap();
    assert!(
        matches!(answer.status, 200 | 201 | 400 | 413 | 415),
        "{answer:?}"
    );
    if matches!(answer.status, 200 | 201) {
        let sent: Value = serde_json::from_slice(input).unwrap();
        let made: Value = serde_json::from_slice(&answer.body).unwrap();
        for member in ["title", "completed"] {
            if let Some(value) = sent.get(member) {
                assert_eq!(*value, made[member]);
            }
        }
        assert!(made["title"].as_str().unwrap().chars().count() <= 200);
        assert!(method == Method::PATCH || sent["title"].is_string());
    }
}
