//! A Poem middleware over the verifier.

use std::fmt;

use poem::{Endpoint, Middleware, Request, Result};
use serde::de::DeserializeOwned;

use super::reject;
use crate::authorization::Guard;
use crate::claims::BetterAuthUser;
use crate::gate::{Gate, conceal_credentials};
use crate::verifier::Verifier;

/// Lets only requests with a good token through to an endpoint: see the [module](super).
#[must_use]
pub struct BearerAuthMiddleware<C = BetterAuthUser>(Gate<C>);

impl<C> BearerAuthMiddleware<C> {
    /// Lets requests with a token that `verifier` accepts through.
    pub fn new(verifier: Verifier<C>) -> Self {
        Self(Gate::new(verifier))
    }

    /// Lets requests *without credentials* through as well, without a principal. Bad credentials
    /// are refused all the same.
    pub fn optional(self) -> Self {
        Self(self.0.optional())
    }

    /// Refuses principals that lack something with a 403: a
    /// [`Requirement`](crate::Requirement), or a rule of the application's own as a closure, see
    /// [`Guard`]. Several must all be met; an anonymous request that
    /// [`optional`](Self::optional) lets through is not asked.
    pub fn require(self, guard: impl Guard<C>) -> Self {
        Self(self.0.require(guard))
    }
}

impl<E: Endpoint, C: DeserializeOwned + Send + Sync + 'static> Middleware<E>
    for BearerAuthMiddleware<C>
{
    type Output = BearerAuthEndpoint<E, C>;

    fn transform(&self, inner: E) -> Self::Output {
        BearerAuthEndpoint {
            inner,
            gate: self.0.clone(),
        }
    }
}

impl<C> Clone for BearerAuthMiddleware<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> fmt::Debug for BearerAuthMiddleware<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BearerAuthMiddleware")
            .field(&self.0)
            .finish()
    }
}

/// The endpoint that [`BearerAuthMiddleware`] makes.
pub struct BearerAuthEndpoint<E, C = BetterAuthUser> {
    inner: E,
    gate: Gate<C>,
}

impl<E: Endpoint, C: DeserializeOwned + Send + Sync + 'static> Endpoint
    for BearerAuthEndpoint<E, C>
{
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<Self::Output> {
        conceal_credentials(request.headers_mut());
        let authenticated = self.gate.verifier.authenticate(request.headers()).await;
        match self.gate.admit(authenticated, request.extensions_mut()) {
            Ok(()) => self.inner.call(request).await,
            Err(rejection) => Err(reject(&request, self.gate.verifier.challenge(), rejection)),
        }
    }
}

impl<E: fmt::Debug, C> fmt::Debug for BearerAuthEndpoint<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerAuthEndpoint")
            .field("inner", &self.inner)
            .field("gate", &self.gate)
            .finish()
    }
}
