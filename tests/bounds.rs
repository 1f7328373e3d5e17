//! What input costs, at most: memory in bytes allocated, and processor time, each for so many bytes
//! of it. One test, since the allocator counts for all threads at once.
//!
//! The bounds are generous: they tell a cost that grows with the square of the input, or one without
//! a limit, from one that does not. A verification's bytes are those of all allocations added up, which
//! is more than it ever holds at once.

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

use std::alloc::System;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use keyward::service::api::{ApiState, app};
use keyward::service::http::{HttpOptions, stack};
use keyward::service::store::{DatabaseUrl, TaskStore};
use keyward::{Algorithm, KeySet, Verifier};
use mutation::{Mutator, cases};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::ServiceExt;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The longest token that is looked into.
const MAX_TOKEN: usize = 16 * 1024;

/// What the most expensive input of a kind has cost.
#[derive(Default)]
struct Costs {
    inputs: usize,
    bytes: usize,
    time: Duration,
}

impl Costs {
    /// `fixed` bytes and `each` more for each byte of the input, and `time`, are what it may cost.
    fn note(&mut self, input: &[u8], cost: (usize, Duration), bound: (usize, usize, Duration)) {
        let ((bytes, time), (fixed, each, most)) = (cost, bound);
        let start = String::from_utf8_lossy(&input[..input.len().min(80)]).into_owned();
        let len = input.len();
        assert!(
            bytes <= fixed + each * len,
            "{bytes} bytes for {len} of input: {start}"
        );
        assert!(time <= most, "{time:?} for {len} bytes of input: {start}");
        self.inputs += 1;
        self.bytes = self.bytes.max(bytes);
        self.time = self.time.max(time);
    }

    fn report(&self, kind: &str) {
        println!(
            "ran {} cases: cost of {kind}; at most {} bytes and {:?}",
            self.inputs, self.bytes, self.time
        );
    }
}

/// Processor time of this thread (Linux's schedstat), so that other load on the machine does not
/// count.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn measured<T>(work: impl FnOnce() -> T) -> ((usize, Duration), T) {
    let began = processor_time();
    let region = Region::new(ALLOCATOR);
    let result = work();
    let bytes = region.change().bytes_allocated;
    // What is measured includes reading the file once.
    ((bytes, processor_time() - began), result)
}

/// What a future gives that never waits, as none does with a fixed key set.
fn ready<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

/// Payloads that cost the most for their length.
fn expensive(len: usize) -> Vec<Vec<u8>> {
    let repeated = |open: &str, unit: &str, close: &str| {
        let times = len.saturating_sub(open.len() + close.len()) / unit.len();
        format!("{open}{}{close}", unit.repeat(times)).into_bytes()
    };
    let mut names = "{".to_owned();
    let mut number = 0;
    while names.len() < len {
        let _ = write!(names, "\"{number}\":0,");
        number += 1;
    }
    names += "\"x\":0}";
    // Names whose beginnings, ends and lengths are the same.
    let mut alike = "{".to_owned();
    let mut number = 0;
    while alike.len() < len {
        let _ = write!(alike, "\"a{number:06}b\":0,");
        number += 1;
    }
    alike += "\"x\":0}";
    vec![
        repeated("{\"x\":[", "0,", "0]}"),
        repeated("{\"x\":[", "[0],", "0]}"),
        repeated("{\"x\":[", "[],", "0]}"),
        repeated("{\"x\":[", "{},", "0]}"),
        repeated("{\"x\":[", "{\"\":0},", "0]}"),
        repeated("{\"x\":[", "\"\\n\",", "0]}"),
        repeated("{\"x\":[", "1e9,", "0]}"),
        repeated("{\"x\":\"", "\\u00e9", "\"}"),
        repeated("{\"x\":\"", "\\ud83d\\ude00", "\"}"),
        repeated("{\"x\":", "[", ""),
        repeated("{\"x\":", "{\"\":", ""),
        repeated("{\"x\":", "9", "}"),
        repeated("{\"x\":0.", "9", "}"),
        repeated("{\"x\":1", "0", "e-9}"),
        repeated("{\"aud\":[", "\"https://app.example.co\",", "\"x\"]}"),
        repeated("{\"scope\":\"", "a ", "\"}"),
        repeated("{\"role\":\"", "a,", "\"}"),
        repeated("{\"a\":0", ",\"a\":0", "}"),
        names.into_bytes(),
        alike.into_bytes(),
        vec![0xff; len],
        vec![0; len],
    ]
}

