//! The last stop of every error: whatever fails in here leaves as a problem document.

use poem::http::StatusCode;
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use super::error::{ApiError, BAD_REQUEST, NOT_FOUND};
use crate::problem::{ProblemCode, TraceId};

/// Answers errors instead of passing them on. The answer names the trace that the request's
/// extensions name.
pub struct Problems<E>(pub E);

impl<E: Endpoint> Endpoint for Problems<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let trace_id = request.extensions().get::<TraceId>().copied();
        match self.0.call(request).await {
            Ok(response) => Ok(response.into_response()),
            Err(error) => Ok(answer(error, trace_id.as_ref())),
        }
    }
}

fn answer(error: poem::Error, trace_id: Option<&TraceId>) -> Response {
    let problem = match error.downcast_ref::<ApiError>() {
        Some(error) => error.to_response(trace_id),
        // A rejection of the bearer extractor, already a problem document.
        None if error.is_from_response() => return error.into_response(),
        None => translate(&error).to_response(trace_id),
    };
    // The route's pattern and the operation's id travel in the error's extensions.
    let mut response = error.into_response();
    if let Some(code) = problem.extensions().get::<ProblemCode>() {
        response.extensions_mut().insert(*code);
    }
    response.set_status(problem.status());
    *response.headers_mut() = problem.headers().clone();
    response.set_body(problem.into_body());
    response
}

/// Poem's own errors. Their messages may quote the request, so they are not passed on.
fn translate(error: &poem::Error) -> ApiError {
    match error.status() {
        StatusCode::NOT_FOUND => ApiError::new(&NOT_FOUND, "nothing is served at this path"),
        status if status.is_client_error() => {
            tracing::warn!(
                status = status.as_u16(),
                "an error without a kind of its own"
            );
            ApiError::new(&BAD_REQUEST, "the request could not be read")
        }
        _ => ApiError::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::error::{BadRequest, InternalServerError, NotFoundError};

    #[tokio::test]
    async fn errors_of_poem_lose_their_message_and_keep_their_data() {
        for (error, status, code) in [
            (NotFoundError.into(), 404, "not_found"),
            (
                BadRequest(std::io::Error::other("secret")),
                400,
                "bad_request",
            ),
            (
                InternalServerError(std::io::Error::other("secret")),
                500,
                "internal_error",
            ),
        ] {
            let mut error: poem::Error = error;
            error.set_data(7_u8);
            let trace_id = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736");
            let response = answer(error, trace_id.as_ref());
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.content_type(), Some(crate::PROBLEM_JSON));
            assert_eq!(response.data::<u8>(), Some(&7));
            let body = response.into_body().into_string().await.unwrap();
            assert!(body.contains(code) && !body.contains("secret"), "{body}");
            assert!(
                body.contains(r#""traceId":"4bf92f3577b34da6a3ce929d0e0e4736""#),
                "{body}"
            );
        }
    }
}
