//! The future of an authenticated call.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response};
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::body::ResponseBody;
use super::grpc;
use crate::bearer::{AuthStep, Rejection};
use crate::gate::Gate;
use crate::keys::remote::KeyWait;
use crate::problem::TraceId;
use crate::verifier::Ticket;

pin_project! {
    /// Ends with the inner service's response or with a refusal.
    pub struct ResponseFuture<S, B, C>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, C, S::Future, S::Response>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, C, F, R> {
        /// The key set is being fetched.
        Waiting { pending: Option<Pending<S, B, C>>, wait: KeyWait },
        Inner { #[pin] future: F },
        Refused { response: Option<Refusal>, inner: std::marker::PhantomData<R> },
    }
}

type Refusal = Response<bytes::Bytes>;

/// A request that waits for keys, with all that is needed to go on.
pub(super) struct Pending<S, B, C> {
    pub(super) inner: S,
    pub(super) gate: Gate<C>,
    pub(super) request: Request<B>,
    pub(super) ticket: Ticket,
}

impl<S, B, C> ResponseFuture<S, B, C>
where
    S: Service<Request<B>>,
{
    pub(super) fn inner(future: S::Future) -> Self {
        Self {
            state: State::Inner { future },
        }
    }

    pub(super) fn refused(response: Refusal) -> Self {
        Self {
            state: State::Refused {
                response: Some(response),
                inner: std::marker::PhantomData,
            },
        }
    }

    pub(super) fn waiting(pending: Pending<S, B, C>, wait: KeyWait) -> Self {
        Self {
            state: State::Waiting {
                pending: Some(pending),
                wait,
            },
        }
    }
}

impl<S, B, C, R> Future for ResponseFuture<S, B, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    C: DeserializeOwned + Send + Sync + 'static,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => {
                    let response = ready!(future.poll(context))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProjection::Refused { response, .. } => {
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response.map(ResponseBody::problem))),
                        // Polled again after it was ready; a future may then do anything but
                        // panic here, since this crate never does.
                        None => Poll::Pending,
                    };
                }
                StateProjection::Waiting { pending, wait } => {
                    ready!(wait.as_mut().poll(context));
                    match pending.take() {
                        Some(pending) => proceed(pending),
                        None => return Poll::Pending,
                    }
                }
            };
            state.set(next);
        }
    }
}

/// Takes the next step of a request that has waited.
fn proceed<S, B, C, R>(mut pending: Pending<S, B, C>) -> State<S, B, C, S::Future, Response<R>>
where
    S: Service<Request<B>, Response = Response<R>>,
    C: DeserializeOwned + Send + Sync + 'static,
{
    let request = &mut pending.request;
    let ticket = Some(pending.ticket);
    match pending
        .gate
        .verifier
        .authenticate_step(request.headers(), ticket)
    {
        AuthStep::Wait(ticket, wait) => State::Waiting {
            pending: Some(Pending { ticket, ..pending }),
            wait,
        },
        AuthStep::Done(result) => match pending.gate.admit(result, request.extensions_mut()) {
            Ok(()) => State::Inner {
                future: pending.inner.call(pending.request),
            },
            Err(rejection) => {
                let grpc = grpc::is_grpc(request);
                let response = refuse(&rejection, &pending.gate, request.extensions(), grpc);
                State::Refused {
                    response: Some(response),
                    inner: std::marker::PhantomData,
                }
            }
        },
    }
}

/// The response to a request that is not let through.
pub(super) fn refuse<C>(
    rejection: &Rejection,
    gate: &Gate<C>,
    request_extensions: &Extensions,
    grpc: bool,
) -> Refusal {
    let challenge = gate.verifier.challenge();
    match grpc {
        true => grpc::response(rejection, challenge),
        false => rejection
            .to_response(challenge, request_extensions.get::<TraceId>())
            .map(Into::into),
    }
}
