//! The answers to callers who may not pass, in the document.

use std::collections::HashMap;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::{
    MetaApi, MetaHeader, MetaMediaType, MetaOperation, MetaResponse, MetaSchema, MetaSchemaRef,
    Registry,
};

use super::security_scheme::NAME;
use crate::problem::PROBLEM_JSON;

/// An API whose document says how callers are refused: each operation with a bearer token gets the
/// statuses 401, 403 and 503, unless it declares them itself. poem-openapi knows only what return
/// types say, and what an extractor answers is not among it.
///
/// ```
/// use keyward::poem::{BearerAuth, Documented};
/// use poem_openapi::{OpenApi, OpenApiService, payload::PlainText};
///
/// struct Api;
///
/// #[OpenApi]
/// impl Api {
///     #[oai(path = "/me", method = "get")]
///     async fn me(&self, auth: BearerAuth) -> PlainText<String> {
///         PlainText(auth.0.subject().to_owned())
///     }
/// }
///
/// let service = OpenApiService::new(Documented(Api), "Hello", "1.0");
/// # let document: serde_json::Value = serde_json::from_str(&service.spec()).unwrap();
/// # assert!(document["paths"]["/me"]["get"]["responses"]["401"].is_object());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Documented<A>(pub A);

impl<A: OpenApi> OpenApi for Documented<A> {
    fn meta() -> Vec<MetaApi> {
        let mut apis = A::meta();
        let paths = apis.iter_mut().flat_map(|api| &mut api.paths);
        paths
            .flat_map(|path| &mut path.operations)
            .for_each(document);
        apis
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }

    fn add_routes(self, table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(table);
    }
}

fn document(operation: &mut MetaOperation) {
    let mut schemes = operation.security.iter();
    if !schemes.any(|scheme| scheme.contains_key(NAME)) {
        return;
    }
    let responses = &mut operation.responses.responses;
    for refusal in [
        refusal(
            401,
            "There is no token, or the token is refused; the code says why.",
            challenge(),
        ),
        refusal(
            403,
            "The token is good and not enough; the code says what is lacking.",
            challenge(),
        ),
        refusal(
            503,
            "The auth server's keys are not available at the moment.",
            header(
                "Retry-After",
                "Seconds until trying again makes sense.",
                "integer",
            ),
        ),
    ] {
        if !responses.iter().any(|own| own.status == refusal.status) {
            responses.push(refusal);
        }
    }
}

fn refusal(status: u16, description: &'static str, header: MetaHeader) -> MetaResponse {
    MetaResponse {
        description,
        status: Some(status),
        status_range: None,
        content: vec![MetaMediaType {
            content_type: PROBLEM_JSON,
            schema: inline(problem()),
        }],
        headers: vec![header],
    }
}

fn challenge() -> MetaHeader {
    header(
        "WWW-Authenticate",
        "What kind of credentials are asked for, and what was wrong with those that came \
         (RFC 6750 §3).",
        "string",
    )
}

fn header(name: &str, description: &str, ty: &'static str) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: inline(MetaSchema::new(ty)),
    }
}

/// As [`Problem`](crate::Problem) is written.
fn problem() -> MetaSchema {
    let member = |ty, description| {
        inline(MetaSchema {
            description: Some(description),
            ..MetaSchema::new(ty)
        })
    };
    MetaSchema {
        description: Some("A problem document (RFC 9457)."),
        required: vec!["type", "title", "status", "code"],
        properties: vec![
            ("type", member("string", "The kind of problem, as a URI.")),
            ("title", member("string", "The kind of problem in words.")),
            ("status", member("integer", "The HTTP status.")),
            (
                "detail",
                member("string", "What is wrong with this request."),
            ),
            ("code", member("string", "The stable machine code.")),
            ("traceId", member("string", "The trace to look for.")),
        ],
        ..MetaSchema::new("object")
    }
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}
