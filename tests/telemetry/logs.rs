//! Log lines, and a collector that is not there.

use std::time::{Duration, Instant};

use super::*;

fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[tokio::test]
async fn every_line_of_a_request_names_its_trace() {
    let observed = Observed::start(&[("RUST_LOG", "debug,hyper_util=off")]).await;
    let headers = [("traceparent", &*sampled())];
    let response = observed
        .get("/api/tasks", &observed.expired(), &headers)
        .await;
    assert_eq!(problem(response).await["traceId"], TRACE);
    let (_, log) = observed.keyward.stop().await;
    let lines = lines(&log);
    let of_request: Vec<&Value> = lines
        .iter()
        .filter(|line| line["trace_id"] == TRACE)
        .collect();
    let messages: Vec<&str> = of_request
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert!(
        messages.contains(&"token refused") && messages.contains(&"request refused"),
        "{log}"
    );
    for line in of_request {
        let span = line["span_id"].as_str().unwrap();
        assert!(span.len() == 16 && span != CALLER, "{line}");
    }
    // What belongs to no request names none.
    let stopped = lines.iter().find(|line| line["message"] == "stopped");
    assert_eq!(stopped.unwrap().get("trace_id"), None);
}

#[tokio::test]
async fn a_flood_of_refused_requests_is_a_few_lines() {
    const FLOOD: usize = 500;
    let observed = Observed::start(&[]).await;
    let began = Instant::now();
    for _ in 0..FLOOD {
        assert_eq!(observed.get("/api/me", "garbage", &[]).await.status(), 401);
    }
    let seconds = began.elapsed().as_secs() as usize + 1;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(observed.get("/api/me", "garbage", &[]).await.status(), 401);
    let (_, log) = observed.keyward.stop().await;
    let lines = lines(&log);
    let refused = lines
        .iter()
        .filter(|line| line["message"] == "request refused")
        .count();
    assert!(
        refused <= 20 * (seconds + 1) + 1,
        "{refused} lines in {seconds} s"
    );
    let suppressed: u64 = lines
        .iter()
        .filter_map(|line| line["suppressed"].as_u64())
        .sum();
    assert_eq!(
        refused + suppressed as usize,
        FLOOD + 1,
        "none is forgotten"
    );
}

#[tokio::test]
async fn a_collector_that_is_not_there_slows_nothing() {
    // Refused at once; and one that takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for (endpoint, protocol) in [
        ("http://127.0.0.1:9", "http/protobuf"),
        ("http://127.0.0.1:9", "grpc"),
        (&silent, "http/protobuf"),
    ] {
        // The exporter's own limit is 10 s.
        let patience = [("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")];
        let observed = Observed::exporting_to(endpoint, protocol, &patience).await;
        let token = observed.issuer.token("ada");
        let mut slowest = Duration::ZERO;
        for _ in 0..300 {
            let began = Instant::now();
            assert_eq!(observed.get("/api/me", &token, &[]).await.status(), 200);
            slowest = slowest.max(began.elapsed());
        }
        assert!(
            slowest < Duration::from_millis(1500),
            "{endpoint}: {slowest:?}"
        );
        let began = Instant::now();
        let (status, log) = observed.keyward.stop().await;
        assert!(status.success(), "{log}");
        assert!(began.elapsed() < Duration::from_secs(20), "{endpoint}");
    }
}

#[tokio::test]
async fn variables_that_do_not_parse_stop_the_start() {
    for (variable, value) in [
        ("METRICS_ADDR", "9464"),
        ("TRACE_SUBJECT_KEY", "too short"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = service::command(&directory, &["serve"]);
        command
            .env("BETTER_AUTH_URL", "http://127.0.0.1:9")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
            .env(variable, value);
        let (success, _, stderr) = service::run(command).await;
        assert!(
            !success && stderr.lines().count() == 1 && stderr.contains(variable),
            "{stderr}"
        );
        assert!(
            variable != "TRACE_SUBJECT_KEY" || !stderr.contains(value),
            "{stderr}"
        );
    }
}
