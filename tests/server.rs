//! The accept loop and the HTTP stack on real sockets, against clients that misbehave.

use std::net::SocketAddr;
use std::time::Duration;

use keyward::TraceId;
use keyward::service::http::{HttpOptions, stack};
use keyward::service::server::{ServerLimits, ShutdownReport, serve};
use poem::{EndpointExt, Request, Route, get, handler, post};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Far beyond what anything here takes: a test that needs it has hung.
const PATIENCE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

#[handler]
fn trace(request: &Request) -> String {
    request.extensions().get::<TraceId>().unwrap().to_string()
}

#[handler]
fn panicking() -> String {
    panic!("a message with ada@example.com in it")
}

#[handler]
async fn slow(request: &Request) -> &'static str {
    let milliseconds = request.uri().query().unwrap().parse().unwrap();
    sleep(Duration::from_millis(milliseconds)).await;
    "slow"
}

#[handler]
fn echo(body: Vec<u8>) -> Vec<u8> {
    body
}

fn app() -> impl poem::Endpoint {
    Route::new()
        .at("/trace", get(trace))
        .at("/panic", get(panicking))
        .at("/slow", get(slow))
        .at("/echo", post(echo))
        .map_to_response()
}

struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<ShutdownReport>,
}

impl Server {
    async fn start(
        limits: impl FnOnce(&mut ServerLimits),
        options: impl FnOnce(&mut HttpOptions),
    ) -> Self {
        let (mut server_limits, mut http_options) =
            (ServerLimits::default(), HttpOptions::default());
        limits(&mut server_limits);
        options(&mut http_options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let service = stack(app(), &http_options);
        let task = tokio::spawn(serve(listener, service, server_limits, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop: Some(stop),
            task,
        }
    }

    async fn default() -> Self {
        Self::start(|_| {}, |_| {}).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn signal(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    async fn report(self) -> ShutdownReport {
        timeout(PATIENCE, self.task)
            .await
            .expect("shutdown ends")
            .unwrap()
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

/// Reads until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut received))
        .await
        .expect("the server closes it");
    String::from_utf8_lossy(&received).into_owned()
}

const WHOLE: &[u8] = b"GET /trace HTTP/1.1\r\nhost: x\r\n\r\n";
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

#[tokio::test]
async fn a_connection_that_sends_nothing_or_too_little_is_closed() {
    let server = Server::start(|limits| limits.header_read_timeout = SHORT, |_| {}).await;
    for start in [&b""[..], b"G", b"GET /trace HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(start).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let server = Server::start(|limits| limits.header_read_timeout = SHORT, |_| {}).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    let drip = tokio::spawn(async move {
        for byte in b"GET /trace HTTP/1.1\r\nx: "
            .iter()
            .chain(std::iter::repeat(&b'x'))
        {
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
            sleep(SHORT / 10).await;
        }
    });
    let mut received = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut received))
        .await
        .expect("cut off");
    drip.abort();
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_either_protocol() {
    let server = Server::start(
        |limits| (limits.idle_timeout, limits.header_read_timeout) = (SHORT, PATIENCE),
        |_| {},
    )
    .await;
    for start in [WHOLE, H2_PREFACE, b"PRI * HT"] {
        let mut stream = server.connect().await;
        stream.write_all(start).await.unwrap();
        until_closed(&mut stream).await;
    }
}

#[tokio::test]
async fn a_request_that_is_being_answered_is_not_idle() {
    let server = Server::start(|limits| limits.idle_timeout = SHORT / 3, |_| {}).await;
    let response = client().get(server.url("/slow?1000")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "slow");
}

/// The requests that a stream's other end answers with these statuses, in this order.
async fn statuses(stream: &mut TcpStream) -> Vec<String> {
    let answer = until_closed(stream).await;
    let statuses = answer
        .lines()
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    statuses.map(|status| status[..3].to_owned()).collect()
}

/// Reads one answer, and leaves the connection open: its status. `None` if there is none.
async fn answered(stream: &mut TcpStream) -> Option<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("in time");
        head.push(byte.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; len.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().ok()
}

#[tokio::test]
async fn above_the_cap_a_connection_waits_while_all_others_wait_for_answers() {
    let server = Server::start(|limits| limits.max_connections = 2, |_| {}).await;
    let mut busy = Vec::new();
    for milliseconds in [1000, 5000] {
        let mut stream = server.connect().await;
        let request = format!("GET /slow?{milliseconds} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        busy.push(stream);
    }
    let began = Instant::now();
    let mut third = server.connect().await;
    third.write_all(WHOLE).await.unwrap();
    assert_eq!(answered(&mut third).await, Some(200));
    let waited = began.elapsed();
    assert!(
        waited > Duration::from_millis(1500),
        "answered above the cap"
    );
    // It got the place of the first, once that had nothing to wait for, and not of the second.
    assert!(waited < Duration::from_millis(4900), "{waited:?}");
    assert_eq!(answered(&mut busy[1]).await, Some(200));
}

const SLOW_BODY: &[u8] = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345";

/// What clients send that then keep the server waiting.
const WAITING: [(&str, &[u8]); 7] = [
    ("nothing", b""),
    ("half a head", b"GET /trace HTTP/1.1\r\nhost: x\r\n"),
    ("half a preface", b"PRI * HT"),
    ("no second request", WHOLE),
    ("no request over HTTP/2", H2_PREFACE),
    ("half a body", SLOW_BODY),
    (
        "no end of chunks",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n",
    ),
];

#[tokio::test]
async fn whoever_keeps_the_server_waiting_makes_room() {
    let rows = WAITING.map(|(what, start)| tokio::spawn(makes_room(what, start)));
    for row in rows {
        row.await.unwrap();
    }
}

async fn makes_room(what: &'static str, start: &'static [u8]) {
    let limits = |limits: &mut ServerLimits| {
        limits.max_connections = 3;
        limits.header_read_timeout = PATIENCE * 4;
        limits.idle_timeout = PATIENCE * 4;
    };
    let server = Server::start(limits, |options| options.request_timeout = PATIENCE * 4).await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut stream = server.connect().await;
        stream.write_all(start).await.unwrap();
        waiting.push(stream);
    }
    let began = Instant::now();
    let mut stream = server.connect().await;
    stream.write_all(WHOLE).await.unwrap();
    assert_eq!(answered(&mut stream).await, Some(200), "{what}");
    let waited = began.elapsed();
    assert!(waited < PATIENCE / 2, "{what}: {waited:?}");
}

#[tokio::test]
async fn a_request_that_is_being_answered_makes_no_room() {
    let server = Server::start(|limits| limits.max_connections = 2, |_| {}).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow?5000 HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    // One after the other they take the place that is left.
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream.write_all(WHOLE).await.unwrap();
        assert_eq!(answered(&mut stream).await, Some(200));
    }
    assert_eq!(answered(&mut busy).await, Some(200), "its answer was lost");
}

#[tokio::test]
async fn a_connection_may_be_kept_for_longer_than_a_head_may_take() {
    let server = Server::start(|limits| limits.header_read_timeout = SHORT, |_| {}).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(WHOLE).await.unwrap();
        assert_eq!(answered(&mut stream).await, Some(200));
        sleep(SHORT * 3).await;
    }
    let last = [&WHOLE[..WHOLE.len() - 2], b"connection: close\r\n\r\n"].concat();
    stream.write_all(&last).await.unwrap();
    assert_eq!(statuses(&mut stream).await, ["200"]);
    // But a head that has begun must end.
    let mut stream = server.connect().await;
    stream.write_all(WHOLE).await.unwrap();
    assert_eq!(answered(&mut stream).await, Some(200));
    stream.write_all(b"GET /trace").await.unwrap();
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn an_answer_is_not_lost_because_its_request_was_not_read_to_the_end() {
    let server = Server::default().await;
    let body = vec![b'x'; 8 * 1024 * 1024];
    for _ in 0..10 {
        let mut stream = server.connect().await;
        let head = format!(
            "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // As most clients do: all of the body first, then the answer.
        stream.write_all(&body).await.expect("the server reads on");
        assert_eq!(statuses(&mut stream).await, ["413"]);
    }
}

#[tokio::test]
async fn requests_in_flight_finish_at_shutdown_and_new_ones_are_refused() {
    let mut server = Server::default().await;
    let request = tokio::spawn(client().get(server.url("/slow?800")).send());
    sleep(SHORT).await;
    server.signal();
    sleep(SHORT).await;
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "still accepting"
    );
    assert_eq!(
        request.await.unwrap().unwrap().text().await.unwrap(),
        "slow"
    );
    let report = server.report().await;
    assert_eq!(
        report,
        ShutdownReport {
            finished: 1,
            aborted: 0
        }
    );
}

#[tokio::test]
async fn what_the_kernel_has_accepted_at_shutdown_is_answered() {
    let mut server = Server::start(|limits| limits.max_connections = 1, |_| {}).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect().await;
        stream
            .write_all(b"GET /slow?1000 HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        streams.push(stream);
    }
    server.signal();
    for stream in &mut streams {
        assert_eq!(statuses(stream).await, ["200"]);
    }
    assert_eq!(server.report().await.aborted, 0);
}

#[tokio::test]
async fn at_shutdown_a_kept_connection_gets_one_more_answer_and_is_told_so() {
    let mut server = Server::default().await;
    let mut stream = server.connect().await;
    stream.write_all(WHOLE).await.unwrap();
    assert_eq!(answered(&mut stream).await, Some(200));
    server.signal();
    while TcpStream::connect(server.address).await.is_ok() {
        sleep(SHORT / 30).await;
    }
    stream.write_all(WHOLE).await.unwrap();
    let answers = until_closed(&mut stream).await;
    assert_eq!(answers.matches("200 OK").count(), 1, "{answers}");
    assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
    assert_eq!(server.report().await.aborted, 0);
}

#[tokio::test]
async fn a_request_that_hangs_is_cut_off_after_the_grace_period() {
    let mut server = Server::start(|limits| limits.shutdown_grace = SHORT, |_| {}).await;
    let request = tokio::spawn(client().get(server.url("/slow?60000")).send());
    sleep(SHORT).await;
    server.signal();
    assert_eq!(
        server.report().await,
        ShutdownReport {
            finished: 0,
            aborted: 1
        }
    );
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn connections_without_a_whole_request_do_not_hold_up_a_shutdown() {
    let mut server = Server::start(
        |limits| (limits.header_read_timeout, limits.shutdown_grace) = (PATIENCE * 4, PATIENCE * 4),
        |_| {},
    )
    .await;
    let mut streams = Vec::new();
    for start in [&b""[..], b"GET /trace HTTP/1.1\r\n", WHOLE, H2_PREFACE] {
        let mut stream = server.connect().await;
        stream.write_all(start).await.unwrap();
        streams.push(stream);
    }
    sleep(SHORT).await;
    server.signal();
    assert_eq!(server.report().await.aborted, 0);
}

#[tokio::test]
async fn garbage_is_refused_and_disturbs_nobody() {
    let server = Server::default().await;
    for garbage in [
        &b"\x16\x03\x01\x00\xa5 a TLS hello\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\r\n\r\n\r\n\x00\xff\xfe\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    // A good request with garbage behind it gets its answer.
    let mut stream = server.connect().await;
    stream
        .write_all(&[WHOLE, b"\x00\x01garbage\r\n\r\n"].concat())
        .await
        .unwrap();
    assert!(
        until_closed(&mut stream)
            .await
            .starts_with("HTTP/1.1 200 OK")
    );
    // A client that closes its side after the request wants its answer all the same.
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /slow?300 HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    assert!(
        until_closed(&mut stream)
            .await
            .starts_with("HTTP/1.1 200 OK")
    );
    let huge_head = format!(
        "GET /trace HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "x".repeat(80 * 1024)
    );
    let mut stream = server.connect().await;
    let _ = stream.write_all(huge_head.as_bytes()).await;
    assert!(!until_closed(&mut stream).await.contains("200 OK"));
    assert_eq!(
        client()
            .get(server.url("/trace"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

async fn assert_problem(response: reqwest::Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status);
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "no-store");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(
        (problem["status"].as_u64(), problem["code"].as_str()),
        (Some(status.into()), Some(code))
    );
    assert_eq!(
        problem["traceId"].as_str(),
        headers["x-request-id"].to_str().ok()
    );
    problem
}

#[tokio::test]
async fn every_error_is_a_problem_document() {
    let server = Server::start(|_| {}, |options| options.request_timeout = SHORT).await;
    let get = |path: &str| client().get(server.url(path)).send();
    assert_problem(get("/nowhere").await.unwrap(), 404, "not_found").await;
    let post = client().post(server.url("/trace")).send().await.unwrap();
    assert_problem(post, 405, "method_not_allowed").await;
    let panicked = assert_problem(get("/panic").await.unwrap(), 500, "internal_error").await;
    assert!(!panicked.to_string().contains("example.com"));
    let late = get("/slow?60000").await.unwrap();
    assert_eq!(late.headers()["retry-after"], "1");
    assert_problem(late, 503, "timed_out").await;
    let head = client().head(server.url("/nowhere")).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), head.text().await.unwrap().len()),
        (404, 0)
    );
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off_in_time() {
    let server = Server::start(|_| {}, |options| options.request_timeout = SHORT).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n12345")
        .await
        .unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("timed_out"),
        "{answer}"
    );
}

#[tokio::test]
async fn bodies_are_limited_whether_declared_or_chunked() {
    let server = Server::start(|_| {}, |options| options.max_body_len = 1000).await;
    let post = |body: reqwest::Body| client().post(server.url("/echo")).body(body).send();
    assert_eq!(
        post("x".repeat(1000).into())
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .len(),
        1000
    );
    assert_problem(
        post("x".repeat(1001).into()).await.unwrap(),
        413,
        "payload_too_large",
    )
    .await;

    for chunks in [10, 11] {
        let mut stream = server.connect().await;
        stream
            .write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        for _ in 0..chunks {
            let _ = stream
                .write_all(format!("64\r\n{}\r\n", "x".repeat(100)).as_bytes())
                .await;
        }
        let _ = stream.write_all(b"0\r\n\r\n").await;
        let answer = until_closed(&mut stream).await;
        let expected = if chunks == 10 {
            "HTTP/1.1 200 OK"
        } else {
            "HTTP/1.1 413 Payload Too Large"
        };
        assert!(answer.starts_with(expected), "{answer}");
        assert_eq!(answer.contains("payload_too_large"), chunks == 11);
    }
}

#[tokio::test]
async fn a_trace_is_continued_or_begun_and_named_in_the_response() {
    let server = Server::default().await;
    let traced = async |traceparent: Option<&str>| {
        let mut request = client().get(server.url("/trace"));
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        let response = request.send().await.unwrap();
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(response.text().await.unwrap(), id);
        id
    };
    let given = "4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(
        traced(Some(&format!("00-{given}-00f067aa0ba902b7-01"))).await,
        given
    );
    let (one, other) = (traced(None).await, traced(Some("nonsense")).await);
    assert!(one != other && one.len() == 32 && other.len() == 32);
}

#[tokio::test]
async fn browsers_of_a_listed_origin_may_call_and_read_refusals() {
    let origin = "https://app.example.com";
    let server = Server::start(
        |_| {},
        |options| options.cors_origins = vec![origin.to_owned()],
    )
    .await;
    let preflight = |origin: &'static str| {
        client()
            .request(reqwest::Method::OPTIONS, server.url("/trace"))
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header(
                "access-control-request-headers",
                "authorization,content-type,if-match",
            )
            .send()
    };
    let allowed = preflight(origin).await.unwrap();
    assert!(allowed.status().is_success());
    let header = |response: &reqwest::Response, name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_lowercase())
    };
    assert_eq!(
        header(&allowed, "access-control-allow-origin").as_deref(),
        Some(origin)
    );
    let headers = header(&allowed, "access-control-allow-headers").unwrap();
    assert!(
        ["authorization", "content-type", "if-match"]
            .iter()
            .all(|name| headers.contains(name))
    );
    assert!(
        header(&allowed, "access-control-allow-methods")
            .unwrap()
            .contains("patch")
    );
    assert!(header(&allowed, "access-control-allow-credentials").is_none());
    assert!(header(&allowed, "vary").unwrap().contains("origin"));

    for other in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "null",
    ] {
        assert_eq!(
            header(
                &preflight(other).await.unwrap(),
                "access-control-allow-origin"
            ),
            None
        );
    }
    let odd = client()
        .get(server.url("/trace"))
        .header("origin", &b"\xff\xfe"[..])
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            odd.status().as_u16(),
            header(&odd, "access-control-allow-origin")
        ),
        (200, None)
    );

    let refused = client()
        .get(server.url("/nowhere"))
        .header("origin", origin)
        .send()
        .await
        .unwrap();
    assert_eq!(
        header(&refused, "access-control-allow-origin").as_deref(),
        Some(origin)
    );
    let exposed = header(&refused, "access-control-expose-headers").unwrap();
    assert!(
        ["www-authenticate", "etag", "location", "retry-after"]
            .iter()
            .all(|name| exposed.contains(name))
    );
    assert_problem(refused, 404, "not_found").await;
}

#[tokio::test]
async fn five_hundred_idle_connections_disturb_nobody() {
    let server = Server::default().await;
    let mut idle = Vec::new();
    for _ in 0..500 {
        idle.push(server.connect().await);
    }
    let began = Instant::now();
    assert_eq!(
        client()
            .get(server.url("/trace"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert!(began.elapsed() < PATIENCE);
}
