//! The errors of each operation, by what the operation is like.

use serde_json::{Map, Value, json};

use super::codes;
use crate::authorization::Forbidden;
use crate::bearer::Rejection;
use crate::error::VerifyError;
use crate::problem::{PROBLEM_JSON, Violation};
use crate::service::api::body::{Field, Object};
use crate::service::api::error::ApiError;
use crate::service::api::health::Readiness;
use crate::service::api::tasks::TaskPatch;
use crate::service::api::text::Title;

/// An error that operations share.
struct Shared {
    name: &'static str,
    description: &'static str,
    schema: &'static str,
    headers: Value,
    example: Value,
}

impl Shared {
    fn new(name: &'static str, description: &'static str, example: &[u8]) -> Self {
        Self {
            name,
            description,
            schema: "Problem",
            headers: Value::Null,
            // A document that the service made itself.
            example: serde_json::from_slice(example).unwrap_or_default(),
        }
    }

    fn with_header(mut self, name: &str, description: &str, schema: Value) -> Self {
        self.headers[name] =
            json!({"description": description, "required": true, "schema": schema});
        self
    }

    /// A challenge where the credentials are what is wrong, and none where it is something else.
    fn with_possible_challenge(self) -> Self {
        let mut shared = self.with_challenge();
        shared.headers["WWW-Authenticate"]["required"] = false.into();
        shared
    }

    fn with_challenge(self) -> Self {
        let description = "What kind of credentials are asked for, and what was wrong with those that came \
                           (RFC 6750 §3).";
        self.with_header("WWW-Authenticate", description, json!({"type": "string"}))
    }

    fn with_retry_after(self) -> Self {
        let schema = json!({"type": "integer", "minimum": 0});
        self.with_header(
            "Retry-After",
            "Seconds until trying again makes sense.",
            schema,
        )
    }

    fn with_schema(self, schema: &'static str) -> Self {
        Self { schema, ..self }
    }

    fn into_json(self) -> Value {
        let schema = json!({"$ref": format!("#/components/schemas/{}", self.schema)});
        let content = json!({"schema": schema, "example": self.example});
        let mut response = json!({
            "description": self.description,
            "content": {PROBLEM_JSON: content},
        });
        if !self.headers.is_null() {
            response["headers"] = self.headers;
        }
        response
    }
}

/// Gives every operation its errors, and the document the problem's schema.
pub fn add(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else {
        return;
    };
    for (path, operations) in paths {
        for operation in operations
            .as_object_mut()
            .into_iter()
            .flat_map(Map::values_mut)
        {
            let errors = errors_of(path, operation);
            let Some(responses) = operation["responses"].as_object_mut() else {
                continue;
            };
            for (status, name) in errors {
                let reference = json!({"$ref": format!("#/components/responses/{name}")});
                // What an operation declares itself is more exact.
                responses.entry(status).or_insert(reference);
            }
        }
    }
    let components = &mut document["components"];
    components["schemas"]["Problem"] = problem_schema();
    components["schemas"]["Violation"] = violation_schema();
    components["schemas"]["NotReady"] = not_ready_schema();
    components["responses"] = shared()
        .into_iter()
        .map(|shared| (shared.name.to_owned(), shared.into_json()))
        .collect();
}

/// The statuses, and the shared responses that describe them.
fn errors_of(path: &str, operation: &Value) -> Vec<(&'static str, &'static str)> {
    let secured = operation["security"]
        .as_array()
        .is_some_and(|schemes| schemes.iter().any(|scheme| *scheme != json!({})));
    let guarded = operation["parameters"]
        .as_array()
        .is_some_and(|parameters| parameters.iter().any(|it| it["name"] == "If-Match"));
    let has_body = operation.get("requestBody").is_some();
    // A query parameter that is not declared is refused everywhere.
    // A body that is too long is refused whether or not the operation reads it.
    let mut errors = vec![
        ("400", "BadRequest"),
        ("413", "PayloadTooLarge"),
        ("500", "InternalError"),
    ];
    if secured {
        errors.extend([
            ("401", "Unauthorized"),
            ("403", "Forbidden"),
            ("503", "Unavailable"),
        ]);
    }
    if path.contains('{') {
        errors.push(("404", "TaskNotFound"));
    }
    if guarded {
        errors.push(("412", "PreconditionFailed"));
    }
    if has_body {
        errors.push(("415", "UnsupportedMediaType"));
    }
    if operation["operationId"] == "getReadiness" {
        errors.push(("503", "NotReady"));
    }
    errors
}

