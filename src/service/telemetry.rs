//! Where log lines go: standard error, as text or as JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::fmt;

use super::config::{LogArgs, LogFormat};
use super::variable::ConfigError;

/// Sets up logging for the process.
///
/// # Errors
/// When a variable does not parse.
pub fn init(args: &LogArgs) -> Result<(), ConfigError> {
    let on_a_terminal = io::stderr().is_terminal();
    let (filter, format) = args.parse(on_a_terminal)?;
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(on_a_terminal);
    // A subscriber that is already there, in a test, stays.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
    Ok(())
}
