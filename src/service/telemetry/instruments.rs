//! What is measured of requests, of the database and of the keys.

use std::time::{Duration, Instant};

use http::Method;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};

use crate::service::store::TaskStore;
use crate::{FetchFuture, FetchKeySet, KeySetStatus, TrustedKeySet, Verifier};

/// As OpenTelemetry's conventions advise for HTTP and for databases, in seconds, with three more for
/// what is answered from memory.
const BOUNDARIES: [f64; 17] = [
    5e-5, 1e-4, 5e-4, 0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
    10.0,
];

/// A histogram of seconds.
pub(super) fn durations(
    meter: &Meter,
    name: &'static str,
    description: &'static str,
    boundaries: &[f64],
) -> Histogram<f64> {
    meter
        .f64_histogram(name)
        .with_unit("s")
        .with_description(description)
        .with_boundaries(boundaries.to_vec())
        .build()
}

/// What is measured of requests.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

impl HttpMetrics {
    /// The instruments.
    pub fn new(meter: &Meter) -> Self {
        Self {
            duration: durations(
                meter,
                "http.server.request.duration",
                "Duration of HTTP server requests.",
                &BOUNDARIES,
            ),
            active: meter
                .i64_up_down_counter("http.server.active_requests")
                .with_unit("{request}")
                .with_description("Number of active HTTP server requests.")
                .build(),
        }
    }

    /// A request begins. It ends with what this returns. `method`: a known one.
    pub(super) fn begin(&self, method: &'static str) -> Active {
        let attributes = [
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.scheme", "http"),
        ];
        self.active.add(1, &attributes);
        Active {
            metrics: self.clone(),
            attributes,
        }
    }
}

/// A request under way, however it ends.
#[derive(Debug)]
pub(super) struct Active {
    metrics: HttpMetrics,
    attributes: [KeyValue; 2],
}

impl Active {
    /// How long it took.
    pub(super) fn record(&self, duration: Duration, attributes: &[KeyValue]) {
        let duration = duration.as_secs_f64();
        self.metrics.duration.record(duration, attributes);
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.metrics.active.add(-1, &self.attributes);
    }
}

/// A caller can make up methods, but no values of an attribute.
pub(super) fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "DELETE" => "DELETE",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "POST" => "POST",
        "PUT" => "PUT",
        _ => "_OTHER",
    }
}

/// What is measured of the database's operations.
#[derive(Clone, Debug)]
pub struct DatabaseMetrics {
    duration: Histogram<f64>,
}

impl DatabaseMetrics {
    /// The instruments.
    pub fn new(meter: &Meter) -> Self {
        Self {
            duration: durations(
                meter,
                "db.client.operation.duration",
                "Duration of database client operations.",
                &BOUNDARIES,
            ),
        }
    }

    /// An operation has ended.
    pub(in crate::service) fn record(&self, began: Instant, attributes: &[KeyValue]) {
        self.duration
            .record(began.elapsed().as_secs_f64(), attributes);
    }
}

/// An instrument without attributes that shows a value while there is one.
macro_rules! observed {
    ($builder:expr, $unit:literal, $description:literal, $of:ident => $value:expr) => {{
        let $of = $of.clone();
        $builder
            .with_unit($unit)
            .with_description($description)
            .with_callback(move |observer| {
                if let Some(value) = $value {
                    observer.observe(value, &[]);
                }
            })
            .build();
    }};
}

/// An instrument that shows a value of each key set.
macro_rules! observed_per_key_set {
    ($builder:expr, $unit:literal, $description:literal, $verifier:ident, $status:ident => $value:expr) => {{
        let verifier = $verifier.clone();
        $builder
            .with_unit($unit)
            .with_description($description)
            .with_callback(move |observer| {
                for ($status, attributes) in key_sets(&verifier) {
                    if let Some(value) = $value {
                        observer.observe(value, &attributes);
                    }
                }
            })
            .build();
    }};
}

/// How each key set is doing. Where there are several, an attribute names the first of its issuers;
/// one alone is what its series have always been.
fn key_sets(verifier: &Verifier) -> Vec<(KeySetStatus, Vec<KeyValue>)> {
    let sets = verifier.key_sets();
    let several = sets.len() > 1;
    let attributes = |set: &TrustedKeySet| {
        let issuer = set.issuers.first().filter(|_| several)?;
        Some(KeyValue::new("keyward.issuer", issuer.to_string()))
    };
    let sets = sets.into_iter().map(|set| {
        let attributes = attributes(&set).into_iter().collect();
        (set.status, attributes)
    });
    sets.collect()
}

