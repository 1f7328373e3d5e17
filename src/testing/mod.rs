//! An auth server for tests: [`TestIssuer`] makes keys and mints tokens shaped like Better Auth's,
//! good ones and ones broken on purpose, and gives verifiers that trust it. [`TestServer`] is the
//! same over HTTP. Verification itself is never bypassed: what a test sees is what production does.
//!
//! In a crate that uses Keyward, under `[dev-dependencies]`:
//!
//! ```toml
//! keyward = { version = "0.1", default-features = false, features = ["testing"] }
//! ```
//!
//! It brings no further dependency.
//!
//! # A route's test
//!
//! An application that takes its verifier as an argument is tested in five lines, with axum and
//! whatever else is a Tower service:
//!
//! ```
//! # #[cfg(feature = "tower")]
//! # mod example {
//! # use axum::{Router, body::Body, routing::get};
//! # use http::Request;
//! # use keyward::{Requirement, Verifier, testing::TestIssuer, tower::BearerAuthLayer};
//! # use tower::ServiceExt;
//! # fn app(verifier: Verifier) -> Router {
//! #     Router::new().route("/reports", get(|| async { "reports" }))
//! #         .layer(BearerAuthLayer::new(verifier).require(Requirement::role("admin")))
//! # }
//! #
//! // #[tokio::test]
//! pub async fn administrators_read_reports() {
//!     let issuer = TestIssuer::new("https://app.example.com");
//!     let admin = issuer.user("ada").role("admin").bearer();
//!     let request = Request::get("/reports").header("authorization", admin).body(Body::empty()).unwrap();
//!     let response = app(issuer.verifier()).oneshot(request).await.unwrap();
//!     assert_eq!(response.status(), 200);
//! }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! #     #[cfg(feature = "tower")]
//! #     example::administrators_read_reports().await;
//! # }
//! ```
//!
//! with Poem, poem-openapi included:
//!
//! ```
//! # #[cfg(feature = "poem")]
//! # mod example {
//! # use keyward::{Requirement, Verifier, poem::BearerAuthMiddleware, testing::TestIssuer};
//! # use poem::{Endpoint, EndpointExt, Route, get, handler, http::StatusCode, test::TestClient};
//! # #[handler]
//! # fn reports() -> &'static str { "reports" }
//! # fn app(verifier: Verifier) -> impl Endpoint {
//! #     Route::new().at("/reports", get(reports))
//! #         .with(BearerAuthMiddleware::new(verifier).require(Requirement::role("admin")))
//! # }
//! #
//! // #[tokio::test]
//! pub async fn others_do_not_read_reports() {
//!     let issuer = TestIssuer::new("https://app.example.com");
//!     let client = TestClient::new(app(issuer.verifier()));
//!     let user = issuer.user("ada").role("user").bearer();
//!     let response = client.get("/reports").header("authorization", user).send().await;
//!     response.assert_status(StatusCode::FORBIDDEN);
//! }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! #     #[cfg(feature = "poem")]
//! #     example::others_do_not_read_reports().await;
//! # }
//! ```
//!
//! # What may go wrong
//!
//! | | |
//! | --- | --- |
//! | an expired token, somebody else's, a forged one | `issuer.user("ada").expired()`, `.audience("https://other.example")`, `.issuer("https://other.example")`, `.forged()` |
//! | claims of your own, or none | `.claim("plan", "pro")`, `.without_claim("sub")` |
//! | a client instead of a user, an OAuth access token | [`issuer.client("reports")`](TestIssuer::client), [`issuer.access_token("app", "ada")`](TestIssuer::access_token) |
//! | time passes | `issuer.clock().advance(Duration::from_secs(3600))` |
//! | the key is rotated, the old one withdrawn | [`rotate`](TestIssuer::rotate), [`drop_old_keys`](TestIssuer::drop_old_keys) |
//! | the auth server is away | [`fail`](TestIssuer::fail), [`recover`](TestIssuer::recover) |
//!
//! ```
//! use keyward::testing::{Outage, TestIssuer};
//! use keyward::{Algorithm, Verifier};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let issuer = TestIssuer::new("https://app.example.com");
//! let verifier: Verifier = issuer.verifier();
//! let token = issuer.token("ada");
//! assert!(verifier.verify(&token).await.is_ok());
//!
//! issuer.rotate(Algorithm::Es256);
//! assert!(verifier.verify(&issuer.token("ada")).await.is_ok());
//!
//! issuer.fail(Outage::Unreachable);
//! assert!(verifier.verify(&token).await.is_ok());
//!
//! issuer.clock().advance(Duration::from_secs(20 * 60));
//! assert_eq!(verifier.verify(&token).await.unwrap_err().code(), "token_expired");
//! # }
//! ```

// A key that cannot be made or signed with ends the test that wanted it.
#![allow(clippy::expect_used)]

mod clock;
mod issuer;
mod server;
mod signing_key;
mod token;

pub use clock::TestClock;
pub use issuer::{Outage, TestIssuer};
pub use server::TestServer;
pub use signing_key::SigningKey;
pub use token::TestToken;

#[cfg(feature = "service")]
pub(crate) use server::{is_loopback, token_json};
