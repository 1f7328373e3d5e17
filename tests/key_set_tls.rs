//! Key sets over TLS: whoever can answer in the auth server's place can sign in as anybody. The real
//! binary trusts one authority here (`tests/tls`), and must believe nobody else.

#[path = "support/keyward.rs"]
mod service;
#[path = "support/tls_server.rs"]
mod tls_server;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;
use service::{Keyward, PATIENCE, client};
use tls_server::{Shows, TlsServer, file};

/// The status and the code of an answer to a good token.
async fn me(keyward: &Keyward, token: &str) -> (u16, Option<String>) {
    let request = client()
        .get(format!("{}/api/me", keyward.url))
        .bearer_auth(token);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_str().map(str::to_owned))
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nothing of such a server is believed, nothing is asked of it, and with the right certificate it is
/// found by itself.
async fn is_not_believed(shows: Shows) {
    let server = TlsServer::start(shows).await;
    let authority = file("authority.pem");
    let keyward = Keyward::serve(&[
        ("BETTER_AUTH_URL", server.issuer.url()),
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
    ])
    .await;
    let token = server.issuer.token("ada");
    let connections = || server.connections.load(Ordering::Relaxed);
    until("two attempts", async || connections() >= 2).await;
    assert_eq!(
        me(&keyward, &token).await,
        (503, Some("keys_unavailable".to_owned()))
    );
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);

    *server.shows.lock().unwrap() = Shows::Certificate("good.pem");
    until("it recovers", async || me(&keyward, &token).await.0 == 200).await;
    let (_, log) = keyward.stop().await;
    assert!(log.contains("no connection to the auth server"), "{log}");
}

macro_rules! not_believed {
    ($($name:ident: $shows:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                is_not_believed($shows).await;
            }
        )*
        const ROWS: usize = [$(stringify!($name)),*].len();
    };
}

not_believed! {
    a_certificate_that_has_expired: Shows::Certificate("expired.pem");
    a_certificate_for_another_host: Shows::Certificate("other-host.pem");
    a_certificate_that_nobody_has_signed: Shows::Certificate("self-signed.pem");
    no_certificate_but_plain_http: Shows::Plain;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_certificate_is_believed_by_those_who_trust_its_authority_alone() {
    let server = TlsServer::start(Shows::Certificate("good.pem")).await;
    let authority = file("authority.pem");
    let trusting = [
        ("BETTER_AUTH_URL", server.issuer.url()),
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
    ];
    let token = server.issuer.token("ada");
    let keyward = Keyward::serve(&trusting).await;
    assert_eq!(me(&keyward, &token).await, (200, None));

    let requests = server.requests.load(Ordering::Relaxed);
    let keyward = Keyward::serve(&trusting[..1]).await;
    assert_eq!(
        me(&keyward, &token).await,
        (503, Some("keys_unavailable".to_owned()))
    );
    assert_eq!(server.requests.load(Ordering::Relaxed), requests);
    println!("ran {} cases: key sets over TLS", ROWS + 2);
}
