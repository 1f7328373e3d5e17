//! A reverse proxy over several replicas, with one rule: what may have reached a replica is never
//! sent again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// Takes replicas in turn and keeps connections to them. A replica that refuses a connection is
/// passed over; a kept connection that has closed before anything was written to it is replaced, by
/// hyper's client itself. Whatever goes wrong later is a 502.
#[derive(Clone)]
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    replicas: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    requests: AtomicUsize,
    passed_over: AtomicUsize,
    lost: AtomicUsize,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Proxy {
    /// Serves until the runtime ends.
    pub async fn start(replicas: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                replicas: Mutex::new(replicas),
                turn: AtomicUsize::default(),
                requests: AtomicUsize::default(),
                passed_over: AtomicUsize::default(),
                lost: AtomicUsize::default(),
                client: Client::builder(TokioExecutor::new()).build(connector),
            }),
        };
        let shared = proxy.shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let shared = shared.clone();
                let service = service_fn(move |request| {
                    let shared = shared.clone();
                    async move { shared.forward(request).await }
                });
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        proxy
    }

    /// Has these replicas from now on.
    pub fn replicas(&self, replicas: Vec<SocketAddr>) {
        *self.shared.replicas.lock().unwrap() = replicas;
    }

    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// How often a replica refused a connection, and another one was taken.
    pub fn passed_over(&self) -> usize {
        self.shared.passed_over.load(Ordering::Relaxed)
    }

    /// Requests that were sent to a replica and not answered.
    pub fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

impl Shared {
    async fn forward(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        parts.headers.remove(CONNECTION);
        let replicas = self.replicas.lock().unwrap().clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        for number in 0..replicas.len() {
            let replica = replicas[(turn + number) % replicas.len()];
            let mut uri = parts.uri.clone().into_parts();
            uri.scheme = Some(Scheme::HTTP);
            uri.authority = Some(Authority::try_from(replica.to_string()).unwrap());
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = Uri::from_parts(uri).unwrap();
            *request.headers_mut() = parts.headers.clone();
            let response = match self.client.request(request).await {
                Ok(response) => response,
                Err(error) if error.is_connect() => {
                    self.passed_over.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Err(_) => return Ok(self.lose()),
            };
            let (mut parts, body) = response.into_parts();
            parts.headers.remove(CONNECTION);
            parts.headers.remove(CONTENT_LENGTH);
            return Ok(match body.collect().await {
                Ok(body) => Response::from_parts(parts, Full::new(body.to_bytes())),
                Err(_) => self.lose(),
            });
        }
        Ok(bad_gateway())
    }

    fn lose(&self) -> Response<Full<Bytes>> {
        self.lost.fetch_add(1, Ordering::Relaxed);
        bad_gateway()
    }
}

fn bad_gateway() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
