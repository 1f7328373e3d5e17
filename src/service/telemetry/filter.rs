//! Which log lines and spans are made.
//!
//! It filters for the whole subscriber. Filters of single layers would be simpler, but with them an
//! event is lost that follows a question whether another would be enabled, and sqlx asks after each
//! statement.

use opentelemetry::Context as TraceContext;
use opentelemetry::trace::TraceContextExt;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Context, Layer};

/// The spans that are exported are Keyward's own; those of the exporter's client are not.
const OWN: &str = "keyward";

/// A key set is refreshed every few minutes, and for nobody's request: whether that is sampled is
/// for the sampler to say.
const KEY_SETS: &str = "keyward::keys";

/// What libraries say beyond these levels quotes what nobody may read: no filter lets it through, and
/// a test with everything logged looks for more of the kind.
const TELLTALES: [(&str, LevelFilter); 3] = [
    // Paths with tokens in them, authorities, header values and words of goodbye, if malformed.
    ("h2", LevelFilter::INFO),
    // The collector's answers, which may repeat the key that they refuse.
    ("opentelemetry-otlp", LevelFilter::INFO),
    // A database URL's unknown parameters with their values, passwords included.
    ("sqlx_postgres::options", LevelFilter::ERROR),
];

fn tells_too_much(metadata: &Metadata<'_>) -> bool {
    TELLTALES.iter().any(|(name, most)| {
        let is_its = |rest: &str| rest.is_empty() || rest.starts_with("::");
        metadata.target().strip_prefix(name).is_some_and(is_its) && metadata.level() > most
    })
}

/// Log lines as `RUST_LOG` has it; spans, where they are exported, of requests that are sampled.
#[derive(Debug)]
pub struct Wanted {
    lines: EnvFilter,
    spans: bool,
}

impl Wanted {
    /// `spans`: whether they are exported.
    pub fn new(lines: EnvFilter, spans: bool) -> Self {
        Self { lines, spans }
    }

    fn wants_span(&self, metadata: &Metadata<'_>) -> bool {
        self.spans && metadata.target().starts_with(OWN) && *metadata.level() <= Level::INFO
    }
}

impl<S: Subscriber> Layer<S> for Wanted {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if tells_too_much(metadata) {
            return Interest::never();
        }
        if !metadata.is_span() {
            return Layer::<S>::register_callsite(&self.lines, metadata);
        }
        match self.wants_span(metadata) {
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        if tells_too_much(metadata) {
            return false;
        }
        if !metadata.is_span() {
            return Layer::<S>::enabled(&self.lines, metadata, context);
        }
        self.wants_span(metadata)
            && (metadata.target().starts_with(KEY_SETS)
                || TraceContext::map_current(|current| current.span().span_context().is_sampled()))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let lines = Layer::<S>::max_level_hint(&self.lines)?;
        let spans = if self.spans {
            LevelFilter::INFO
        } else {
            LevelFilter::OFF
        };
        Some(lines.max(spans))
    }
}
