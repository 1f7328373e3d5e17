//! An HTTP server made of raw bytes, so that it can misbehave in every way.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::HttpFetcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the server does, one after the other, once it has read the head of a request. Then it
/// closes the connection.
pub type Script = Vec<Step>;

#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    /// Sends this again and again, until the client has had enough.
    Repeat(Vec<u8>),
    /// Sends a byte of this after each pause, again and again.
    Drip(Vec<u8>, Duration),
    /// Keeps the connection open and says nothing for this long.
    Pause(Duration),
    /// Cuts the connection off (RFC 9293 §3.10.7), where a close would end it in order.
    Reset,
    /// Waits for another request on this connection, and answers that.
    Next,
    /// Waits for another request on this connection, and does not answer it.
    Ignore,
}

/// Longer than any test.
pub const FOR_EVER: Duration = Duration::from_secs(60 * 60);

/// After so much of the same nothing else will come.
const ENOUGH: usize = 1000;

type Respond = Arc<dyn Fn(&str) -> Script + Send + Sync>;

/// A server on loopback. It ends with its runtime.
pub struct RawServer {
    pub url: String,
    address: SocketAddr,
    shared: Shared,
    /// The task that accepts; without one, the port is held and nobody listens.
    listening: Mutex<Listening>,
}

enum Listening {
    Task(JoinHandle<()>),
    /// Bound, so that nobody else takes the port.
    Held(TcpSocket),
    Neither,
}

#[derive(Clone)]
struct Shared {
    respond: Arc<Mutex<Respond>>,
    seen: Arc<Mutex<Seen>>,
    /// Counts the connections on which nothing is to be expected any more although they are open.
    stalled: watch::Sender<usize>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    paths: Vec<String>,
    heads: Vec<String>,
}

impl RawServer {
    /// Answers each request with raw bytes and then closes the connection, unless the bytes are
    /// empty: then it keeps the connection open and says nothing.
    pub async fn start(respond: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::scripted(move |path| answer(respond(path))).await
    }

    /// Does for each request what a script says.
    pub async fn scripted(respond: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        let server = Self::down(respond);
        server.listen();
        server
    }

    /// Nobody listens yet: connections are refused.
    pub fn down(respond: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        let socket = bind("127.0.0.1:0".parse().unwrap());
        let address = socket.local_addr().unwrap();
        Self {
            url: format!("http://{address}"),
            address,
            shared: Shared {
                respond: Arc::new(Mutex::new(Arc::new(respond))),
                seen: Arc::default(),
                stalled: watch::Sender::new(0),
            },
            listening: Mutex::new(Listening::Held(socket)),
        }
    }

    /// Begins to listen. Inside a runtime.
    pub fn listen(&self) {
        let mut listening = self.listening.lock().unwrap();
        *listening = match std::mem::replace(&mut *listening, Listening::Neither) {
            Listening::Held(socket) => {
                let listener = socket.listen(1024).unwrap();
                Listening::Task(tokio::spawn(accept(listener, self.shared.clone())))
            }
            other => other,
        };
    }

    /// Stops to listen. Connections that are open stay so.
    pub async fn go_down(&self) {
        let listening = std::mem::replace(&mut *self.listening.lock().unwrap(), Listening::Neither);
        if let Listening::Task(task) = listening {
            task.abort();
            let _ = task.await; // with its listener
        }
        *self.listening.lock().unwrap() = Listening::Held(bind(self.address));
    }

    /// Answers otherwise from now on.
    pub fn answers(&self, respond: impl Fn(&str) -> Script + Send + Sync + 'static) {
        *self.shared.respond.lock().unwrap() = Arc::new(respond);
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.seen.lock().unwrap().connections
    }

    pub fn paths(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().paths.clone()
    }

    /// The request heads, in lower case.
    pub fn heads(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().heads.clone()
    }

    /// Changes whenever a client is left to wait.
    pub fn stalls(&self) -> watch::Receiver<usize> {
        self.shared.stalled.subscribe()
    }

    pub fn fetcher(&self) -> HttpFetcher {
        HttpFetcher::new(&format!("{}/jwks", self.url), false).unwrap()
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    // Connections of the listener before may still be there.
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn accept(listener: TcpListener, shared: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.seen.lock().unwrap().connections += 1;
        tokio::spawn(serve(stream, shared.clone()));
    }
}

async fn serve(mut stream: TcpStream, shared: Shared) {
    let mut script = Vec::new().into_iter();
    let mut next = Some(Step::Next);
    while let Some(step) = next {
        let done = match step {
            Step::Next => match read_head(&mut stream).await {
                Some(head) => {
                    script = shared.script_for(head).into_iter();
                    Ok(())
                }
                None => return,
            },
            Step::Ignore => match read_head(&mut stream).await {
                Some(_) => Ok(()),
                None => return,
            },
            Step::Send(bytes) => stream.write_all(&bytes).await,
            Step::Repeat(bytes) => shared.repeat(&mut stream, &bytes).await,
            Step::Drip(bytes, pause) => shared.drip(&mut stream, &bytes, pause).await,
            Step::Pause(time) => shared.pause(&mut stream, time).await,
            Step::Reset => return stream.set_zero_linger().unwrap(),
        };
        if done.is_err() {
            return; // the client went away
        }
        next = script.next();
    }
    // A close with unread bytes would be a reset.
    let _ = stream.shutdown().await;
    let _ = tokio::time::timeout(Duration::from_secs(1), drain(&mut stream)).await;
}

/// The head of a request, or what there is of it when it turns out to be none: a TLS record begins
/// with 22 (RFC 8446 §5.1).
async fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.first() != Some(&22) {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(head)
}

async fn drain(stream: &mut TcpStream) {
    let mut sink = [0; 4096];
    while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
}

impl Shared {
    fn script_for(&self, head: Vec<u8>) -> Script {
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        {
            let mut seen = self.seen.lock().unwrap();
            seen.paths.push(path.clone());
            seen.heads.push(head.to_lowercase());
        }
        let respond = self.respond.lock().unwrap().clone();
        respond(&path)
    }

    fn stalls(&self) {
        self.stalled.send_modify(|stalled| *stalled += 1);
    }

    async fn pause(&self, stream: &mut TcpStream, time: Duration) -> std::io::Result<()> {
        self.stalls();
        match tokio::time::timeout(time, stream.read_u8()).await {
            Ok(_) => Err(std::io::ErrorKind::ConnectionAborted.into()), // the client gave up
            Err(_) => Ok(()),
        }
    }

    async fn repeat(&self, stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
        for sent in 0.. {
            if sent == ENOUGH {
                self.stalls();
            }
            stream.write_all(bytes).await?;
        }
        Ok(())
    }

    async fn drip(
        &self,
        stream: &mut TcpStream,
        bytes: &[u8],
        pause: Duration,
    ) -> std::io::Result<()> {
        self.stalls();
        for byte in bytes.iter().cycle() {
            stream.write_all(&[*byte]).await?;
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

/// Sends these bytes and closes, or, if there are none, says nothing.
pub fn answer(bytes: Vec<u8>) -> Script {
    match bytes.is_empty() {
        true => vec![Step::Pause(FOR_EVER)],
        false => vec![Step::Send(bytes)],
    }
}

pub fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut response = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    response.extend_from_slice(body);
    response
}

pub fn ok(body: &[u8]) -> Vec<u8> {
    response("200 OK", "", body)
}
