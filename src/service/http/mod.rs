//! What stands between the accept loop and the Poem app, outermost first:
//!
//! 1. CORS, so that refusals can be read by browsers too. Without an allowed origin there is none.
//! 2. `edge`: trace, log line, security headers; every error a problem document.
//!    `message`: a request that could be read in two ways is refused.
//! 3. `limited_body`: a body that is too large breaks off.
//! 4. `time_limit`: what is not answered in time is a 503.
//! 5. `panics`: a panic becomes a 500.
//!
//! All but CORS is one service with one future: each Tower layer more would put the response's body
//! into a box more, and the time limit would arm a timer for requests that are answered at once.

mod edge;
mod limited_body;
mod line_limit;
mod message;
mod panics;
mod poem_service;
mod time_limit;

pub use panics::install_panic_hook;
pub use poem_service::PoemService;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use poem::Endpoint;
use tower::util::option_layer;
use tower::{Layer, Service};
use tower_http::cors::CorsLayer;

use super::api::MAX_BODY_BYTES;
use super::telemetry::RequestTelemetry;
use edge::Edge;

/// The body of every response: the one that Poem made.
pub type ResponseBody = BoxBody<Bytes, io::Error>;

/// The trace's id, for callers and proxies.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
    /// Who hears of requests: nobody.
    pub telemetry: RequestTelemetry,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            request_timeout: Duration::from_secs(30),
            max_body_len: MAX_BODY_BYTES,
            telemetry: RequestTelemetry::default(),
        }
    }
}

/// Puts everything around an app.
pub fn stack<B>(
    app: impl Endpoint + 'static,
    options: &HttpOptions,
) -> impl Service<Request<B>, Response = Response<ResponseBody>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let edge = Edge::new(app, options);
    option_layer(cors(&options.cors_origins)).layer(edge)
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            HeaderName::from_static("traceparent"),
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
        .max_age(Duration::from_secs(600));
    Some(layer)
}
