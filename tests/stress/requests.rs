//! Requests of every shape that could be read in two ways, or that are too much of something.
//!
//! A second request stands behind each. What must not happen is that it is answered where the first
//! one's end is in dispute, or that bytes of the first are answered as a request.

use std::time::Duration;

use serde_json::json;

use crate::keyward_process::PATIENCE;
use crate::service::{Service, ran};

const NEXT: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const BODY: &str = r#"{"title":"x"}"#;

/// What stands between a POST's usual headers and the next request, and the statuses that come
/// back, in their order. Where the last is not of the next request, the connection was closed.
#[derive(Clone)]
struct Shape {
    name: &'static str,
    bytes: Vec<u8>,
    statuses: &'static [u16],
}

/// A POST with these headers, each with its end, and this body.
fn post(token: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /api/tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn framing(token: &str) -> Vec<Shape> {
    let len = BODY.len();
    let chunked = format!("{len:x}\r\n{BODY}\r\n0\r\n\r\n");
    let te = "transfer-encoding: chunked\r\n";
    let rows: Vec<(&str, String, String, &'static [u16])> = vec![
        (
            "a length",
            format!("content-length: {len}\r\n"),
            BODY.into(),
            &[201, 200],
        ),
        (
            "a length twice, the same",
            format!("content-length: {len}\r\n").repeat(2),
            BODY.into(),
            &[201, 200],
        ),
        (
            "two lengths",
            format!("content-length: {len}\r\ncontent-length: {}\r\n", len + 1),
            BODY.into(),
            &[400],
        ),
        (
            "a list of lengths",
            format!("content-length: {len}, {len}\r\n"),
            BODY.into(),
            &[400],
        ),
        (
            "a length with a plus",
            format!("content-length: +{len}\r\n"),
            BODY.into(),
            &[400],
        ),
        (
            "a negative length",
            "content-length: -1\r\n".into(),
            BODY.into(),
            &[400],
        ),
        (
            "a hexadecimal length",
            format!("content-length: 0x{len:x}\r\n"),
            BODY.into(),
            &[400],
        ),
        (
            "a length of words",
            "content-length: many\r\n".into(),
            BODY.into(),
            &[400],
        ),
        (
            "a length beyond 64 bits",
            "content-length: 99999999999999999999\r\n".into(),
            BODY.into(),
            &[400],
        ),
        (
            "the greatest length",
            "content-length: 18446744073709551615\r\n".into(),
            BODY.into(),
            &[431],
        ),
        ("chunks", te.into(), chunked.clone(), &[201, 200]),
        (
            "chunks in capitals",
            te.to_uppercase(),
            chunked.clone(),
            &[201, 200],
        ),
        (
            "chunks and a length",
            format!("{te}content-length: {len}\r\n"),
            chunked.clone(),
            &[201],
        ),
        (
            "a length and chunks",
            format!("content-length: {len}\r\n{te}"),
            chunked.clone(),
            &[201],
        ),
        (
            "chunks and a length that hides a request",
            format!("content-length: 0\r\n{te}"),
            chunked.clone(),
            &[201],
        ),
        (
            "chunks twice in a line",
            "transfer-encoding: chunked, chunked\r\n".into(),
            chunked.clone(),
            &[400],
        ),
        ("chunks in two lines", te.repeat(2), chunked.clone(), &[400]),
        (
            "chunks of gzip",
            "transfer-encoding: gzip, chunked\r\n".into(),
            chunked.clone(),
            &[400],
        ),
        (
            "chunks not last",
            "transfer-encoding: chunked, identity\r\n".into(),
            chunked.clone(),
            &[400],
        ),
        (
            "no chunks",
            "transfer-encoding: identity\r\n".into(),
            chunked.clone(),
            &[400],
        ),
        (
            "something like chunks",
            "transfer-encoding: xchunked\r\n".into(),
            chunked.clone(),
            &[400],
        ),
        (
            "chunks behind a vertical tab",
            "transfer-encoding: \x0bchunked\r\n".into(),
            chunked.clone(),
            &[400],
        ),
        (
            "chunks behind a space before the colon",
            "transfer-encoding : chunked\r\n".into(),
            chunked.clone(),
            &[400],
        ),
        (
            "chunks in a folded line",
            "transfer-encoding:\r\n chunked\r\n".into(),
            chunked.clone(),
            &[400],
        ),
        (
            "a folded line",
            format!("x: a\r\n b\r\ncontent-length: {len}\r\n"),
            BODY.into(),
            &[400],
        ),
        (
            "a bare CR",
            format!("x: a\rcontent-length: {len}\r\n"),
            BODY.into(),
            &[400],
        ),
        (
            "a NUL",
            format!("x: a\0b\r\ncontent-length: {len}\r\n"),
            BODY.into(),
            &[400],
        ),
        (
            "an extension of a chunk",
            te.into(),
            format!("{len:x};a=\"b\"\r\n{BODY}\r\n0\r\n\r\n"),
            &[201, 200],
        ),
        (
            "a bare LF in an extension",
            te.into(),
            format!("{len:x};a\nb\r\n{BODY}\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "a flood of extensions",
            te.into(),
            format!("{len:x};{}\r\n{BODY}\r\n0\r\n\r\n", "a".repeat(20_000)),
            &[400],
        ),
        (
            "a bare LF behind a chunk's length",
            te.into(),
            chunked.replace("\r\n", "\n"),
            &[400],
        ),
        (
            "a chunk longer than it says",
            te.into(),
            format!("{len:x}\r\n{BODY}xx\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "a chunk without its end",
            te.into(),
            format!("{len:x}\r\n{BODY}0\r\n\r\n"),
            &[400],
        ),
        (
            "a chunk's length beyond 64 bits",
            te.into(),
            format!("10000000000000000{len:x}\r\n{BODY}\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "a chunk's length with 0x",
            te.into(),
            format!("0x{len:x}\r\n{BODY}\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "a chunk's negative length",
            te.into(),
            format!("-{len:x}\r\n{BODY}\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "trailers that would be headers",
            te.into(),
            format!("{len:x}\r\n{BODY}\r\n0\r\nauthorization: x\r\ncontent-length: 9\r\n\r\n"),
            &[201, 200],
        ),
        (
            "a flood of trailers",
            te.into(),
            format!("{len:x}\r\n{BODY}\r\n0\r\n{}\r\n", "x: y\r\n".repeat(5000)),
            &[400],
        ),
        (
            "a body to wait for",
            format!("expect: 100-continue\r\ncontent-length: {len}\r\n"),
            BODY.into(),
            &[100, 201, 200],
        ),
        (
            "a body that is too long",
            "content-length: 65537\r\n".into(),
            "x".repeat(65537),
            &[413],
        ),
        (
            "chunks that are too long",
            te.into(),
            format!("99999\r\n{}\r\n0\r\n\r\n", "x".repeat(0x99999)),
            &[413],
        ),
        (
            "half a body",
            "content-length: 100\r\n".into(),
            String::new(),
            &[400],
        ),
    ];
    rows.into_iter()
        .map(|(name, headers, body, statuses)| Shape {
            name,
            bytes: post(token, &headers, &body),
            statuses,
        })
        .collect()
}

fn heads(token: &str) -> Vec<Shape> {
    let get = |line: &str, headers: &str| format!("{line}\r\n{headers}\r\n").into_bytes();
    let healthz = "GET /healthz HTTP/1.1";
    let many = |count| "x: y\r\n".repeat(count) + "host: x\r\n";
    let auth = format!("host: x\r\nauthorization: Bearer {token}\r\n");
    let hidden = format!("{auth}content-length: {}\r\n\r\n{NEXT}", NEXT.len());
    let rows: Vec<(&str, Vec<u8>, &'static [u16])> = vec![
        ("no host", get(healthz, ""), &[400]),
        ("two hosts", get(healthz, "host: a\r\nhost: b\r\n"), &[400]),
        (
            "a host twice",
            get(healthz, "host: a\r\nhost: a\r\n"),
            &[400],
        ),
        ("a list of hosts", get(healthz, "host: a, b\r\n"), &[400]),
        ("a host with a path", get(healthz, "host: a/b\r\n"), &[400]),
        ("a host with a user", get(healthz, "host: a@b\r\n"), &[400]),
        (
            "HTTP/1.0 without a host",
            get("GET /healthz HTTP/1.0", ""),
            &[200],
        ),
        (
            "bare LFs",
            format!("{healthz}\nhost: x\n\n").into_bytes(),
            &[200, 200],
        ),
        (
            "empty lines first",
            format!("\r\n\r\n{healthz}\r\nhost: x\r\n\r\n").into_bytes(),
            &[200, 200],
        ),
        (
            "a request in a GET's body",
            format!("GET /api/me HTTP/1.1\r\n{hidden}").into_bytes(),
            &[200, 200],
        ),
        (
            "a request in the body of a refused one",
            format!(
                "POST /api/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{NEXT}",
                NEXT.len()
            )
            .into_bytes(),
            &[401, 200],
        ),
        ("100 headers", get(healthz, &many(99)), &[200, 200]),
        ("101 headers", get(healthz, &many(100)), &[431]),
        (
            "a header of 60 KiB",
            get(
                healthz,
                &format!("host: x\r\nx: {}\r\n", "y".repeat(60 * 1024)),
            ),
            &[200, 200],
        ),
        (
            "a header of 70 KiB",
            get(
                healthz,
                &format!("host: x\r\nx: {}\r\n", "y".repeat(70 * 1024)),
            ),
            &[431],
        ),
        (
            "a path of 60 KiB",
            get(
                &format!("GET /{} HTTP/1.1", "a".repeat(60 * 1024)),
                "host: x\r\n",
            ),
            &[404, 200],
        ),
        (
            "a path of 70 KiB",
            get(
                &format!("GET /{} HTTP/1.1", "a".repeat(70 * 1024)),
                "host: x\r\n",
            ),
            &[431],
        ),
        (
            "a token of 60 KiB",
            get(
                "GET /api/me HTTP/1.1",
                &format!(
                    "host: x\r\nauthorization: Bearer {}\r\n",
                    "a".repeat(60 * 1024)
                ),
            ),
            &[401, 200],
        ),
        (
            "a whole URL",
            get(
                "GET http://elsewhere.example/healthz HTTP/1.1",
                "host: x\r\n",
            ),
            &[200, 200],
        ),
        (
            "a path that goes up",
            get("GET /api/../healthz HTTP/1.1", "host: x\r\n"),
            &[404, 200],
        ),
        (
            "an encoded path",
            get("GET /%68ealthz HTTP/1.1", "host: x\r\n"),
            &[404, 200],
        ),
        (
            "an encoded NUL",
            get("GET /api/tasks/%00 HTTP/1.1", &auth),
            &[400, 200],
        ),
        (
            "a doubled slash",
            get("GET //healthz HTTP/1.1", "host: x\r\n"),
            &[404, 200],
        ),
        (
            "a path that is not ASCII",
            b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "a tunnel",
            get("CONNECT elsewhere.example:80 HTTP/1.1", "host: x\r\n"),
            &[404, 200],
        ),
        (
            "an upgrade to HTTP/2",
            get(
                healthz,
                "host: x\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
            ),
            &[200, 200],
        ),
        (
            "a method in small letters",
            get("get /healthz HTTP/1.1", "host: x\r\n"),
            &[405, 200],
        ),
        (
            "a method of 60 KiB",
            get(
                &format!("{} /healthz HTTP/1.1", "A".repeat(60 * 1024)),
                "host: x\r\n",
            ),
            &[405, 200],
        ),
        (
            "HTTP/1.2",
            get("GET /healthz HTTP/1.2", "host: x\r\n"),
            &[400],
        ),
        (
            "HTTP/2.0 in letters",
            get("GET /healthz HTTP/2.0", "host: x\r\n"),
            &[400],
        ),
        ("HTTP/0.9", b"GET /healthz\r\n".to_vec(), &[400]),
        ("garbage", b"\x16\x03\x01\x00\xa5\r\n\r\n".to_vec(), &[400]),
        (
            "a good request and garbage",
            format!("{NEXT}\x00\x01 garbage\r\n\r\n").into_bytes(),
            &[200, 400],
        ),
    ];
    rows.into_iter()
        .map(|(name, bytes, statuses)| Shape {
            name,
            bytes,
            statuses,
        })
        .collect()
}

/// The statuses of all answers to these bytes, after which the client says no more.
async fn statuses(service: &Service, bytes: &[u8]) -> Vec<u16> {
    let mut connection = service.connect().await;
    // The service may have closed it before it has read all.
    let _ = connection.send(bytes).await;
    connection.finish().await;
    let received = connection.until_closed(PATIENCE).await;
    let received = String::from_utf8_lossy(&received).into_owned();
    received
        .split("HTTP/1.")
        .skip(1)
        .map(|answer| answer[2..5].parse().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_has_one_meaning_or_is_refused() {
    let service = Service::start(&[]).await;
    let shapes = [framing(&service.token), heads(&service.token)].concat();
    let mut wrong = Vec::new();
    for shape in &shapes {
        let bytes = [&shape.bytes, NEXT.as_bytes()].concat();
        let found = statuses(&service, &bytes).await;
        if found != shape.statuses {
            wrong.push(format!(
                "{}: {found:?} instead of {:?}",
                shape.name, shape.statuses
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // No more tasks than were answered with 201.
    let mut connection = service.connect().await;
    let list = connection.call("GET", "/api/tasks?limit=100", &service.token, None);
    let list = list.await.unwrap().json();
    let made = shapes
        .iter()
        .filter(|shape| shape.statuses.contains(&201))
        .count();
    assert_eq!(list["items"].as_array().unwrap().len(), made);
    ran(shapes.len(), "request shape");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_at_once_on_a_connection_are_answered_in_their_order() {
    let service = Service::start(&[]).await;
    let requests: String = (0..1000)
        .map(|n| match n % 2 {
            0 => NEXT.to_owned(),
            _ => "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        })
        .collect();
    let found = statuses(&service, requests.as_bytes()).await;
    let expected: Vec<u16> = (0..1000)
        .map(|n| if n % 2 == 0 { 200 } else { 404 })
        .collect();
    assert_eq!(found, expected);
    ran(found.len(), "pipelined request");
}

/// One that many clients meet: they send the whole of a body before they read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_too_much_gets_to_read_why() {
    let service = Service::start(&[]).await;
    let body = json!({"title": "x".repeat(10_000_000)});
    for (token, status) in [(&*service.token, 413), ("nobody", 413)] {
        for _ in 0..5 {
            let mut connection = service.connect().await;
            let answer = connection.call("POST", "/api/tasks", token, Some(&body));
            let answer = tokio::time::timeout(Duration::from_secs(20), answer).await;
            assert_eq!(answer.unwrap().unwrap().status, status);
        }
    }
    ran(10, "answer to a body of 10 MB");
}
