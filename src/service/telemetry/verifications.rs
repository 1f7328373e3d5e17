//! Verifications, counted where a counter of OpenTelemetry's would take as long as the verification.
//!
//! What goes well, which is nearly everything, is one addition to a number that a thread shares with
//! few others. The counts are read when they are exported.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

use super::instruments::durations;
use crate::verifier::outcome;
use crate::{Observation, VerificationObserver, VerifyError};

/// Threads take turns at these.
const SHARDS: usize = 16;

/// From 100 ns, for a token seen before, to 10 ms, in seconds.
const BOUNDARIES: [f64; 16] = [
    1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3,
    5e-3, 1e-2,
];

/// Observes a verifier. Clones share the counts.
#[derive(Clone, Debug)]
pub struct VerificationMetrics {
    counts: Arc<Counts>,
    duration: Histogram<f64>,
    hit: [KeyValue; 1],
    miss: [KeyValue; 1],
}

#[derive(Debug)]
struct Counts {
    accepted: [Shard; SHARDS],
    /// All that there can be from the start: of a series that begins with its first event, a rate does
    /// not see that one.
    others: Vec<Other>,
}

/// A cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Verifications that have ended with the same error.
#[derive(Debug)]
struct Other {
    outcome: &'static str,
    code: &'static str,
    cached: bool,
    count: AtomicU64,
}

impl VerificationMetrics {
    /// Registers the counts with a meter.
    pub fn new(meter: &Meter) -> Self {
        let counts = Arc::new(Counts::new());
        let counted = counts.clone();
        meter
            .u64_observable_counter("keyward.verifications")
            .with_unit("{verification}")
            .with_description("Verifications of tokens, by how they ended.")
            .with_callback(move |observer| {
                counted.each(|count, attributes| observer.observe(count, attributes));
            })
            .build();
        let duration = durations(
            meter,
            "keyward.verification.duration",
            "Time that a verification took, without waiting for keys. Of tokens seen before, one in 64 is timed.",
            &BOUNDARIES,
        );
        Self {
            counts,
            duration,
            hit: [cache_attribute(true)],
            miss: [cache_attribute(false)],
        }
    }
}

fn cache_attribute(cached: bool) -> KeyValue {
    KeyValue::new("keyward.cache", if cached { "hit" } else { "miss" })
}

impl VerificationObserver for VerificationMetrics {
    fn observe(&self, verification: &Observation<'_>) {
        match verification.error {
            None => self.counts.accept(verification.cached),
            Some(error) => self.counts.refuse(error, verification.cached),
        }
        if let Some(duration) = verification.duration {
            let attributes = if verification.cached {
                &self.hit
            } else {
                &self.miss
            };
            self.duration.record(duration.as_secs_f64(), attributes);
        }
    }
}

impl Counts {
    fn new() -> Self {
        // Of a token that was verified before, only the times are looked at again.
        let cached = [
            VerifyError::Expired,
            VerifyError::NotYetValid,
            VerifyError::IssuedInFuture,
        ];
        let all = VerifyError::ALL.iter().map(|error| (error, false));
        let all = all.chain(cached.iter().map(|error| (error, true)));
        let others = all.map(|(error, cached)| Other {
            outcome: outcome(Some(error)),
            code: error.code(),
            cached,
            count: AtomicU64::new(0),
        });
        Self {
            accepted: Default::default(),
            others: others.collect(),
        }
    }

    fn accept(&self, cached: bool) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        }
        let own = OWN.try_with(|own| *own).unwrap_or_default();
        if let Some(shard) = self.accepted.get(own) {
            let count = if cached { &shard.hits } else { &shard.misses };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn refuse(&self, error: &VerifyError, cached: bool) {
        let code = error.code();
        let is_it = |other: &&Other| other.code == code && other.cached == cached;
        if let Some(other) = self.others.iter().find(is_it) {
            other.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn each(&self, mut observe: impl FnMut(u64, &[KeyValue])) {
        for cached in [true, false] {
            let of_shard = |shard: &Shard| {
                let count = if cached { &shard.hits } else { &shard.misses };
                count.load(Ordering::Relaxed)
            };
            let accepted = self.accepted.iter().map(of_shard).sum();
            let attributes = [
                KeyValue::new("keyward.outcome", outcome(None)),
                cache_attribute(cached),
            ];
            observe(accepted, &attributes);
        }
        for other in &self.others {
            let attributes = [
                KeyValue::new("keyward.outcome", other.outcome),
                KeyValue::new("error.type", other.code),
                cache_attribute(other.cached),
            ];
            observe(other.count.load(Ordering::Relaxed), &attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opentelemetry::metrics::MeterProvider;
    use opentelemetry::metrics::noop::NoopMeterProvider;

    use super::*;

    fn observed(cached: bool, error: Option<&VerifyError>) -> Observation<'_> {
        Observation {
            error,
            cached,
            duration: None,
        }
    }

    #[test]
    fn every_verification_is_counted_once_from_whichever_thread() {
        let metrics = VerificationMetrics::new(&NoopMeterProvider::new().meter("test"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        metrics.observe(&observed(true, None));
                        metrics.observe(&observed(false, None));
                        metrics.observe(&observed(false, Some(&VerifyError::Expired)));
                        metrics.observe(&observed(true, Some(&VerifyError::Expired)));
                        metrics.observe(&observed(false, Some(&VerifyError::SignatureInvalid)));
                    }
                });
            }
        });
        let mut counts = BTreeMap::new();
        metrics.counts.each(|count, attributes| {
            let values: Vec<String> = attributes
                .iter()
                .map(|attribute| attribute.value.to_string())
                .collect();
            assert_eq!(counts.insert(values.join(" "), count), None);
        });
        assert_eq!(counts.len(), 2 + VerifyError::ALL.len() + 3);
        counts.retain(|_, count| *count > 0);
        let expected = [
            ("accepted hit", 4000),
            ("accepted miss", 4000),
            ("refused token_signature_invalid miss", 4000),
            ("refused token_expired hit", 4000),
            ("refused token_expired miss", 4000),
        ];
        assert_eq!(
            counts,
            expected
                .map(|(name, count)| (name.to_owned(), count))
                .into()
        );
    }
}
