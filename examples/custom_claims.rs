//! Claims of your own, typed: `Verifier<C>` reads a user's claims into any `C: Deserialize`. A token
//! whose claims do not fit `C` is refused with a 401, before a handler runs.
//!
//! On the Better Auth side, with the organization plugin:
//!
//! ```ts
//! jwt({
//!   jwt: {
//!     definePayload: ({ user, session }) => ({
//!       plan: user.plan,
//!       organizationId: session.activeOrganizationId,
//!     }),
//!   },
//! });
//! ```
//!
//! ```sh
//! BETTER_AUTH_URL=http://localhost:3000 cargo run --example custom_claims
//! curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:8000/plan
//! ```

use std::env;
use std::error::Error;

use axum::{Extension, Router, body::Body, response::Response, routing::get};
use keyward::tower::BearerAuthLayer;
use keyward::{Forbidden, Principal, Rejection, Verifier};
use serde::Deserialize;
use tokio::net::TcpListener;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    plan: Plan,
    /// `null` until the user has chosen one.
    organization_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Plan {
    Free,
    Pro,
}

async fn plan(Extension(principal): Extension<Principal<Member>>) -> Result<String, Response> {
    // A client that acts for itself is no user, and has no claims of one.
    let member = principal.require_user().map_err(refuse)?;
    let organization = member.organization_id.as_deref().unwrap_or("no");
    let subject = principal.subject();
    let plan = &member.plan;
    Ok(format!(
        "{subject} is of {organization} organization, on the plan {plan:?}"
    ))
}

/// The same 403 that the layer gives: a challenge, and a problem document.
fn refuse(lack: Forbidden) -> Response {
    Rejection::from(lack)
        .to_response("example", None)
        .map(Body::from)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    let verifier: Verifier<Member> = Verifier::for_better_auth(&auth_server)
        .map_err(|error| format!("BETTER_AUTH_URL: {error}"))?
        .build();
    let app = Router::new()
        .route("/plan", get(plan))
        .layer(BearerAuthLayer::new(verifier));

    let address = env::var("LISTEN_ADDR").unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or(()) })
        .await?;
    Ok(())
}
