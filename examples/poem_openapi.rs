//! poem-openapi: the caller is an argument of the operation, and the OpenAPI document says so.
//!
//! ```sh
//! BETTER_AUTH_URL=http://localhost:3000 cargo run --example poem_openapi
//! curl http://127.0.0.1:8000/openapi.json
//! curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:8000/api/me
//! ```

use std::env;
use std::error::Error;
use std::time::Duration;

use keyward::poem::{Access, BearerAuth, Documented, Guarded, OptionalBearerAuth, Public};
use keyward::{BetterAuthUser, Forbidden, Requirement, Verified, Verifier};
use poem::listener::TcpAcceptor;
use poem::{EndpointExt, Route, Server};
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::{Object, OpenApi, OpenApiService};
use tokio::net::TcpListener;

struct Api;

#[derive(Object)]
struct User {
    id: String,
    name: Option<String>,
}

struct Administrator;

impl Access for Administrator {
    type Claims = BetterAuthUser;

    fn check(principal: &Verified) -> Result<(), Forbidden> {
        principal.require(&Requirement::role("admin"))
    }
}

#[OpenApi]
impl Api {
    /// Who the caller is.
    #[oai(path = "/me", method = "get")]
    async fn me(&self, BearerAuth(principal): BearerAuth) -> Json<User> {
        Json(User {
            id: principal.subject().to_owned(),
            name: principal.user().and_then(|user| user.name.clone()),
        })
    }

    /// A greeting, by name for those who are signed in.
    #[oai(path = "/greeting", method = "get")]
    async fn greeting(
        &self,
        OptionalBearerAuth(principal): OptionalBearerAuth,
    ) -> PlainText<String> {
        let name = principal
            .as_ref()
            .map_or("stranger", |principal| principal.subject());
        PlainText(format!("hello {name}"))
    }

    /// What only administrators get to see.
    #[oai(path = "/reports", method = "get")]
    async fn reports(&self, _who: Guarded<Administrator>) -> PlainText<&'static str> {
        PlainText("for administrators")
    }

    /// Documented as open to everybody.
    #[oai(path = "/version", method = "get")]
    async fn version(&self, _public: Public) -> PlainText<&'static str> {
        PlainText("1.0")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    let verifier: Verifier = Verifier::for_better_auth(&auth_server)
        .map_err(|error| format!("BETTER_AUTH_URL: {error}"))?
        .build();
    // `Documented` adds how callers are refused to the document.
    let api = OpenApiService::new(Documented(Api), "Example", "1.0").server("/api");
    let document = api.spec_endpoint();
    // The security schemes find the verifier in the data.
    let app = Route::new()
        .at("/openapi.json", document)
        .nest("/api", api.data(verifier));

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
