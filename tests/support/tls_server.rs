//! An auth server over TLS, with certificates of `tests/tls`, of which one authority's is to be trusted.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keyward::testing::TestIssuer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A file of `tests/tls`.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

/// What a server shows to whoever connects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shows {
    Certificate(&'static str),
    /// No TLS at all.
    Plain,
}

/// An auth server that publishes a `TestIssuer`'s keys at `https://localhost`.
pub struct TlsServer {
    pub issuer: TestIssuer,
    pub shows: Arc<Mutex<Shows>>,
    /// Connections, and requests that came over one.
    pub connections: Arc<AtomicUsize>,
    pub requests: Arc<AtomicUsize>,
}

impl TlsServer {
    pub async fn start(shows: Shows) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let server = Self {
            issuer: TestIssuer::new(url),
            shows: Arc::new(Mutex::new(shows)),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (shows, connections) = (server.shows.clone(), server.connections.clone());
        let (requests, keys) = (server.requests.clone(), server.issuer.key_set_json());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shows = *shows.lock().unwrap();
                let (requests, keys) = (requests.clone(), keys.clone());
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    match shows {
                        Shows::Plain => answer(stream, &requests, &keys).await,
                        Shows::Certificate(name) => {
                            if let Ok(stream) = handshake(stream, name).await {
                                answer(stream, &requests, &keys).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }
}

async fn handshake(
    stream: TcpStream,
    name: &str,
) -> std::io::Result<impl AsyncRead + AsyncWrite + Unpin> {
    let certificate = CertificateDer::from_pem_file(file(name)).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config)).accept(stream).await
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    requests: &AtomicUsize,
    keys: &[u8],
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            // A TLS record (RFC 8446 §5.1): answered as a server does that speaks HTTP alone.
            Ok(22) if head.is_empty() => break,
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    if !head.is_empty() {
        requests.fetch_add(1, Ordering::Relaxed);
    }
    let start = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", keys.len());
    let _ = stream.write_all(&[start.as_bytes(), keys].concat()).await;
    let _ = stream.shutdown().await;
}
