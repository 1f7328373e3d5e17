//! tonic: the same layer around gRPC services. Callers without a good token get `UNAUTHENTICATED`,
//! those who lack a right `PERMISSION_DENIED`.
//!
//! The service is gRPC's health check, since its code comes generated (tonic-health) and this builds
//! without protoc. Read it as your own: a service of which users may ask for their own state only.
//!
//! ```sh
//! BETTER_AUTH_URL=http://localhost:3000 cargo run --example tonic
//! grpcurl -plaintext -H "authorization: Bearer $TOKEN" -d '{"service": "…your id…"}' \
//!     127.0.0.1:8000 grpc.health.v1.Health/Check
//! ```

use std::env;
use std::error::Error;

use keyward::tower::BearerAuthLayer;
use keyward::{Principal, Requirement, Verifier};
use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

struct States;

#[tonic::async_trait]
impl Health for States {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        // The layer has put the principal there; without a good token this is never called.
        let principal = request.extensions().get::<Principal>();
        let principal = principal.ok_or_else(|| Status::unauthenticated("no principal"))?;
        let of = &request.get_ref().service;
        if of != principal.subject() {
            // Whoever is no administrator sees nothing but their own.
            let lack = principal.require(&Requirement::role("admin"));
            lack.map_err(|lack| Status::permission_denied(lack.to_string()))?;
        }
        let status = ServingStatus::Serving.into();
        Ok(Response::new(HealthCheckResponse { status }))
    }

    type WatchStream = tonic::codegen::BoxStream<HealthCheckResponse>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("ask again instead"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth_server = env::var("BETTER_AUTH_URL").map_err(|_| "BETTER_AUTH_URL is not set")?;
    let verifier: Verifier = Verifier::for_better_auth(&auth_server)
        .map_err(|error| format!("BETTER_AUTH_URL: {error}"))?
        .build();

    let address = env::var("LISTEN_ADDR").unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or(()) };
    Server::builder()
        .layer(BearerAuthLayer::new(verifier))
        .add_service(HealthServer::new(States))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), ctrl_c)
        .await?;
    Ok(())
}
