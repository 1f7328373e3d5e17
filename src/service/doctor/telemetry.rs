//! Where traces and metrics go, if anywhere.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};

use super::network::{Failure, Target};
use super::report::Check;
use super::shown::{said, took};
use crate::service::telemetry::{Destination, Protocol};

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn examine(destination: &Destination) -> Check {
    let id = match destination.signal {
        "traces" => "telemetry.traces",
        _ => "telemetry.metrics",
    };
    let Some((url, target)) = Url::parse(&destination.url)
        .ok()
        .and_then(|url| Some((url.clone(), Target::of(&url)?)))
    else {
        let summary = format!("{} is not a URL", destination.variable);
        return Check::wrong(id, "otlp_url", summary)
            .fix(format!("{}=http://localhost:4318", destination.variable));
    };
    let proxied = Target::proxy_for(&url).is_some();
    let reached = match proxied {
        true => Ok(Duration::ZERO),
        false => reach(&target).await,
    };
    let answer = match (reached, destination.protocol) {
        (Err(failure), _) => {
            return Check {
                fix: Some(format!(
                    "start the collector, or correct {}",
                    destination.variable
                )),
                ..failure.check(id)
            };
        }
        (Ok(time), Protocol::Grpc) => {
            return Check::ok(
                id,
                format!("{} takes connections ({})", target.name(), took(time)),
            );
        }
        (Ok(_), Protocol::HttpProtobuf) => send_nothing(url).await,
    };
    let name = said(&destination.url);
    match answer {
        Some(200..300) => Check::ok(id, format!("{name} takes them")),
        // The SDK's headers may hold what lets it in; they are not read here.
        Some(status @ (401 | 403)) => Check::warning(
            id,
            "otlp_credentials",
            format!("{name} wants credentials (status {status}), which were not sent"),
        )
        .fix("see that OTEL_EXPORTER_OTLP_HEADERS has them"),
        Some(status) => Check::wrong(
            id,
            "otlp_status",
            format!("{name} answers {status} to an empty export"),
        )
        .fix(format!(
            "correct {}: the general variable is without a path, that of a signal with /v1/{}",
            destination.variable, destination.signal
        )),
        None => Check::wrong(
            id,
            "otlp_protocol",
            format!("{name} takes connections, and does not speak OTLP over HTTP"),
        )
        .fix("use the collector's port for HTTP (4318), or OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
    }
}

async fn reach(target: &Target) -> Result<Duration, Failure> {
    let (addresses, resolved) = target.resolve().await?;
    let connected = target.connect(&addresses).await?;
    let mut time = resolved + connected.took;
    if target.uses_tls() {
        time += target.handshake(connected.stream).await?.1;
    }
    Ok(time)
}

/// An export of nothing: an empty message is one (OTLP 1.x, "OTLP/HTTP Request").
async fn send_nothing(url: Url) -> Option<u16> {
    let client = Client::builder().timeout(TIMEOUT).build().ok()?;
    let request = client
        .post(url)
        .header(CONTENT_TYPE, "application/x-protobuf")
        .body(Vec::new());
    Some(request.send().await.ok()?.status().as_u16())
}
