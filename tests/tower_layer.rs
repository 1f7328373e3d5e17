//! One layer under axum, tonic and bare hyper.

#[path = "support/auth_server.rs"]
mod auth_server;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use auth_server::{AuthServer, Reply};
use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward::testing::TestIssuer;
use keyward::tower::BearerAuthLayer;
use keyward::{
    FetchError, Forbidden, KeySet, Policy, Principal, Rejection, Requirement, TraceId, Verified,
    Verifier, VerifyError,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt, service_fn};

const ISSUER: &str = "https://app.example.com";

fn verifier(issuer: &TestIssuer) -> Verifier {
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    Verifier::builder(Policy::new([ISSUER], [ISSUER]).unwrap(), keys)
        .realm("api")
        .build()
}

async fn echo(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let principal = request.extensions().get::<Principal>();
    let name = principal
        .map_or("anonymous", |principal| principal.subject())
        .to_owned();
    Ok(Response::new(name.into()))
}

fn request(token: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::builder().uri("/");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Full::default()).unwrap()
}

async fn call(
    layer: &BearerAuthLayer,
    request: Request<Full<Bytes>>,
) -> (http::response::Parts, String) {
    let response = layer
        .layer(service_fn(echo))
        .oneshot(request)
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_good_token_passes_with_its_principal_and_a_bad_one_is_answered() {
    let issuer = TestIssuer::new(ISSUER);
    let layer = BearerAuthLayer::new(verifier(&issuer));
    let (parts, body) = call(&layer, request(Some(&issuer.token("ada")))).await;
    assert_eq!((parts.status, &*body), (StatusCode::OK, "ada"));

    let mut claims = issuer.claims("ada");
    claims["exp"] = json!(3600);
    let mut refused = request(Some(&issuer.sign(&claims)));
    let trace = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    refused.extensions_mut().insert(trace);
    let (parts, body) = call(&layer, refused).await;
    assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
    assert_eq!(parts.headers["content-type"], "application/problem+json");
    assert_eq!(parts.headers["cache-control"], "no-store");
    assert_eq!(
        parts.headers["www-authenticate"],
        r#"Bearer realm="api", error="invalid_token", error_description="the token has expired""#
    );
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        problem,
        json!({
            "type": "urn:keyward:problem:token_expired",
            "title": "Authentication failed",
            "status": 401,
            "detail": "the token has expired",
            "code": "token_expired",
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        })
    );
    let reason = parts.extensions.get::<Rejection>();
    assert_eq!(reason, Some(&Rejection::Token(VerifyError::Expired)));

    let (parts, _) = call(&layer, request(None)).await;
    assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
    assert_eq!(parts.headers["www-authenticate"], r#"Bearer realm="api""#);

    let mut twice = request(Some(&issuer.token("ada")));
    twice
        .headers_mut()
        .append("authorization", "Bearer other".parse().unwrap());
    let (parts, body) = call(&layer, twice).await;
    assert_eq!(parts.status, StatusCode::BAD_REQUEST);
    assert!(body.contains("authorization_repeated"));
}

#[tokio::test]
async fn anonymous_is_only_who_sends_no_credentials() {
    let issuer = TestIssuer::new(ISSUER);
    let layer = BearerAuthLayer::new(verifier(&issuer)).optional();
    assert_eq!(call(&layer, request(None)).await.1, "anonymous");
    assert_eq!(
        call(&layer, request(Some(&issuer.token("ada")))).await.1,
        "ada"
    );
    for bad in ["garbage", &TestIssuer::new(ISSUER).token("ada")] {
        assert_eq!(
            call(&layer, request(Some(bad))).await.0.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let mut basic = request(None);
    basic
        .headers_mut()
        .insert("authorization", "Basic dXNlcjpwYXNz".parse().unwrap());
    assert_eq!(call(&layer, basic).await.0.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_requirement_that_is_not_met_is_a_403() {
    let issuer = TestIssuer::new(ISSUER);
    let mut claims = issuer.claims("ada");
    claims["role"] = json!("admin,user");
    claims["scope"] = json!("tasks:read");
    let token = issuer.sign(&claims);
    // A client acting for itself has no role, whatever the claim says.
    let mut claims = issuer.claims("client");
    claims["azp"] = json!("client");
    claims["role"] = json!("admin");
    let admins = BearerAuthLayer::new(verifier(&issuer)).require(Requirement::role("admin"));
    let (parts, body) = call(&admins, request(Some(&issuer.sign(&claims)))).await;
    assert_eq!(parts.status, StatusCode::FORBIDDEN);
    assert!(body.contains("user_required"), "{body}");

    for (requirement, status) in [
        (Requirement::user(), 200),
        (Requirement::role("admin"), 200),
        (Requirement::any_role(["owner", "user"]), 200),
        (Requirement::scope("tasks:read"), 200),
        (Requirement::role("owner"), 403),
        (Requirement::role("admin,user"), 403),
        (Requirement::any_role::<&str>([]), 403),
        (Requirement::scope("tasks:write"), 403),
    ] {
        let layer = BearerAuthLayer::new(verifier(&issuer)).require(requirement.clone());
        let (parts, _) = call(&layer, request(Some(&token))).await;
        assert_eq!(parts.status.as_u16(), status, "{requirement:?}");
        if status == 403 {
            let challenge = parts.headers["www-authenticate"].to_str().unwrap();
            assert!(
                challenge.contains(r#"error="insufficient_scope""#),
                "{challenge}"
            );
        }
    }
    let both = BearerAuthLayer::new(verifier(&issuer))
        .require(Requirement::role("admin"))
        .require(Requirement::scope("tasks:write"));
    let (parts, body) = call(&both, request(Some(&token))).await;
    assert!(body.contains("scope_required"));
    assert!(
        parts.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .contains(r#"scope="tasks:write""#)
    );
}

#[tokio::test]
async fn a_rule_of_the_applications_own_and_an_organization() {
    let issuer = TestIssuer::new(ISSUER);
    let layer = || BearerAuthLayer::new(verifier(&issuer));
    let ada = issuer.user("ada").claim("activeOrganizationId", "org-1");
    let token = ada.claim("activeOrganizationRole", "editor").token();
    let named_ada = |principal: &Verified| match principal.subject() {
        "ada" => Ok(()),
        _ => Err(Forbidden::rule(
            "not_ada",
            "this is for \"Ada\" alone: 100%\r\nx: y",
        )),
    };
    let member = Requirement::organization("org-1").and(Requirement::organization_role("editor"));
    let layer = layer().require(member).require(named_ada);
    let (parts, body) = call(&layer, request(Some(&token))).await;
    assert_eq!((parts.status.as_u16(), &*body), (200, "ada"), "{body}");

    let (_, body) = call(&layer, request(Some(&issuer.token("ada")))).await;
    assert!(body.contains("organization_required"), "{body}");
    let eve = issuer.user("eve").claim("activeOrganizationId", "org-1");
    let eve = eve.claim("activeOrganizationRole", "editor,owner").token();
    let (parts, body) = call(&layer, request(Some(&eve))).await;
    assert_eq!(parts.status, StatusCode::FORBIDDEN);
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["code"], "not_ada");
    assert_eq!(problem["detail"], "this is for \"Ada\" alone: 100%\r\nx: y");
    assert_eq!(
        parts.headers["www-authenticate"],
        r#"Bearer realm="api", error="insufficient_scope", error_description="this is for Ada alone: 100%x: y""#
    );
    let mut grpc = request(Some(&eve));
    *grpc.method_mut() = http::Method::POST;
    let content_type = http::HeaderValue::from_static("application/grpc");
    grpc.headers_mut().insert("content-type", content_type);
    let (parts, _) = call(&layer, grpc).await;
    assert_eq!(parts.headers["grpc-status"], "7");
    assert_eq!(
        parts.headers["grpc-message"],
        "not_ada: this is for Ada alone: 100x: y"
    );
}

#[tokio::test]
async fn every_challenge_names_the_resource_metadata() {
    let issuer = TestIssuer::new(ISSUER);
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    let url = "https://api.example.com/.well-known/oauth-protected-resource";
    let verifier: Verifier = Verifier::builder(Policy::new([ISSUER], [ISSUER]).unwrap(), keys)
        .resource_metadata(url)
        .build();
    let layer = BearerAuthLayer::new(verifier).require(Requirement::scope("a"));
    let expired = issuer.user("ada").expired().token();
    let good = issuer.token("ada");
    for (token, status) in [(None, 401), (Some(&expired), 401), (Some(&good), 403)] {
        for content_type in ["application/json", "application/grpc"] {
            let mut request = request(token.map(String::as_str));
            *request.method_mut() = http::Method::POST;
            let content_type = http::HeaderValue::from_static(content_type);
            request.headers_mut().insert("content-type", content_type);
            let (parts, _) = call(&layer, request).await;
            assert!([status, 200].contains(&parts.status.as_u16()));
            let challenge = parts.headers["www-authenticate"].to_str().unwrap();
            assert!(
                challenge.ends_with(&format!(r#", resource_metadata="{url}""#)),
                "{challenge}"
            );
        }
    }
}

/// A service that insists on being called only as often as it was polled ready.
#[derive(Default)]
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    /// Being ready is not cloned (`tower::Service`, "Be careful when cloning inner services").
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: self.calls.clone(),
        }
    }
}

impl Service<Request<Full<Bytes>>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without having been ready"
        );
        self.calls.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(Response::new(Full::default())))
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_keys_is_then_given_to_the_service_that_was_ready() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let inner = Strict::default();
    let mut service = BearerAuthLayer::new(server.verifier(ISSUER)).layer(inner.clone());
    for _ in 0..3 {
        // The first waits for the first fetch, the others do not.
        let response = service
            .ready()
            .await
            .unwrap()
            .call(request(Some(&issuer.token("ada"))));
        assert_eq!(response.await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(inner.calls.load(Ordering::Relaxed), 3);
    let other = TestIssuer::new(ISSUER);
    other.rotate(keyward::Algorithm::EdDsa);
    let refused = service
        .ready()
        .await
        .unwrap()
        .call(request(Some(&other.token("ada"))))
        .await;
    assert_eq!(refused.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        (inner.calls.load(Ordering::Relaxed), server.fetches()),
        (3, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn without_keys_the_answer_is_a_503_that_says_when_to_come_back() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(Vec::new());
    server.replies(Reply::Fail(FetchError::Connect));
    let layer = BearerAuthLayer::new(server.verifier(ISSUER));
    let (parts, body) = call(&layer, request(Some(&issuer.token("ada")))).await;
    assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(parts.headers["retry-after"], "1");
    assert!(!parts.headers.contains_key("www-authenticate"));
    assert!(body.contains("keys_unavailable"));
}

#[tokio::test]
async fn only_a_grpc_call_is_answered_in_grpcs_terms() {
    let layer = BearerAuthLayer::new(verifier(&TestIssuer::new(ISSUER)));
    for (method, content_type, status) in [
        ("POST", "application/grpc", 200),
        ("POST", "application/grpc+proto", 200),
        ("POST", "application/grpc-web", 401),
        ("GET", "application/grpc", 401),
        ("POST", "application/json", 401),
    ] {
        let request = Request::builder()
            .method(method)
            .header("content-type", content_type);
        let (parts, _) = call(&layer, request.body(Full::default()).unwrap()).await;
        assert_eq!(parts.status.as_u16(), status, "{method} {content_type}");
        assert_eq!(parts.headers.contains_key("grpc-status"), status == 200);
        assert_eq!(parts.headers["cache-control"], "no-store");
    }
}

/// Answers one connection after another on a loopback port until the test ends.
async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

#[tokio::test]
async fn under_axum() {
    async fn me(Extension(principal): Extension<Principal>) -> String {
        principal.user().unwrap().email.clone().unwrap()
    }
    let issuer = TestIssuer::new(ISSUER);
    let app = Router::new()
        .route("/me", get(me))
        .layer(BearerAuthLayer::new(verifier(&issuer)))
        .route("/open", get(|| async { "open" }));
    let (listener, url) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });

    let get = |path: &str| client().get(format!("{url}{path}"));
    assert_eq!(
        get("/open").send().await.unwrap().text().await.unwrap(),
        "open"
    );
    let me = get("/me")
        .bearer_auth(issuer.token("ada"))
        .send()
        .await
        .unwrap();
    assert_eq!(me.text().await.unwrap(), "ada@example.com");
    let refused = get("/me").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(
        refused.headers()["www-authenticate"],
        r#"Bearer realm="api""#
    );
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "credentials_missing");
}

#[tokio::test]
async fn under_bare_hyper() {
    let issuer = TestIssuer::new(ISSUER);
    let hello = service_fn(|request: Request<hyper::body::Incoming>| async move {
        let principal = request.extensions().get::<Principal>().unwrap();
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(
            principal.subject().to_owned(),
        ))))
    });
    let service = BearerAuthLayer::new(verifier(&issuer)).layer(hello);
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper_util::service::TowerToHyperService::new(service.clone());
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            tokio::spawn(async move {
                builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .is_ok()
            });
        }
    });
    let good = client()
        .get(&url)
        .bearer_auth(issuer.token("ada"))
        .send()
        .await
        .unwrap();
    assert_eq!(good.text().await.unwrap(), "ada");
    assert_eq!(
        client()
            .get(&url)
            .bearer_auth("x.y.z")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    assert_eq!(client().head(&url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn under_tonic_a_grpc_caller_is_refused_in_grpcs_terms() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    let issuer = TestIssuer::new(ISSUER);
    let (_reporter, health) = tonic_health::server::health_reporter();
    let (listener, url) = listen().await;
    let layer = BearerAuthLayer::new(verifier(&issuer));
    let admins = layer.clone().require(Requirement::role("admin"));
    let (admin_listener, admin_url) = listen().await;
    for (listener, layer, health) in [
        (listener, layer, health.clone()),
        (admin_listener, admins, health),
    ] {
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let server = tonic::transport::Server::builder()
            .layer(layer)
            .add_service(health);
        tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    }

    let check = async |url: &str, token: Option<String>| {
        let mut client = {
            let endpoint = tonic::transport::Endpoint::from_shared(url.to_owned()).unwrap();
            HealthClient::new(endpoint.connect().await.unwrap())
        };
        let mut request = tonic::Request::new(HealthCheckRequest {
            service: String::new(),
        });
        if let Some(token) = token {
            request
                .metadata_mut()
                .insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        client
            .check(request)
            .await
            .map(|_| ())
            .map_err(|status| (status.code(), status.message().to_owned()))
    };
    assert_eq!(check(&url, Some(issuer.token("ada"))).await, Ok(()));
    let (code, message) = check(&url, None).await.unwrap_err();
    assert_eq!(code, tonic::Code::Unauthenticated);
    assert!(message.starts_with("credentials_missing: "), "{message}");
    let (code, _) = check(&url, Some("a.b.c".to_owned())).await.unwrap_err();
    assert_eq!(code, tonic::Code::Unauthenticated);
    let (code, message) = check(&admin_url, Some(issuer.token("ada")))
        .await
        .unwrap_err();
    assert_eq!(code, tonic::Code::PermissionDenied);
    assert!(message.starts_with("role_required: "), "{message}");
}
