//! The edge of the service: what every request and every response gets.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    RETRY_AFTER, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use opentelemetry::context::FutureExt;
use poem::Endpoint;
use tokio::time::error::Elapsed;
use tower::Service;
use tracing::Level;

use super::limited_body::{LimitedBody, TooLarge};
use super::line_limit::{LineLimit, Taken};
use super::message;
use super::panics::caught;
use super::poem_service::poem_request;
use super::time_limit::within;
use super::{HttpOptions, REQUEST_ID, ResponseBody};
use crate::problem::ProblemCode;
use crate::service::telemetry::{RequestSpan, RequestTelemetry};
use crate::{PROBLEM_JSON, Problem, Rejection, TraceId};

/// How many headers a response gets on its way out.
const ADDED_HEADERS: usize = 8;

/// A Poem app with the edge around it.
pub(super) struct Edge<E>(Arc<Inner<E>>);

struct Inner<E> {
    app: E,
    request_timeout: Duration,
    max_body_len: usize,
    telemetry: RequestTelemetry,
    refusals: LineLimit,
    failures: LineLimit,
}

impl<E: Endpoint> Edge<E> {
    pub(super) fn new(app: E, options: &HttpOptions) -> Self {
        Self(Arc::new(Inner {
            app,
            request_timeout: options.request_timeout,
            max_body_len: options.max_body_len,
            telemetry: options.telemetry.clone(),
            refusals: LineLimit::default(),
            failures: LineLimit::default(),
        }))
    }
}

impl<E> Clone for Edge<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E, B> Service<Request<B>> for Edge<E>
where
    E: Endpoint + 'static,
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut span = self.0.telemetry.begin(request.method(), request.headers());
        let context = span.context.clone();
        let trace_id = span.trace_id();
        request.extensions_mut().insert(trace_id);
        request.extensions_mut().insert(span.route.clone());
        let edge = self.0.clone();
        let accepted = edge.accept(request);
        // The app's future is built in its place and only referred to: each function more that takes
        // it by value would make this one larger by twice its size, and it is copied for each request.
        let finish = async move {
            let answer = match accepted {
                Ok((request, excess)) => {
                    let app = pin!(edge.app.get_response(request));
                    let answer = within(edge.request_timeout, caught(app)).await;
                    status_or_answer(answer, excess)
                }
                Err(status) => Err(status),
            };
            let response = match answer {
                Ok(response) => as_problem(response.into(), &trace_id),
                Err(status) => error_response(status, refusal_headers(status), &trace_id),
            };
            let code = problem_code(&response);
            span.answered(response.status(), code);
            edge.log(&span, response.status(), code);
            Ok(finished(response, &trace_id))
        };
        Box::pin(finish.with_context(context))
    }
}

impl<E> Inner<E> {
    /// The request as the app gets it, and, for one with a body, whether that was too large in the
    /// end. An error for one that says so at once.
    fn accept<B>(
        &self,
        request: Request<B>,
    ) -> Result<(poem::Request, Option<TooLarge>), StatusCode>
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if !message::is_unambiguous(request.version(), request.headers()) {
            return Err(StatusCode::BAD_REQUEST);
        }
        if request.body().size_hint().lower() > self.max_body_len as u64 {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if request.body().is_end_stream() {
            return Ok((poem_request(request.map(|_| Empty::new())), None));
        }
        let excess = TooLarge::default();
        let limited = |body| LimitedBody::new(body, self.max_body_len, excess.clone());
        Ok((poem_request(request.map(limited)), Some(excess)))
    }
}

/// What the app has answered, or the status that takes its place.
fn status_or_answer(
    answer: Result<Option<poem::Response>, Elapsed>,
    excess: Option<TooLarge>,
) -> Result<poem::Response, StatusCode> {
    if excess.is_some_and(|excess| excess.happened()) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match answer {
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        // Whether its body came slowly or the database did cannot be told here: it is the server
        // that failed to answer in time.
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// An error that is not a problem document yet becomes one.
fn as_problem(response: Response<ResponseBody>, trace_id: &TraceId) -> Response<ResponseBody> {
    let status = response.status();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value == PROBLEM_JSON);
    if !(status.is_client_error() || status.is_server_error()) || is_problem {
        return response;
    }
    let (parts, _) = response.into_parts();
    error_response(status, parts.headers, trace_id)
}

/// Where it is not clear where a request ends, nothing behind it is read as another one.
fn refusal_headers(status: StatusCode) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if status == StatusCode::BAD_REQUEST {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers
}

fn error_response(
    status: StatusCode,
    mut headers: HeaderMap,
    trace_id: &TraceId,
) -> Response<ResponseBody> {
    let (code, title) = match status.as_u16() {
        400 => ("bad_request", "Malformed request"),
        404 => ("not_found", "Not found"),
        405 => ("method_not_allowed", "Method not allowed"),
        413 => ("payload_too_large", "Request body too large"),
        415 => ("unsupported_media_type", "Unsupported media type"),
        503 => ("timed_out", "Not answered in time"),
        status if status < 500 => ("request_refused", "Request refused"),
        _ => ("internal_error", "Internal error"),
    };
    let problem = Problem::new(status.as_u16(), code, title).with_trace_id(Some(trace_id));
    // What described the old body.
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers
            .entry(RETRY_AFTER)
            .or_insert(HeaderValue::from_static("1"));
    }
    let body = Full::new(Bytes::from(problem.to_json())).map_err(|never| match never {});
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.extensions_mut().insert(ProblemCode(code));
    response
}

fn finished(mut response: Response<ResponseBody>, trace_id: &TraceId) -> Response<ResponseBody> {
    const DEFAULTS: [(HeaderName, HeaderValue); 3] = [
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let headers = response.headers_mut();
    // These, and those of CORS.
    headers.reserve(ADDED_HEADERS);
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::from_str(trace_id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// The stable code of a problem.
fn problem_code(response: &Response<ResponseBody>) -> Option<&'static str> {
    let extensions = response.extensions();
    match extensions.get::<Rejection>() {
        Some(rejection) => Some(rejection.code()),
        None => extensions.get::<ProblemCode>().map(|code| code.0),
    }
}

impl<E> Inner<E> {
    /// One line a request: at `debug` for what went well, so that a busy service's log stays small,
    /// and no more than a few a second for the rest, so that nobody can fill a disk with refusals.
    /// Not the path, which may hold what is nobody's business, but the route.
    fn log(&self, span: &RequestSpan, status: StatusCode, code: Option<&'static str>) {
        /// A line at a level, if the level is wanted and the limit allows it.
        macro_rules! limited_line {
            ($level:expr, $limit:expr, $message:literal) => {
                if tracing::enabled!($level)
                    && let Taken::Allowed { suppressed } = $limit.take()
                {
                    if suppressed > 0 {
                        tracing::event!(
                            $level,
                            suppressed,
                            "more lines like the next were left out"
                        );
                    }
                    line!($level, $message);
                }
            };
        }
        macro_rules! line {
            ($level:expr, $message:literal) => {
                tracing::event!(
                    $level,
                    method = span.method,
                    route = span.route.path().map(|path| &**path),
                    status = status.as_u16(),
                    code,
                    milliseconds = span.elapsed().as_secs_f64() * 1000.0,
                    $message
                )
            };
        }
        match status.as_u16() {
            500.. => limited_line!(Level::ERROR, self.failures, "request failed"),
            400..=499 => limited_line!(Level::INFO, self.refusals, "request refused"),
            _ => line!(Level::DEBUG, "request answered"),
        }
    }
}
