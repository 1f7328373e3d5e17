//! Logs, traces and metrics of the service.
//!
//! 1. `lines`: log lines go to standard error, as text or as JSON, each with the trace it belongs to.
//! 2. `filter`: which log lines and which spans are made at all. Without an exporter there are no
//!    spans, and for a request that is not sampled there are none either: the decision comes first,
//!    since a span costs ten times what a verification does.
//! 3. `exporters`: where spans and metrics go, by the standard `OTEL_*` variables.
//! 4. `requests`, `propagation`: the span and the measures of a request, and how traces come in and
//!    go on by W3C Trace Context.
//! 5. `instruments`, `verifications`: what is measured. `scrape`: `/metrics` for Prometheus.
//! 6. `subject`: users under pseudonyms in traces, if that is wanted.
//!
//! Names and attributes follow OpenTelemetry's semantic conventions, of which those for HTTP are
//! stable since version 1.23 and those for databases since 1.33. Two things differ: a server span has
//! no `url.path`, no `client.address` and no `user_agent.original`, which may say who calls; what is
//! Keyward's own is called `keyward.*`.

mod exporters;
mod filter;
mod instruments;
mod lines;
mod propagation;
mod requests;
mod scrape;
pub(super) mod subject;
mod verifications;

pub use exporters::{Destination, Protocol, destinations};
pub use filter::Wanted;
pub use instruments::{DatabaseMetrics, HttpMetrics, TimedFetcher, observe_keys, observe_pool};
pub use lines::Lines;
pub(super) use requests::RequestSpan;
pub use requests::RequestTelemetry;
pub use scrape::metrics_app;
pub use subject::SubjectHasher;
pub use verifications::VerificationMetrics;

use std::io::{self, IsTerminal};
use std::time::Duration;

use opentelemetry::metrics::Meter;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::{LogArgs, LogFormat, TelemetryArgs};
use super::variable::ConfigError;
use crate::{
    DiscoveryFetcher, FetchKeySet, HttpFetcher, RefreshOptions, RemoteKeySet, Verifier,
    VerifierBuilder, WarmStart,
};

/// The instrumentation scope of all that the service emits.
pub const SCOPE: &str = "keyward";

/// An exporter that does not get rid of what it holds by then is given up.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// What was set up for the process, to be shut down at its end.
#[derive(Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    registry: Option<prometheus::Registry>,
}

impl Telemetry {
    /// Sets up logging, and what the environment asks for beside it. Inside a Tokio runtime.
    ///
    /// # Errors
    /// When a variable does not parse.
    pub fn init(log: &LogArgs, args: &TelemetryArgs) -> Result<Self, ConfigError> {
        let on_a_terminal = io::stderr().is_terminal();
        let (filter, format) = log.parse(on_a_terminal)?;
        let scraped = args.parse_metrics_addr()?.is_some();
        if let Some(hasher) = args.parse_subject_key()? {
            subject::install(hasher);
        }
        let telemetry = Self::export(scraped)?;
        let subscriber = subscriber(
            telemetry.tracer(),
            filter,
            format,
            on_a_terminal,
            io::stderr,
        );
        // A subscriber that is already there, in a test, stays.
        let _ = subscriber.try_init();
        Ok(telemetry)
    }

    fn export(scraped: bool) -> Result<Self, ConfigError> {
        let traces = exporters::traces()?;
        let registry = scraped.then(prometheus::Registry::new);
        let metrics = exporters::metrics(registry.as_ref())?;
        if let Some(metrics) = &metrics {
            opentelemetry::global::set_meter_provider(metrics.clone());
        }
        Ok(Self {
            traces,
            metrics,
            registry,
        })
    }

    /// Logging alone, for a command that serves nothing.
    ///
    /// # Errors
    /// When a variable does not parse.
    pub fn log_only(log: &LogArgs) -> Result<(), ConfigError> {
        let on_a_terminal = io::stderr().is_terminal();
        let (filter, format) = log.parse(on_a_terminal)?;
        let _ = subscriber(None, filter, format, on_a_terminal, io::stderr).try_init();
        Ok(())
    }

    /// Makes spans, if they are exported.
    pub fn tracer(&self) -> Option<SdkTracer> {
        Some(self.traces.as_ref()?.tracer(SCOPE))
    }

