//! Metrics: by OTLP, at `/metrics`, and as a real Prometheus sees them, with the dashboard's queries
//! and the alert rules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::otlp_receiver::Metric;
use super::prometheus::Prometheus;
use super::*;

impl Observed {
    /// Where `/metrics` is.
    pub fn metrics_url(&self) -> String {
        let (_, rest) = self.keyward.greeting.split_once("metrics at ").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Good and bad requests of every kind that the dashboard tells apart.
    pub async fn traffic(&self) {
        let good = self.issuer.token("ada-lovelace");
        let call = |method: reqwest::Method, path: &str| {
            self.client
                .request(method, format!("{}{path}", self.keyward.url))
                .bearer_auth(&good)
        };
        let created = call(reqwest::Method::POST, "/api/tasks")
            .json(&serde_json::json!({"title": "Buy milk"}))
            .send()
            .await
            .unwrap();
        let location = created.headers()["location"].to_str().unwrap().to_owned();
        for _ in 0..150 {
            assert_eq!(self.get("/api/me", &good, &[]).await.status(), 200);
        }
        let list = call(reqwest::Method::GET, "/api/tasks").send().await;
        assert_eq!(list.unwrap().status(), 200);
        let patch =
            call(reqwest::Method::PATCH, &location).json(&serde_json::json!({"completed": true}));
        assert_eq!(patch.send().await.unwrap().status(), 200);
        let delete = call(reqwest::Method::DELETE, &location);
        assert_eq!(delete.send().await.unwrap().status(), 204);
        let unknown = TestIssuer::new(&*self.auth.url);
        unknown.rotate(keyward::Algorithm::EdDsa);
        for refused in ["garbage", &self.expired()] {
            assert_eq!(self.get("/api/me", refused, &[]).await.status(), 401);
        }
        // The one or the other, as the auth server does.
        let status = self
            .get("/api/me", &unknown.token("ada"), &[])
            .await
            .status();
        assert!(status == 401 || status == 503, "{status}");
        assert_eq!(self.get("/nowhere", &good, &[]).await.status(), 404);
    }
}

/// The values of a metric by its attributes.
fn points(metric: &Metric) -> BTreeMap<String, f64> {
    let value = |point: &otlp_receiver::Point| {
        let name: Vec<String> = point
            .attributes
            .values()
            .map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
            .collect();
        let value = point.value.or(point.count.map(|count| count as f64));
        (name.join(" "), value.unwrap())
    };
    metric.points.iter().map(value).collect()
}

async fn metrics_arrive(endpoint: &str, protocol: &str, receiver: &OtlpReceiver) {
    let observed = Observed::exporting_to(endpoint, protocol, &[]).await;
    observed.traffic().await;
    let newest = async |name: &str, wanted: &dyn Fn(&BTreeMap<String, f64>) -> bool| {
        let metric = receiver
            .wait_for_metric(|metric| metric.name == name && wanted(&points(metric)))
            .await;
        assert_eq!(metric.resource["service.name"], "keyward");
        points(&metric)
    };
    // By cache, reason and outcome, in the order of the attributes' names.
    let verifications = newest("keyward.verifications", &|points| {
        // The last of the traffic.
        points.get("key_unknown miss refused") == Some(&1.0)
    })
    .await;
    assert_eq!(verifications["miss accepted"], 1.0);
    assert_eq!(verifications["hit accepted"], 153.0);
    assert_eq!(verifications["token_expired miss refused"], 1.0);
    assert_eq!(verifications["token_malformed miss refused"], 1.0);
    assert_eq!(verifications["token_signature_invalid miss refused"], 0.0);
    let duration = newest("keyward.verification.duration", &|points| {
        points.get("miss") == Some(&4.0)
    })
    .await;
    // One in 64, by chance.
    assert!(duration.get("hit").is_none_or(|hits| *hits < 30.0));
    let refreshes = newest("keyward.key_set.refreshes", &|points| {
        points.get("succeeded") == Some(&2.0)
    })
    .await;
    assert_eq!(refreshes["failed"], 0.0);
    let unknown = newest("keyward.key_set.unknown_keys", &|_| true).await;
    assert_eq!(unknown[""], 1.0);
    assert_eq!(newest("keyward.cache.entries", &|_| true).await[""], 1.0);
    let requests = newest("http.server.request.duration", &|points| {
        points.contains_key("GET 404 http")
    })
    .await;
    assert_eq!(requests["GET 200 /api/me http"], 150.0, "{requests:?}");
    assert_eq!(
        requests.get("PATCH 200 /api/tasks/{id} http"),
        Some(&1.0),
        "{requests:?}"
    );
    let operations = newest("db.client.operation.duration", &|points| points.len() == 4).await;
    assert_eq!(operations["tasks DELETE sqlite"], 1.0, "{operations:?}");
    let active = newest("http.server.active_requests", &|points| {
        points.values().all(|active| *active == 0.0)
    })
    .await;
    assert!(active.contains_key("GET http"), "{active:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_arrive_over_http() {
    let receiver = OtlpReceiver::start().await;
    metrics_arrive(&receiver.http_endpoint(), "http/protobuf", &receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_arrive_over_grpc() {
    let receiver = OtlpReceiver::start().await;
    metrics_arrive(&receiver.grpc_endpoint(), "grpc", &receiver).await;
}

/// The queries of the dashboard's panels, with their titles.
fn dashboard_queries() -> Vec<(String, String)> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("observability/grafana/dashboards/keyward.json");
    let dashboard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            if let Some(query) = target["expr"].as_str() {
                let title = panel["title"].as_str().unwrap().to_owned();
                queries.push((title, query.to_owned()));
            }
        }
    }
    assert!(queries.len() > 30);
    queries
}

/// What has no value while the database is well; its panel has a second line that has one.
const FAILED_OPERATIONS: &str = "sum by (db_operation_name, error_type) (rate(db_client_operation_duration_seconds_count{error_type!=\"\"}[$__rate_interval]))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_panel_of_the_dashboard_is_empty_on_a_live_service() {
    let variables = [("METRICS_ADDR", "127.0.0.1:0")];
    let observed = Observed::start(&variables).await;
    let prometheus = Prometheus::start(&observed.metrics_url()).await;
    let mut empty = dashboard_queries();
    empty.retain(|(_, query)| query != FAILED_OPERATIONS);
    // There are keys before the auth server fails. It is then asked again and again, so that there
    // are rates of fetches too.
    let token = observed.issuer.token("ada-lovelace");
    assert_eq!(observed.get("/api/me", &token, &[]).await.status(), 200);
    observed.auth.answers(503);
    for round in 0..20 {
        observed.traffic().await;
        if round == 6 {
            observed.auth.answers(200);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut left = Vec::new();
        for (title, query) in empty {
            let query_now = query.replace("$__rate_interval", "20s");
            if prometheus.query(&query_now).await.is_empty() {
                left.push((title, query));
            }
        }
        empty = left;
        if empty.is_empty() {
            break;
        }
    }
    assert!(empty.is_empty(), "empty panels: {empty:#?}");

    // Nothing that callers make up is a label.
    let shown = client()
        .get(observed.metrics_url())
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for made_up in [
        "nowhere",
        "ada-lovelace",
        "garbage",
        observed.issuer.key().id(),
    ] {
        assert!(!shown.contains(made_up), "{made_up} in {shown}");
    }
    // Every rule can be evaluated.
    let rules = prometheus.rules().await;
    assert!(rules.len() >= 7);
    for (name, health) in rules {
        assert_eq!(health, "ok", "{name}");
    }
    drop(prometheus);
    let (status, log) = observed.keyward.stop().await;
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documentation_lists_what_is_emitted_and_nothing_else() {
    let pseudonyms = [("TRACE_SUBJECT_KEY", "sixteen characters or more")];
    let (receiver, observed) = Observed::with_receiver(&pseudonyms).await;
    observed.traffic().await;
    observed.auth.answers(503);
    observed.issuer.rotate(keyward::Algorithm::EdDsa);
    let token = observed.issuer.token("ada");
    // For lack of a refresh that may be made for it, or because it fails.
    let status = observed.get("/api/me", &token, &[]).await.status();
    assert!(status == 401 || status == 503);
    receiver
        .wait_for_metric(|metric| metric.name == "http.server.request.duration")
        .await;
    let (status, log) = observed.keyward.stop().await;
    assert!(status.success(), "{log}");

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md");
    let docs = std::fs::read_to_string(file).unwrap();
    let table = |title: &str| {
        let section = docs
            .split("\n## ")
            .find(|section| section.starts_with(title));
        let rows = section
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("| `"));
        let words = |row: &str| -> Vec<String> {
            row.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        rows.map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            (words(cells[1])[0].clone(), words(&cells[3..].join("|")))
        })
        .collect::<BTreeMap<_, _>>()
    };

