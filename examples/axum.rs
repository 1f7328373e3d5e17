//! axum: a public route, one for whoever is signed in, and one for administrators.
//!
//! ```sh
//! BETTER_AUTH_URL=http://localhost:3000 cargo run --example axum
//! curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:8000/me
//! ```

use std::env;
use std::error::Error;

use axum::{Extension, Json, Router, routing::get};
use keyward::tower::BearerAuthLayer;
use keyward::{Principal, Requirement, Verifier};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The layer has put the principal there; without a good token this is never called.
async fn me(Extension(principal): Extension<Principal>) -> Json<Value> {
    let user = principal.user();
    Json(json!({
        "id": principal.subject(),
        // `None` for a client that acts for itself, or when `definePayload` leaves it out.
        "name": user.and_then(|user| user.name.as_deref()),
    }))
}

async fn reports() -> &'static str {
    "for administrators"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    // Fetches nothing yet: the first token makes it fetch the keys, which it then keeps fresh.
    let verifier: Verifier = Verifier::for_better_auth(&auth_server)
        .map_err(|error| format!("BETTER_AUTH_URL: {error}"))?
        .build();
    let signed_in = BearerAuthLayer::new(verifier);
    let administrators = signed_in.clone().require(Requirement::role("admin"));

    let app = Router::new()
        .route("/", get(|| async { "for everybody" }))
        // On a route, not on the router, a layer leaves unknown paths a 404.
        .route("/me", get(me).layer(signed_in))
        .route("/reports", get(reports).layer(administrators));

    let address = env::var("LISTEN_ADDR").unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or(()) })
        .await?;
    Ok(())
}
