//! What the service tells its operators: traces to a real OTLP receiver, metrics to it and to a real
//! Prometheus, log lines; and what that costs when nobody listens.

#[path = "../support/http_auth_server.rs"]
mod auth_server;
#[path = "../support/otlp_receiver.rs"]
mod otlp_receiver;
#[path = "../support/prometheus.rs"]
mod prometheus;
#[path = "../support/keyward.rs"]
mod service;

mod logs;
mod metrics;
mod traces;

use auth_server::HttpAuthServer;
use keyward::testing::TestIssuer;
use otlp_receiver::OtlpReceiver;
use reqwest::Response;
use serde_json::Value;
use service::{Keyward, client};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// The service, between an auth server and a receiver.
struct Observed {
    keyward: Keyward,
    auth: HttpAuthServer,
    issuer: TestIssuer,
    /// Made once: it takes longer than a request.
    client: reqwest::Client,
}

impl Observed {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let (auth, issuer) = HttpAuthServer::start().await;
        let mut all = vec![("BETTER_AUTH_URL", &*auth.url)];
        all.extend(variables);
        let keyward = Keyward::serve(&all).await;
        Self {
            keyward,
            auth,
            issuer,
            client: client(),
        }
    }

    /// As [`start`](Self::start), with everything exported to the receiver without delay.
    async fn exporting_to(endpoint: &str, protocol: &str, more: &[(&str, &str)]) -> Self {
        let mut variables = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
        ];
        variables.extend(more);
        Self::start(&variables).await
    }

    /// As [`exporting_to`](Self::exporting_to), over HTTP to a receiver of its own.
    async fn with_receiver(more: &[(&str, &str)]) -> (OtlpReceiver, Self) {
        let receiver = OtlpReceiver::start().await;
        let observed = Self::exporting_to(&receiver.http_endpoint(), "http/protobuf", more).await;
        (receiver, observed)
    }

    async fn get(&self, path: &str, token: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self
            .client
            .get(format!("{}{path}", self.keyward.url))
            .bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// A token that has expired.
    fn expired(&self) -> String {
        let mut claims = self.issuer.claims("ada");
        claims["exp"] = 1_000_000_000.into();
        self.issuer.sign(&claims)
    }
}

async fn problem(response: Response) -> Value {
    response.json().await.unwrap()
}

fn sampled() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}
