//! What stands between the accept loop and the Poem app, outermost first:
//!
//! 1. CORS, so that refusals can be read by browsers too.
//! 2. `edge`: trace id, log line, body limit, security headers; every error a problem document.
//! 3. A panic becomes a 500.
//! 4. A time limit.
//! 5. `poem_service`: the app as a Tower service.

mod edge;
mod limited_body;
mod panics;
mod poem_service;

pub use panics::install_panic_hook;
pub use poem_service::PoemService;

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use poem::Endpoint;
use tower::{Layer, Service};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;

use super::api::MAX_BODY_BYTES;
use edge::EdgeLayer;

/// The body of every response.
pub type ResponseBody = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// The trace's id, for callers and proxies.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Bounds and permissions. `Default` gives the values named here, and no origin.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpOptions {
    /// Origins that browsers may call from, compared exactly: none.
    pub cors_origins: Vec<String>,
    /// For a whole request, body included: 30 s.
    pub request_timeout: Duration,
    /// Of a request, in bytes, declared or not: 64 KiB.
    pub max_body_len: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            request_timeout: Duration::from_secs(30),
            max_body_len: MAX_BODY_BYTES,
        }
    }
}

/// Puts everything around an app.
pub fn stack<B>(
    app: impl Endpoint + 'static,
    options: &HttpOptions,
) -> impl Service<
    Request<B>,
    Response = Response<
        impl Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Send + 'static,
    >,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // A request that takes too long is the server's failure to answer in time; whether its body
    // came slowly or the database did cannot be told here.
    let time_limit =
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, options.request_timeout);
    let app = time_limit.layer(PoemService::new(app));
    let app = CatchPanicLayer::custom(panics::response).layer(app);
    let app = EdgeLayer {
        max_body_len: options.max_body_len,
    }
    .layer(app);
    cors(&options.cors_origins).layer(app)
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            TRACEPARENT,
            HeaderName::from_static("tracestate"),
        ])
        .expose_headers([
            WWW_AUTHENTICATE,
            ETAG,
            LOCATION,
            RETRY_AFTER,
            ALLOW,
            REQUEST_ID,
        ])
        .max_age(Duration::from_secs(600))
}
