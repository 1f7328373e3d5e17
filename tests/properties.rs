//! What holds for every input, and not for the rows of a table alone.

#[allow(dead_code)]
#[path = "attacks/case.rs"]
mod case;
#[allow(dead_code)]
#[path = "attacks/faces.rs"]
mod faces;
#[allow(dead_code)]
#[path = "attacks/lab.rs"]
mod lab;
#[path = "support/mutation.rs"]
mod mutation;
#[allow(dead_code)]
#[path = "attacks/table/mod.rs"]
mod table;

#[path = "support/auth_server.rs"]
mod auth_server;

use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use auth_server::{AuthServer, Reply};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use keyward::service::api::{ApiState, app};
use keyward::service::http::{HttpOptions, stack};
use keyward::service::store::{DatabaseUrl, TaskStore};
use keyward::testing::TestIssuer;
use keyward::{
    Algorithm, Clock, FetchError, KeySet, PROBLEM_JSON, RefreshOptions, RemoteKeySet, Verifier,
};
use mutation::{Mutator, cases};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::{Service, ServiceExt};

/// Every single bit of a token's text, for each algorithm: in header, payload, signature and dots,
/// the bits that base64 does not use included.
#[tokio::test]
async fn a_token_with_any_bit_flipped_is_refused() {
    // Short, since each bit is a verification.
    let claims = json!({"sub": "a", "exp": lab::NOW + 900, "iss": lab::ISSUER, "aud": lab::ISSUER});
    let mut flips = 0;
    for algorithm in Algorithm::ALL {
        let token = lab::signed(
            algorithm,
            lab::header(algorithm).to_string(),
            claims.to_string(),
        );
        let keys = lab::keys(&[lab::Key::of(algorithm).public_jwk()]);
        let cold = faces::uncached(faces::key_set(&keys));
        // One that has the token in its cache, and its header.
        let warm = faces::verifier(faces::key_set(&keys));
        assert_eq!(faces::code(&warm, &token).await, "accepted");
        let signature_at = token.rfind('.').unwrap() + 1;
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                flips += 1;
                let Ok(flipped) = std::str::from_utf8(&bytes) else {
                    // A lone byte beyond ASCII: no `str`, and no token in a header.
                    let headers = [("authorization", [b"Bearer ", &*bytes].concat())];
                    let headers = faces::header_map(&headers).unwrap();
                    let rejection = warm.authenticate(&headers).await.unwrap_err();
                    assert_eq!(rejection.code(), "authorization_malformed");
                    continue;
                };
                let code = faces::code(&cold, flipped).await;
                assert_ne!(code, "accepted", "{algorithm}: bit {bit} of byte {at}");
                assert_eq!(code, faces::code(&warm, flipped).await);
                if at >= signature_at {
                    assert!(
                        [
                            "token_signature_invalid",
                            "token_malformed",
                            "token_encrypted"
                        ]
                        .contains(&code),
                        "{algorithm}: bit {bit} of byte {at}: {code}"
                    );
                }
            }
        }
    }
    println!("ran {flips} cases: tokens with one bit flipped");
}

/// The cached verdict is the uncached one, whatever happens to the time and to the keys between two
/// looks at a token, in any order.
#[derive(Clone, Debug)]
enum Event {
    /// The wall clock is set, back too, in milliseconds from the lab's time.
    Clock(i64),
    /// Tokio's clock goes on, in seconds, so that keys are refreshed or become too old.
    Advance(u64),
    Rotate(Algorithm),
    DropOldKeys,
    /// The auth server publishes what the issuer has by now.
    Publish,
    Fail,
    /// A token is seen again and again.
    Verify(prop::sample::Index),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let algorithm = prop::sample::select(vec![Algorithm::EdDsa, Algorithm::Es256]);
    let event = prop_oneof![
        4 => (-40_000_i64..990_000).prop_map(Event::Clock),
        1 => prop_oneof![Just(900_000_i64), Just(930_000), Just(929_999), Just(-30_000), Just(-30_001)].prop_map(Event::Clock),
        2 => (0_u64..700).prop_map(Event::Advance),
        1 => (0_u64..200_000).prop_map(Event::Advance),
        1 => algorithm.prop_map(Event::Rotate),
        1 => Just(Event::DropOldKeys),
        2 => Just(Event::Publish),
        1 => Just(Event::Fail),
        12 => any::<prop::sample::Index>().prop_map(Event::Verify),
    ];
    prop::collection::vec(event, 1..60)
}

