//! An HTTP server made of raw bytes, so that it can misbehave in every way.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::{Arc, Mutex};

use keyward::HttpFetcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Respond = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// A server that answers each request with raw bytes and then closes the connection, unless the
/// bytes are empty: then it keeps the connection open and says nothing.
pub struct RawServer {
    pub url: String,
    pub paths: Arc<Mutex<Vec<String>>>,
    /// The request heads, in lower case.
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl RawServer {
    pub async fn start(respond: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (paths, heads) = (Arc::default(), Arc::default());
        let server = Self { url, paths, heads };
        let (paths, heads) = (server.paths.clone(), server.heads.clone());
        let respond: Respond = Arc::new(respond);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(
                    stream,
                    respond.clone(),
                    paths.clone(),
                    heads.clone(),
                ));
            }
        });
        server
    }

    pub fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }

    pub fn fetcher(&self) -> HttpFetcher {
        HttpFetcher::new(&format!("{}/jwks", self.url), false).unwrap()
    }
}

async fn answer(
    mut stream: TcpStream,
    respond: Respond,
    paths: Arc<Mutex<Vec<String>>>,
    heads: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    paths.lock().unwrap().push(path.clone());
    heads.lock().unwrap().push(head.to_lowercase());
    let response = respond(&path);
    if response.is_empty() {
        let _ = stream.read_u8().await; // until the client gives up
    }
    let _ = stream.write_all(&response).await;
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
