//! Requests of every kind, with something to find in each place where a request can hold something.

use std::time::Duration;

use keyward::Algorithm;
use keyward::testing::{SigningKey, TestIssuer};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::http2;
use super::search::Secrets;

pub const SUBJECT: &str = "leak-sub-93f";

/// What is planted in requests. Each is found by itself, so that a finding tells where it came from.
const PLANTED: [&str; 28] = [
    SUBJECT,
    "leak-mail-7c1",
    "leak-name-d44",
    "leak-image-e31",
    "leak-title-5d2",
    "leak-search-81b",
    "leak-kid-c58",
    "leak-jku-2fe",
    "leak-claim-610",
    "leak-path-a07",
    "leak-query-f12",
    "leak-parameter-b9d",
    "leak-cursor-3c8",
    "leak-member-33e",
    "leak-value-a5a",
    "leak-type-71d",
    "leak-agent-0e2",
    "leak-cookie-c11",
    "leak-referer-9f7",
    "leak-address-4b6",
    "leak-origin-d08",
    "leak-host-13b",
    "leak-basic-77c",
    "leak-method-e9e",
    "leak-header-68f",
    "leak-baggage-f50",
    "leak-words-2a9",
    "leak-tag-b41",
];

/// In the caller's `tracestate`, which goes on to wherever the trace goes (W3C Trace Context, 3.3),
/// and nowhere else.
pub const TRACE_STATE: &str = "leak-state-5e7";

