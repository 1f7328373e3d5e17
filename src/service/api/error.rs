//! What goes wrong in the API itself, and how it is answered.
//!
//! Every kind of problem stands once in the list below, with its status, its stable code and its
//! title; the OpenAPI document takes the codes from there. Details name the parameter or member
//! and the rule, never the value: what a client sent may be personal or a secret.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use poem::error::ResponseError;
use poem::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use poem::http::{HeaderMap, HeaderValue, StatusCode};
use poem::{Body, Response};
use serde_json::{Map, Value};

use crate::problem::{PROBLEM_JSON, Problem, ProblemCode, TraceId, Violation};
use crate::service::error_chain::chain;
use crate::service::store::StoreError;

/// A kind of problem: what is the same for every occurrence.
#[derive(Debug)]
pub struct Kind {
    /// The HTTP status.
    pub status: u16,
    /// The stable machine code.
    pub code: &'static str,
    /// The kind in words.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($name:ident: $status:literal $code:literal $title:literal;)*) => {
        $(pub(super) const $name: Kind = Kind { status: $status, code: $code, title: $title };)*

        /// Every kind of problem that the API itself answers with.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    BODY_MALFORMED: 400 "body_malformed" "The body is not a JSON object";
    BODY_INVALID: 400 "body_invalid" "The body breaks a rule";
    QUERY_MALFORMED: 400 "query_malformed" "The query string is malformed";
    PARAMETER_INVALID: 400 "parameter_invalid" "A parameter breaks a rule";
    PARAMETER_REPEATED: 400 "parameter_repeated" "A parameter is repeated";
    PARAMETER_UNKNOWN: 400 "parameter_unknown" "A parameter is not known";
    CURSOR_INVALID: 400 "cursor_invalid" "The cursor is not valid";
    ID_INVALID: 400 "id_invalid" "The id is not valid";
    IF_MATCH_INVALID: 400 "if_match_invalid" "The If-Match header is malformed";
    BAD_REQUEST: 400 "bad_request" "Malformed request";
    NOT_FOUND: 404 "not_found" "Not found";
    TASK_NOT_FOUND: 404 "task_not_found" "Task not found";
    METHOD_NOT_ALLOWED: 405 "method_not_allowed" "Method not allowed";
    PRECONDITION_FAILED: 412 "precondition_failed" "The task has changed";
    PAYLOAD_TOO_LARGE: 413 "payload_too_large" "Request body too large";
    UNSUPPORTED_MEDIA_TYPE: 415 "unsupported_media_type" "Unsupported media type";
    INTERNAL_ERROR: 500 "internal_error" "Internal error";
    DATABASE_UNAVAILABLE: 503 "database_unavailable" "Database unavailable";
    NOT_READY: 503 "not_ready" "Not ready";
}

/// When a client should try again after a database failure, a guess: pools and failovers recover
/// within seconds.
const RETRY_DATABASE_AFTER: Duration = Duration::from_secs(2);

/// An answer that is not the one asked for.
#[derive(Debug)]
pub struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    problem: Problem,
    headers: HeaderMap,
    /// Members beside those that every problem has (RFC 9457 §3.2).
    members: Map<String, Value>,
}

impl ApiError {
    /// A problem of a kind, in this one case.
    pub fn new(kind: &Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            problem: Problem::new(kind.status, kind.code, kind.title).with_detail(detail),
            headers: HeaderMap::new(),
            members: Map::new(),
        }))
    }

    /// A fault in a parameter.
    pub fn in_parameter(kind: &Kind, name: &'static str, rule: &'static str) -> Self {
        let mut error = Self::new(kind, format!("the parameter {name} {rule}"));
        error.0.problem.errors = vec![Violation::in_parameter(name, rule)];
        error
    }

    /// Faults in the body.
    pub fn in_body(errors: Vec<Violation>) -> Self {
        let detail = match errors.as_slice() {
            [
                Violation {
                    pointer: Some(pointer),
                    detail,
                    ..
                },
            ] if !pointer.is_empty() => {
                format!("the member {pointer} {detail}")
            }
            [Violation { detail, .. }] => format!("the body {detail}"),
            _ => format!("{} rules are broken, see errors", errors.len()),
        };
        let mut error = Self::new(&BODY_INVALID, detail);
        error.0.problem.errors = errors;
        error
    }

    /// The one answer for a task that is missing and for one that is another user's.
    pub fn task_not_found() -> Self {
        Self::new(&TASK_NOT_FOUND, "there is no task with this id")
    }

    /// None of the `If-Match` tags is the task's.
    pub fn precondition_failed() -> Self {
        let detail = "the task is no longer the one that If-Match names; read it again";
        Self::new(&PRECONDITION_FAILED, detail)
    }

    /// A method that the path does not have.
    pub fn method_not_allowed(allow: HeaderValue) -> Self {
        let detail = "the Allow header names the methods of this path";
        Self::new(&METHOD_NOT_ALLOWED, detail).with_header(ALLOW, allow)
    }

    /// Something that only the operator can mend. The cause goes into the log and nowhere else.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %chain(cause), "internal error");
        Self::internal_error()
    }

    /// As [`internal`](Self::internal), where the cause is logged already.
    pub fn internal_error() -> Self {
        Self::new(&INTERNAL_ERROR, "the log of the service says more")
    }

    /// The database does not answer.
    pub fn database_unavailable() -> Self {
        Self::new(
            &DATABASE_UNAVAILABLE,
            "the database is not available at the moment",
        )
        .with_retry_after(RETRY_DATABASE_AFTER)
    }

    /// The body is over the limit.
    pub fn payload_too_large() -> Self {
        Self::new(&PAYLOAD_TOO_LARGE, "the body is longer than 65536 bytes")
    }

    /// The body is of no media type that the operation takes.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let detail = format!("the body must be {}, not compressed", accepted.join(" or "));
        Self::new(&UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: poem::http::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Adds members to the problem document.
    #[must_use]
    pub fn with_members(mut self, members: Map<String, Value>) -> Self {
        self.0.members = members;
        self
    }

    /// Asks the client to come back.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(after.as_secs()))
    }

    /// The problem document, with the trace to look for.
    pub fn to_json(&self, trace_id: Option<&TraceId>) -> Vec<u8> {
        let Parts {
            problem, members, ..
        } = &*self.0;
        let document = problem.clone().with_trace_id(trace_id).to_json();
        match members.is_empty() {
            true => document,
            false => with_members(document, members),
        }
    }

    /// The answer, with the trace to look for.
    pub fn to_response(&self, trace_id: Option<&TraceId>) -> Response {
        let body = self.to_json(trace_id);
        let mut response = Response::builder()
            .status(self.status())
            .body(Body::from(body));
        *response.headers_mut() = self.0.headers.clone();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
            .extensions_mut()
            .insert(ProblemCode(self.0.problem.code));
        response
    }
}

fn with_members(document: Vec<u8>, members: &Map<String, Value>) -> Vec<u8> {
    let Ok(Value::Object(mut document)) = serde_json::from_slice(&document) else {
        return document;
    };
    document.extend(members.clone());
    Value::Object(document).to_string().into_bytes()
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                tracing::warn!(error = %chain(&error), "database unavailable");
                Self::database_unavailable()
            }
            error => Self::internal(&error),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.problem.code, self.0.problem.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn as_response(&self) -> Response {
        self.to_response(None)
    }
}