    /// Whether anything is measured.
    pub fn measures(&self) -> bool {
        self.metrics.is_some()
    }

    /// The meter of the service; without an exporter, one that measures nothing.
    pub fn meter() -> Meter {
        opentelemetry::global::meter(SCOPE)
    }

    /// What the requests of a service are traced and measured with.
    pub fn of_requests(&self) -> RequestTelemetry {
        let metrics = self.measures().then(|| HttpMetrics::new(&Self::meter()));
        RequestTelemetry::new(self.tracer(), metrics)
    }

    /// A key set whose fetches carry the trace on, and that is measured if anything is. It begins to
    /// fetch keys at once.
    pub async fn key_set(
        &self,
        fetcher: HttpFetcher,
        warm_start: Option<WarmStart>,
    ) -> RemoteKeySet {
        let fetcher = match self.traces {
            Some(_) => fetcher.with_headers(propagation::inject),
            None => fetcher,
        };
        self.timed_key_set(fetcher, warm_start).await
    }

    /// As [`key_set`](Self::key_set), found by the issuer's metadata.
    pub async fn discovered_key_set(
        &self,
        fetcher: DiscoveryFetcher,
        warm_start: Option<WarmStart>,
    ) -> RemoteKeySet {
        let fetcher = match self.traces {
            Some(_) => fetcher.with_headers(propagation::inject),
            None => fetcher,
        };
        self.timed_key_set(fetcher, warm_start).await
    }

    async fn timed_key_set(
        &self,
        fetcher: impl FetchKeySet,
        warm_start: Option<WarmStart>,
    ) -> RemoteKeySet {
        match self.measures() {
            true => key_set(TimedFetcher::new(fetcher, &Self::meter()), warm_start).await,
            false => key_set(fetcher, warm_start).await,
        }
    }

    /// The verifier, measured if anything is.
    pub fn verifier(&self, builder: VerifierBuilder) -> Verifier {
        if !self.measures() {
            return builder.build();
        }
        let meter = Self::meter();
        let verifier = builder.observer(VerificationMetrics::new(&meter)).build();
        observe_keys(&meter, &verifier);
        verifier
    }

    /// What `/metrics` shows.
    pub fn registry(&self) -> Option<prometheus::Registry> {
        self.registry.clone()
    }

    /// Hands over all that is still held, within a bounded time.
    pub async fn shutdown(self) {
        let traces = tokio::task::spawn_blocking(move || match self.traces {
            Some(traces) => traces.shutdown_with_timeout(SHUTDOWN_TIMEOUT),
            None => Ok(()),
        });
        let metrics = tokio::task::spawn_blocking(move || match self.metrics {
            Some(metrics) => metrics.shutdown_with_timeout(SHUTDOWN_TIMEOUT),
            None => Ok(()),
        });
        // They keep to the limit by themselves, but for a thread that does not come to look at it.
        let both = async { tokio::join!(traces, metrics) };
        if let Ok((traces, metrics)) = tokio::time::timeout(2 * SHUTDOWN_TIMEOUT, both).await {
            for error in [traces, metrics]
                .into_iter()
                .filter_map(|ended| ended.ok()?.err())
            {
                tracing::warn!(%error, "not all telemetry could be handed over");
            }
        }
    }
}

async fn key_set(fetcher: impl FetchKeySet, warm_start: Option<WarmStart>) -> RemoteKeySet {
    let options = RefreshOptions::default();
    match warm_start {
        Some(warm_start) => RemoteKeySet::with_warm_start(fetcher, options, warm_start).await,
        None => RemoteKeySet::new(fetcher, options),
    }
}

/// What hears of log lines and spans.
pub fn subscriber<W>(
    tracer: Option<SdkTracer>,
    filter: EnvFilter,
    format: LogFormat,
    ansi: bool,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let wanted = Wanted::new(filter, tracer.is_some());
    let lines = fmt::layer()
        .with_writer(writer)
        .with_ansi(ansi)
        .fmt_fields(lines::NoFields)
        .event_format(Lines(format));
    let spans = tracer.map(|tracer| {
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
    });
    registry().with(wanted).with(spans).with(lines)
}
