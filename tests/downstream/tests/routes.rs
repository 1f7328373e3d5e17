//! The routes, with tokens that an issuer of the test's own mints. Everything is verified as it is in
//! production.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use keyward::testing::{Outage, TestIssuer, TestServer};
use keyward::{Algorithm, Verifier};
use reports::app;
use tower::ServiceExt;

/// The status that a request gets.
async fn get(verifier: &Verifier, path: &str, authorization: &str) -> u16 {
    let mut request = Request::get(path);
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = app(verifier.clone()).oneshot(request).await.unwrap();
    response.status().as_u16()
}

#[tokio::test]
async fn a_user_reads_their_own_report() {
    let issuer = TestIssuer::new("https://app.example.com");
    let verifier = issuer.verifier();
    let ada = issuer.user("ada").bearer();
    assert_eq!(get(&verifier, "/reports/ada", &ada).await, 200);
    assert_eq!(get(&verifier, "/reports/eve", &ada).await, 404);
    assert_eq!(get(&verifier, "/reports/ada", "").await, 401);
    assert_eq!(get(&verifier, "/health", "").await, 200);
}

#[tokio::test]
async fn administrators_read_all() {
    let issuer = TestIssuer::new("https://app.example.com");
    let verifier = issuer.verifier();
    let admin = issuer.user("ada").role("admin,user").bearer();
    assert_eq!(get(&verifier, "/reports", &admin).await, 200);
    let user = issuer.user("ada").role("user").bearer();
    assert_eq!(get(&verifier, "/reports", &user).await, 403);
}

#[tokio::test]
async fn a_token_expires() {
    let issuer = TestIssuer::new("https://app.example.com");
    let verifier = issuer.verifier();
    let ada = issuer.user("ada").bearer();
    assert_eq!(get(&verifier, "/reports/ada", &ada).await, 200);
    issuer.clock().advance(Duration::from_secs(20 * 60));
    assert_eq!(get(&verifier, "/reports/ada", &ada).await, 401);
}

#[tokio::test]
async fn a_token_for_another_service_is_refused() {
    let issuer = TestIssuer::new("https://app.example.com");
    let ada = issuer
        .user("ada")
        .audience("https://other.example")
        .bearer();
    assert_eq!(get(&issuer.verifier(), "/reports/ada", &ada).await, 401);
}

#[tokio::test]
async fn keys_are_rotated_and_withdrawn() {
    let issuer = TestIssuer::new("https://app.example.com");
    let verifier = issuer.verifier();
    let before = issuer.user("ada").bearer();
    assert_eq!(get(&verifier, "/reports/ada", &before).await, 200);
    issuer.rotate(Algorithm::Es256);
    issuer.drop_old_keys();
    let after = issuer.user("ada").bearer();
    assert_eq!(get(&verifier, "/reports/ada", &after).await, 200);
    assert_eq!(get(&verifier, "/reports/ada", &before).await, 401);
}

#[tokio::test]
async fn without_the_auth_server_nobody_is_called_unauthorized() {
    let issuer = TestIssuer::new("https://app.example.com");
    issuer.fail(Outage::Unreachable);
    let ada = issuer.user("ada").bearer();
    assert_eq!(get(&issuer.verifier(), "/reports/ada", &ada).await, 503);
}

/// The set-up of `main`: the keys come over HTTP.
#[tokio::test]
async fn the_keys_are_fetched_from_the_auth_server() {
    let server = TestServer::start().unwrap();
    let verifier = Verifier::for_better_auth(server.url()).unwrap().build();
    let ada = server.user("ada").bearer();
    assert_eq!(get(&verifier, "/reports/ada", &ada).await, 200);
}