fn of_tokens() {
    let verifier = faces::verifier(faces::key_set(&lab::key_set()));
    // An Ed25519 key that is used gets tables once, of 640 KiB.
    ready(faces::keep_busy(&verifier));
    let verify = |token: &str| drop(ready(verifier.verify(token)));
    let mut costs = Costs::default();
    // Before anything is proven, and after.
    let bound = (32 * 1024, 200, Duration::from_millis(200));
    let mut mutator = Mutator::new(
        11,
        table::cases().map(|case| case.token.clone().into_bytes()),
    );
    let mut tokens: Vec<String> = table::cases().map(|case| case.token.clone()).collect();
    for len in [100, 1000, 3000, 12_000] {
        for payload in expensive(len) {
            let signed = lab::with_raw_payload(&payload);
            let forged = format!(
                "{}.{}",
                signed.rsplit_once('.').unwrap().0,
                lab::encode([1; 64])
            );
            let header = lab::with_raw_header(&payload[..payload.len().min(3000)]);
            let claims = lab::claims().to_string();
            // Accepted, and kept by the cache: its claims with an expensive member beside them.
            let inside = payload.strip_prefix(b"{").unwrap_or(b"}");
            let both = [claims.strip_suffix('}').unwrap().as_bytes(), b",", inside].concat();
            tokens.extend([signed, forged, header, lab::with_raw_payload(both)]);
        }
    }
    for _ in 0..cases(2_000) {
        tokens.push(String::from_utf8_lossy(&mutator.next(MAX_TOKEN)).into_owned());
    }
    for token in &tokens {
        let (cost, ()) = measured(|| verify(token));
        costs.note(token.as_bytes(), cost, bound);
    }
    costs.report("tokens");

    // Over its limit a token costs nothing, however long it is.
    let mut costs = Costs::default();
    for len in [MAX_TOKEN + 1, 1 << 20, 64 << 20] {
        for unit in ["a", ".", "eyJ.", "[["] {
            let token = unit.repeat(len.div_ceil(unit.len()));
            let (cost, ()) = measured(|| verify(&token));
            costs.note(token.as_bytes(), cost, (4096, 0, Duration::from_millis(50)));
        }
    }
    costs.report("tokens that are too large");

    // Nothing that is refused stays.
    let region = Region::new(ALLOCATOR);
    for token in &tokens {
        verify(token);
    }
    let change = region.change();
    let kept = change.bytes_allocated as isize - change.bytes_deallocated as isize;
    assert!(kept < 32 * 1024 * 1024, "{kept} bytes stay");
}

fn of_headers() {
    let verifier: Verifier = faces::verifier(faces::key_set(&lab::key_set()));
    let mut costs = Costs::default();
    for len in [0, 100, 10_000, 1_000_000] {
        for unit in [
            "a",
            " ",
            ",",
            "Bearer ",
            "Bearer a,",
            "\t",
            "=",
            "\u{e9}",
            "a.b.c",
        ] {
            for start in ["", "Bearer ", "Basic "] {
                let value = format!("{start}{}", unit.repeat(len / unit.len()));
                let Some(headers) =
                    faces::header_map(&[("authorization", value.clone().into_bytes())])
                else {
                    continue;
                };
                let (cost, _) = measured(|| ready(verifier.authenticate(&headers)).is_ok());
                costs.note(
                    value.as_bytes(),
                    cost,
                    (16 * 1024, 20, Duration::from_millis(200)),
                );
            }
        }
    }
    costs.report("Authorization headers");
}