#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        let milliseconds = lab::NOW as i64 * 1000 + self.0.load(Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds.try_into().unwrap())
    }
}

/// Tokens that begin, end and last differently.
fn tokens_of(issuer: &TestIssuer) -> [String; 4] {
    let sign = |changes: Value| issuer.sign(&lab::with(lab::claims(), changes));
    [
        sign(json!({})),
        sign(json!({"nbf": lab::NOW + 20, "exp": lab::NOW + 60})),
        sign(json!({"exp": lab::NOW as f64 + 30.5})),
        sign(json!({"exp": 99_999_999_999_u64})),
    ]
}

async fn play(events: Vec<Event>) -> usize {
    let issuer = TestIssuer::new(lab::ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    server.answers_at_once();
    let keys = RemoteKeySet::new(server.clone(), RefreshOptions::default());
    let clock = Hand::default();
    let cached: Verifier = Verifier::builder(faces::policy(), keys.clone())
        .clock(clock.clone())
        .build();
    let uncached: Verifier = Verifier::builder(faces::policy(), keys)
        .clock(clock.clone())
        .without_cache()
        .build();
    let mut tokens = Vec::from(tokens_of(&issuer));
    let mut hits = 0;
    for event in events {
        match event {
            Event::Clock(milliseconds) => clock.0.store(milliseconds, Ordering::Relaxed),
            Event::Advance(seconds) => tokio::time::advance(Duration::from_secs(seconds)).await,
            Event::Rotate(algorithm) => {
                issuer.rotate(algorithm);
                tokens.extend(tokens_of(&issuer));
            }
            Event::DropOldKeys => issuer.drop_old_keys(),
            Event::Publish => server.replies(Reply::Document(issuer.key_set_json())),
            Event::Fail => server.replies(Reply::Fail(FetchError::Connect)),
            Event::Verify(which) => {
                let token = &tokens[which.index(tokens.len())];
                // What a look causes to be fetched, the next one has; so one goes ahead, and the set
                // may still be another one afterwards.
                faces::code(&uncached, token).await;
                let before = faces::code(&uncached, token).await;
                let verdicts = [
                    faces::code(&cached, token).await,
                    faces::code(&cached, token).await,
                ];
                let after = faces::code(&uncached, token).await;
                for verdict in verdicts {
                    assert!([before, after].contains(&verdict), "{verdict} for {after}");
                }
                hits += usize::from(after == "accepted");
            }
        }
        tokio::task::yield_now().await;
    }
    hits
}

#[test]
fn the_cached_verdict_is_the_uncached_one_whatever_happens() {
    let hits = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: u32::try_from(cases(96)).unwrap(),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&events(), |events| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            hits.set(hits.get() + runtime.block_on(play(events)));
            Ok(())
        })
        .unwrap();
    assert!(hits.get() > 100, "hardly a token was ever accepted");
    println!(
        "ran {} cases: histories of clock, keys and tokens",
        cases(96)
    );
}

/// Any bytes as a token, and any bytes as an Authorization header: a verdict, and no panic.
#[tokio::test]
async fn no_token_and_no_header_panics_or_gets_in() {
    let verifier = faces::verifier(faces::key_set(&lab::key_set()));
    let genuine: Vec<String> = Algorithm::ALL.map(lab::token).into();
    let mut mutator = Mutator::new(
        1,
        table::cases().map(|case| case.token.clone().into_bytes()),
    );
    let mut accepted = 0;
    for _ in 0..cases(20_000) {
        let bytes = mutator.next(20_000);
        let text = String::from_utf8_lossy(&bytes);
        if faces::code(&verifier, &text).await == "accepted" {
            // Only what somebody signed, byte for byte.
            assert!(
                table::cases().any(|case| case.token == text)
                    || genuine.contains(&text.clone().into_owned())
            );
            accepted += 1;
        }
        let mut header =
            Vec::from(["Bearer ", "bearer\t", "", "Basic ", "Bearer,"][bytes.len() % 5]);
        header.extend(&bytes);
        if let Some(headers) = faces::header_map(&[("authorization", header)]) {
            let _ = verifier.authenticate(&headers).await;
        }
    }
    assert!(accepted > 0, "the mutations leave nothing whole");
    println!(
        "ran {} cases: any bytes as a token and as a header",
        cases(20_000)
    );
}

