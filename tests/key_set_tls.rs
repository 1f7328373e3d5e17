//! Key sets over TLS: whoever can answer in the auth server's place can sign in as anybody. The real
//! binary trusts one authority here (`tests/tls`), and must believe nobody else.

#[path = "support/keyward.rs"]
mod service;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyward::testing::TestIssuer;
use serde_json::Value;
use service::{Keyward, PATIENCE, client};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

/// What a server shows to whoever connects.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shows {
    Certificate(&'static str),
    /// No TLS at all.
    Plain,
}

/// An auth server that publishes a `TestIssuer`'s keys at `https://localhost`.
struct TlsServer {
    issuer: TestIssuer,
    shows: Arc<Mutex<Shows>>,
    /// Connections, and requests that came over one.
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl TlsServer {
    async fn start(shows: Shows) -> Self {
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

/// The status and the code of an answer to a good token.
async fn me(keyward: &Keyward, token: &str) -> (u16, Option<String>) {
    let request = client()
        .get(format!("{}/api/me", keyward.url))
        .bearer_auth(token);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_str().map(str::to_owned))
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nothing of such a server is believed, nothing is asked of it, and with the right certificate it is
/// found by itself.
async fn is_not_believed(shows: Shows) {
    let server = TlsServer::start(shows).await;
    let authority = file("authority.pem");
    let keyward = Keyward::serve(&[
        ("BETTER_AUTH_URL", server.issuer.url()),
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
    ])
    .await;
    let token = server.issuer.token("ada");
    let connections = || server.connections.load(Ordering::Relaxed);
    until("two attempts", async || connections() >= 2).await;
    assert_eq!(
        me(&keyward, &token).await,
        (503, Some("keys_unavailable".to_owned()))
    );
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);

    *server.shows.lock().unwrap() = Shows::Certificate("good.pem");
    until("it recovers", async || me(&keyward, &token).await.0 == 200).await;
    let (_, log) = keyward.stop().await;
    assert!(log.contains("no connection to the auth server"), "{log}");
}

macro_rules! not_believed {
    ($($name:ident: $shows:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                is_not_believed($shows).await;
            }
        )*
        const ROWS: usize = [$(stringify!($name)),*].len();
    };
}

not_believed! {
    a_certificate_that_has_expired: Shows::Certificate("expired.pem");
    a_certificate_for_another_host: Shows::Certificate("other-host.pem");
    a_certificate_that_nobody_has_signed: Shows::Certificate("self-signed.pem");
    no_certificate_but_plain_http: Shows::Plain;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_certificate_is_believed_by_those_who_trust_its_authority_alone() {
    let server = TlsServer::start(Shows::Certificate("good.pem")).await;
    let authority = file("authority.pem");
    let trusting = [
        ("BETTER_AUTH_URL", server.issuer.url()),
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
    ];
    let token = server.issuer.token("ada");
    let keyward = Keyward::serve(&trusting).await;
    assert_eq!(me(&keyward, &token).await, (200, None));

    let requests = server.requests.load(Ordering::Relaxed);
    let keyward = Keyward::serve(&trusting[..1]).await;
    assert_eq!(
        me(&keyward, &token).await,
        (503, Some("keys_unavailable".to_owned()))
    );
    assert_eq!(server.requests.load(Ordering::Relaxed), requests);
    println!("ran {} cases: key sets over TLS", ROWS + 2);
}