    let mut emitted = BTreeMap::<String, BTreeSet<String>>::new();
    for metric in receiver.metrics() {
        let suffix = match (&*metric.unit, &*metric.kind, metric.monotonic) {
            ("s", ..) => "_seconds",
            ("By", ..) => "_bytes",
            (_, "Sum", Some(true)) => "_total",
            _ => "",
        };
        let name = format!("{}{suffix}", metric.name.replace('.', "_"));
        let labels = metric
            .points
            .iter()
            .flat_map(|point| point.attributes.keys());
        let labels = labels.map(|label| label.replace('.', "_"));
        emitted.entry(name).or_default().extend(labels);
    }
    let documented = table("Metrics\n");
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(emitted.keys().collect()),
        names(documented.keys().collect())
    );
    // Of errors of the server and the database there were none, or not for sure, and there is one key
    // set only.
    const NOT_HERE: [&str; 2] = ["error_type", "keyward_issuer"];
    for (name, labels) in emitted {
        for label in &labels {
            assert!(
                documented[&name].contains(label),
                "{name} has a label {label}"
            );
        }
        let words = documented[&name].iter();
        // The rest of a row has words in backquotes that are no labels, values for example.
        let missing = words
            .filter(|word| word.contains('_') && !word.starts_with("token_"))
            .filter(|word| !labels.contains(*word) && !NOT_HERE.contains(&&***word));
        let missing: Vec<_> = missing.collect();
        assert!(missing.is_empty(), "{name} has no label {missing:?}");
    }

    let documented: BTreeSet<String> = table("Spans\n").into_values().flatten().collect();
    let spans = receiver.spans();
    for attribute in documented.iter().filter(|word| word.contains('.')) {
        let emitted = spans
            .iter()
            .any(|span| span.attributes.contains_key(attribute));
        assert!(emitted, "no span has {attribute}");
    }
    for span in spans {
        for attribute in span.attributes.keys() {
            assert!(
                documented.contains(attribute),
                "{} has {attribute}",
                span.name
            );
        }
    }
}
