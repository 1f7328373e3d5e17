//! A real Prometheus: scrapes one target each half a second, with the alert rules of the repository.
//! It listens on loopback and is killed by its id when dropped.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Far beyond what a start takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Prometheus {
    process: Child,
    url: String,
    client: reqwest::Client,
    directory: TempDir,
}

impl Prometheus {
    /// Scrapes `target`, the URL of a `/metrics`.
    pub async fn start(target: &str) -> Self {
        // A port may be taken between its choice and its use.
        for _ in 0..4 {
            let mut prometheus = Self::spawn(target);
            let began = Instant::now();
            while began.elapsed() < PATIENCE && prometheus.process.try_wait().unwrap().is_none() {
                let ready = prometheus.client.get(format!("{}/-/ready", prometheus.url));
                if ready
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().is_success())
                {
                    return prometheus;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        panic!("Prometheus does not start");
    }

    fn spawn(target: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = tempfile::tempdir().unwrap();
        let address = target.strip_prefix("http://").unwrap();
        let address = address.strip_suffix("/metrics").unwrap();
        let rules = root.join("observability/prometheus/alerts.yml");
        let config = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 1s}}\n\
             rule_files: [{:?}]\n\
             scrape_configs: [{{job_name: keyward, static_configs: [{{targets: [{address:?}]}}]}}]\n",
            rules.display()
        );
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = listener.local_addr().unwrap();
        drop(listener);
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new(find(root))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={listen}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus runs");
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        Self {
            process,
            url: format!("http://{listen}"),
            client: client.build().unwrap(),
            directory,
        }
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url)).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let answer: Value = self
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer["status"], "success", "{answer} {parameters:?}");
        answer["data"].clone()
    }

    /// The values of a PromQL expression at this moment that are numbers.
    pub async fn query(&self, query: &str) -> Vec<f64> {
        let data = self.ask("/api/v1/query", &[("query", query)]).await;
        let values = data["result"].as_array().unwrap().iter();
        let values = values.map(|series| series["value"][1].as_str().unwrap().parse().unwrap());
        values.filter(|value: &f64| !value.is_nan()).collect()
    }

    /// Each alert rule with its health.
    pub async fn rules(&self) -> Vec<(String, String)> {
        let data = self.ask("/api/v1/rules", &[("type", "alert")]).await;
        let groups = data["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rules
            .map(|rule| (text(&rule["name"]), text(&rule["health"])))
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.directory.path().join("log"));
            eprintln!("Prometheus's log:\n{}", log.unwrap_or_default());
        }
    }
}

/// The one that tests/run.sh unpacks, or the system's.
fn find(root: &Path) -> PathBuf {
    let unpacked = root.join("target/prometheus/usr/bin/prometheus");
    if unpacked.exists() {
        return unpacked;
    }
    PathBuf::from("prometheus")
}
