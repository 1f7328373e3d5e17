//! Problem documents (RFC 9457): the body of every error Keyward answers with.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// The media type of a problem document (RFC 9457 §3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The identifier of the trace a request belongs to: 32 lowercase hexadecimal digits (W3C Trace
/// Context §3.2.2.3).
///
/// Put one into a request's extensions, and a refusal names it as `traceId` in its problem
/// document, so that an operator can find the one refused request in the logs or traces.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// Takes 32 lowercase hexadecimal digits, not all zero; anything else is `None`.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let valid = hex.len() == 32
            && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            && hex.bytes().any(|b| b != b'0');
        let digits = hex.as_bytes().try_into().ok()?;
        valid.then_some(Self(digits))
    }

    #[cfg(feature = "service")]
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            let digit = |number: u8| match number {
                0..=9 => b'0' + number,
                _ => b'a' + number - 10,
            };
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        Self(digits)
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceId").field(&self.as_str()).finish()
    }
}

/// The code of a problem document, in the extensions of the response that carries it, for the log
/// line of an outer layer.
#[cfg(feature = "service")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProblemCode(pub(crate) &'static str);

/// One fault of a request with several, each at its own place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// Where in the body: a JSON Pointer (RFC 6901), empty for the whole document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<Cow<'static, str>>,
    /// Which parameter, for a fault outside the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<Cow<'static, str>>,
    /// The rule that is broken. Never holds the offending value.
    pub detail: Cow<'static, str>,
}

impl Violation {
    /// A fault in the body, at a JSON Pointer.
    pub fn in_body(
        pointer: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            pointer: Some(pointer.into()),
            parameter: None,
            detail: detail.into(),
        }
    }

    /// A fault in a parameter.
    pub fn in_parameter(
        name: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            pointer: None,
            parameter: Some(name.into()),
            detail: detail.into(),
        }
    }
}

/// A problem document.
///
/// ```
/// let problem = keyward::Problem::new(404, "task_not_found", "Task not found")
///     .with_detail("there is no task with this id");
/// let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
/// assert_eq!(json["type"], "urn:keyward:problem:task_not_found");
/// assert_eq!(json["status"], 404);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Problem {
    /// The kind of problem as a URI: `urn:keyward:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words; the same for every occurrence.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request. Never holds a token, a key or a claim's value.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub detail: Cow<'static, str>,
    /// The stable machine code.
    pub code: &'static str,
    /// The trace to look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The faults one by one, for a machine to place them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Violation>,
}

impl Problem {
    /// A problem with an HTTP status, a stable machine code and a title.
    pub fn new(status: u16, code: &'static str, title: &'static str) -> Self {
        Self {
            kind: format!("urn:keyward:problem:{code}"),
            title,
            status,
            detail: Cow::Borrowed(""),
            code,
            trace_id: None,
            errors: Vec::new(),
        }
    }

    /// Says what is wrong with this one request.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Names the trace to look for.
    #[must_use]
    pub fn with_trace_id(mut self, trace_id: Option<&TraceId>) -> Self {
        self.trace_id = trace_id.map(|id| id.as_str().to_owned());
        self
    }

    /// Lists the faults one by one.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Violation>) -> Self {
        self.errors = errors;
        self
    }

    /// The document's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and integers under fixed names: serialization has nothing to fail on.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_32_lowercase_hexadecimal_digits_and_not_zero() {
        let good = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            TraceId::from_hex(good).map(|id| id.to_string()),
            Some(good.to_owned())
        );
        for bad in [
            "",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            &good[1..],
            &"0".repeat(32),
            &"g".repeat(32),
        ] {
            assert_eq!(TraceId::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_problem_without_detail_or_trace_leaves_the_members_out() {
        let json =
            String::from_utf8(Problem::new(500, "internal_error", "Internal error").to_json())
                .unwrap();
        assert_eq!(
            json,
            r#"{"type":"urn:keyward:problem:internal_error","title":"Internal error","status":500,"code":"internal_error"}"#
        );
    }
    #[test]
    fn violations_are_listed_by_pointer_or_parameter() {
        let problem = Problem::new(400, "c", "t").with_errors(vec![
            Violation::in_body("/title", "must be a string"),
            Violation::in_parameter("limit", "must be a number"),
        ]);
        let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        assert_eq!(
            json["errors"],
            serde_json::json!([
                {"pointer": "/title", "detail": "must be a string"},
                {"parameter": "limit", "detail": "must be a number"},
            ])
        );
    }
}
