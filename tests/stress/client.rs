//! An HTTP/1.1 client of bytes, which can misbehave, and which knows a connection that was refused
//! from a request that was not answered.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::keyward_process::{Keyward, PATIENCE};

/// An answer of the service.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case, without the status line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn is_last(&self) -> bool {
        self.header("connection") == Some("close")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found == name).then_some(value.trim())
        })
    }
}

pub fn address(keyward: &Keyward) -> SocketAddr {
    keyward.url.trim_start_matches("http://").parse().unwrap()
}

pub struct Connection(BufReader<TcpStream>);

impl From<TcpStream> for Connection {
    fn from(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }
}

impl Connection {
    pub async fn open(keyward: &Keyward) -> Self {
        Self::to(address(keyward)).await.unwrap()
    }

    /// An error if the connection is refused.
    pub async fn to(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream.into())
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref()).await
    }

    /// Closes the side that sends.
    pub async fn finish(&mut self) {
        let _ = self.0.get_mut().shutdown().await;
    }

    /// Whether the service has closed it. What came before that is lost.
    pub fn is_closed(&self) -> bool {
        let mut scratch = [0; 4096];
        loop {
            match self.0.get_ref().try_read(&mut scratch) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Ends it as a client does that crashes.
    pub fn reset(self) {
        let _ = self.0.get_ref().set_zero_linger();
    }

    /// A request and its answer.
    pub async fn call(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> io::Result<Answer> {
        self.send(request(method, path, token, body)).await?;
        self.answer().await
    }

    /// The next answer. An error if the connection ends before it does, or if it takes too long.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        self.answer_within(PATIENCE).await
    }

    pub async fn answer_within(&mut self, limit: Duration) -> io::Result<Answer> {
        timeout(limit, self.read_answer()).await?
    }

    async fn read_answer(&mut self) -> io::Result<Answer> {
        let mut status = String::new();
        self.read_line(&mut status).await?;
        let code = status
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        let status: u16 = code
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| io::Error::other(format!("no status line: {status:?}")))?;
        let mut head = String::new();
        loop {
            let before = head.len();
            self.read_line(&mut head).await?;
            if head.len() - before == 2 {
                break;
            }
        }
        let head = head.to_ascii_lowercase();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
        };
        if !matches!(status, 100 | 204) {
            let len = answer.header("content-length").expect("a length");
            answer.body = vec![0; len.parse().unwrap()];
            self.0.read_exact(&mut answer.body).await?;
        }
        Ok(answer)
    }

    async fn read_line(&mut self, line: &mut String) -> io::Result<()> {
        self.0.read_line(line).await?;
        match line.ends_with("\r\n") {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// All that comes until the service closes the connection, answered or reset.
    pub async fn until_closed(&mut self, limit: Duration) -> Vec<u8> {
        let mut received = Vec::new();
        let closed = timeout(limit, self.0.read_to_end(&mut received)).await;
        let _ = closed.expect("the service closes it");
        received
    }
}

/// A whole request.
pub fn request(method: &str, path: &str, token: &str, body: Option<&Value>) -> Vec<u8> {
    let body = body.map_or(String::new(), Value::to_string);
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
