//! A real OTLP receiver: rotel, an OpenTelemetry collector.
//!
//! It listens on loopback, for OTLP over HTTP and over gRPC, and hands what it receives to
//! `otlp_record.py`, which writes it down as lines of JSON. It is this process's own child: it is
//! killed by its id, and waited for, when the receiver is dropped.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// Far beyond what a start or an export takes.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// By name. Arrays and maps are JSON's; bytes are an array of numbers.
pub type Attributes = BTreeMap<String, Value>;

/// A span as received.
#[derive(Clone, Debug, Deserialize)]
pub struct Span {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// `None`: a root.
    pub parent_span_id: Option<String>,
    /// As the caller gave it.
    pub trace_state: String,
    pub name: String,
    pub kind: SpanKind,
    /// In nanoseconds since 1970.
    pub start: u64,
    pub end: u64,
    /// The code (0 unset, 1 ok, 2 error) and the message.
    pub status: (i32, String),
    pub attributes: Attributes,
    pub events: Vec<Event>,
    pub links: Vec<Link>,
    pub scope: Option<String>,
    pub resource: Attributes,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "i32")]
pub enum SpanKind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl From<i32> for SpanKind {
    fn from(kind: i32) -> Self {
        match kind {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub name: String,
    pub attributes: Attributes,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    pub trace_id: String,
    pub span_id: String,
    pub attributes: Attributes,
}

impl Span {
    /// An attribute that is text.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    pub fn is_child_of(&self, parent: &Span) -> bool {
        self.trace_id == parent.trace_id && self.parent_span_id.as_ref() == Some(&parent.span_id)
    }
}

/// A metric as one export delivered it.
#[derive(Clone, Debug, Deserialize)]
pub struct Metric {
    pub name: String,
    pub unit: String,
    pub description: String,
    /// `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram` or `Summary`.
    pub kind: String,
    /// Of a sum: whether it is a counter.
    pub monotonic: Option<bool>,
    pub points: Vec<Point>,
    pub scope: Option<String>,
    pub resource: Attributes,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Point {
    pub attributes: Attributes,
    /// Of a gauge or a sum.
    pub value: Option<f64>,
    /// Of a histogram, as are the rest.
    pub count: Option<u64>,
    pub sum: Option<f64>,
    pub bounds: Option<Vec<f64>>,
    pub buckets: Option<Vec<u64>>,
}

#[derive(Deserialize)]
#[serde(tag = "signal", rename_all = "lowercase")]
enum Record {
    Span(Span),
    Metric(Metric),
}

/// A running receiver.
pub struct OtlpReceiver {
    process: Mutex<Child>,
    http: u16,
    grpc: u16,
    directory: TempDir,
}

impl OtlpReceiver {
    pub async fn start() -> Self {
        // A port may be taken between its choice and its use: rotel then ends at once.
        let mut attempts = 0;
        loop {
            let receiver = Self::spawn();
            if receiver.is_ready().await {
                return receiver;
            }
            attempts += 1;
            if attempts == 4 {
                receiver.fail("it does not start");
            }
        }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`, with the protocol `http/protobuf`.
    pub fn http_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`, with the protocol `grpc`.
    pub fn grpc_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    /// The spans received so far, in the order of their arrival: a parent comes after its children.
    pub fn spans(&self) -> Vec<Span> {
        let spans = self
            .records()
            .into_iter()
            .filter_map(|record| match record {
                Record::Span(span) => Some(span),
                Record::Metric(_) => None,
            });
        spans.collect()
    }

    /// The spans of one trace received so far.
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| span.trace_id == trace_id);
        spans
    }

    /// The metrics received so far: each export repeats them.
    pub fn metrics(&self) -> Vec<Metric> {
        let metrics = self
            .records()
            .into_iter()
            .filter_map(|record| match record {
                Record::Metric(metric) => Some(metric),
                Record::Span(_) => None,
            });
        metrics.collect()
    }

    /// The first span that is as described, once it is there.
    pub async fn wait_for(&self, wanted: impl Fn(&Span) -> bool) -> Span {
        self.wait_until(|| self.spans().into_iter().find(&wanted))
            .await
    }

    /// The newest metric that is as described, once there is one.
    pub async fn wait_for_metric(&self, wanted: impl Fn(&Metric) -> bool) -> Metric {
        self.wait_until(|| self.metrics().into_iter().rfind(&wanted))
            .await
    }

    /// Kills it, as a crash does.
    pub fn kill(&self) {
        let mut process = self
            .process
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let _ = process.kill();
        let _ = process.wait();
    }

    fn spawn() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let recorder = root.join("tests/support/otlp_record.py");
        let directory = tempfile::Builder::new()
            .prefix("keyward-otlp-")
            .tempdir()
            .unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        // Both are held until both are chosen, lest they be the same.
        let ports = [free_port(), free_port()];
        let [http, grpc] = ports.map(|listener| listener.local_addr().unwrap().port());
        let mut command = Command::new(find_agent(root));
        command
            .arg("start")
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .args(["--exporter", "blackhole"])
            .arg("--otlp-with-trace-processor")
            .arg(&recorder)
            .arg("--otlp-with-metrics-processor")
            .arg(&recorder)
            .env_clear()
            .env("RECORD_TO", directory.path().join("records"))
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        // Where its Python is, if that is not the system's.
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        Self {
            process: Mutex::new(command.spawn().expect("rotel runs")),
            http,
            grpc,
            directory,
        }
    }

    /// Waits until both ports accept. `false`: it ended.
    async fn is_ready(&self) -> bool {
        let began = Instant::now();
        loop {
            let accepts = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
            let ready = accepts(self.http) && accepts(self.grpc);
            // Asked last: what accepted may be the program that has taken the port.
            if self.has_ended() {
                return false;
            }
            // Its recorder has been loaded.
            if ready && self.directory.path().join("records").exists() {
                return true;
            }
            if began.elapsed() > PATIENCE {
                self.fail("it does not accept connections");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn wait_until<T>(&self, found: impl Fn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            if self.has_ended() {
                self.fail("it ended");
            }
            if began.elapsed() > PATIENCE {
                self.fail("what was waited for did not come");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn records(&self) -> Vec<Record> {
        let Ok(file) = File::open(self.directory.path().join("records")) else {
            return Vec::new();
        };
        let mut file = BufReader::new(file);
        let mut records = Vec::new();
        let mut line = String::new();
        // The last line may not be whole yet.
        while file.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            records.push(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")));
            line.clear();
        }
        records
    }

    fn has_ended(&self) -> bool {
        let mut process = self
            .process
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        process.try_wait().unwrap().is_some()
    }

    fn fail(&self, what: &str) -> ! {
        let read =
            |name| std::fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        panic!(
            "the OTLP receiver: {what}\nlog:\n{}\nreceived:\n{}",
            read("log"),
            read("records")
        );
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary in the wheel that tests/run.sh installs.
fn find_agent(root: &Path) -> PathBuf {
    std::fs::read_dir(root.join("target/telemetry-venv/lib"))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let agent = entry.ok()?.path().join("site-packages/rotel/rotel-agent");
            agent.exists().then_some(agent)
        })
        .next()
        .expect("rotel is not installed: run tests/run.sh")
}

fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}
