//! The issuer of `keyward dev`: speaks Better Auth's `/api/auth/jwks` and `/api/auth/token`, and
//! hands out a token to whoever asks. It therefore binds loopback addresses only, answers only
//! requests addressed to one, and is part of no other command.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::http::header::{CONTENT_TYPE, HOST};
use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, Route, get, handler, web::Data,
};
use tokio::net::TcpListener;

use crate::testing::{TestIssuer, is_loopback, token_json};
use crate::{PROBLEM_JSON, Problem};

/// A bound issuer, not yet serving.
#[derive(Debug)]
pub struct DevIssuer {
    listener: TcpListener,
    issuer: TestIssuer,
}

impl DevIssuer {
    /// Binds `address` and makes a key.
    ///
    /// # Errors
    /// When the address is not a loopback one, or cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the development issuer hands out tokens to anybody and binds loopback addresses only",
            ));
        }
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self {
            listener,
            issuer: TestIssuer::new(url),
        })
    }

    /// Its base URL, issuer and audience.
    pub fn url(&self) -> &str {
        self.issuer.url()
    }

    /// The listener, and what to answer on it.
    pub fn into_parts(self) -> (TcpListener, impl Endpoint<Output = Response> + 'static) {
        let app = Route::new()
            .at("/api/auth/jwks", get(jwks))
            .at("/api/auth/token", get(token))
            .data(self.issuer)
            .around(only_loopback_hosts)
            .catch_all_error(|error| async move { problem(error.status()) });
        (self.listener, app)
    }
}

/// Refuses what a web page sends by way of DNS rebinding: see [`is_loopback`].
async fn only_loopback_hosts<E: Endpoint>(
    endpoint: Arc<E>,
    request: Request,
) -> poem::Result<Response> {
    let host = request.header(HOST).or_else(|| {
        request
            .uri()
            .authority()
            .map(|authority| authority.as_str())
    });
    match host.is_some_and(is_loopback) {
        true => Ok(endpoint.call(request).await?.into_response()),
        false => Ok(problem(StatusCode::MISDIRECTED_REQUEST)),
    }
}

#[handler]
fn jwks(Data(issuer): Data<&TestIssuer>) -> Response {
    json(issuer.key_set_json())
}

#[handler]
fn token(Data(issuer): Data<&TestIssuer>, request: &Request) -> Response {
    json(token_json(
        issuer,
        request.uri().query().unwrap_or_default(),
    ))
}

fn json(body: Vec<u8>) -> Response {
    Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .body(body)
}

fn problem(status: StatusCode) -> Response {
    let problem = Problem::new(
        status.as_u16(),
        "dev_issuer_error",
        "The development issuer refuses this",
    );
    Response::builder()
        .status(status)
        .content_type(PROBLEM_JSON)
        .body(problem.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_binds_nothing_but_loopback() {
        for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
            let error = DevIssuer::bind(address.parse().unwrap()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}");
        }
    }

    #[tokio::test]
    async fn it_answers_only_requests_addressed_to_this_machine() {
        let issuer = DevIssuer::bind("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let client = poem::test::TestClient::new(issuer.into_parts().1);
        for (host, status) in [
            ("localhost:3000", 200),
            ("127.0.0.1", 200),
            ("[::1]:80", 200),
            ("[::1]", 200),
            ("127.0.0.2:1", 200),
            ("192.0.2.1", 421),
            ("[::1", 421),
            ("evil.example:3000", 421),
            ("127.0.0.1.evil.example", 421),
            ("", 421),
        ] {
            for path in ["/api/auth/jwks", "/api/auth/token"] {
                let response = client.get(path).header("host", host).send().await;
                assert_eq!(response.0.status().as_u16(), status, "{host} {path}");
            }
        }
        let response = client
            .get("/elsewhere")
            .header("host", "localhost")
            .send()
            .await;
        assert_eq!(response.0.status(), StatusCode::NOT_FOUND);
    }
}
