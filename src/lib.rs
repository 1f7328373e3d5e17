//! Keyward decides, for every request to a Rust service, whether a [Better Auth] JWT is genuine.
//!
//! A [`Verifier`] checks tokens against the auth server's key set, which it fetches, keeps and
//! refreshes by itself. Over it are adapters: a Tower layer (axum, tonic, hyper), a Poem
//! middleware, and security schemes for poem-openapi.
//!
//! [Better Auth]: https://www.better-auth.com
//!
//! # axum, and whatever else takes a Tower layer
//!
//! ```
//! # #[cfg(all(feature = "tower", feature = "remote", feature = "testing"))]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Extension, Router, routing::get};
//! use keyward::{Principal, Verifier, tower::BearerAuthLayer};
//! # use tower::ServiceExt;
//!
//! async fn me(Extension(principal): Extension<Principal>) -> String {
//!     format!("hello {}", principal.subject())
//! }
//!
//! let verifier: Verifier = Verifier::for_better_auth("https://app.example.com")?.build();
//! let app: Router = Router::new().route("/me", get(me)).layer(BearerAuthLayer::new(verifier));
//!
//! let request = http::Request::get("/me").body(axum::body::Body::empty())?;
//! assert_eq!(app.oneshot(request).await?.status(), 401);
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "tower", feature = "remote", feature = "testing")))]
//! # fn main() {}
//! ```
//!
//! # Poem
//!
//! ```
//! # #[cfg(all(feature = "poem", feature = "remote", feature = "testing"))]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use keyward::{Principal, Verifier, poem::BearerAuthMiddleware};
//! use poem::{EndpointExt, Route, get, handler, web::Data};
//!
//! #[handler]
//! fn me(Data(principal): Data<&Principal>) -> String {
//!     format!("hello {}", principal.subject())
//! }
//!
//! let verifier: Verifier = Verifier::for_better_auth("https://app.example.com")?.build();
//! let app = Route::new().at("/me", get(me)).with(BearerAuthMiddleware::new(verifier));
//!
//! let client = poem::test::TestClient::new(app);
//! client.get("/me").send().await.assert_status(poem::http::StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "poem", feature = "remote", feature = "testing")))]
//! # fn main() {}
//! ```
//!
//! # poem-openapi
//!
//! ```
//! # #[cfg(all(feature = "poem", feature = "remote", feature = "testing"))]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use keyward::{Verifier, poem::BearerAuth};
//! use poem::EndpointExt;
//! use poem_openapi::{OpenApi, OpenApiService, payload::PlainText};
//!
//! struct Api;
//!
//! #[OpenApi]
//! impl Api {
//!     #[oai(path = "/me", method = "get")]
//!     async fn me(&self, auth: BearerAuth) -> PlainText<String> {
//!         PlainText(format!("hello {}", auth.0.subject()))
//!     }
//! }
//!
//! let verifier: Verifier = Verifier::for_better_auth("https://app.example.com")?.build();
//! let service = OpenApiService::new(Api, "Hello", "1.0");
//! assert!(service.spec().contains("BearerAuth"));
//! let app = service.data(verifier);
//!
//! let client = poem::test::TestClient::new(app);
//! client.get("/me").send().await.assert_status(poem::http::StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "poem", feature = "remote", feature = "testing")))]
//! # fn main() {}
//! ```
//!
//! # OAuth clients, and several issuers
//!
//! [`Verifier::for_better_auth_oauth`] takes the access tokens of Better Auth's OAuth provider,
//! [`Verifier::for_oauth`] those of any issuer that serves metadata. With [`VerifierBuilder::trust`]
//! one verifier trusts several issuers, each with keys and a [`Policy`] of its own; the token's
//! `iss` says which of them is meant, and does nothing else before the signature is proven.
//! [`ProtectedResource`] is what the API says of itself to clients (RFC 9728). What a principal must
//! hold beside a good token is a [`Requirement`], or any function: see [`Guard`].
//!
//! # What is checked, and what is not taken on the token's word
//!
//! - The algorithm must be one of the policy's *and* of the selected key's, which is bound to its
//!   algorithms when the key set is loaded. There is no `none` and no HMAC.
//! - `iss` and `aud` must be there and match the policy as exact strings; `exp` and `sub` must be
//!   there; `nbf` and `iat` hold where they are. See [`Policy`].
//! - `typ`, where there is one, must be that of an access token; `crit`, `b64`, encryption and
//!   key material in the header are refused or ignored. Nothing is fetched on a token's word.
//! - Every refusal has a stable code ([`VerifyError`], [`Rejection`]); none says anything of the
//!   token.
//!
//! How the key set is kept is told by [`RefreshOptions`]; [`RemoteKeySet::status`] says how it is
//! doing.
//!
//! # Features
//!
//! | feature | brings |
//! | --- | --- |
//! | `remote` | fetching key sets over HTTPS, and finding them by an issuer's metadata |
//! | `http` | `Verifier::authenticate`, from request headers to a principal |
//! | `tower` | the Tower layer |
//! | `poem` | the Poem middleware and the poem-openapi security schemes |
//! | `testing` | an issuer for tests |
//! | `service` (default) | all of them, and the `keyward` binary |
//!
//! A library user wants `default-features = false` and one or two of these.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod algorithm;
mod authorization;
mod bearer;
mod cache;
mod claim_set;
mod claims;
mod clock;
mod error;
#[cfg(any(feature = "tower", feature = "poem"))]
mod gate;
mod json;
mod jws;
mod keys;
mod observe;
mod policy;
mod problem;
mod protected_resource;
mod trust;
mod verifier;

#[cfg(feature = "poem")]
pub mod poem;
#[cfg(feature = "tower")]
pub mod tower;

#[cfg(feature = "service")]
#[doc(hidden)]
pub mod service;
#[cfg(feature = "testing")]
pub mod testing;

pub use algorithm::{Algorithm, AlgorithmSet, UnknownAlgorithm};
pub use authorization::{Forbidden, Guard, Requirement};
pub use bearer::Rejection;
pub use cache::{CacheOptions, CacheStatus};
pub use claims::{BetterAuthUser, Claims, Principal, Verified};
pub use clock::{Clock, SystemClock};
pub use error::{Claim, VerifyError};
pub use keys::KeySource;
#[cfg(feature = "remote")]
pub use keys::discovery::DiscoveryFetcher;
pub use keys::fetch::{FetchError, FetchFuture, FetchKeySet, Fetched, MetadataError};
#[cfg(feature = "remote")]
pub use keys::http::{BetterAuthUrl, HttpFetcher, UrlError};
pub use keys::key::{SkipReason, VerifyingKey};
pub use keys::key_set::{KeyOutcome, KeySet, KeySetError};
pub use keys::refresh::RefreshOptions;
pub use keys::remote::{KeySetStatus, RefreshError, RemoteKeySet};
#[cfg(feature = "remote")]
pub use keys::warm_start::WarmStart;
pub use observe::{Observation, VerificationObserver};
pub use policy::{Policy, PolicyError};
pub use problem::{PROBLEM_JSON, Problem, TraceId, Violation};
pub use protected_resource::{Challenge, ProtectedResource, ResourceError};
pub use trust::TrustError;
pub use verifier::{TrustedKeySet, Verifier, VerifierBuilder};

/// The code in the migration guides compiles.
#[cfg(all(doctest, feature = "service"))]
mod guides {
    #[doc = include_str!("../docs/migrating-from-a-python-snippet.md")]
    struct PythonSnippet;

    #[doc = include_str!("../docs/migrating-from-jwt-authorizer.md")]
    struct JwtAuthorizer;
}
