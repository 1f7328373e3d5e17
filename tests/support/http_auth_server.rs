//! An auth server over HTTP: publishes a `TestIssuer`'s keys, and remembers who asked.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use keyward::testing::TestIssuer;
use tokio::net::TcpListener;

#[derive(Clone)]
pub struct HttpAuthServer {
    pub url: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    document: Vec<u8>,
    status: StatusCode,
    delay: Duration,
    requests: Vec<HeaderMap>,
}

impl HttpAuthServer {
    /// Serves the keys of an issuer with this server's URL for as long as the runtime runs.
    pub async fn start() -> (Self, TestIssuer) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = TestIssuer::new(&*url);
        let shared = Arc::new(Mutex::new(Shared {
            document: issuer.key_set_json(),
            status: StatusCode::OK,
            delay: Duration::ZERO,
            requests: Vec::new(),
        }));
        let app = Router::new()
            .route("/api/auth/jwks", get(jwks))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (Self { url, shared }, issuer)
    }

    pub fn publishes(&self, issuer: &TestIssuer) {
        self.shared.lock().unwrap().document = issuer.key_set_json();
    }

    /// Answers with this status from now on.
    pub fn answers(&self, status: u16) {
        self.shared.lock().unwrap().status = StatusCode::from_u16(status).unwrap();
    }

    /// Takes this long from now on.
    pub fn takes(&self, delay: Duration) {
        self.shared.lock().unwrap().delay = delay;
    }

    /// The headers of each request so far.
    pub fn requests(&self) -> Vec<HeaderMap> {
        self.shared.lock().unwrap().requests.clone()
    }
}

async fn jwks(
    State(shared): State<Arc<Mutex<Shared>>>,
    headers: HeaderMap,
) -> (StatusCode, Vec<u8>) {
    let delay = {
        let mut shared = shared.lock().unwrap();
        shared.requests.push(headers);
        shared.delay
    };
    tokio::time::sleep(delay).await;
    let shared = shared.lock().unwrap();
    (shared.status, shared.document.clone())
}
