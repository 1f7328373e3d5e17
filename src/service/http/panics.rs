//! Panics: a 500 for the caller, a log line that says where, and never what the message said,
//! since it may quote a request.

use std::any::Any;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

/// Replaces the default hook, which prints the message, for the whole process.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panic");
    }));
}

/// The answer to a request whose handler panicked; [`super::edge`] makes it a problem document.
pub(super) fn response(_message: Box<dyn Any + Send + 'static>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
