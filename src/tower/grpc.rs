//! Refusals in gRPC's own terms: a client library looks at `grpc-status`, not at the HTTP status.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response};

use crate::bearer::{Rejection, quotable};
use crate::protected_resource::Challenge;

/// Whether a request is a gRPC call.
pub(super) fn is_grpc<B>(request: &Request<B>) -> bool {
    let Some(content_type) = request.headers().get(CONTENT_TYPE) else {
        return false;
    };
    let content_type = content_type.as_bytes();
    request.method() == Method::POST
        && content_type.starts_with(b"application/grpc")
        // gRPC-Web is another protocol, with its status in the body.
        && !content_type.starts_with(b"application/grpc-web")
}

/// A response that consists of trailers only, which HTTP/2 sends as headers.
pub(super) fn response(rejection: &Rejection, challenge: Challenge<'_>) -> Response<Bytes> {
    let status = match rejection.status() {
        403 => "7",  // PERMISSION_DENIED
        503 => "14", // UNAVAILABLE
        _ => "16",   // UNAUTHENTICATED
    };
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("grpc-status", HeaderValue::from_static(status));
    // A percent sign would begin what is encoded; the messages of this crate have none.
    let message = quotable(&format!("{}: {rejection}", rejection.code())).replace('%', "");
    let message = HeaderValue::try_from(message);
    if let Ok(message) = message {
        headers.insert("grpc-message", message);
    }
    let challenge = rejection
        .www_authenticate(challenge)
        .and_then(|value| HeaderValue::from_str(&value).ok());
    if let Some(challenge) = challenge {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response.extensions_mut().insert(rejection.clone());
    response
}