/// The caller's trace of the requests that have one.
pub const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Sends bytes, and gives what comes back until the other side closes or nothing has come for a
/// while: of what went well, the head.
async fn exchange(url: String, bytes: Vec<u8>) -> String {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may answer, and close, before it has read all.
    let _ = stream.write_all(&bytes).await;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    let pause = Duration::from_millis(500);
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(pause, stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    match answer.split_once("\r\n\r\n") {
        Some((head, _)) if answer.starts_with("HTTP/1.1 2") => head.to_owned(),
        _ => answer,
    }
}

/// Sends requests, and keeps what came back that nobody but the caller's own data may be in: all
/// headers, and the bodies of errors.
pub struct Traffic {
    url: String,
    client: Client,
    pub issuer: TestIssuer,
    pub secrets: Secrets,
    /// Status, headers and, of an error, the body.
    pub answers: Vec<String>,
}

struct Answer {
    status: u16,
    body: Value,
    location: Option<String>,
    /// What nobody's data may be in.
    seen: String,
}

impl Answer {
    async fn to(call: RequestBuilder) -> Self {
        let response = call.send().await.unwrap();
        let status = response.status();
        let location = response.headers().get("location").cloned();
        let headers = format!("{status} {:?}", response.headers());
        let body = response.text().await.unwrap();
        Self {
            status: status.as_u16(),
            location: location.map(|location| location.to_str().unwrap().to_owned()),
            seen: match status.is_success() {
                true => headers,
                false => format!("{headers} {body}"),
            },
            body: serde_json::from_str(&body).unwrap_or_default(),
        }
    }
}

/// A token by the way it is to be refused, or not.
struct Tokens {
    good: String,
    /// With what is wrong.
    refused: Vec<(&'static str, String)>,
}

impl Traffic {
    pub fn new(url: &str, issuer: TestIssuer) -> Self {
        let mut secrets = Secrets::default();
        for planted in PLANTED {
            secrets.add(planted);
        }
        Self {
            url: url.to_owned(),
            client: super::process::client(),
            issuer,
            secrets,
            answers: Vec::new(),
        }
    }

    pub fn claims(&self) -> Value {
        let mut claims = self.issuer.claims(SUBJECT);
        claims["email"] = json!("leak-mail-7c1@example.com");
        claims["name"] = json!("Ada leak-name-d44 Lovelace");
        claims["image"] = json!("https://cdn.example.com/leak-image-e31.png");
        claims
    }

    /// A token with other claims.
    fn token(&self, changes: Value) -> String {
        let mut claims = self.claims();
        let changes = changes.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(changes);
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| *value != json!("absent"));
        self.issuer.sign(&claims)
    }

    /// A token with another header.
    fn headed(&self, changes: Value) -> String {
        let mut header = self.issuer.key().header();
        let changes = changes.as_object().unwrap().clone();
        header.as_object_mut().unwrap().extend(changes);
        let claims = self.claims().to_string();
        self.issuer.key().sign(header.to_string(), claims)
    }

    fn tokens(&mut self) -> Tokens {
        let good = self.token(json!({}));
        let mut tampered = good.clone();
        let at = tampered.len() - 60;
        let swapped = if &tampered[at..=at] == "A" { "B" } else { "A" };
        tampered.replace_range(at..=at, swapped);
        let other = SigningKey::generate(self.issuer.key().id(), Algorithm::EdDsa);
        let forged = other.sign(other.header().to_string(), self.claims().to_string());
        let large = self.token(json!({"bio": "leak-claim-610 ".repeat(2000)}));
        let session = "koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8";
        let signed_session = format!("{session}.Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm8=");
        let cut = good[..good.len() - 7].to_owned();
        let (header, rest) = good.split_once('.').unwrap();
        let refused = vec![
            ("token_expired", self.token(json!({"exp": 1_000_000_000}))),
            (
                "token_not_yet_valid",
                self.token(json!({"nbf": 9_999_999_999_u64})),
            ),
            (
                "token_issued_in_future",
                self.token(json!({"iat": 9_999_999_999_u64})),
            ),
            (
                "claim_invalid",
                self.token(json!({"exp": "leak-claim-610"})),
            ),
            ("claim_missing", self.token(json!({"sub": "absent"}))),
            (
                "issuer_mismatch",
                self.token(json!({"iss": "https://leak-claim-610.example"})),
            ),
            (
                "audience_mismatch",
                self.token(json!({"aud": ["leak-claim-610"]})),
            ),
            (
                "dpop",
                self.token(json!({"cnf": {"jkt": "leak-claim-610"}})),
            ),
            ("client", self.token(json!({"azp": SUBJECT}))),
            ("signature", tampered),
            ("signature", forged),
            ("cut", cut),
            ("too_large", large),
            ("session", session.to_owned()),
            ("session", signed_session),
            ("jwe", format!("{good}.{}", rest.replace('.', "_"))),
            ("padding", format!("{header}=.{rest}")),
            ("kid", self.headed(json!({"kid": "leak-kid-c58"}))),
            ("kid", self.headed(json!({"kid": {"leak-kid-c58": 1}}))),
            ("alg", self.headed(json!({"alg": "leak-kid-c58"}))),
            ("alg", self.headed(json!({"alg": "none"}))),
            ("alg", self.headed(json!({"alg": "HS256"}))),
            ("typ", self.headed(json!({"typ": "leak-kid-c58"}))),
            (
                "crit",
                self.headed(json!({"crit": ["leak-kid-c58"], "leak-kid-c58": 1})),
            ),
            (
                "jku",
                self.headed(
                    json!({"jku": "https://leak-jku-2fe.example/jwks", "kid": "leak-kid-c58"}),
                ),
            ),
        ];
        for (_, token) in &refused {
            self.secrets.add_token(token);
        }
        self.secrets.add_token(&good);
        Tokens { good, refused }
    }

    fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let call = self.client.request(method, format!("{}{path}", self.url));
        // What comes with a request whatever it asks for.
        call.header("user-agent", "leak-agent-0e2/1.0")
            .header("cookie", "better-auth.session_token=leak-cookie-c11")
            .header("referer", "https://app.example.com/?for=leak-referer-9f7")
            .header("x-forwarded-for", "leak-address-4b6")
            .header("forwarded", "for=leak-address-4b6")
            .header("origin", "https://leak-origin-d08.example")
            .header("baggage", "user.id=leak-baggage-f50")
            .header("x-leak-header-68f", "leak-header-68f")
    }

    /// Sends it and keeps what must hold nothing.
    async fn send(&mut self, call: RequestBuilder) -> Answer {
        let answer = Answer::to(call).await;
        self.answers.push(answer.seen.clone());
        answer
    }

    async fn expect(&mut self, status: u16, call: RequestBuilder) -> Answer {
        let answer = self.send(call).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        answer
    }

    /// What goes well, with every operation.
    pub async fn good(&mut self) {
        let good = self.tokens().good;
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let call = |traffic: &Self, method: &str, path: &str| {
            let call = traffic.call(method, path).bearer_auth(&good);
            call.header("traceparent", &parent)
                .header("tracestate", format!("vendor={TRACE_STATE}"))
        };
        let title = |title: &str| json!({"title": format!("Ask {title} about Äpfel")});
        // Twice: remembered the second time.
        for _ in 0..2 {
            self.expect(200, call(self, "GET", "/api/me")).await;
        }
        let create = call(self, "POST", "/api/tasks").json(&title("leak-title-5d2"));
        let task = self.expect(201, create).await.location.unwrap();
        for _ in 0..2 {
            let create = call(self, "POST", "/api/tasks").json(&title("leak-title-5d2"));
            self.expect(201, create).await;
        }
        self.expect(200, call(self, "GET", &task)).await;
        let change = call(self, "PATCH", &task).json(&json!({"title": "now leak-title-5d2"}));
        self.expect(200, change).await;
        let stale = call(self, "PATCH", &task).header("if-match", "\"7\"");
        self.expect(412, stale.json(&json!({"completed": true})))
            .await;
        let odd = call(self, "PATCH", &task).header("if-match", "leak-tag-b41");
        self.expect(400, odd.json(&json!({"completed": true})))
            .await;
        let other = call(self, "PATCH", &task).header("if-match", "\"leak-tag-b41\"");
        self.expect(412, other.json(&json!({"completed": true})))
            .await;
        let list = call(
            self,
            "GET",
            "/api/tasks?limit=1&q=leak-title-5d2&completed=false",
        );
        let page = self.expect(200, list).await.body;
        let cursor = page["nextCursor"].as_str().unwrap();
        let next = call(
            self,
            "GET",
            &format!("/api/tasks?q=leak-search-81b&cursor={cursor}"),
        );
        self.expect(200, next).await;
        self.expect(204, call(self, "DELETE", &task)).await;
        self.expect(404, call(self, "DELETE", &task)).await;
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs"] {
            self.expect(200, call(self, "GET", path)).await;
        }
    }

    /// Every kind of refusal.
    pub async fn refused(&mut self) {
        let Tokens { good, refused } = self.tokens();
        // Credentials.
        for (kind, token) in &refused {
            for path in ["/api/me", "/api/tasks?q=leak-search-81b"] {
                let call = self.call("GET", path).bearer_auth(token);
                let Answer { status, body, .. } = self.send(call).await;
                assert!((401..=403).contains(&status), "{kind}: {status} {body}");
            }
        }
        let twice = self
            .call("GET", "/api/me")
            .bearer_auth(&good)
            .bearer_auth(&good);
        self.expect(400, twice).await;
        for (status, authorization) in [
            (401, "Basic leak-basic-77c".to_owned()),
            (401, format!("DPoP {good}")),
            (401, format!("leak-basic-77c {good}")),
            (400, format!("Bearer {good}, Bearer {good}")),
            (400, format!("Bearer {good} leak-basic-77c")),
            (400, "Bearer".to_owned()),
            (400, good.clone()),
        ] {
            let call = self
                .call("GET", "/api/me")
                .header("authorization", &authorization);
            self.expect(status, call).await;
        }
        let cookie = self
            .call("GET", "/api/me")
            .header("cookie", format!("token={good}"));
        self.expect(401, cookie).await;
        self.expect(401, self.call("GET", "/api/me")).await;

        // Paths, queries, parameters.
        for (status, method, path) in [
            (400, "GET", format!("/api/me?access_token={good}")),
            (
                400,
                "GET",
                "/api/tasks?leak-parameter-b9d=leak-query-f12".to_owned(),
            ),
            (400, "GET", "/api/tasks?limit=leak-query-f12".to_owned()),
            (400, "GET", "/api/tasks?completed=leak-query-f12".to_owned()),
            (400, "GET", "/api/tasks?q=leak-search-81b%0a".to_owned()),
            (400, "GET", "/api/tasks?q=%leak-search-81b".to_owned()),
            (
                400,
                "GET",
                "/api/tasks?q=leak-search-81b&q=leak-search-81b".to_owned(),
            ),
            (
                400,
                "GET",
                format!("/api/tasks?q={}", "leak-search-81b".repeat(20)),
            ),
            (400, "GET", "/api/tasks?cursor=leak-cursor-3c8".to_owned()),
            (400, "GET", format!("/api/tasks?cursor={}", &good[..40])),
            (400, "GET", "/api/tasks/leak-path-a07".to_owned()),
            (400, "GET", format!("/api/tasks/{}", &good[..60])),
            (
                404,
                "DELETE",
                "/api/tasks/0198c0de-0000-7000-8000-000000000000".to_owned(),
            ),
            (
                404,
                "GET",
                "/users/leak-path-a07@example.com?q=leak-query-f12".to_owned(),
            ),
            (404, "GET", format!("/api/{good}")),
            (404, "GET", "/docs/leak-path-a07.js".to_owned()),
            (404, "GET", "/%6ceak-path-a07".to_owned()),
            (405, "PUT", "/api/tasks?q=leak-query-f12".to_owned()),
            (405, "LEAK-METHOD-E9E", "/api/me".to_owned()),
            (404, "LEAK-METHOD-E9E", "/leak-path-a07".to_owned()),
        ] {
            let call = self.call(method, &path).bearer_auth(&good);
            self.expect(status, call).await;
        }
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs"] {
            let call = self.call("GET", &format!("{path}?q=leak-query-f12"));
            self.send(call).await;
        }

        // Bodies.
        let long = "leak-title-5d2".repeat(20);
        for (status, content_type, body) in [
            (400, "application/json", json!({"title": long}).to_string()),
            (
                400,
                "application/json",
                json!({"title": "leak-title-5d2\n"}).to_string(),
            ),
            (
                400,
                "application/json",
                json!({"title": ["leak-title-5d2"]}).to_string(),
            ),
            (
                400,
                "application/json",
                json!({"title": "a", "completed": "leak-value-a5a"}).to_string(),
            ),
            (
                400,
                "application/json",
                json!({"title": "a", "leak-member-33e": "leak-value-a5a"}).to_string(),
            ),
            (
                400,
                "application/json",
                r#"{"title":"leak-title-5d2","title":"leak-title-5d2"}"#.to_owned(),
            ),
            (
                400,
                "application/json",
                r#"{"title":"leak-title-5d2"#.to_owned(),
            ),
            (
                400,
                "application/json",
                r#"{"title":leak-title-5d2}"#.to_owned(),
            ),
            (400, "application/json", r#"["leak-title-5d2"]"#.to_owned()),
            (400, "application/json", format!("{{\"title\":\"{good}\"")),
            (415, "text/leak-type-71d", "leak-title-5d2".to_owned()),
            (415, "leak-type-71d", "leak-title-5d2".to_owned()),
        ] {
            let call = self.call("POST", "/api/tasks").bearer_auth(&good);
            let call = call.header("content-type", content_type).body(body.clone());
            self.expect(status, call).await;
        }
        let preflight = self.call("OPTIONS", "/api/tasks");
        let preflight = preflight.header("access-control-request-method", "LEAK-METHOD-E9E");
        let preflight = preflight.header("access-control-request-headers", "x-leak-header-68f");
        self.send(preflight).await;
        for (parent, state) in [
            ("leak-baggage-f50", "leak-baggage-f50"),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "leak-baggage-f50 leak-baggage-f50",
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-leak-baggage-f50",
                "",
            ),
        ] {
            let call = self.call("GET", "/api/me").bearer_auth(&good);
            self.expect(
                200,
                call.header("traceparent", parent)
                    .header("tracestate", state),
            )
            .await;
        }
    }

    /// What is no HTTP, or nearly.
    pub async fn garbled(&mut self) {
        let good = self.tokens().good;
        let mut exchanges = JoinSet::new();
        for head in [
            format!("{good}\r\n\r\n"),
            format!("{good} / HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET {good} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET /api/me HTTP/1.1\r\nhost: x\r\n{good}\r\n\r\n"),
            format!("GET /api/me HTTP/1.1\r\nhost: x\r\n{good}: {good}\r\n\r\n"),
            format!("GET /api/me HTTP/1.1\r\nhost: x\r\nauthorization : Bearer {good}\r\n\r\n"),
            format!("GET /api/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {good}\0\r\n\r\n"),
            format!("GET /api/me HTTP/1.1\r\nhost: x\r\ncontent-length: {good}\r\n\r\n"),
            format!("GET /api/me HTTP/1.1\r\nhost: x\r\ntransfer-encoding: {good}\r\n\r\n"),
            format!(
                "POST /api/tasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {good}\r\ntransfer-encoding: chunked\r\n\r\n{good}\r\n"
            ),
            format!(
                "POST /api/tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {good}\r\ncontent-length: 900\r\n\r\n{{\"title\":\"leak-title-5d2"
            ),
            format!(
                "GET /api/me HTTP/1.1\r\nhost: leak-host-13b\r\nauthorization: Bearer {good}\r\n\r\n"
            ),
            format!(
                "GET http://leak-host-13b/api/me HTTP/1.1\r\nhost: leak-host-13b\r\nauthorization: Bearer {good}\r\n\r\n"
            ),
            format!(
                "CONNECT leak-host-13b:443 HTTP/1.1\r\nhost: leak-host-13b\r\nauthorization: Bearer {good}\r\n\r\n"
            ),
            "GET /api/me HTTP/1.1\r\nhost: x\r\nupgrade: leak-host-13b\r\nconnection: upgrade, leak-host-13b\r\n\r\n".to_owned(),
            "GET /api/me HTTP/1.1\r\nhost: x\r\nexpect: leak-host-13b\r\n\r\n".to_owned(),
            "GET /leak-path-a07\u{e9} HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
            "GET /api/me HTTP/leak-path-a07\r\n\r\n".to_owned(),
            format!(
                "GET /api/me HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
                "leak-header-68f".repeat(6000)
            ),
            format!(
                "GET /api/me HTTP/1.1\r\nhost: x\r\n{}: x\r\n\r\n",
                "leak-header-68f".repeat(6000)
            ),
            format!(
                "GET /api/me HTTP/1.1\r\nhost: x\r\n{}\r\n",
                "leak-header-68f: leak-header-68f\r\n".repeat(200)
            ),
        ] {
            exchanges.spawn(exchange(self.url.clone(), head.into_bytes()));
        }
        for field in [
            (":path", "/leak-path-a07\u{e9} x"),
            (":path", &format!("/{good} {good}")),
            (":path", ""),
            (":authority", "leak-host-13b leak-host-13b"),
            (":scheme", "leak-host-13b:"),
            (":method", "LEAK METHOD-E9E leak-method-e9e"),
            (":method", "LEAK-METHOD-E9E"),
            (":protocol", "leak-host-13b"),
            (":leak-header-68f", "leak-header-68f"),
            ("te", "leak-header-68f"),
            ("te", &good),
            ("Leak-Header-68f", "upper"),
            ("connection", "leak-header-68f"),
            ("x", "leak-header-68f\nleak-header-68f"),
            ("content-length", "leak-header-68f"),
            ("authorization", &format!("Bearer {good}\0")),
            ("authorization", &format!("Bearer {good} {good}")),
        ] {
            let request = http2::request(field, None);
            exchanges.spawn(exchange(self.url.clone(), request));
        }
        let goodbye = http2::request(("te", "trailers"), Some("leak-words-2a9"));
        exchanges.spawn(exchange(self.url.clone(), goodbye));
        self.answers.extend(exchanges.join_all().await);
    }

    /// Writes that the database refuses.
    pub async fn writes_refused(&mut self) {
        let good = self.tokens().good;
        let create = self.call("POST", "/api/tasks").bearer_auth(&good);
        let create = create.json(&json!({"title": "leak-title-5d2"}));
        self.expect(500, create).await;
    }

    /// Until a good token is accepted.
    pub async fn recovered(&mut self) {
        let good = self.tokens().good;
        let began = std::time::Instant::now();
        loop {
            let call = self.call("GET", "/api/me").bearer_auth(&good);
            if self.send(call).await.status == 200 {
                return;
            }
            assert!(
                began.elapsed() < super::process::PATIENCE,
                "it does not recover"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Requests that need what is away now: the database, or a key. Each a 503 or a 500.
    pub async fn failing(&mut self, with: Failing) {
        let good = self.tokens().good;
        let calls = match with {
            Failing::Database => {
                let task = "/api/tasks/0198c0de-0000-7000-8000-000000000000";
                let new = json!({"title": "leak-title-5d2"});
                vec![
                    self.call("GET", "/api/tasks?q=leak-search-81b"),
                    self.call("POST", "/api/tasks").json(&new),
                    self.call("GET", task),
                    self.call("PATCH", task).json(&new),
                    self.call("DELETE", task),
                ]
            }
            Failing::Keys => vec![
                self.call("GET", "/api/me"),
                self.call("GET", "/api/tasks?q=leak-search-81b"),
            ],
        };
        // At the same time: each waits for a database that is away.
        let calls = calls.into_iter();
        let calls = calls.map(|call| Answer::to(call.bearer_auth(&good)));
        for answer in calls.collect::<JoinSet<_>>().join_all().await {
            assert!(answer.status >= 500, "{}", answer.body);
            self.answers.push(answer.seen);
        }
        let ready = self.call("GET", "/readyz");
        self.send(ready).await;
    }
}

#[derive(Clone, Copy)]
pub enum Failing {
    Database,
    Keys,
}
