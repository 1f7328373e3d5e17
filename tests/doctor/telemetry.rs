//! Collectors that are not there, or do not speak the protocol.

use keyward::testing::TestIssuer;

use crate::command::{Row, run_rows};
use crate::otlp_receiver::OtlpReceiver;
use crate::raw_server::{RawServer, ok, response};

const GENERAL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_collector_that_takes_nothing_is_named() {
    let keys = TestIssuer::new("http://issuer.example").key_set_json();
    let auth = RawServer::start(move |_| ok(&keys)).await;
    let down = RawServer::down(|_| Vec::new());
    let good = RawServer::start(|path| match path {
        "/v1/traces" | "/v1/metrics" => ok(b""),
        _ => response("404 Not Found", "", b""),
    })
    .await;
    let closed = RawServer::start(|_| response("401 Unauthorized", "", b"")).await;
    // The preface of HTTP/2's server, which is no HTTP/1.1 (RFC 9113 §3.4).
    let grpc = RawServer::start(|_| b"\0\0\0\x04\0\0\0\0\0".to_vec()).await;
    let with_path = format!("{}/v1/traces", good.url);
    let at = |setup, url: &str, code| Row::new(setup, &auth.url, code).with(GENERAL, url);
    let rows = vec![
        at("a collector", &good.url, 0)
            .says(
                "✓ telemetry.traces",
                format!("\"{}/v1/traces\" takes them", good.url),
            )
            .says(
                "✓ telemetry.metrics",
                format!("\"{}/v1/metrics\" takes them", good.url),
            ),
        at("no collector", &down.url, 1).says(
            "✗ telemetry.traces",
            "nothing listens there → start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        at("the path of a signal for all", &with_path, 1).says(
            "✗ telemetry.traces",
            "answers 404 to an empty export → correct OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        at("a collector that wants credentials", &closed.url, 0)
            .says("! telemetry.metrics", "wants credentials (status 401)"),
        at("HTTP to the port for gRPC", &grpc.url, 1).says(
            "✗ telemetry.traces",
            "does not speak OTLP over HTTP → use the collector's port for HTTP (4318)",
        ),
        at("gRPC", &grpc.url, 0)
            .with("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .says("✓ telemetry.traces", "takes connections"),
        at("switched off", &down.url, 0).with("OTEL_SDK_DISABLED", "true"),
        at("a protocol that is not known", &good.url, 2)
            .with("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
            .says(
                "✗ configuration",
                "OTEL_EXPORTER_OTLP_PROTOCOL is neither http/protobuf nor grpc",
            ),
    ];
    run_rows("collectors", rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_collector_takes_an_export_of_nothing() {
    let keys = TestIssuer::new("http://issuer.example").key_set_json();
    let auth = RawServer::start(move |_| ok(&keys)).await;
    let collector = OtlpReceiver::start().await;
    let at = |setup, url: &str, code| Row::new(setup, &auth.url, code).with(GENERAL, url);
    let http = collector.http_endpoint();
    let grpc = collector.grpc_endpoint();
    let rows = vec![
        at("a real collector, by HTTP", &http, 0)
            .says("✓ telemetry.traces", "/v1/traces\" takes them")
            .says("✓ telemetry.metrics", "/v1/metrics\" takes them"),
        at("a real collector, by gRPC", &grpc, 0)
            .with("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .says("✓ telemetry.traces", "takes connections"),
        at("HTTP to a real collector's port for gRPC", &grpc, 1).says(
            "✗ telemetry.traces",
            "does not speak OTLP over HTTP → use the collector's port for HTTP",
        ),
    ];
    run_rows("a real collector", rows).await;
    assert!(collector.spans().is_empty() && collector.metrics().is_empty());
}
