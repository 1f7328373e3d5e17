//! The span and the measures of a request.
//!
//! The span is made by OpenTelemetry's own API, not by `tracing`: where it is not sampled it costs a
//! tenth. It is current while the request is answered, so that spans made meanwhile are below it and
//! log lines name it. Without an exporter there is a trace id all the same, for problem documents and
//! log lines.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId as OtelTraceId,
    TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use super::instruments::{Active, HttpMetrics, known_method};
use super::propagation;
use crate::problem::TraceId;
use crate::service::api::MatchedRoute;

/// Traces and measures requests, as far as anybody wants to know. Without anything by default.
#[derive(Clone, Debug, Default)]
pub struct RequestTelemetry {
    tracer: Option<SdkTracer>,
    metrics: Option<HttpMetrics>,
}

/// A request under way. When it is dropped it has ended: answered, or, if it was not, cancelled.
pub(in crate::service) struct RequestSpan {
    /// With the span in it.
    pub(in crate::service) context: Context,
    pub(in crate::service) method: &'static str,
    /// For the router to fill in.
    pub(in crate::service) route: MatchedRoute,
    began: Instant,
    answer: Option<Answer>,
    metrics: Option<Active>,
}

struct Answer {
    status: StatusCode,
    /// Of the problem, if it is one.
    code: Option<&'static str>,
}

impl RequestTelemetry {
    /// With what there is.
    pub fn new(tracer: Option<SdkTracer>, metrics: Option<HttpMetrics>) -> Self {
        Self { tracer, metrics }
    }

    /// A request has come.
    pub(in crate::service) fn begin(&self, method: &Method, headers: &HeaderMap) -> RequestSpan {
        let caller = propagation::extract(headers);
        let method = known_method(method);
        let context = match &self.tracer {
            Some(tracer) => {
                let parent = match caller {
                    Some(caller) => Context::new().with_remote_span_context(caller),
                    None => Context::new(),
                };
                let span = tracer
                    .span_builder(match method {
                        "_OTHER" => "HTTP",
                        known => known,
                    })
                    .with_kind(SpanKind::Server)
                    .start_with_context(tracer, &parent);
                parent.with_span(span)
            }
            None => Context::new().with_remote_span_context(untraced(caller)),
        };
        RequestSpan {
            context,
            method,
            route: MatchedRoute::default(),
            began: Instant::now(),
            answer: None,
            metrics: self.metrics.as_ref().map(|metrics| metrics.begin(method)),
        }
    }
}

/// A span that nobody keeps, in the caller's trace or in one of its own.
fn untraced(caller: Option<SpanContext>) -> SpanContext {
    let trace = caller.map_or_else(
        || OtelTraceId::from(fastrand::u128(1..)),
        |caller| caller.trace_id(),
    );
    let span = SpanId::from(fastrand::u64(1..));
    SpanContext::new(trace, span, TraceFlags::default(), false, TraceState::NONE)
}

impl RequestSpan {
    /// The trace, for problem documents.
    pub(in crate::service) fn trace_id(&self) -> TraceId {
        let id = self.context.span().span_context().trace_id();
        TraceId::from_bytes(id.to_bytes())
    }

    /// Time since it began.
    pub(in crate::service) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The request was answered. `code`: of the problem, if it is one.
    pub(in crate::service) fn answered(&mut self, status: StatusCode, code: Option<&'static str>) {
        self.answer = Some(Answer { status, code });
    }

    /// What is wrong with the server, if anything is.
    fn error(&self) -> Option<Cow<'static, str>> {
        match &self.answer {
            None => Some("cancelled".into()),
            Some(Answer { status, code }) if status.is_server_error() => {
                Some(code.map_or_else(|| status.as_str().to_owned().into(), Cow::Borrowed))
            }
            Some(_) => None,
        }
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        let span = self.context.span();
        if self.metrics.is_none() && !span.is_recording() {
            return;
        }
        let mut attributes = vec![
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("url.scheme", "http"),
        ];
        if let Some(Answer { status, .. }) = &self.answer {
            let status = i64::from(status.as_u16());
            attributes.push(KeyValue::new("http.response.status_code", status));
        }
        if let Some(route) = self.route.path() {
            attributes.push(KeyValue::new("http.route", route.clone()));
        }
        let error = self.error();
        if let Some(error) = &error {
            attributes.push(KeyValue::new("error.type", error.clone()));
        }
        if let Some(metrics) = &self.metrics {
            metrics.record(self.began.elapsed(), &attributes);
        }
        if span.is_recording() {
            if let Some(route) = self.route.path() {
                span.update_name(format!("{} {route}", self.method));
            }
            // Of a server span, what the caller did wrong is no error.
            if error.is_some() {
                span.set_status(Status::error(""));
            }
            span.set_attributes(attributes);
            if let Some(Answer {
                code: Some(code), ..
            }) = &self.answer
            {
                span.set_attribute(KeyValue::new("keyward.problem.code", *code));
            }
        }
        span.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_exporter_there_is_a_trace_id_and_the_callers_goes_before() {
        let telemetry = RequestTelemetry::default();
        let begin = |headers: &HeaderMap| telemetry.begin(&Method::GET, headers).trace_id();
        let mut headers = HeaderMap::new();
        assert_ne!(begin(&headers), begin(&headers));
        let value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert("traceparent", value.parse().unwrap());
        assert_eq!(begin(&headers).as_str(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}
