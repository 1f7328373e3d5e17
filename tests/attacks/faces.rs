//! The three faces that a token can meet: the library, the Tower layer, the service.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use keyward::service::api::{ApiState, app};
use keyward::service::http::{HttpOptions, stack};
use keyward::service::server::{ServerLimits, serve};
use keyward::service::store::{DatabaseUrl, TaskStore};
use keyward::tower::BearerAuthLayer;
use keyward::{Clock, KeySet, KeySource, PROBLEM_JSON, Policy, Principal, Rejection, Verifier};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::{Layer, ServiceExt, service_fn};

use crate::lab::{self, ISSUER, NOW};

const PATIENCE: Duration = Duration::from_secs(60);

/// The time of the lab.
#[derive(Debug)]
pub struct LabClock;

impl Clock for LabClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

pub fn policy() -> Policy {
    Policy::new([ISSUER], [ISSUER]).unwrap()
}

pub fn verifier(keys: impl Into<KeySource>) -> Verifier {
    Verifier::builder(policy(), keys).clock(LabClock).build()
}

pub fn uncached(keys: impl Into<KeySource>) -> Verifier {
    let builder = Verifier::builder(policy(), keys).clock(LabClock);
    builder.without_cache().build()
}

/// As [`verifier`], which trusts others as well.
pub fn beside(
    keys: impl Into<KeySource>,
    others: Policy,
    keys_of_others: impl Into<KeySource>,
) -> Verifier {
    let builder = Verifier::builder(policy(), keys).trust(others, keys_of_others);
    builder.unwrap().clock(LabClock).build()
}

pub fn key_set(document: &Value) -> KeySet {
    KeySet::from_json(document.to_string().as_bytes()).unwrap()
}

