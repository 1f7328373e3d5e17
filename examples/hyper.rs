//! hyper and tower, without a framework: HTTP/1.1 and HTTP/2 on one port.
//!
//! ```sh
//! BETTER_AUTH_URL=http://localhost:3000 cargo run --example hyper
//! curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:8000/
//! ```

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use keyward::tower::BearerAuthLayer;
use keyward::{Principal, Verifier};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = match request.extensions().get::<Principal>() {
        Some(principal) => Response::new(format!("hello {}", principal.subject()).into()),
        // Cannot be below the layer. Should the layer ever be lost, this keeps the door shut.
        None => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
        }
    };
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    let verifier: Verifier = Verifier::for_better_auth(&auth_server)
        .map_err(|error| format!("BETTER_AUTH_URL: {error}"))?
        .build();
    let service = ServiceBuilder::new()
        .layer(BearerAuthLayer::new(verifier))
        .service(service_fn(hello));

    let address = env::var("LISTEN_ADDR").unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let server = auto::Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Of one connection, or out of file descriptors, which does not last.
                Err(_) => { tokio::time::sleep(Duration::from_millis(50)).await; continue }
            },
            _ = tokio::signal::ctrl_c() => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    drop(listener);
    // Requests that are on their way get their answer.
    let _ = tokio::time::timeout(Duration::from_secs(10), connections.shutdown()).await;
    Ok(())
}
