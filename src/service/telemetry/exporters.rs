//! Where spans and metrics go, by OpenTelemetry's standard variables. Without an endpoint, nowhere.
//!
//! The SDK reads endpoints, headers, time-outs, the sampler, the resource and the batch sizes from
//! the environment by itself. What it would pass over in silence is checked here: a protocol that is
//! not built in, and an exporter that is not known.

use std::env;
use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::Url;
use uuid::Uuid;

use super::SCOPE;
use crate::service::variable::ConfigError;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The variables of one signal that go before the general ones.
struct Signal {
    name: &'static str,
    exporter: &'static str,
    endpoint: &'static str,
    protocol: &'static str,
}

const TRACES: Signal = Signal {
    name: "traces",
    exporter: "OTEL_TRACES_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
};

const METRICS: Signal = Signal {
    name: "metrics",
    exporter: "OTEL_METRICS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over HTTP.
    HttpProtobuf,
    /// OTLP over gRPC.
    Grpc,
}

/// Where a signal is sent.
pub struct Destination {
    /// `traces` or `metrics`.
    pub signal: &'static str,
    /// The variable that says so.
    pub variable: &'static str,
    /// Where to, with the path of the signal if it is HTTP.
    pub url: String,
    /// How.
    pub protocol: Protocol,
}

/// Where traces and metrics are sent, if anywhere.
///
/// # Errors
/// For a variable that stops the start of the service.
pub fn destinations() -> Result<Vec<Destination>, ConfigError> {
    let mut destinations = Vec::new();
    for signal in [TRACES, METRICS] {
        let Some((protocol, (name, endpoint))) =
            signal.protocol(variable)?.zip(signal.endpoint(variable))
        else {
            continue;
        };
        // The general one is a base URL (OTLP exporter specification, "Endpoint URLs for OTLP/HTTP").
        let url = match (protocol, name) {
            (Protocol::HttpProtobuf, ENDPOINT) => {
                format!("{}/v1/{}", endpoint.trim_end_matches('/'), signal.name)
            }
            _ => endpoint,
        };
        destinations.push(Destination {
            signal: signal.name,
            variable: name,
            url,
            protocol,
        });
    }
    Ok(destinations)
}