/// Shows how the keys are, and the cache of verified tokens.
pub fn observe_keys(meter: &Meter, verifier: &Verifier) {
    let counted = verifier.clone();
    meter
        .u64_observable_counter("keyward.key_set.refreshes")
        .with_unit("{refresh}")
        .with_description("Attempts to fetch the key set, by how they ended.")
        .with_callback(move |observer| {
            for (status, attributes) in key_sets(&counted) {
                for (result, count) in [("succeeded", status.succeeded), ("failed", status.failed)]
                {
                    let mut attributes = attributes.clone();
                    attributes.push(KeyValue::new("keyward.result", result));
                    observer.observe(count, &attributes);
                }
            }
        })
        .build();
    observed_per_key_set!(
        meter.u64_observable_counter("keyward.key_set.unknown_keys"), "{lookup}",
        "Tokens whose kid the key set did not hold at first.",
        verifier, status => Some(status.unknown_keys)
    );
    observed_per_key_set!(
        meter.f64_observable_gauge("keyward.key_set.age"), "s",
        "Time since the auth server last gave the key set.",
        verifier, status => status.age.map(|age| age.as_secs_f64())
    );
    observed_per_key_set!(
        meter.u64_observable_gauge("keyward.key_set.keys"), "{key}",
        "Keys that can verify tokens.",
        verifier, status => Some(status.keys as u64)
    );
    observed!(
        meter.u64_observable_gauge("keyward.cache.entries"), "{token}",
        "Verified tokens that are remembered.",
        verifier => verifier.cache_status().map(|status| status.entries as u64)
    );
    observed!(
        meter.u64_observable_gauge("keyward.cache.size"), "By",
        "Memory that they take, estimated.",
        verifier => verifier.cache_status().map(|status| status.bytes as u64)
    );
    observed!(
        meter.u64_observable_counter("keyward.cache.evictions"), "{token}",
        "Verified tokens that had to leave before they expired.",
        verifier => verifier.cache_status().map(|status| status.evictions)
    );
}

/// Shows how many of the database's connections are in use.
pub fn observe_pool(meter: &Meter, store: &TaskStore) {
    let pool = || KeyValue::new("db.client.connection.pool.name", "tasks");
    let observed = store.clone();
    meter
        .i64_observable_up_down_counter("db.client.connection.count")
        .with_unit("{connection}")
        .with_description("Connections to the database, by their state.")
        .with_callback(move |observer| {
            let status = observed.pool_status();
            for (state, count) in [("idle", status.idle), ("used", status.used)] {
                let state = KeyValue::new("db.client.connection.state", state);
                observer.observe(i64::from(count), &[pool(), state]);
            }
        })
        .build();
    let observed = store.clone();
    meter
        .i64_observable_up_down_counter("db.client.connection.max")
        .with_unit("{connection}")
        .with_description("Connections to the database that there may be.")
        .with_callback(move |observer| {
            observer.observe(i64::from(observed.pool_status().max), &[pool()]);
        })
        .build();
}

/// Times each fetch of a key set.
#[derive(Debug)]
pub struct TimedFetcher<F> {
    fetcher: F,
    duration: Histogram<f64>,
}

impl<F> TimedFetcher<F> {
    /// Around a fetcher.
    pub fn new(fetcher: F, meter: &Meter) -> Self {
        Self {
            fetcher,
            duration: durations(
                meter,
                "keyward.key_set.fetch.duration",
                "Time that it took to fetch the key set.",
                &BOUNDARIES,
            ),
        }
    }
}

impl<F: FetchKeySet> FetchKeySet for TimedFetcher<F> {
    fn fetch(&self, if_none_match: Option<String>) -> FetchFuture<'_> {
        Box::pin(async move {
            let mut timed = TimedFetch {
                duration: &self.duration,
                began: Instant::now(),
                result: "failed",
            };
            let fetched = self.fetcher.fetch(if_none_match).await;
            if fetched.is_ok() {
                timed.result = "succeeded";
            }
            fetched
        })
    }
}

/// A fetch under way, recorded when it is dropped: one that takes too long is not awaited.
struct TimedFetch<'f> {
    duration: &'f Histogram<f64>,
    began: Instant,
    result: &'static str,
}

impl Drop for TimedFetch<'_> {
    fn drop(&mut self) {
        let attributes = [KeyValue::new("keyward.result", self.result)];
        self.duration
            .record(self.began.elapsed().as_secs_f64(), &attributes);
    }
}
