//! `/metrics`, for Prometheus. It is served at an address of its own, since it is nothing for callers
//! of the API.

use poem::http::StatusCode;
use poem::{Body, Endpoint, EndpointExt, Response, Route, get, handler, web::Data};
use prometheus::{Encoder, Registry, TextEncoder};

use crate::service::error_chain::chain;

#[handler]
fn metrics(Data(registry): Data<&Registry>) -> Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => Response::builder()
            .content_type(encoder.format_type())
            .body(Body::from(text)),
        Err(error) => {
            tracing::error!(error = %chain(&error), "the metrics cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into()
        }
    }
}

/// The app with the one path.
pub fn metrics_app(registry: Registry) -> impl Endpoint + 'static {
    Route::new().at("/metrics", get(metrics)).data(registry)
}