/// A variable that is there and not empty, which means the same as not there.
fn variable(name: &str) -> Option<String> {
    env::var(name)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

impl Signal {
    /// The variable that holds the endpoint, and what it holds.
    fn endpoint(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Option<(&'static str, String)> {
        [self.endpoint, ENDPOINT]
            .into_iter()
            .find_map(|name| Some((name, variable(name)?)))
    }

    /// How this signal is exported; `None` if it is not.
    fn protocol(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Protocol>, ConfigError> {
        let is_disabled =
            variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let endpoint = self.endpoint(&variable);
        let Some((name, endpoint)) = endpoint.filter(|_| !is_disabled) else {
            return Ok(None);
        };
        if holds_credentials(&endpoint) {
            return Err(ConfigError {
                variable: name,
                problem: "must not hold a user name or a password: they are for OTEL_EXPORTER_OTLP_HEADERS"
                    .to_owned(),
                example: "http://localhost:4318",
            });
        }
        match variable(self.exporter).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(_) => {
                return Err(ConfigError {
                    variable: self.exporter,
                    problem: "is neither otlp nor none".to_owned(),
                    example: "otlp",
                });
            }
        }
        let named = [self.protocol, "OTEL_EXPORTER_OTLP_PROTOCOL"]
            .into_iter()
            .find_map(|name| Some((name, variable(name)?)));
        match named.as_ref().map(|(name, value)| (*name, value.as_str())) {
            None | Some((_, "http/protobuf")) => Ok(Some(Protocol::HttpProtobuf)),
            Some((_, "grpc")) => Ok(Some(Protocol::Grpc)),
            Some((name, _)) => Err(ConfigError {
                variable: name,
                problem: "is neither http/protobuf nor grpc".to_owned(),
                example: "http/protobuf",
            }),
        }
    }

    /// The endpoint is at fault. Its value is not repeated: it may hold a password.
    fn unusable(&self) -> ConfigError {
        let variable = match variable(self.endpoint) {
            Some(_) => self.endpoint,
            None => ENDPOINT,
        };
        ConfigError {
            variable,
            problem: "is not an endpoint that can be sent to".to_owned(),
            example: "http://localhost:4318",
        }
    }
}

/// The HTTP client logs them with the host.
fn holds_credentials(endpoint: &str) -> bool {
    Url::parse(endpoint).is_ok_and(|url| !url.username().is_empty() || url.password().is_some())
}

/// What all telemetry says of the process. The environment goes before what is said here.
fn resource() -> Resource {
    /// Without one, the series of several replicas that push would fall into one.
    static INSTANCE: LazyLock<String> = LazyLock::new(|| Uuid::now_v7().to_string());

    let given = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let is_given = |name: &str| given.split(',').any(|pair| pair.trim().starts_with(name));
    let mut attributes = Vec::new();
    // The SDK's own name for a service without one is no name.
    if variable("OTEL_SERVICE_NAME").is_none() && !is_given("service.name=") {
        attributes.push(KeyValue::new("service.name", SCOPE));
    }
    if !is_given("service.version=") {
        attributes.push(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    }
    if !is_given("service.instance.id=") {
        attributes.push(KeyValue::new("service.instance.id", INSTANCE.as_str()));
    }
    Resource::builder().with_attributes(attributes).build()
}

/// Sends spans in batches, from a thread of its own. When that falls behind, spans are dropped; a
/// request never waits.
pub(super) fn traces() -> Result<Option<SdkTracerProvider>, ConfigError> {
    let Some(protocol) = TRACES.protocol(variable)? else {
        return Ok(None);
    };
    let exporter = SpanExporter::builder();
    let exporter = match protocol {
        Protocol::HttpProtobuf => exporter.with_http().build(),
        Protocol::Grpc => exporter.with_tonic().build(),
    };
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter.map_err(|_| TRACES.unusable())?)
        .build();
    Ok(Some(provider))
}

/// Sends metrics once a minute or as `OTEL_METRIC_EXPORT_INTERVAL` says, and shows them to whoever
/// scrapes the registry.
pub(super) fn metrics(
    registry: Option<&prometheus::Registry>,
) -> Result<Option<SdkMeterProvider>, ConfigError> {
    let protocol = METRICS.protocol(variable)?;
    if protocol.is_none() && registry.is_none() {
        return Ok(None);
    }
    let mut provider = SdkMeterProvider::builder().with_resource(resource());
    if let Some(protocol) = protocol {
        let exporter = MetricExporter::builder();
        let exporter = match protocol {
            Protocol::HttpProtobuf => exporter.with_http().build(),
            Protocol::Grpc => exporter.with_tonic().build(),
        };
        provider = provider.with_periodic_exporter(exporter.map_err(|_| METRICS.unusable())?);
    }
    if let Some(registry) = registry {
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|error| ConfigError {
                variable: "METRICS_ADDR",
                problem: format!("has nothing to show: {error}"),
                example: "127.0.0.1:9464",
            })?;
        provider = provider.with_reader(reader);
    }
    Ok(Some(provider.build()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(variables: &[(&str, &str)]) -> Result<Option<Protocol>, &'static str> {
        let variable = |name: &str| {
            let (_, value) = variables.iter().find(|(other, _)| *other == name)?;
            Some((*value).to_owned())
        };
        TRACES.protocol(variable).map_err(|error| error.variable)
    }

    #[test]
    fn the_standard_variables_decide_whether_and_how_spans_are_exported() {
        let general = (ENDPOINT, "http://localhost:4318");
        for (variables, expected) in [
            (&[][..], Ok(None)),
            (&[general], Ok(Some(Protocol::HttpProtobuf))),
            (
                &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost")],
                Ok(Some(Protocol::HttpProtobuf)),
            ),
            (
                &[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://localhost")],
                Ok(None),
            ),
            (
                &[(ENDPOINT, "http://user:password@localhost")],
                Err(ENDPOINT),
            ),
            (&[(ENDPOINT, "http://user@localhost")], Err(ENDPOINT)),
            (&[general, ("OTEL_SDK_DISABLED", "TRUE")], Ok(None)),
            (&[general, ("OTEL_TRACES_EXPORTER", "none")], Ok(None)),
            (
                &[general, ("OTEL_TRACES_EXPORTER", "zipkin")],
                Err("OTEL_TRACES_EXPORTER"),
            ),
            (
                &[general, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
                Ok(Some(Protocol::Grpc)),
            ),
            (
                &[
                    general,
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
                ],
                Ok(Some(Protocol::HttpProtobuf)),
            ),
            (
                &[general, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
                Err("OTEL_EXPORTER_OTLP_PROTOCOL"),
            ),
        ] {
            assert_eq!(protocol(variables), expected, "{variables:?}");
        }
    }
}
