//! Where log lines go: standard error, as text or as JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use super::config::{LogArgs, LogFormat};
use super::variable::ConfigError;
use crate::verifier::VERIFICATION_SPAN;

/// Sets up logging for the process.
///
/// # Errors
/// When a variable does not parse.
pub fn init(args: &LogArgs) -> Result<(), ConfigError> {
    let on_a_terminal = io::stderr().is_terminal();
    let (filter, format) = args.parse(on_a_terminal)?;
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(on_a_terminal);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    // What is recorded in the span of a verification stands in no line: it comes after the lines in
    // it. Left in, it would be put into text for each request, which takes longer than to verify it.
    let wanted = filter_fn(|metadata| metadata.name() != VERIFICATION_SPAN);
    // Filters of the whole subscriber, not of the layer: where a layer has its own, an event is lost
    // that follows a question whether another would be enabled, and sqlx asks after each statement.
    let subscriber = registry().with(filter).with(wanted).with(lines);
    // A subscriber that is already there, in a test, stays.
    let _ = subscriber.try_init();
    Ok(())
}