/// The code of a refusal, or "accepted".
pub async fn code(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token).await {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

/// Proves so many tokens that the lab's Ed25519 key gets tables.
pub async fn keep_busy(verifier: &Verifier) {
    for subject in 0..200 {
        let token = lab::with_claims(json!({"sub": subject.to_string()}));
        assert_eq!(code(verifier, &token).await, "accepted");
    }
    // They are made on a thread of their own, which ends with it.
    let is_being_made = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        threads.filter_map(Result::ok).any(|thread| {
            std::fs::read_to_string(thread.path().join("comm"))
                .is_ok_and(|name| name.trim() == "keyward-ed25519")
        })
    };
    let deadline = Instant::now() + PATIENCE;
    while is_being_made() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

/// `headers` as a request has them; `None` where there can be no such header.
pub fn header_map(headers: &[(&'static str, Vec<u8>)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(map)
}

pub fn bearer(token: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![("authorization", format!("Bearer {token}").into_bytes())]
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub challenge: Option<String>,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// What a refusal must look like: status, challenge and problem document say the same
    /// (RFC 6750 §3, RFC 9457). Gives the code, "accepted", or the status of an answer without one.
    pub fn code(&self, name: &str) -> String {
        if self.status == 200 {
            assert_eq!(self.challenge, None, "{name}");
            return "accepted".to_owned();
        }
        if self.content_type.as_deref() != Some(PROBLEM_JSON) {
            assert!(self.body.is_empty(), "{name}: {self:?}");
            return self.status.to_string();
        }
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["status"], self.status, "{name}");
        assert_eq!(
            problem["type"],
            format!("urn:keyward:problem:{code}"),
            "{name}"
        );
        let (status, error) = match &*code {
            "credentials_missing" | "authorization_scheme_unsupported" => (401, Some(None)),
            "authorization_repeated" | "authorization_malformed" => {
                (400, Some(Some("invalid_request")))
            }
            "user_required" => (403, Some(Some("insufficient_scope"))),
            "parameter_unknown" => (400, None),
            _ => (401, Some(Some("invalid_token"))),
        };
        assert_eq!(self.status, status, "{name}: {code}");
        let detail = problem["detail"].as_str().unwrap();
        let expected = error.map(|error| match error {
            None => r#"Bearer realm="keyward""#.to_owned(),
            Some(error) => {
                format!(r#"Bearer realm="keyward", error="{error}", error_description="{detail}""#)
            }
        });
        assert_eq!(self.challenge, expected, "{name}: {code}");
        code
    }
}

/// A layer around a handler that answers whoever comes through.
pub struct Tower(BearerAuthLayer);

impl Tower {
    pub fn new(verifier: Verifier) -> Self {
        Self(BearerAuthLayer::new(verifier))
    }

    pub async fn call(&self, headers: HeaderMap) -> Answer {
        async fn inner(
            request: http::Request<Full<Bytes>>,
        ) -> Result<http::Response<Full<Bytes>>, Infallible> {
            let principal = request.extensions().get::<Principal>();
            let subject = principal.expect("nobody came through without a principal");
            Ok(http::Response::new(subject.subject().to_owned().into()))
        }
        let mut request = http::Request::new(Full::default());
        *request.headers_mut() = headers;
        let service = self.0.layer(service_fn(inner));
        let response = service.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let header = |name: &str| {
            let value = parts.headers.get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let answer = Answer {
            status: parts.status.as_u16(),
            challenge: header("www-authenticate"),
            content_type: header("content-type"),
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        };
        let rejection = parts.extensions.get::<Rejection>();
        assert_eq!(rejection.is_some(), answer.status != 200);
        answer
    }
}

/// The service on a socket, with the app and the whole HTTP stack around it.
pub struct Service {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Service {
    pub async fn start(verifier: Verifier, store: TaskStore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = stack(
            app(ApiState {
                verifier,
                store,
                oauth: None,
            }),
            &HttpOptions::default(),
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, service, ServerLimits::default(), stopped).await;
        });
        Self {
            address,
            _stop: stop,
            task,
        }
    }

    /// `GET /api/me`, as bytes: nothing between here and there corrects them.
    pub async fn call(&self, query: &str, headers: &[(&'static str, Vec<u8>)]) -> Answer {
        let mut request =
            format!("GET /api/me{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
        for (name, value) in headers {
            request.extend(name.as_bytes());
            request.extend(b": ");
            request.extend(value);
            request.extend(b"\r\n");
        }
        request.extend(b"\r\n");
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that has seen enough answers before it has read all.
        let _ = stream.write_all(&request).await;
        let mut received = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut received))
            .await
            .expect("an answer in time");
        parse(&received)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn parse(received: &[u8]) -> Answer {
    let end = received
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(received)));
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let header = |wanted: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value.to_owned())
    };
    assert!(!head.contains("transfer-encoding"), "{head}");
    Answer {
        status: head[9..12].parse().unwrap(),
        challenge: header("www-authenticate"),
        content_type: header("content-type"),
        body: received[end + 4..].to_vec(),
    }
}

/// Over one key set.
pub struct Faces {
    pub verifier: Verifier,
    pub tower: Tower,
    pub service: Service,
}

/// The faces for each key set, made when they are needed: many cases share the lab's.
pub struct Services {
    store: TaskStore,
    by_keys: Mutex<BTreeMap<String, Arc<Faces>>>,
}

impl Services {
    pub async fn new() -> Self {
        let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
        let store = TaskStore::connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        Self {
            store,
            by_keys: Mutex::default(),
        }
    }

    pub async fn of(&self, keys: &Value) -> Arc<Faces> {
        let mut by_keys = self.by_keys.lock().await;
        let text = keys.to_string();
        if let Some(faces) = by_keys.get(&text) {
            return faces.clone();
        }
        let faces = Arc::new(Faces {
            verifier: verifier(key_set(keys)),
            tower: Tower::new(verifier(key_set(keys))),
            service: Service::start(verifier(key_set(keys)), self.store.clone()).await,
        });
        by_keys.insert(text, faces.clone());
        faces
    }
}