/// Any bytes under a genuine signature: what an issuer can be made to sign.
#[tokio::test]
async fn no_signed_header_or_payload_panics() {
    let verifier = faces::verifier(faces::key_set(&lab::key_set()));
    let parts = |index: usize| {
        table::cases()
            .filter_map(move |case| case.token.split('.').nth(index))
            .filter_map(|part| {
                base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, part).ok()
            })
    };
    let mut headers = Mutator::new(2, parts(0));
    let mut payloads = Mutator::new(3, parts(1));
    for turn in 0..cases(10_000) {
        let token = match turn % 3 {
            0 => lab::with_raw_header(headers.next(3000)),
            1 => lab::with_raw_payload(payloads.next(12_000)),
            _ => lab::signed(Algorithm::EdDsa, headers.next(3000), payloads.next(9000)),
        };
        let _ = verifier.verify(&token).await;
    }
    println!(
        "ran {} cases: any bytes under a genuine signature",
        cases(10_000)
    );
}

/// Any bytes as a key set: the good key in it is found, or there is an error.
#[test]
fn no_key_set_panics() {
    let documents = table::cases().map(|case| case.keys.to_string().into_bytes());
    let small = documents.filter(|document| document.len() < 10_000);
    let mut mutator = Mutator::new(4, small);
    let mut loaded = 0;
    for _ in 0..cases(4_000) {
        let document = mutator.next(20_000);
        if let Ok(keys) = KeySet::from_json(&document) {
            loaded += 1;
            assert!(!keys.is_empty() && keys.len() <= keys.outcomes().len());
            for key in keys.keys() {
                assert!(!key.algorithms().is_empty());
            }
        }
    }
    assert!(loaded > 100, "{loaded}");
    println!("ran {} cases: any bytes as a key set", cases(4_000));
}

static OPTIONS: LazyLock<HttpOptions> = LazyLock::new(HttpOptions::default);

/// The service without its socket.
struct Api<S>(S);

impl<S> Api<S>
where
    S: Service<
            Request<Full<Bytes>>,
            Response = http::Response<keyward::service::http::ResponseBody>,
            Error = Infallible,
        > + Clone,
{
    /// An answer that is no 5xx, and a problem document if it is an error.
    async fn call(&self, request: Request<Full<Bytes>>) -> (StatusCode, String) {
        let shown = format!("{request:?}");
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(parts.status.as_u16() < 500, "{shown}: {body:?}");
        if !parts.status.is_client_error() {
            return (parts.status, String::new());
        }
        assert_eq!(parts.headers["content-type"], PROBLEM_JSON, "{shown}");
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["status"], parts.status.as_u16(), "{shown}");
        (parts.status, problem["code"].as_str().unwrap().to_owned())
    }
}

async fn api() -> Api<
    impl Service<
        Request<Full<Bytes>>,
        Response = http::Response<keyward::service::http::ResponseBody>,
        Error = Infallible,
    > + Clone,
> {
    let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
    let store = TaskStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    let verifier = faces::verifier(faces::key_set(&lab::key_set()));
    Api(stack(
        app(ApiState {
            verifier,
            store,
            oauth: None,
        }),
        &OPTIONS,
    ))
}

