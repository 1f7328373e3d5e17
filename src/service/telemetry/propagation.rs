//! W3C Trace Context: how a caller's trace comes in, and how it goes on to the auth server.

use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What everybody must be able to pass on (section 3.3.1.5). A longer one is left out: it is copied
/// into every span, and sent to the auth server, which refuses a request with large headers.
const MAX_STATE_LEN: usize = 512;

/// The caller's span. `None` without a header, with several, and with one that is not valid.
pub(super) fn extract(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (trace, parent, flags) = match (values.next(), values.next()) {
        (Some(value), None) => parse(value.to_str().ok()?)?,
        _ => return None,
    };
    // Several headers are one list (section 3.3.1); an invalid one is none, and so is a long one.
    let states: Option<Vec<&str>> = headers
        .get_all(TRACESTATE)
        .iter()
        .map(|value| value.to_str().ok())
        .collect();
    let state = states
        .map(|states| states.join(","))
        .filter(|state| state.len() <= MAX_STATE_LEN)
        .and_then(|state| TraceState::from_str(&state).ok())
        .unwrap_or_default();
    Some(SpanContext::new(trace, parent, flags, true, state))
}

/// `version "-" trace-id "-" parent-id "-" flags` (section 3.2). Later versions may append more.
fn parse(value: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut parts = value.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len| {
        text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let known = version == "00" && parts.next().is_none();
    let later = hex(version, 2) && version != "00" && version != "ff";
    if !(known || later) || !hex(trace, 32) || !hex(parent, 16) || !hex(flags, 2) {
        return None;
    }
    let trace = TraceId::from_hex(trace).ok()?;
    let parent = SpanId::from_hex(parent).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    (trace != TraceId::INVALID && parent != SpanId::INVALID).then_some((trace, parent, flags))
}

/// Adds the current span to a request's headers.
pub(super) fn inject(headers: &mut HeaderMap) {
    let context = Span::current().context();
    TraceContextPropagator::new().inject_context(&context, &mut Headers(headers));
}

struct Headers<'h>(&'h mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, name: &str, value: String) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            // A state without entries is no header.
            if !value.is_empty() {
                self.0.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_callers_trace_is_continued_only_if_its_header_is_valid() {
        let trace = |value: &str| {
            let caller = extract(&headers(&[(TRACEPARENT, value)]))?;
            assert!(caller.is_remote() && caller.is_valid());
            Some((caller.trace_id().to_string(), caller.is_sampled()))
        };
        for (valid, sampled) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), false),
            (format!("01-{TRACE}-00f067aa0ba902b7-03-more"), true),
        ] {
            assert_eq!(trace(&valid), Some((TRACE.to_owned(), sampled)), "{valid}");
        }
        for invalid in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-0g"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
        ] {
            assert_eq!(trace(&invalid), None, "{invalid}");
        }
        let value = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let twice = headers(&[(TRACEPARENT, &value), (TRACEPARENT, &value)]);
        assert!(extract(&twice).is_none(), "two headers are none");
    }

    #[test]
    fn a_callers_state_goes_on_if_it_can_be_read() {
        let value = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let state = |states: &[&str]| {
            let mut pairs = vec![(TRACEPARENT, &*value)];
            pairs.extend(states.iter().map(|state| (TRACESTATE, *state)));
            extract(&headers(&pairs)).unwrap().trace_state().header()
        };
        assert_eq!(state(&[]), "");
        assert_eq!(state(&["a=1,b=2"]), "a=1,b=2");
        assert_eq!(state(&["a=1", "b=2"]), "a=1,b=2");
        assert_eq!(state(&["no state"]), "");
        let of_len = |len: usize| format!("a={}", "x".repeat(len - 2));
        let longest = ["a=", &"x".repeat(250), ",bbbbb=", &"y".repeat(253)].concat();
        assert_eq!((longest.len(), &*state(&[&longest])), (512, &*longest));
        assert_eq!(state(&[&longest, "c=3"]), "");
        assert_eq!(
            state(&[&of_len(200), &of_len(200).replace('a', "b")]).len(),
            401
        );
    }
}
