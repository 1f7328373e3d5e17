//! Reports, of which everybody reads their own and administrators all.

use axum::{Extension, Router, extract::Path, http::StatusCode, routing::get};
use keyward::tower::BearerAuthLayer;
use keyward::{Principal, Requirement, Verifier};

/// The service. It takes its verifier as an argument, so that its tests bring their own.
pub fn app(verifier: Verifier) -> Router {
    let signed_in = BearerAuthLayer::new(verifier);
    let administrators = signed_in.clone().require(Requirement::role("admin"));
    Router::new()
        .route("/reports/{owner}", get(report).layer(signed_in))
        .route("/reports", get(all_reports).layer(administrators))
        .route("/health", get(|| async { "ok" }))
}

async fn report(
    Path(owner): Path<String>,
    Extension(principal): Extension<Principal>,
) -> Result<String, StatusCode> {
    match owner == principal.subject() {
        true => Ok(format!("the report of {owner}")),
        false => Err(StatusCode::NOT_FOUND),
    }
}

async fn all_reports() -> &'static str {
    "all reports"
}
