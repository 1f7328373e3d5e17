//! The service that the layer makes.

use std::fmt;
use std::task::{Context, Poll};

use http::{Request, Response};
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::body::ResponseBody;
use super::future::{Pending, ResponseFuture, refuse};
use super::grpc;
use crate::bearer::AuthStep;
use crate::claims::BetterAuthUser;
use crate::gate::{Gate, conceal_credentials};

/// Lets only requests with a good token through to the inner service.
pub struct BearerAuthService<S, C = BetterAuthUser> {
    pub(super) inner: S,
    pub(super) gate: Gate<C>,
}

impl<S, C, B, R> Service<Request<B>> for BearerAuthService<S, C>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    C: DeserializeOwned + Send + Sync + 'static,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, C>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        conceal_credentials(request.headers_mut());
        match self
            .gate
            .verifier
            .authenticate_step(request.headers(), None)
        {
            AuthStep::Done(result) => match self.gate.admit(result, request.extensions_mut()) {
                Ok(()) => ResponseFuture::inner(self.inner.call(request)),
                Err(rejection) => {
                    let grpc = grpc::is_grpc(&request);
                    ResponseFuture::refused(refuse(
                        &rejection,
                        &self.gate,
                        request.extensions(),
                        grpc,
                    ))
                }
            },
            AuthStep::Wait(ticket, wait) => {
                // The service that was polled ready is the one to call; its clone takes its place.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                ResponseFuture::waiting(
                    Pending {
                        inner,
                        gate: self.gate.clone(),
                        request,
                        ticket,
                    },
                    wait,
                )
            }
        }
    }
}

impl<S: Clone, C> Clone for BearerAuthService<S, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: self.gate.clone(),
        }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for BearerAuthService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerAuthService")
            .field("inner", &self.inner)
            .field("gate", &self.gate)
            .finish()
    }
}