fn request(method: Method, uri: Uri) -> http::request::Builder {
    let token = lab::token(Algorithm::EdDsa);
    Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "api.example.com")
        .header("authorization", format!("Bearer {token}"))
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn no_cursor_and_no_query_is_a_server_error() {
    let api = api().await;
    let seeds = [
        "AZqyw9Tlf2CKGyw9Tl9gcQ",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "_____________________w",
        "019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071",
        "null",
        "-1",
        "' OR 1=1 --",
        "%00",
        "limit=100&completed=true&q=milk",
        "cursor=AZqyw9Tlf2CKGyw9Tl9gcQ&cursor=x",
        "q=%25%5F%5C%27",
    ];
    let mut mutator = Mutator::new(5, seeds.iter().map(|seed| seed.as_bytes().to_vec()));
    let mut codes = std::collections::BTreeSet::new();
    for turn in 0..cases(3_000) {
        let bytes = mutator.next(400);
        let query = match turn % 4 {
            0 => format!("cursor={}", percent_encoded(&bytes)),
            1 => format!("q={}&limit=3", percent_encoded(&bytes)),
            2 => format!("{}&cursor=AZqyw9Tlf2CKGyw9Tl9gcQ", percent_encoded(&bytes)),
            // As they are, where a URI can have them.
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        };
        let Ok(uri) = Uri::try_from(format!("/api/tasks?{query}")) else {
            continue;
        };
        let request = request(Method::GET, uri).body(Full::default()).unwrap();
        let (status, code) = api.call(request).await;
        assert!([200, 400].contains(&status.as_u16()), "{query}: {status}");
        codes.insert(code);
    }
    for code in ["", "cursor_invalid", "parameter_unknown", "query_malformed"] {
        assert!(codes.contains(code), "never {code:?}: {codes:?}");
    }
    println!(
        "ran {} cases: any bytes as a cursor and as a query",
        cases(3_000)
    );
}

#[tokio::test]
async fn no_body_is_a_server_error() {
    let api = api().await;
    let make = |body: &'static [u8]| {
        request(Method::POST, Uri::from_static("/api/tasks"))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap()
    };
    let response = api
        .0
        .clone()
        .oneshot(make(br#"{"title":"x"}"#))
        .await
        .unwrap();
    let task: Uri = response.headers()["location"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let seeds = [
        r#"{"title":"Buy milk","completed":false}"#,
        r#"{"title":"\ud83e\udd5b","completed":true}"#,
        r#"{"title":"\u0000"}"#,
        r#"{"title":"' OR 1=1 --"}"#,
        r#"{"title":null}"#,
        r#"{"completed":"true"}"#,
        r#"{"title":"a","title":"b"}"#,
        r#"{"title":"a","id":"x","ownerId":"eve"}"#,
        r#"{"title":1e400}"#,
        r#"[{"title":"a"}]"#,
        "{",
        "",
        "[[[[[[[[[[[[[[[[",
    ];
    let mut mutator = Mutator::new(6, seeds.iter().map(|seed| seed.as_bytes().to_vec()));
    let mut codes = std::collections::BTreeSet::new();
    for turn in 0..cases(3_000) {
        let body = mutator.next(70_000);
        let (method, uri) = match turn % 3 {
            0 => (Method::PATCH, task.clone()),
            _ => (Method::POST, Uri::from_static("/api/tasks")),
        };
        let media_type = match turn % 10 {
            0 => "application/merge-patch+json",
            1 => "text/plain",
            _ => "application/json",
        };
        let mut request = request(method, uri)
            .header("content-type", media_type)
            .body(Full::from(body.clone()))
            .unwrap();
        if turn % 7 == 0
            && let Ok(value) = HeaderValue::from_bytes(&body)
        {
            request.headers_mut().insert("if-match", value);
        }
        let (status, code) = api.call(request).await;
        assert!(
            [200, 201, 400, 412, 413, 415].contains(&status.as_u16()),
            "{status}"
        );
        codes.insert(code);
    }
    for code in [
        "",
        "body_malformed",
        "body_invalid",
        "unsupported_media_type",
    ] {
        assert!(codes.contains(code), "never {code:?}: {codes:?}");
    }
    println!("ran {} cases: any bytes as a body", cases(3_000));
}

#[tokio::test]
async fn no_authorization_header_is_a_server_error() {
    let api = api().await;
    let headers = table::transport::requests().into_iter();
    let seeds = headers.flat_map(|request| request.headers.into_iter().map(|(_, value)| value));
    let mut mutator = Mutator::new(7, seeds);
    for _ in 0..cases(3_000) {
        let bytes = mutator.next(20_000);
        let Ok(value) = HeaderValue::from_bytes(&bytes) else {
            continue;
        };
        let request = Request::get("/api/me")
            .header("host", "api.example.com")
            .header("authorization", value)
            .body(Full::default())
            .unwrap();
        let (status, _) = api.call(request).await;
        assert!([200, 400, 401].contains(&status.as_u16()), "{status}");
    }
    println!(
        "ran {} cases: any bytes as an Authorization header of the service",
        cases(3_000)
    );
}
