//! Keyward in Poem: a native middleware, and the security schemes of poem-openapi.
//!
//! [`BearerAuthMiddleware`] protects endpoints and leaves a [`Principal`] in the request's
//! extensions, where Poem's `Data` finds it:
//!
//! ```
//! use keyward::poem::BearerAuthMiddleware;
//! use keyward::{Principal, Verifier};
//! use poem::{EndpointExt, Route, get, handler, web::Data};
//! # use keyward::{testing::TestIssuer, KeySet, Policy};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let issuer = TestIssuer::new("https://app.example.com");
//! # let policy = Policy::new([issuer.url()], [issuer.url()])?;
//! # let verifier: Verifier = Verifier::builder(policy, KeySet::from_json(&issuer.key_set_json())?).build();
//! # let token = issuer.token("ada");
//!
//! #[handler]
//! fn hello(Data(principal): Data<&Principal>) -> String {
//!     format!("hello {}", principal.subject())
//! }
//!
//! let app = Route::new().at("/hello", get(hello)).with(BearerAuthMiddleware::new(verifier));
//!
//! let client = poem::test::TestClient::new(app);
//! client.get("/hello").send().await.assert_status(poem::http::StatusCode::UNAUTHORIZED);
//! let response = client.get("/hello").header("authorization", format!("Bearer {token}")).send().await;
//! response.assert_text("hello ada").await;
//! # Ok(())
//! # }
//! ```
//!
//! [`BearerAuth`] is an argument of a poem-openapi operation. As the first argument it
//! authenticates before the body and the other arguments are read and puts the security scheme into the document. The verifier comes as data:
//!
//! ```
//! use keyward::Verifier;
//! use keyward::poem::BearerAuth;
//! use poem::EndpointExt;
//! use poem_openapi::{OpenApi, OpenApiService, payload::PlainText};
//! # use keyward::{testing::TestIssuer, KeySet, Policy};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let issuer = TestIssuer::new("https://app.example.com");
//! # let policy = Policy::new([issuer.url()], [issuer.url()])?;
//! # let verifier: Verifier = Verifier::builder(policy, KeySet::from_json(&issuer.key_set_json())?).build();
//! # let token = issuer.token("ada");
//!
//! struct Api;
//!
//! #[OpenApi]
//! impl Api {
//!     #[oai(path = "/hello", method = "get")]
//!     async fn hello(&self, auth: BearerAuth) -> PlainText<String> {
//!         PlainText(format!("hello {}", auth.0.subject()))
//!     }
//! }
//!
//! let app = OpenApiService::new(Api, "Hello", "1.0").data(verifier);
//! # let client = poem::test::TestClient::new(app);
//! # let response = client.get("/hello").header("authorization", format!("Bearer {token}")).send().await;
//! # response.assert_text("hello ada").await;
//! # Ok(())
//! # }
//! ```

mod documented;
mod guarded;
mod middleware;
mod security_scheme;

pub use documented::Documented;
pub use guarded::{Access, Guarded};
pub use middleware::{BearerAuthEndpoint, BearerAuthMiddleware};
pub use security_scheme::{BearerAuth, OptionalBearerAuth, Public};

use poem::{Request, Response};

use crate::bearer::Rejection;
use crate::problem::{PROBLEM_JSON, Problem, TraceId};
use crate::protected_resource::Challenge;
use crate::verifier::Verifier;
#[allow(unused_imports, reason = "named in the documentation")]
use crate::{Principal, Requirement};

/// Turns a rejection into the error to answer `request` with: status, challenge, problem
/// document. `challenge` is the realm, or [`Verifier::challenge`](crate::Verifier::challenge). The
/// [`Rejection`] is in the response's extensions and in the error's data.
///
/// A handler uses it for what it finds lacking itself, where that depends on more than the token; what
/// an operation demands of every caller belongs into its signature, see [`Guarded`].
///
/// ```
/// use keyward::poem::{BearerAuth, reject};
/// use keyward::Requirement;
/// use poem::Request;
/// use poem_openapi::{OpenApi, param::Path, payload::PlainText};
///
/// struct Api;
///
/// #[OpenApi]
/// impl Api {
///     #[oai(path = "/organizations/:id", method = "get")]
///     async fn organization(
///         &self,
///         request: &Request,
///         auth: BearerAuth,
///         id: Path<String>,
///     ) -> poem::Result<PlainText<&'static str>> {
///         let member = Requirement::organization(id.0);
///         auth.0.require(&member).map_err(|lack| reject(request, "api", lack.into()))?;
///         Ok(PlainText("welcome"))
///     }
/// }
/// ```
pub fn reject<'c>(
    request: &Request,
    challenge: impl Into<Challenge<'c>>,
    rejection: Rejection,
) -> poem::Error {
    let response = rejection.to_response(challenge, request.extensions().get::<TraceId>());
    let (parts, body) = response.into_parts();
    let mut response = Response::builder().status(parts.status).body(body);
    *response.headers_mut() = parts.headers;
    *response.extensions_mut() = parts.extensions;
    let mut error = poem::Error::from_response(response);
    error.set_data(rejection);
    error
}

/// The verifier that the application gave as data. Without one nobody passes.
pub(crate) fn verifier<C: Send + Sync + 'static>(request: &Request) -> poem::Result<&Verifier<C>> {
    request.data::<Verifier<C>>().ok_or_else(|| {
        tracing::error!("no Verifier<C> of the operation's claims type in the endpoint's data");
        let problem = Problem::new(500, "internal_error", "Internal error")
            .with_trace_id(request.extensions().get::<TraceId>());
        let response = Response::builder()
            .status(poem::http::StatusCode::INTERNAL_SERVER_ERROR)
            .content_type(PROBLEM_JSON)
            .body(problem.to_json());
        poem::Error::from_response(response)
    })
}
