//! From the typed operations to routes that keep to the document.
//!
//! poem-openapi's own service treats a malformed query string as an empty one and ignores
//! parameters it does not know, and its 405 lacks `Allow` (RFC 9110 §15.5.6). So the routes are
//! put together here, from the operations' own table and metadata.

use std::collections::{BTreeMap, HashMap};

use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method};
use poem::{Endpoint, EndpointExt, Request, Response, Result, Route};
use poem_openapi::OpenApi;
use poem_openapi::registry::MetaParamIn;

use super::error::ApiError;
use super::query::QueryString;

/// Path, then method, then what answers.
pub type Table = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// The routes of an API, and of `others` that are not in its document.
pub fn router<A: OpenApi>(api: A, others: Table) -> Route {
    let mut known = declared_parameters::<A>();
    let mut table = Table::new();
    api.add_routes(&mut table);
    let operations = table.into_iter().map(|(path, methods)| {
        let strict = methods.into_iter().map(|(method, inner)| {
            let known = known
                .remove(&(path.clone(), method.clone()))
                .unwrap_or_default();
            (method, StrictQuery { inner, known }.boxed())
        });
        let methods = strict.collect();
        (path, methods)
    });
    let operations: Vec<_> = operations.collect();
    operations
        .into_iter()
        .chain(others)
        .fold(Route::new(), |route, (path, methods)| {
            route.at(path, Methods::new(methods))
        })
}

/// The query parameters that each operation's metadata names.
fn declared_parameters<A: OpenApi>() -> HashMap<(String, Method), Vec<String>> {
    let mut declared = HashMap::new();
    for path in A::meta().into_iter().flat_map(|api| api.paths) {
        for operation in path.operations {
            let in_query = operation
                .params
                .into_iter()
                .filter(|p| p.in_type == MetaParamIn::Query);
            declared.insert(
                (route_path(&path.path), operation.method),
                in_query.map(|parameter| parameter.name).collect(),
            );
        }
    }
    declared
}

/// `/tasks/{id}` of the document is `/tasks/:param0` among the routes.
fn route_path(path: &str) -> String {
    let mut parameters = 0..;
    let segments = path
        .split('/')
        .map(|segment| match segment.starts_with('{') {
            true => format!(":param{}", parameters.next().unwrap_or(0)),
            false => segment.to_owned(),
        });
    segments.collect::<Vec<_>>().join("/")
}

/// Refuses a query string that the operation does not declare.
struct StrictQuery {
    inner: BoxEndpoint<'static>,
    known: Vec<String>,
}

impl Endpoint for StrictQuery {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let query = QueryString::parse(request.uri().query().unwrap_or_default(), &self.known)?;
        request.extensions_mut().insert(query);
        self.inner.call(request).await
    }
}

/// The methods of one path. A `BTreeMap` gives `Allow` one order.
struct Methods {
    endpoints: BTreeMap<String, BoxEndpoint<'static>>,
    allow: HeaderValue,
}

impl Methods {
    fn new(endpoints: HashMap<Method, BoxEndpoint<'static>>) -> Self {
        let endpoints: BTreeMap<_, _> = endpoints
            .into_iter()
            .map(|(method, endpoint)| (method.to_string(), endpoint))
            .collect();
        let mut allow: Vec<&str> = endpoints.keys().map(String::as_str).collect();
        if endpoints.contains_key("GET") {
            allow.push("HEAD");
        }
        let allow = HeaderValue::from_str(&allow.join(", "))
            .unwrap_or_else(|_| HeaderValue::from_static("GET, HEAD"));
        Self { endpoints, allow }
    }
}

impl Endpoint for Methods {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        if let Some(endpoint) = self.endpoints.get(request.method().as_str()) {
            return endpoint.call(request).await;
        }
        match (request.method(), self.endpoints.get("GET")) {
            // HEAD is GET without the body (RFC 9110 §9.3.2).
            (&Method::HEAD, Some(endpoint)) => {
                request.set_method(Method::GET);
                let mut response = endpoint.call(request).await?;
                response.set_body(());
                Ok(response)
            }
            _ => Err(ApiError::method_not_allowed(self.allow.clone()).into()),
        }
    }
}