fn of_key_sets() {
    let mut costs = Costs::default();
    // As many as a response may hold (512 KiB), of every kind, and what is none.
    let large = |jwk: &str| {
        let times = 512 * 1024 / (jwk.len() + 1);
        format!("{{\"keys\":[{}]}}", vec![jwk; times].join(",")).into_bytes()
    };
    let mut documents: Vec<Vec<u8>> = vec![large("{}"), large("0"), large("[]"), large("\"\"")];
    for payload in expensive(512 * 1024) {
        documents.push(payload.clone());
        documents.push([b"{\"keys\":[", &*payload, b"]}"].concat());
    }
    let mutated = table::cases().map(|case| case.keys.to_string().into_bytes());
    let mut mutator = Mutator::new(12, mutated.filter(|document| document.len() < 10_000));
    for _ in 0..cases(500) {
        documents.push(mutator.next(20_000));
    }
    // Each entry is parsed by itself, the empty ones too; of a fetched set only 256.
    let bound = (64 * 1024, 400, Duration::from_secs(2));
    for document in &documents {
        let (cost, _) = measured(|| KeySet::from_json(document).is_ok());
        costs.note(document, cost, bound);
    }
    // Public keys take a while to be checked, and a fetched set may have 256.
    for key in lab::Key::ALL {
        let keys: Vec<_> = (0..256)
            .map(|n| lab::with(key.public_jwk(), serde_json::json!({"kid": n.to_string()})))
            .collect();
        let document = lab::keys(&keys).to_string().into_bytes();
        let (cost, loaded) = measured(|| KeySet::from_json(&document).unwrap().len());
        assert_eq!(loaded, 256);
        costs.note(&document, cost, bound);
    }
    costs.report("key sets");
}

fn of_requests() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let options = HttpOptions::default();
    let service = runtime.block_on(async {
        let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
        let store = TaskStore::connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        let verifier = faces::verifier(faces::key_set(&lab::key_set()));
        stack(
            app(ApiState {
                verifier,
                store,
                oauth: None,
            }),
            &options,
        )
    });
    let bearer = format!("Bearer {}", lab::token(Algorithm::EdDsa));
    let send = |request: Request<Full<Bytes>>| {
        runtime.block_on(async {
            let response = service.clone().oneshot(request).await.unwrap();
            assert!(response.status().as_u16() < 500, "{response:?}");
            response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .len()
        })
    };
    // What is made once is made.
    let post = |body: Vec<u8>| {
        Request::post("/api/tasks")
            .header("host", "api.example.com")
            .header("authorization", &bearer)
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap()
    };
    send(post(br#"{"title":"x"}"#.to_vec()));
    let list = |query: &str| {
        Request::get(format!("/api/tasks?{query}"))
            .header("host", "api.example.com")
            .header("authorization", &bearer)
            .body(Full::default())
            .unwrap()
    };
    send(list(""));

    let mut costs = Costs::default();
    for len in [100, 10_000, 60_000, 70_000, 1_000_000] {
        for body in expensive(len) {
            let request = post(body.clone());
            let (cost, answer) = measured(|| send(request));
            // However much is wrong with it, the answer is short.
            assert!(answer < 4096, "{answer} bytes of answer");
            costs.note(&body, cost, (512 * 1024, 250, Duration::from_secs(2)));
        }
    }
    costs.report("bodies");

    let mut costs = Costs::default();
    for len in [10, 1000, 60_000] {
        for unit in [
            "a",
            "%00",
            "%ff",
            "&",
            "=",
            "cursor=a&",
            "q=%25&",
            "limit=1&",
            "+",
        ] {
            for start in ["cursor=", "q=", ""] {
                let query = format!("{start}{}", unit.repeat(len / unit.len()));
                let request = list(&query);
                let (cost, answer) = measured(|| send(request));
                assert!(answer < 8192, "{answer} bytes of answer");
                costs.note(
                    query.as_bytes(),
                    cost,
                    (512 * 1024, 50, Duration::from_secs(2)),
                );
            }
        }
    }
    costs.report("cursors and queries");
}

#[test]
fn what_input_costs_grows_with_its_length_and_no_faster() {
    of_tokens();
    of_headers();
    of_key_sets();
    of_requests();
}