fn shared() -> Vec<Shared> {
    let rejection = |rejection: Rejection| rejection.problem(None).to_json();
    let error = |error: ApiError| error.to_json(None);
    let title = Violation::in_body("/title", Title::RULE);
    let patch_types = TaskPatch::MEDIA_TYPES;
    vec![
        Shared::new(
            "BadRequest",
            "The request breaks a rule: its parameters, its body, or the form of its credentials.",
            &error(ApiError::in_body(vec![title])),
        )
        .with_possible_challenge(),
        Shared::new(
            "Unauthorized",
            "There is no token, or the token is refused; the code says why.",
            &rejection(VerifyError::Expired.into()),
        )
        .with_challenge(),
        Shared::new(
            "Forbidden",
            "The token is good and not enough: this is for users, and what an OAuth client does for one \
             needs the scope that the challenge names.",
            &rejection(Forbidden::UserRequired.into()),
        )
        .with_challenge(),
        Shared::new(
            "TaskNotFound",
            "There is no such task, or it is another user's: the answer is the same.",
            &error(ApiError::task_not_found()),
        ),
        Shared::new(
            "PreconditionFailed",
            "The task has changed since it had the entity tags of `If-Match`.",
            &error(ApiError::precondition_failed()),
        ),
        Shared::new(
            "PayloadTooLarge",
            "The body is longer than 64 KiB.",
            &error(ApiError::payload_too_large()),
        ),
        Shared::new(
            "UnsupportedMediaType",
            "The body's media type is not one that the operation takes, or the body is compressed.",
            &error(ApiError::unsupported_media_type(patch_types)),
        ),
        Shared::new(
            "InternalError",
            "Something that only the operator can mend.",
            &error(ApiError::internal_error()),
        ),
        Shared::new(
            "Unavailable",
            "The auth server's keys or the database are not available at the moment.",
            &error(ApiError::database_unavailable()),
        )
        .with_retry_after(),
        Shared::new(
            "NotReady",
            "The service cannot do its work; each part says whether it can do its own.",
            &error(Readiness::nothing().into_error()),
        )
        .with_retry_after()
        .with_schema("NotReady"),
    ]
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": {
                "type": "string",
                "format": "uri",
                "description": "The kind of problem as a URI: `urn:keyward:problem:` and the code.",
            },
            "title": {
                "type": "string",
                "description": "The kind of problem in words, the same for every occurrence.",
            },
            "status": {
                "type": "integer",
                "description": "The HTTP status.",
                "minimum": 400,
                "maximum": 599,
            },
            "detail": {
                "type": "string",
                "description": "What is wrong with this request. Repeats nothing of what was sent.",
            },
            "code": {
                "type": "string",
                "description": "The stable machine code.",
                "enum": codes::all(),
            },
            "traceId": {
                "type": "string",
                "description": "The trace to look for in the service's logs (W3C Trace Context).",
                "pattern": "^[0-9a-f]{32}$",
            },
            "errors": {
                "type": "array",
                "description": "The faults one by one.",
                "items": {"$ref": "#/components/schemas/Violation"},
            },
        },
    })
}

fn violation_schema() -> Value {
    json!({
        "type": "object",
        "description": "One fault of a request, with its place.",
        "required": ["detail"],
        "properties": {
            "pointer": {
                "type": "string",
                "description": "Where in the body: a JSON Pointer (RFC 6901), empty for the whole body.",
            },
            "parameter": {
                "type": "string",
                "description": "Which parameter, for a fault outside the body.",
            },
            "detail": {"type": "string", "description": "The rule that is broken."},
        },
    })
}

/// A problem with the members of `Readiness` beside its own.
fn not_ready_schema() -> Value {
    json!({
        "description": "A problem that says which part is not ready.",
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"$ref": "#/components/schemas/Readiness"},
        ],
    })
}
