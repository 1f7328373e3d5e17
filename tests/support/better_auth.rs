//! A real Better Auth server as a test's peer: `tests/better-auth/server.mjs`, run by Node.
//!
//! Each [`BetterAuth`] is a server of its own with an empty database in memory, and ends with
//! the value, or with the test process if that is killed. It listens on loopback only.
//!
//! Everything here panics with the reason instead of returning an error: a test can do no more
//! with one. It needs real time: under `start_paused` the time limits pass at once.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use reqwest::{
    Client, RequestBuilder,
    header::{COOKIE, HeaderMap, ORIGIN, SET_COOKIE},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// A cold start on a loaded CI machine; an idle one takes under a second.
const START_LIMIT: Duration = Duration::from_secs(60);

/// So that a server that hangs fails its test by name instead of stopping the whole run.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// A running Better Auth server.
pub struct BetterAuth {
    url: String,
    client: Client,
    /// Kills the server when dropped. It also holds the server's stdin, whose end is the signal
    /// that reaches the server when this process dies without dropping anything.
    _server: Arc<Child>,
}

/// A signed-in user, as a browser would remember it.
pub struct Session {
    cookie: String,
}

impl Session {
    /// A cookie as it came, percent-encoded. Some names are prefixes of others.
    pub fn cookie(&self, name: &str) -> &str {
        self.cookie
            .split("; ")
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_else(|| panic!("no cookie {name}"))
    }
}

impl BetterAuth {
    /// Starts a server with the settings that `server.mjs` lists, so that a test names only what
    /// it departs from: `json!({})` is Better Auth as it comes.
    pub async fn start(config: Value) -> Self {
        let mut started = Self::start_all(json!([config])).await;
        started.pop().expect("one was started")
    }

    /// Starts several servers, each with settings of its own, in one process.
    pub async fn start_all(configs: Value) -> Vec<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/better-auth");
        assert!(
            directory.join("node_modules").is_dir(),
            "run tests/run.sh (or npm ci in tests/better-auth) first"
        );

        let mut server = Command::new("node")
            .arg(directory.join("server.mjs"))
            .arg(configs.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run node: {error}"));
        let stdout = server.stdout.take().expect("stdout is piped");
        let urls = timeout(START_LIMIT, ready_urls(stdout))
            .await
            .unwrap_or_else(|_| panic!("Better Auth was not ready within {START_LIMIT:?}"));

        let client = Client::builder()
            .no_proxy()
            .timeout(REQUEST_LIMIT)
            // Node closes idle connections after 5 s, and a request sent on one then fails.
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client without certificates of its own can be built");

        let server = Arc::new(server);
        let of = |url| Self {
            url,
            client: client.clone(),
            _server: server.clone(),
        };
        urls.into_iter().map(of).collect()
    }

    /// The base URL, which is also the issuer and the audience where the test set no other.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes a user and signs them in, because only a session can ask for a token.
    pub async fn sign_up(&self, name: &str, email: &str) -> Session {
        let user = json!({ "name": name, "email": email, "password": "correct horse battery" });
        let request = self
            .post("/api/auth/sign-up/email")
            // Better Auth refuses a sign-up that no page of its own could have sent.
            .header(ORIGIN, &self.url)
            .json(&user);
        let (headers, _) = answer(request).await;
        Session {
            cookie: cookies(&headers),
        }
    }

    /// Asks for a token the way a frontend does, so that it carries exactly the claims and the
    /// header that Better Auth gives it.
    pub async fn token(&self, session: &Session) -> String {
        let request = self.get("/api/auth/token").header(COOKIE, &session.cookie);
        token_in(answer(request).await)
    }

    /// Expires the signing key as a rotation does: the next token is signed by a new key, which
    /// the key set does not show before that, and the old key stays published.
    pub async fn rotate(&self) {
        answer(self.post("/__test/rotate")).await;
    }

    /// Deletes every key, as one does after a leak: tokens already issued must stop verifying,
    /// and whoever next asks for a token or for the key set makes a new key.
    pub async fn drop_keys(&self) {
        answer(self.post("/__test/drop-keys")).await;
    }

    /// Signs claims that `/api/auth/token` would not give, with the real key, for tests in which
    /// one claim must be refused although the signature is good. A claim that is null is left
    /// out; `sub`, `iat`, `exp`, `iss` and `aud` are sound unless overridden (a null `exp`, `iss`
    /// or `aud` falls back to Better Auth's default).
    pub async fn sign(&self, overrides: Value) -> String {
        token_in(answer(self.post("/__test/sign").json(&overrides)).await)
    }

    /// Every kind of token that Better Auth issues as an OAuth 2.1 provider, for `resource` where
    /// it asks for one. The server must have been started with `oauth`.
    pub async fn oauth_tokens(&self, resource: &str) -> Value {
        let request = self.post("/__test/oauth");
        answer(request.json(&json!({ "resource": resource })))
            .await
            .1
    }

    /// How often anyone has asked for the key set: what a test of caching counts.
    pub async fn jwks_requests(&self) -> u64 {
        let (_, stats) = answer(self.get("/__test/stats")).await;
        stats["jwksRequests"]
            .as_u64()
            .unwrap_or_else(|| panic!("no jwksRequests in {stats}"))
    }

    /// Every request that came, but for those of tests: method, URL, headers and body.
    pub async fn requests(&self) -> Value {
        answer(self.get("/__test/requests")).await.1
    }

    /// Rotates until there are more keys than Better Auth publishes: a token of the newest.
    pub async fn exceed_hundred_keys(&self) -> String {
        token_in(answer(self.post("/__test/hundred")).await)
    }

    /// Publishes one more key, under an algorithm that is not its own.
    pub async fn mislabel_a_key(&self) {
        answer(self.post("/__test/mislabel")).await;
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }
}

/// Waits for the line that `server.mjs` prints once it serves.
async fn ready_urls(stdout: ChildStdout) -> Vec<String> {
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .await
        .expect("the server's stdout is readable");
    assert!(
        !line.is_empty(),
        "Better Auth did not start; its reason is on stderr"
    );
    let ready: Vec<Value> =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
    ready
        .iter()
        .map(|server| string_in(server, "url"))
        .collect()
}

/// Sends, and insists on success here, so that a refusal is reported where it happened and not
/// as a missing field later.
async fn answer(request: RequestBuilder) -> (HeaderMap, Value) {
    let response = request
        .send()
        .await
        .unwrap_or_else(|error| panic!("Better Auth gave no answer: {error:?}"));
    let (url, status) = (response.url().clone(), response.status());
    let headers = response.headers().clone();
    let body = response
        .text()
        .await
        .unwrap_or_else(|error| panic!("{url} broke off: {error:?}"));
    assert!(status.is_success(), "{url} answered {status}: {body}");
    let body = serde_json::from_str(&body)
        .unwrap_or_else(|error| panic!("{url} answered no JSON ({error}): {body}"));
    (headers, body)
}

fn token_in((_, body): (HeaderMap, Value)) -> String {
    string_in(&body, "token")
}

fn string_in(object: &Value, member: &str) -> String {
    object[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {object}"))
        .to_owned()
}

/// The `Cookie` header a browser would answer with: the pairs without their attributes.
fn cookies(headers: &HeaderMap) -> String {
    let pairs: Vec<_> = headers
        .get_all(SET_COOKIE)
        .iter()
        .map(|cookie| cookie.to_str().expect("Better Auth's cookies are ASCII"))
        .map(|cookie| cookie.split(';').next().unwrap_or(cookie))
        .collect();
    pairs.join("; ")
}
