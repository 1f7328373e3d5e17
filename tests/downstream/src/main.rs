//! Serves the reports.

use std::env;
use std::error::Error;

use keyward::Verifier;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    let verifier = Verifier::for_better_auth(&auth_server)?.build();
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    axum::serve(listener, reports::app(verifier))
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or(()) })
        .await?;
    Ok(())
}
