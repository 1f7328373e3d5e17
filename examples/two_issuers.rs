//! axum: two issuers at one API. A Better Auth server signs for the users of its web app under one
//! name, and, with `@better-auth/oauth-provider`, for OAuth clients under another. Clients need a
//! scope, and can find out by themselves where to get a token.
//!
//! ```sh
//! BETTER_AUTH_URL=http://localhost:3000 API_URL=http://127.0.0.1:8000 cargo run --example two_issuers
//! curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:8000/tasks
//! curl http://127.0.0.1:8000/.well-known/oauth-protected-resource
//! ```

use std::env;
use std::error::Error;

use axum::http::header::CONTENT_TYPE;
use axum::{Extension, Router, routing::get};
use keyward::tower::BearerAuthLayer;
use keyward::{
    BetterAuthUrl, Policy, Principal, ProtectedResource, RefreshOptions, RemoteKeySet, Requirement,
    Verifier,
};
use tokio::net::TcpListener;

async fn tasks(Extension(principal): Extension<Principal>) -> String {
    let by = match &principal.claims().client_id {
        Some(client) => format!("the client {client}"),
        None => "themselves".to_owned(),
    };
    // Both issuers are one server, so that one `sub` is one user. Users of servers that have nothing
    // to do with each other are told apart by issuer *and* subject.
    format!("the tasks of {}, read by {by}", principal.subject())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    let api = env::var("API_URL").unwrap_or("http://127.0.0.1:8000".into());

    let auth =
        BetterAuthUrl::parse(&auth_server).map_err(|error| format!("BETTER_AUTH_URL: {error}"))?;
    let (app_issuer, oauth_issuer) = (auth.origin(), auth.oauth_issuer());
    let resource = ProtectedResource::new(&*api, [&*oauth_issuer])?.scopes(["tasks:read"]);

    // What the web app's users send: issuer and audience are its origin, as Better Auth has it
    // unless told otherwise.
    let users = Policy::new([&*app_issuer], [&*app_issuer])?;
    // What clients send: access tokens for this API, and nothing else that the provider signs.
    let clients = Policy::for_access_tokens([&*oauth_issuer], [resource.resource()])?;
    // One server, one set of keys, fetched once.
    let keys = auth
        .fetcher(false)
        .map_err(|error| format!("BETTER_AUTH_URL: {error}"))?;
    let keys = RemoteKeySet::new(keys, RefreshOptions::default());
    let verifier: Verifier = Verifier::builder(users, keys.clone())
        .trust(clients, keys)?
        .resource_metadata(resource.metadata_url())
        .build();

    // The scope comes last: it is what a client is told to ask for.
    let read = Requirement::issuer(app_issuer).or(Requirement::scope("tasks:read"));
    let protected = BearerAuthLayer::new(verifier)
        .require(Requirement::user())
        .require(read);

    let document = resource.to_json();
    let metadata = move || async move { ([(CONTENT_TYPE, "application/json")], document) };
    let app = Router::new()
        .route("/tasks", get(tasks).layer(protected))
        .route(&resource.metadata_path(), get(metadata));

    let address = env::var("LISTEN_ADDR").unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or(()) })
        .await?;
    Ok(())
}
