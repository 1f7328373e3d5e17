//! Optional authentication with axum: a public page that knows who you are if you say so. A token
//! that is there but bad is refused all the same, so that a client learns that it has to renew it
//! instead of being shown a stranger's page.
//!
//! ```sh
//! BETTER_AUTH_URL=http://localhost:3000 cargo run --example optional_auth
//! curl http://127.0.0.1:8000/
//! curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:8000/
//! ```

use std::env;
use std::error::Error;

use axum::{Extension, Router, routing::get};
use keyward::tower::BearerAuthLayer;
use keyward::{Principal, Verifier};
use tokio::net::TcpListener;

/// `Option`: without credentials there is no principal.
async fn home(principal: Option<Extension<Principal>>) -> String {
    match principal {
        Some(Extension(principal)) => format!("welcome back, {}", principal.subject()),
        None => "welcome, whoever you are".to_owned(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    let verifier: Verifier = Verifier::for_better_auth(&auth_server)
        .map_err(|error| format!("BETTER_AUTH_URL: {error}"))?
        .build();
    let app = Router::new()
        .route("/", get(home))
        .layer(BearerAuthLayer::new(verifier).optional());

    let address = env::var("LISTEN_ADDR").unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or(()) })
        .await?;
    Ok(())
}
