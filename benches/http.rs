//! What a request costs the server: processor time of the real `keyward serve` for each request,
//! beside a Poem server that answers the same JSON without authentication.
//!
//! Requests a second would not tell: the load comes from the same machine. Each server is a process
//! of its own, asked over 64 kept-alive connections, in turns of a second and a half.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward::Algorithm;
use keyward::testing::SigningKey;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, OpenApiService};
use support::paired::median;
use support::{is_wanted, record, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const TURN: Duration = Duration::from_millis(1500);
const ROUNDS: usize = 7;

/// Set for the process that is the Poem server.
const POEM: &str = "KEYWARD_BENCH_POEM";

fn main() {
    let runtime = |threads| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .expect("a runtime")
    };
    if std::env::var_os(POEM).is_some() {
        runtime(1).block_on(serve_poem());
        return;
    }
    record::begin();
    runtime(1).block_on(compare());
    support::table::print();
}

/// What is asked of a server, and how often it was.
struct Contender {
    name: &'static str,
    server: usize,
    requests: Arc<[Vec<u8>]>,
    status: u16,
    ns: Vec<f64>,
    ratios: Vec<f64>,
}

async fn compare() {
    let key = token::key(Algorithm::EdDsa);
    let keys = serde_json::json!({ "keys": [key.public_jwk()] }).to_string();
    let jwks = serve_document(keys).await;
    let folder = tempfile::tempdir().expect("a folder");
    let keyward = |log: &str, name: &str, telemetry: &[(&str, &str)]| {
        let database = format!("sqlite://{}/{name}.db", folder.path().display());
        let jwks = format!("http://{jwks}/jwks");
        let mut variables = vec![
            ("BETTER_AUTH_URL", token::URL),
            ("JWKS_URL", &jwks),
            ("DATABASE_URL", &database),
            ("RUST_LOG", log),
        ];
        variables.extend(telemetry);
        Server::keyward(&variables)
    };
    // Nobody listens there: spans are made and put into the queue, and dropped from it.
    let exporter = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let servers = [
        Server::poem(),
        keyward("off", "quiet", &[]),
        keyward("info", "logging", &[]),
        keyward(
            "off",
            "unsampled",
            &[
                exporter,
                ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
                ("OTEL_METRICS_EXPORTER", "none"),
            ],
        ),
        keyward(
            "off",
            "observed",
            &[exporter, ("METRICS_ADDR", "127.0.0.1:0")],
        ),
    ];
    let good = token::token(&key);
    let many: Vec<String> = (0..1000)
        .map(|number| token::sign(&key, &token::payload(&token::subject(number))))
        .collect();
    let forged = token::token(&SigningKey::generate(key.id(), Algorithm::EdDsa));
    let get = |path: &str, token: Option<&str>| {
        let authorization = token.map_or_else(String::new, |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{authorization}\r\n").into_bytes()
    };
    let me = |token: &str| get("/api/me", Some(token));
    let contender = |name, server, requests: Vec<Vec<u8>>, status| Contender {
        name,
        server,
        requests: requests.into(),
        status,
        ns: Vec::new(),
        ratios: Vec::new(),
    };
    for number in 0..100 {
        servers[1].create_task(&good, number).await;
    }
    let mut contenders = vec![
        // The token is sent to Poem too: reading a header is not what is compared.
        contender("poem without authentication", 0, vec![me(&good)], 200),
        contender("me, one token", 1, vec![me(&good)], 200),
        contender(
            "me, 1000 tokens",
            1,
            many.iter().map(|token| me(token)).collect(),
            200,
        ),
        contender("me, one token, logging", 2, vec![me(&good)], 200),
        contender("me, one token, not sampled", 3, vec![me(&good)], 200),
        contender(
            "me, one token, traced and measured",
            4,
            vec![me(&good)],
            200,
        ),
        contender("healthz", 1, vec![get("/healthz", None)], 200),
        contender("me, no token", 1, vec![get("/api/me", None)], 401),
        contender("me, bad signature", 1, vec![me(&forged)], 401),
        contender(
            "tasks, 20 of 100",
            1,
            vec![get("/api/tasks?limit=20", Some(&good))],
            200,
        ),
    ];
    let mut first = true;
    contenders.retain(|contender| {
        // The one that the others are compared with always takes part.
        std::mem::take(&mut first) || is_wanted(&format!("http/{}", contender.name))
    });
    if contenders.len() == 1 {
        return;
    }
    for round in 0..=ROUNDS {
        let mut base = 0.0;
        for (at, contender) in contenders.iter_mut().enumerate() {
            let ns = load(
                &servers[contender.server],
                &contender.requests,
                contender.status,
            )
            .await;
            if at == 0 {
                base = ns;
            }
            // The first round warms up.
            if round > 0 {
                contender.ns.push(ns);
                contender.ratios.push(ns / base);
            }
        }
    }
    println!(
        "{:30} {:>10} {:>8}",
        "processor time a request", "us", "ratio"
    );
    for contender in &mut contenders {
        let (Some(ns), Some(ratio)) = (median(&mut contender.ns), median(&mut contender.ratios))
        else {
            continue;
        };
        println!("{:30} {:10.2} {ratio:8.3}", contender.name, ns / 1000.0);
        record::write(&format!("http/{}", contender.name), ns, Some(ratio));
    }
}

/// A server in a process of its own, killed when dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn poem() -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.env(POEM, "1");
        Self::start(command)
    }

    fn keyward(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command
            .arg("serve")
            .env_clear()
            .envs(variables.iter().copied())
            .env("LISTEN_ADDR", "127.0.0.1:0");
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let mut process = command
            // One core serves, the other one asks.
            .env("TOKIO_WORKER_THREADS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let stdout = process.stdout.take().expect("a pipe");
        let address = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listening on http://")?.1.trim().to_owned()));
        let address = address.expect("the server says where it listens");
        Self {
            process,
            address: address.parse().expect("an address"),
        }
    }

    /// Processor time so far, of all threads.
    fn processor_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("its threads");
        let of_each = tasks.filter_map(|task| {
            let statistics = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            statistics.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(of_each.sum())
    }

    async fn create_task(&self, token: &str, number: usize) {
        let body = format!(r#"{{"title":"Task number {number}"}}"#);
        let request = format!(
            "POST /api/tasks HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        exchange(&mut stream, &mut Vec::new(), request.as_bytes(), 201).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks for one turn; the server's processor time for each request.
async fn load(server: &Server, requests: &Arc<[Vec<u8>]>, status: u16) -> f64 {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(server.address)
            .await
            .expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        streams.push(stream);
    }
    let end = Instant::now() + TURN;
    let before = server.processor_time();
    let connections = streams.into_iter().enumerate().map(|(at, mut stream)| {
        // Each connection goes through the tokens from a place of its own.
        let queue = requests.clone();
        let first = at * queue.len() / CONNECTIONS;
        tokio::spawn(async move {
            let (mut count, mut buffer) = (0, Vec::with_capacity(16 * 1024));
            while Instant::now() < end {
                let request = &queue[(first + count) % queue.len()];
                exchange(&mut stream, &mut buffer, request, status).await;
                count += 1;
            }
            count
        })
    });
    let connections: Vec<_> = connections.collect();
    let mut count = 0;
    for connection in connections {
        count += connection.await.expect("a connection works");
    }
    let spent = server.processor_time() - before;
    spent.as_secs_f64() * 1e9 / count as f64
}

/// One request and its whole response, which must have this status.
async fn exchange(stream: &mut TcpStream, buffer: &mut Vec<u8>, request: &[u8], status: u16) {
    stream
        .write_all(request)
        .await
        .expect("the request is sent");
    buffer.clear();
    let whole = loop {
        let read = stream.read_buf(buffer).await.expect("a response");
        assert!(read > 0, "the server closed the connection");
        if let Some(head) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break head + 4 + content_length(&buffer[..head]);
        }
    };
    while buffer.len() < whole {
        assert!(stream.read_buf(buffer).await.expect("a response") > 0);
    }
    assert_eq!(buffer.len(), whole, "one response to one request");
    let got = std::str::from_utf8(&buffer[9..12]).map(str::parse::<u16>);
    assert_eq!(got, Ok(Ok(status)), "{}", String::from_utf8_lossy(buffer));
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length: ";
    let at = memchr::memmem::find(head, NAME).expect("a length") + NAME.len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}

/// Serves one document for as long as this process runs.
async fn serve_document(document: String) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{document}",
        document.len()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    address
}

/// What `/api/me` answers, without anything being checked.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Me {
    id: String,
    email: Option<String>,
    email_verified: Option<bool>,
    name: Option<String>,
    image: Option<String>,
    roles: Vec<String>,
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/api/me", method = "get")]
    async fn me(&self) -> Json<Me> {
        Json(Me {
            id: token::subject(0),
            email: Some("ada@example.com".to_owned()),
            email_verified: Some(true),
            name: Some("Ada Lovelace".to_owned()),
            image: None,
            roles: Vec::new(),
        })
    }
}

async fn serve_poem() {
    let acceptor = TcpListener::bind("127.0.0.1:0")
        .into_acceptor()
        .await
        .expect("a port");
    let address = acceptor
        .local_addr()
        .first()
        .expect("an address")
        .0
        .to_string();
    println!("listening on {}", address.replace("socket", "http"));
    let service = OpenApiService::new(Api, "bench", "1");
    poem::Server::new_with_acceptor(acceptor)
        .run(service)
        .await
        .expect("it serves");
}
