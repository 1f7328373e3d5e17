//! The test issuer over HTTP, for programs that are to be tested as they run.
//!
//! A thread with a listener of the standard library, one more per connection, one answer each: it
//! needs no crate, no runtime, and none of Tokio's clocks, so that it works in any test.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;

use super::issuer::{Outage, TestIssuer};

/// The user that tokens are for unless `?user=` names another.
const DEFAULT_USER: &str = "dev-user";

/// A caller that does not finish its request, or does not read the answer, is let go after this.
const PATIENCE: Duration = Duration::from_secs(5);

/// A silent server keeps a caller waiting for no longer than this.
const SILENCE: Duration = Duration::from_secs(60);

/// No client's request for a key set is longer.
const MAX_HEAD_LEN: usize = 16 * 1024;

/// A [`TestIssuer`] at Better Auth's own paths on a free port of 127.0.0.1, until it is dropped.
/// Dereferences to the issuer, whose URL is the server's.
///
/// | path | answer |
/// | --- | --- |
/// | `/api/auth/jwks` | the key set |
/// | `/api/auth/token?user=ada` | `{"token": "…"}` for a user; `role` and `scope` are taken as well |
///
/// It gives a token to whoever asks, so it answers only requests that are addressed to a loopback
/// host: a web page whose name was made to resolve to this machine gets a 421.
///
/// ```
/// use keyward::testing::TestServer;
///
/// let server = TestServer::start()?;
/// // What the program under test gets as its BETTER_AUTH_URL:
/// assert!(server.url().starts_with("http://127.0.0.1:"));
/// // What its callers send:
/// let authorization = server.user("ada").role("admin").bearer();
/// # assert!(authorization.starts_with("Bearer "));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TestServer {
    issuer: TestIssuer,
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Listens on a free port, with one EdDSA key.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let issuer = TestIssuer::new(format!("http://{address}"));
        let stopped = Arc::new(AtomicBool::new(false));
        let acceptor = thread::Builder::new()
            .name("test-issuer".to_owned())
            .spawn({
                let (issuer, stopped) = (issuer.clone(), stopped.clone());
                move || accept(&listener, &issuer, &stopped)
            })?;
        Ok(Self {
            issuer,
            address,
            stopped,
            acceptor: Some(acceptor),
        })
    }

    /// The issuer behind it.
    pub fn issuer(&self) -> &TestIssuer {
        &self.issuer
    }
}

impl Deref for TestServer {
    type Target = TestIssuer;

    fn deref(&self) -> &TestIssuer {
        &self.issuer
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // The acceptor waits for a connection; this is one.
        if TcpStream::connect_timeout(&self.address, PATIENCE).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, issuer: &TestIssuer, stopped: &AtomicBool) {
    for stream in listener.incoming() {
        if stopped.load(Ordering::Acquire) {
            return;
        }
        match stream {
            Ok(stream) => {
                let issuer = issuer.clone();
                // Without a thread there is no answer: the connection is closed.
                let _ = thread::Builder::new().spawn(move || serve(stream, &issuer));
            }
            // Too many files are open, or the like: it passes, and must not be waited for busily.
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Reads one request and answers it. Whoever breaks off is left alone.
fn serve(mut stream: TcpStream, issuer: &TestIssuer) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let head = read_head(&mut stream)?;
    let answer = match issuer.outage() {
        None => respond(&head, issuer),
        Some(Outage::Unreachable) => return None,
        Some(Outage::Silent) => {
            stream.set_read_timeout(Some(SILENCE)).ok()?;
            let _ = stream.read(&mut [0]);
            return None;
        }
        Some(Outage::Status(status)) => Answer::status(status),
        Some(Outage::RateLimited { retry_after }) => Answer {
            retry_after: Some(retry_after.as_secs()),
            ..Answer::status(429)
        },
    };
    stream.write_all(&answer.to_http()).ok()?;
    stream.flush().ok()
}

/// The request up to the empty line.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        head.extend_from_slice(&buffer[..read]);
        if head.len() > MAX_HEAD_LEN {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: Vec<u8>,
}

impl Answer {
    fn status(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            body: b"{}".to_vec(),
        }
    }

    fn to_http(&self) -> Vec<u8> {
        let retry_after = self.retry_after.map_or(String::new(), |seconds| {
            format!("x-retry-after: {seconds}\r\n")
        });
        let mut answer = format!(
            "HTTP/1.1 {} Test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry_after}connection: close\r\n\r\n",
            self.status,
            self.body.len(),
        )
        .into_bytes();
        answer.extend_from_slice(&self.body);
        answer
    }
}

fn respond(head: &str, issuer: &TestIssuer) -> Answer {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    if !host.is_some_and(is_loopback) {
        return Answer::status(421);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = match path {
        "/api/auth/jwks" if method == Some("GET") => issuer.key_set_json(),
        "/api/auth/token" if method == Some("GET") => token_json(issuer, query),
        _ => return Answer::status(404),
    };
    Answer {
        body,
        ..Answer::status(200)
    }
}

/// What `/api/auth/token` answers. A value of the query that is not made of letters, digits and
/// `-_.:,` is taken for none.
pub(crate) fn token_json(issuer: &TestIssuer, query: &str) -> Vec<u8> {
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter_map(|(key, value)| (key == name).then_some(value));
        values.next().filter(|value| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:,".contains(&byte);
            !value.is_empty() && value.bytes().all(allowed)
        })
    };
    let mut token = issuer.user(value("user").unwrap_or(DEFAULT_USER));
    for name in ["role", "scope"] {
        if let Some(value) = value(name) {
            token = token.claim(name, value);
        }
    }
    json!({ "token": token.token() }).to_string().into_bytes()
}

/// Whether a Host header (RFC 9110 §7.2) names a loopback address. A web page that a browser has
/// open can have its own host name resolve to this machine (DNS rebinding) and would then read
/// tokens as its own. Its requests still name that host.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost"
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
