//! Poem: the middleware around the routes that need a token.
//!
//! ```sh
//! BETTER_AUTH_URL=http://localhost:3000 cargo run --example poem
//! curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:8000/api/me
//! ```

use std::env;
use std::error::Error;
use std::time::Duration;

use keyward::poem::BearerAuthMiddleware;
use keyward::{Principal, Verifier};
use poem::listener::TcpAcceptor;
use poem::{EndpointExt, Route, Server, get, handler, web::Data};
use tokio::net::TcpListener;

#[handler]
fn home() -> &'static str {
    "for everybody"
}

/// The middleware has put the principal there; without a good token this is never called.
#[handler]
fn me(Data(principal): Data<&Principal>) -> String {
    format!("hello {}", principal.subject())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    let verifier: Verifier = Verifier::for_better_auth(&auth_server)
        .map_err(|error| format!("BETTER_AUTH_URL: {error}"))?
        .build();
    let api = Route::new()
        .at("/me", get(me))
        .with(BearerAuthMiddleware::new(verifier));
    let app = Route::new().at("/", get(home)).nest("/api", api);

    let address = env::var("LISTEN_ADDR").unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or(()) };
    let patience = Some(Duration::from_secs(10));
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
        .run_with_graceful_shutdown(app, ctrl_c, patience)
        .await?;
    Ok(())
}
