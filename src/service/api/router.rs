//! From the typed operations to routes that keep to the document.
//!
//! poem-openapi's own service treats a malformed query string as an empty one and ignores
//! parameters it does not know, and its 405 lacks `Allow` (RFC 9110 §15.5.6). So the routes are
//! put together here, from the operations' own table and metadata.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method};
use poem::{Endpoint, Request, Response, Result, Route};
use poem_openapi::OpenApi;
use poem_openapi::registry::MetaParamIn;

use super::error::ApiError;
use super::query::QueryString;

/// Path, then method, then what answers.
pub type Table = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// The routes of an API, and of `others` that are not in its document.
pub fn router<A: OpenApi>(api: A, others: Table) -> Route {
    let mut known = declared_parameters::<A>();
    let documented = documented_paths::<A>();
    let mut table = Table::new();
    api.add_routes(&mut table);
    let mut route = Route::new();
    for (path, methods) in table {
        let operations = methods.into_iter().map(|(method, endpoint)| {
            let declared = known
                .remove(&(path.clone(), method.clone()))
                .unwrap_or_default();
            let parameters = Some(declared);
            (
                method,
                Operation {
                    endpoint,
                    parameters,
                },
            )
        });
        let spelled = documented.get(&path).unwrap_or(&path);
        let operations = Methods::new(spelled, operations.collect());
        route = route.at(path, operations);
    }
    for (path, methods) in others {
        let operations = methods.into_iter().map(|(method, endpoint)| {
            let parameters = None;
            (
                method,
                Operation {
                    endpoint,
                    parameters,
                },
            )
        });
        let operations = Methods::new(&path, operations.collect());
        route = route.at(path, operations);
    }
    route
}

/// Put into a request's extensions it tells, however the request ends, which route was found for it:
/// its path as the document spells it. Poem's own pattern has numbers for the names of parameters.
#[derive(Clone, Debug, Default)]
pub struct MatchedRoute(Arc<OnceLock<Arc<str>>>);

impl MatchedRoute {
    /// The route's path, once there is one.
    pub fn path(&self) -> Option<&Arc<str>> {
        self.0.get()
    }
}

/// The document's spelling of each route.
fn documented_paths<A: OpenApi>() -> HashMap<String, String> {
    let paths = A::meta().into_iter().flat_map(|api| api.paths);
    paths
        .map(|path| (route_path(&path.path), path.path))
        .collect()
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

/// What answers one method of one path.
struct Operation {
    endpoint: BoxEndpoint<'static>,
    /// The query parameters it takes: others are refused. `None`: whatever comes is ignored.
    parameters: Option<Vec<String>>,
}

impl Operation {
    async fn call(&self, mut request: Request) -> Result<Response> {
        if let Some(declared) = &self.parameters {
            let query = request.uri().query().unwrap_or_default();
            let query = QueryString::parse(query, declared)?;
            if !declared.is_empty() {
                request.extensions_mut().insert(query);
            }
        }
        self.endpoint.call(request).await
    }
}

/// The methods of one path. A `BTreeMap` gives `Allow` one order.
struct Methods {
    path: Arc<str>,
    operations: BTreeMap<String, Operation>,
    allow: HeaderValue,
}

impl Methods {
    fn new(path: &str, operations: HashMap<Method, Operation>) -> Self {
        let operations: BTreeMap<_, _> = operations
            .into_iter()
            .map(|(method, operation)| (method.to_string(), operation))
            .collect();
        let mut allow: Vec<&str> = operations.keys().map(String::as_str).collect();
        if operations.contains_key("GET") {
            allow.push("HEAD");
        }
        let allow = HeaderValue::from_str(&allow.join(", "))
            .unwrap_or_else(|_| HeaderValue::from_static("GET, HEAD"));
        Self {
            path: path.into(),
            operations,
            allow,
        }
    }
}

impl Endpoint for Methods {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        if let Some(MatchedRoute(route)) = request.extensions().get() {
            // Nothing was found for it before.
            let _ = route.set(self.path.clone());
        }
        if let Some(operation) = self.operations.get(request.method().as_str()) {
            return operation.call(request).await;
        }
        match (request.method(), self.operations.get("GET")) {
            // HEAD is GET without the body (RFC 9110 §9.3.2).
            (&Method::HEAD, Some(operation)) => {
                request.set_method(Method::GET);
                let mut response = operation.call(request).await?;
                response.set_body(());
                Ok(response)
            }
            _ => Err(ApiError::method_not_allowed(self.allow.clone()).into()),
        }
    }
}
