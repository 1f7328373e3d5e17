//! The kit that a crate which uses Keyward tests its routes with: what it mints is accepted or refused
//! for the reason asked for, and its server is one that a real client gets on with.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use keyward::testing::{Outage, TestIssuer, TestServer, TestToken};
use keyward::{Algorithm, Policy, Verifier};
use serde_json::{Value, json};

const URL: &str = "https://app.example.com";
const MINUTE: Duration = Duration::from_secs(60);

async fn code(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token).await {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

#[tokio::test]
async fn a_token_is_refused_for_what_is_wrong_with_it() {
    type Change = fn(TestToken) -> TestToken;
    let issuer = TestIssuer::new(URL);
    let verifier = issuer.verifier();
    let table: &[(Change, &str)] = &[
        (|token| token, "accepted"),
        (|token| token.claim("plan", "pro"), "accepted"),
        (|token| token.typ("at+jwt"), "accepted"),
        (|token| token.expires_in(MINUTE), "accepted"),
        (|token| token.expired(), "token_expired"),
        (
            |token| token.audience("https://other.example"),
            "token_audience_mismatch",
        ),
        (
            |token| token.claim("iss", "https://evil.example"),
            "token_issuer_mismatch",
        ),
        (|token| token.without_claim("sub"), "token_claim_missing"),
        (
            |token| token.claim("exp", json!("tomorrow")),
            "token_claim_invalid",
        ),
        (|token| token.typ("logout+jwt"), "token_type_not_accepted"),
        (|token| token.forged(), "token_signature_invalid"),
    ];
    for (number, (change, expected)) in table.iter().enumerate() {
        let token = change(issuer.user("ada"));
        assert_eq!(
            code(&verifier, &token.token()).await,
            *expected,
            "row {number}"
        );
        let bearer = token.bearer();
        let bearer = bearer.strip_prefix("Bearer ").unwrap();
        assert_eq!(code(&verifier, bearer).await, *expected, "row {number}");
    }
}

#[tokio::test]
async fn every_algorithm_signs_what_its_published_key_proves() {
    for algorithm in Algorithm::ALL {
        let issuer = TestIssuer::with_algorithm(URL, algorithm);
        let token = issuer.token("ada");
        assert_eq!(
            code(&issuer.verifier(), &token).await,
            "accepted",
            "{algorithm:?}"
        );
        let forged = issuer.user("ada").forged().token();
        let expected = "token_signature_invalid";
        assert_eq!(
            code(&issuer.verifier(), &forged).await,
            expected,
            "{algorithm:?}"
        );
    }
}

#[tokio::test]
async fn roles_scopes_and_claims_arrive() {
    #[derive(serde::Deserialize)]
    struct Member {
        plan: String,
    }
    let issuer = TestIssuer::new(URL);
    let token = issuer
        .user("ada")
        .role("admin,user")
        .scope("tasks:read tasks:write");
    let verifier: Verifier<Member> = issuer.verifier();
    let principal = verifier
        .verify(&token.claim("plan", "pro").token())
        .await
        .unwrap();
    assert!(principal.claims().has_role("admin") && principal.claims().has_role("user"));
    assert!(
        principal.claims().has_scope("tasks:read") && principal.claims().has_scope("tasks:write")
    );
    assert_eq!(principal.user().unwrap().plan, "pro");
}

/// As the real provider's: another issuer than that of `/api/auth/token`, the same keys.
#[tokio::test]
async fn access_tokens_are_those_of_the_oauth_provider() {
    let issuer = TestIssuer::new(URL);
    let oauth_issuer = "https://app.example.com/api/auth";
    let api = "https://api.example.com";
    let policy = Policy::new([oauth_issuer], [api]).unwrap();
    let verifier: Verifier = issuer.verifier_for(policy).build();

    let token = issuer
        .access_token("app", "ada")
        .audience(api)
        .scope("tasks:read");
    let user = verifier.verify(&token.token()).await.unwrap();
    assert_eq!((user.subject(), user.claims().is_client()), ("ada", false));
    assert_eq!(user.claims().client_id.as_deref(), Some("app"));

    let token = issuer.client("reports").audience(api);
    let client = verifier.verify(&token.token()).await.unwrap();
    assert_eq!(
        (client.subject(), client.claims().is_client()),
        ("reports", true)
    );
    assert_eq!(client.claims().issuer.as_ref(), oauth_issuer);

    // They are not for whoever trusts the session tokens only, nor the other way round.
    assert_eq!(
        code(&issuer.verifier(), &token.token()).await,
        "token_issuer_mismatch"
    );
    let session = issuer.user("ada").audience(api).token();
    assert_eq!(code(&verifier, &session).await, "token_issuer_mismatch");
}

#[tokio::test]
async fn the_clock_is_the_verifiers_and_the_issuers() {
    let issuer = TestIssuer::new(URL);
    let verifier = issuer.verifier();
    let token = issuer.token("ada");
    assert_eq!(code(&verifier, &token).await, "accepted");
    issuer.clock().advance(14 * MINUTE);
    assert_eq!(code(&verifier, &token).await, "accepted");
    issuer.clock().advance(2 * MINUTE);
    assert_eq!(code(&verifier, &token).await, "token_expired");
    assert_eq!(code(&verifier, &issuer.token("ada")).await, "accepted");
    issuer.clock().rewind(16 * MINUTE);
    assert_eq!(code(&verifier, &token).await, "accepted");
    issuer.clock().rewind(16 * MINUTE);
    assert_eq!(code(&verifier, &token).await, "token_issued_in_future");
    for _ in 0..2 {
        issuer.clock().advance(Duration::MAX);
        issuer.clock().rewind(Duration::MAX);
        assert_eq!(code(&verifier, &issuer.token("ada")).await, "accepted");
    }
}

#[tokio::test(start_paused = true)]
async fn rotations_withdrawn_keys_and_outages_are_those_of_production() {
    let issuer = TestIssuer::new(URL);
    let verifier = issuer.verifier();
    issuer.fail(Outage::Silent);
    let old = issuer.token("ada");
    assert_eq!(code(&verifier, &old).await, "keys_unavailable");
    for outage in [
        Outage::Unreachable,
        Outage::Status(500),
        Outage::RateLimited {
            retry_after: MINUTE,
        },
    ] {
        issuer.fail(outage);
        tokio::time::advance(2 * MINUTE).await;
        assert_eq!(
            code(&verifier, &old).await,
            "keys_unavailable",
            "{outage:?}"
        );
    }
    issuer.recover();
    // The last outage asked to be left alone for a minute.
    assert_eq!(code(&verifier, &old).await, "keys_unavailable");
    tokio::time::advance(MINUTE).await;
    assert_eq!(code(&verifier, &old).await, "accepted");

    issuer.rotate(Algorithm::Es256);
    assert_eq!(code(&verifier, &issuer.token("ada")).await, "accepted");
    assert_eq!(code(&verifier, &old).await, "accepted");

    issuer.drop_old_keys();
    issuer.rotate(Algorithm::EdDsa);
    assert_eq!(code(&verifier, &issuer.token("ada")).await, "accepted");
    assert_eq!(code(&verifier, &old).await, "key_unknown");
}

fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    builder.timeout(Duration::from_secs(10)).build().unwrap()
}

