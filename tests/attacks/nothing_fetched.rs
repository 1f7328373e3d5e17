//! Nothing is fetched on a token's word (RFC 8725 §3.10): a listener that would serve the attacker's
//! keys counts who comes, and nobody does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use keyward::testing::TestIssuer;
use keyward::{Algorithm, HttpFetcher, RefreshOptions, RemoteKeySet};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::faces::{self, Service, Tower};
use crate::lab;

/// Counts connections, whatever they ask for, and hands out a key set.
async fn listener(document: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(stream, document.clone()));
        }
    });
    (address, connections)
}

async fn answer(mut stream: TcpStream, document: Vec<u8>) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        document.len()
    );
    let _ = stream
        .write_all(&[head.as_bytes(), &document].concat())
        .await;
}

/// Headers that point to the attacker's server, and `kid`s of every kind beside them.
fn headers(url: &str, jwk: &Value) -> Vec<Value> {
    let pointers = [
        json!({"jku": url}),
        json!({"jku": [url]}),
        json!({"x5u": url}),
        json!({"jwk": jwk}),
        json!({"jwk": {"jku": url}}),
        json!({"x5c": [url]}),
        json!({"jku": url, "x5u": url, "jwk": jwk, "x5c": [url], "iss": url, "jwks_uri": url}),
        json!({"kid": url}),
        json!({"kid": format!("{url}#key-1")}),
    ];
    let ids = [json!(null), json!("key-1"), json!("ed25519"), json!(url)];
    let mut headers = vec![];
    for pointer in &pointers {
        for id in &ids {
            let header = lab::with(json!({"alg": "EdDSA", "kid": id}), pointer.clone());
            headers.push(lab::with(
                header,
                json!({"kid": pointer.get("kid").unwrap_or(id)}),
            ));
        }
    }
    headers
}

#[tokio::test]
async fn for_jku_x5u_jwk_x5c_or_a_kid_that_is_a_url() {
    let attacker = TestIssuer::new(lab::ISSUER);
    let (address, fetched) = listener(attacker.key_set_json()).await;
    // The auth server is another one, and is asked for its own key set only.
    let (auth_server, asked) = listener(lab::key_set().to_string().into_bytes()).await;
    let jwks = format!("http://{auth_server}/jwks");
    let keys = || {
        let fetcher = HttpFetcher::new(&jwks, false).unwrap();
        RemoteKeySet::new(fetcher, RefreshOptions::default())
    };

    let fixed = faces::verifier(faces::key_set(&lab::key_set()));
    let remote = faces::verifier(keys());
    let tower = Tower::new(faces::verifier(keys()));
    let store = {
        let url = keyward::service::store::DatabaseUrl::parse("sqlite::memory:").unwrap();
        keyward::service::store::TaskStore::connect(&url)
            .await
            .unwrap()
    };
    let service = Service::start(faces::verifier(keys()), store).await;

    let began = Instant::now();
    let refusals = ["token_signature_invalid", "key_unknown"];
    let mut count = 0;
    let url = format!("http://{address}/jwks");
    for header in headers(&url, &attacker.key().public_jwk()) {
        // What it signs is true but for the key.
        let payload = lab::with(lab::claims(), json!({"jku": url, "jwks_uri": url}));
        let token = attacker.key().sign(header.to_string(), payload.to_string());
        for verifier in [&fixed, &remote] {
            let code = faces::code(verifier, &token).await;
            assert!(refusals.contains(&code), "{header}: {code}");
        }
        let request = faces::bearer(&token);
        let name = header.to_string();
        let map = faces::header_map(&request).unwrap();
        for code in [
            tower.call(map).await.code(&name),
            service.call("", &request).await.code(&name),
        ] {
            assert!(refusals.contains(&&*code), "{header}: {code}");
        }
        count += 1;
    }
    // What would be fetched in the background has its time while good requests go on.
    let good = lab::token(Algorithm::EdDsa);
    assert_eq!(faces::code(&remote, &good).await, "accepted");
    for _ in 0..50 {
        let answer = service.call("", &faces::bearer(&good)).await;
        assert_eq!(answer.code("good"), "accepted");
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 0, "somebody came");
    // Each of the three remote sets: at first, for an unknown kid once in ten seconds, and for a bad
    // signature once in a minute.
    let (asked, allowed) = (
        asked.load(Ordering::SeqCst),
        3 * (3 + began.elapsed().as_secs() / 5),
    );
    assert!(asked >= 3 && asked as u64 <= allowed, "{asked}");

    // The listener would have noticed.
    TcpStream::connect(address).await.unwrap();
    while fetched.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    println!("ran {count} cases: nothing is fetched on a token's word");
}
