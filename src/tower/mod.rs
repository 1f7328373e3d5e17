//! A Tower layer that lets only requests with a good token through.
//!
//! 1. A request whose token is good goes to the inner service with a
//!    [`Principal`](crate::Principal) in its extensions.
//! 2. Any other is answered here: status, challenge (RFC 6750) and problem document (RFC 9457).
//!    The response's extensions hold the [`Rejection`](crate::Rejection) for outer layers.
//! 3. A gRPC request (`content-type: application/grpc…`) is refused in gRPC's terms: status 200
//!    and a `grpc-status`.
//! 4. Nothing is buffered, spawned or boxed per request; only a request that must wait for keys
//!    costs one allocation.
//!
//! Put CORS layers outside of it: a preflight request carries no token.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use keyward::tower::BearerAuthLayer;
//! use keyward::{Principal, Verifier};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! # use keyward::{testing::TestIssuer, KeySet, Policy};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let issuer = TestIssuer::new("https://app.example.com");
//! # let policy = Policy::new([issuer.url()], [issuer.url()])?;
//! # let verifier: Verifier = Verifier::builder(policy, KeySet::from_json(&issuer.key_set_json())?).build();
//! # let token = issuer.token("ada");
//!
//! async fn hello(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
//!     let Some(principal) = request.extensions().get::<Principal>() else { unreachable!() };
//!     Ok(Response::new(format!("hello {}", principal.subject()).into()))
//! }
//!
//! let service = ServiceBuilder::new().layer(BearerAuthLayer::new(verifier)).service(service_fn(hello));
//!
//! let anonymous = Request::new(Full::default());
//! assert_eq!(service.clone().oneshot(anonymous).await?.status(), 401);
//!
//! let request = Request::builder().header("authorization", format!("Bearer {token}"));
//! assert_eq!(service.oneshot(request.body(Full::default())?).await?.status(), 200);
//! # Ok(())
//! # }
//! ```

mod body;
mod future;
mod grpc;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use service::BearerAuthService;

use std::fmt;

use tower_layer::Layer;

use crate::authorization::Guard;
use crate::claims::BetterAuthUser;
use crate::gate::Gate;
use crate::verifier::Verifier;

/// Layers a [`BearerAuthService`] over a service: see the [module](self).
#[must_use]
pub struct BearerAuthLayer<C = BetterAuthUser>(Gate<C>);

impl<C> BearerAuthLayer<C> {
    /// A layer that lets requests with a token that `verifier` accepts through.
    pub fn new(verifier: Verifier<C>) -> Self {
        Self(Gate::new(verifier))
    }

    /// Lets requests *without credentials* through as well, without a principal. Bad credentials
    /// are refused all the same. A handler of axum's then takes an
    /// `Option<Extension<Principal>>`.
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

impl<S, C> Layer<S> for BearerAuthLayer<C> {
    type Service = BearerAuthService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerAuthService {
            inner,
            gate: self.0.clone(),
        }
    }
}

impl<C> Clone for BearerAuthLayer<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> fmt::Debug for BearerAuthLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BearerAuthLayer").field(&self.0).finish()
    }
}