#[tokio::test]
async fn a_verifier_that_knows_only_the_url_accepts_the_servers_tokens() {
    let server = TestServer::start().unwrap();
    let verifier = Verifier::for_better_auth(server.url()).unwrap().build();
    assert_eq!(code(&verifier, &server.token("ada")).await, "accepted");
    server.rotate(Algorithm::Es512);
    assert_eq!(code(&verifier, &server.token("ada")).await, "accepted");

    let url = format!(
        "{}/api/auth/token?user=eve&role=admin&scope=tasks:read",
        server.url()
    );
    let answer: Value = client()
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let principal = verifier
        .verify(answer["token"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(principal.subject(), "eve");
    assert!(principal.claims().has_role("admin") && principal.claims().has_scope("tasks:read"));
}

#[tokio::test]
async fn over_http_an_outage_is_one_as_well() {
    let server = TestServer::start().unwrap();
    let jwks = format!("{}/api/auth/jwks", server.url());
    let get = || client().get(&jwks).send();
    server.fail(Outage::Unreachable);
    assert!(get().await.is_err());
    server.fail(Outage::Status(503));
    assert_eq!(get().await.unwrap().status(), 503);
    server.fail(Outage::RateLimited {
        retry_after: MINUTE,
    });
    let limited = get().await.unwrap();
    assert_eq!(
        (
            limited.status().as_u16(),
            &limited.headers()["x-retry-after"]
        ),
        (429, &"60".parse().unwrap())
    );
    server.fail(Outage::Silent);
    let silent = client()
        .get(&jwks)
        .timeout(Duration::from_millis(100))
        .send()
        .await;
    assert!(silent.unwrap_err().is_timeout());
    server.recover();
    assert_eq!(get().await.unwrap().status(), 200);
}

/// Sends bytes and reads the answer's status, or nothing.
fn raw(server: &TestServer, request: &str) -> Option<u16> {
    let address = server.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    // The server may have closed before all of it was sent.
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

#[test]
fn whoever_sends_the_server_something_else_gets_no_token() {
    let server = TestServer::start().unwrap();
    let get = |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let token = "/api/auth/token";
    for (request, status) in [
        (get(token, "localhost:1"), Some(200)),
        (get(token, "127.0.0.1"), Some(200)),
        (get(token, "[::1]:80"), Some(200)),
        (get(token, "evil.example"), Some(421)),
        (get(token, "127.0.0.1.evil.example"), Some(421)),
        (get("/api/auth/jwks", "evil.example"), Some(421)),
        (get("/elsewhere", "localhost"), Some(404)),
        (get(token, "localhost").replace("GET", "POST"), Some(404)),
        (format!("GET {token} HTTP/1.1\r\n\r\n"), Some(421)),
        (format!("GET {token} HTTP/1.1\r\nHost: localhost\r\n"), None),
        (String::new(), None),
        ("x".repeat(100_000), None),
        ("\r\n\r\n".to_owned(), Some(421)),
    ] {
        assert_eq!(raw(&server, &request), status, "{:.80}", request);
    }
}

#[test]
fn a_server_that_is_dropped_listens_no_more() {
    let server = TestServer::start().unwrap();
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
