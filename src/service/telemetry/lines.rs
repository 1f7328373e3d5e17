//! The form of log lines: one event a line, with the trace and span it happened in.

use std::fmt::{self, Write as _};

use opentelemetry::Context as TraceContext;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::service::config::LogFormat;

/// Writes one event a line.
#[derive(Clone, Copy, Debug)]
pub struct Lines(pub LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let span = TraceContext::map_current(|current| {
            Some(current.span().span_context().clone()).filter(SpanContext::is_valid)
        });
        match self.0 {
            LogFormat::Json => json_line(writer, event, span.as_ref()),
            LogFormat::Text => text_line(writer, event, span.as_ref()),
        }
    }
}

fn json_line(mut writer: Writer<'_>, event: &Event<'_>, span: Option<&SpanContext>) -> fmt::Result {
    let mut timestamp = String::new();
    SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
    let mut line = Map::new();
    // First, so that no field of an event can pass for what follows.
    event.record(&mut Members(&mut line));
    line.insert("timestamp".to_owned(), timestamp.into());
    line.insert("level".to_owned(), event.metadata().level().as_str().into());
    line.insert("target".to_owned(), event.metadata().target().into());
    if let Some(span) = span {
        line.insert("trace_id".to_owned(), span.trace_id().to_string().into());
        line.insert("span_id".to_owned(), span.span_id().to_string().into());
    }
    writeln!(writer, "{}", Value::Object(line))
}

fn text_line(mut writer: Writer<'_>, event: &Event<'_>, span: Option<&SpanContext>) -> fmt::Result {
    SystemTime.format_time(&mut writer)?;
    let metadata = event.metadata();
    let level = metadata.level();
    match writer.has_ansi_escapes() {
        true => write!(writer, " \x1b[{}m{level:>5}\x1b[0m", color(*level))?,
        false => write!(writer, " {level:>5}")?,
    }
    write!(writer, " {}:", metadata.target())?;
    let mut fields = Words {
        message: String::new(),
        others: String::new(),
    };
    event.record(&mut fields);
    write!(writer, "{}{}", fields.message, fields.others)?;
    if let Some(span) = span {
        write!(writer, " trace_id={}", span.trace_id())?;
    }
    writeln!(writer)
}

fn color(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// The fields of an event as members of an object.
struct Members<'m>(&'m mut Map<String, Value>);

impl Members<'_> {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Members<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }
}

/// The fields of an event as a message and `name=value`.
struct Words {
    message: String,
    others: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(OneLine(&mut self.message), " {value:?}"),
            name => write!(OneLine(&mut self.others), " {name}={value:?}"),
        };
    }
}

/// Escapes control characters, so that nothing that is logged begins a line of its own or talks to a
/// terminal.
struct OneLine<'t>(&'t mut String);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character.is_control() {
                true => self.0.extend(character.escape_default()),
                false => self.0.push(character),
            }
        }
        Ok(())
    }
}

/// The fields of a span stand in no line, so none are put into text.
pub(super) struct NoFields;

impl<'w> FormatFields<'w> for NoFields {
    fn format_fields<R: tracing_subscriber::field::RecordFields>(
        &self,
        _writer: Writer<'w>,
        _fields: R,
    ) -> fmt::Result {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};
    use tracing_subscriber::filter::EnvFilter;

    use super::*;
    use crate::service::telemetry::subscriber;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(format: LogFormat, ansi: bool, work: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = subscriber(None, EnvFilter::new("info"), format, ansi, move || {
            writer.clone()
        });
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    fn in_a_trace(work: impl FnOnce()) {
        let span = SpanContext::new(
            TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
            SpanId::from(0x00f0_67aa_0ba9_02b7),
            TraceFlags::default(),
            true,
            TraceState::default(),
        );
        let _attached = TraceContext::new().with_remote_span_context(span).attach();
        work();
    }

    #[test]
    fn a_json_line_has_the_fields_and_the_trace_and_nothing_twice() {
        let text = lines(LogFormat::Json, false, || {
            in_a_trace(|| {
                tracing::info!(
                    status = 401_u16,
                    code = "token_expired",
                    cached = true,
                    milliseconds = 0.5,
                    trace_id = "another",
                    "request\nrefused"
                );
            });
            tracing::debug!("not wanted");
        });
        assert_eq!(text.lines().count(), 1);
        let mut line: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert!(line.remove("timestamp").is_some());
        let expected = serde_json::json!({
            "level": "INFO",
            "target": module_path!(),
            "message": "request\nrefused",
            "status": 401,
            "code": "token_expired",
            "cached": true,
            "milliseconds": 0.5,
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "span_id": "00f067aa0ba902b7",
        });
        assert_eq!(Value::Object(line), expected);
    }

    #[test]
    fn a_text_line_is_one_line_whatever_its_values_hold() {
        let text = lines(LogFormat::Text, false, || {
            in_a_trace(|| tracing::warn!(error = %"a\nb", count = 2, "it\x1b failed"));
        });
        assert!(
            text.ends_with(
                "telemetry::lines::tests: it\\u{1b} failed error=a\\nb count=2 trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n"
            ) && text.contains("  WARN "),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1);
        let colored = lines(LogFormat::Text, true, || tracing::error!("it failed"));
        assert!(colored.contains("\x1b[31mERROR\x1b[0m"), "{colored}");
        assert!(!colored.contains("trace_id"), "{colored}");
    }
}
