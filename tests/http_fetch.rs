//! The HTTP fetcher against a real socket and a server that misbehaves.

#[path = "support/raw_server.rs"]
mod raw_server;

use std::time::Duration;

use keyward::testing::TestIssuer;
use keyward::{
    BetterAuthUrl, FetchError, FetchKeySet, Fetched, HttpFetcher, RefreshOptions, RemoteKeySet,
    Verifier,
};
use raw_server::{FOR_EVER, RawServer, Script, Step, ok, response};
use tokio::net::TcpListener;

/// One chunk of a chunked body.
fn chunk(len: usize) -> Vec<u8> {
    let mut chunk = format!("{len:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + len, b' ');
    chunk.extend_from_slice(b"\r\n");
    chunk
}

#[tokio::test]
async fn a_document_comes_with_its_caching_headers_and_is_asked_for_conditionally() {
    let server = RawServer::start(|_| {
        response(
            "200 OK",
            "etag: \"v1\"\r\ncache-control: public, max-age=15\r\n",
            b"{}",
        )
    })
    .await;
    let fetched = server
        .fetcher()
        .fetch(Some("\"v0\"".to_owned()))
        .await
        .unwrap();
    let expected = Fetched::Document {
        body: b"{}".to_vec(),
        max_age: Some(Duration::from_secs(15)),
        etag: Some("\"v1\"".to_owned()),
    };
    assert_eq!(fetched, expected);
    assert!(server.heads()[0].contains("if-none-match: \"v0\""));
    let unasked = RawServer::start(|_| b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()).await;
    assert_eq!(
        unasked.fetcher().fetch(None).await,
        Err(FetchError::Status {
            status: 304,
            retry_after: None
        })
    );
    let not_modified = RawServer::start(|_| b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()).await;
    let fetched = not_modified
        .fetcher()
        .fetch(Some("\"v1\"".to_owned()))
        .await;
    assert_eq!(fetched, Ok(Fetched::NotModified { max_age: None }));
}

#[tokio::test]
async fn each_misbehaviour_has_its_error() {
    let too_large = FetchError::TooLarge(512 * 1024);
    let status = |status, seconds: Option<u64>| FetchError::Status {
        status,
        retry_after: seconds.map(Duration::from_secs),
    };
    let endless = {
        let mut body = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        (0..10).for_each(|_| body.extend(chunk(100_000)));
        body // and no last chunk
    };
    let table: Vec<(&str, Vec<u8>, FetchError)> = vec![
        ("404", response("404 Not Found", "", b""), status(404, None)),
        ("500", response("500 Oops", "", b""), status(500, None)),
        (
            "204",
            b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            status(204, None),
        ),
        (
            "429",
            response("429 Too Many", "x-retry-after: 10\r\n", b""),
            status(429, Some(10)),
        ),
        (
            "503",
            response("503 Down", "retry-after: 7\r\nx-retry-after: 9\r\n", b""),
            status(503, Some(9)),
        ),
        (
            "redirect to the same origin",
            response("302 Found", "location: /other\r\n", b""),
            FetchError::Redirect(302),
        ),
        (
            "redirect to another origin",
            response("308 Moved", "location: https://evil.example/jwks\r\n", b""),
            FetchError::Redirect(308),
        ),
        (
            "too large, declared",
            ok(&vec![b' '; 512 * 1024 + 1]),
            too_large,
        ),
        ("endless, in chunks", endless, too_large),
        (
            "truncated",
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\"".to_vec(),
            FetchError::Transport,
        ),
        (
            "not HTTP",
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            FetchError::Transport,
        ),
    ];
    for (name, bytes, expected) in table {
        let server = RawServer::start(move |_| bytes.clone()).await;
        assert_eq!(
            server.fetcher().fetch(None).await.err(),
            Some(expected),
            "{name}"
        );
        assert_eq!(server.paths(), ["/jwks"], "{name}");
    }
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/jwks", listener.local_addr().unwrap())
    };
    let fetcher = HttpFetcher::new(&nobody, false).unwrap();
    assert_eq!(fetcher.fetch(None).await, Err(FetchError::Connect));
}

/// RFC 9110 §12.5.3: to whoever does not say what they take, anything may be sent.
#[tokio::test]
async fn nothing_but_the_document_itself_is_asked_for() {
    let server = RawServer::start(|_| ok(b"{}")).await;
    server.fetcher().fetch(None).await.unwrap();
    let head = server.heads().remove(0);
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    assert!(head.contains("accept: application/json\r\n"), "{head}");
    assert_eq!(head.matches("accept-encoding").count(), 1, "{head}");
}

/// A connection that is kept for the next fetch may be closed by the server at the moment of that
/// fetch, which then fails for nothing.
#[tokio::test]
async fn a_fetch_has_a_connection_of_its_own() {
    let once = |_: &str| vec![Step::Send(ok(b"{}")), Step::Ignore];
    let server = RawServer::scripted(once).await;
    let fetcher = server.fetcher();
    for fetches in 1..=10 {
        assert!(fetcher.fetch(None).await.is_ok(), "{fetches}");
        assert_eq!(server.connections(), fetches);
    }
}

/// The limit is for the whole of it: a server that goes on sending gains no time by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_server_does_a_fetch_ends_after_five_seconds() {
    let second = Duration::from_secs(1);
    let head = || Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec());
    let table: Vec<(&str, Script)> = vec![
        ("nothing", vec![Step::Pause(FOR_EVER)]),
        (
            "the answer after 30 s",
            vec![Step::Pause(30 * second), Step::Send(ok(b"{}"))],
        ),
        (
            "a byte of the head each second",
            vec![head(), Step::Drip(b"x".to_vec(), second)],
        ),
        (
            "a byte of the body each second",
            vec![
                head(),
                Step::Send(b"\r\n".to_vec()),
                Step::Drip(b" ".to_vec(), second),
            ],
        ),
        (
            "early hints without an end",
            vec![Step::Drip(
                b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec(),
                second / 100,
            )],
        ),
    ];
    let mut fetches = tokio::task::JoinSet::new();
    for (name, script) in table {
        fetches.spawn(async move {
            let server = RawServer::scripted(move |_| script.clone()).await;
            let began = std::time::Instant::now();
            let error = server.fetcher().fetch(None).await.unwrap_err();
            (name, error, began.elapsed())
        });
    }
    for (name, error, took) in fetches.join_all().await {
        assert_eq!(error, FetchError::Timeout, "{name}");
        assert!(took >= 4 * second && took < 10 * second, "{name}: {took:?}");
    }
}

/// Its name may stand for an IPv6 address, an IPv4 address or both, and the server listens on one.
#[tokio::test]
async fn localhost_is_found_at_whichever_address_the_server_listens() {
    let names = tokio::net::lookup_host("localhost:0").await.unwrap();
    let addresses: Vec<_> = names.map(|address| address.ip()).collect();
    assert!(!addresses.is_empty() && addresses.iter().all(|address| address.is_loopback()));
    for address in addresses {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let url = format!(
            "http://localhost:{}/jwks",
            listener.local_addr().unwrap().port()
        );
        let app = axum::Router::new().fallback(|| async { "{}" });
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let fetched = HttpFetcher::new(&url, false).unwrap().fetch(None).await;
        assert_eq!(fetched, Ok(Fetched::document(&b"{}"[..])), "{address}");
        server.abort();
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let server = RawServer::start(|_| ok(&vec![b' '; 512 * 1024])).await;
    let fetched = server.fetcher().fetch(None).await;
    assert!(matches!(fetched, Ok(Fetched::Document { body, .. }) if body.len() == 512 * 1024));
}

#[tokio::test]
async fn the_key_set_is_looked_for_in_three_places_and_the_one_that_answers_is_kept() {
    let issuer = TestIssuer::new("http://127.0.0.1");
    for (found_at, expected) in [
        ("/api/auth/jwks", vec!["/api/auth/jwks", "/api/auth/jwks"]),
        (
            "/.well-known/jwks.json",
            vec![
                "/api/auth/jwks",
                "/.well-known/jwks.json",
                "/.well-known/jwks.json",
            ],
        ),
        (
            "/api/auth/.well-known/jwks.json",
            vec![
                "/api/auth/jwks",
                "/.well-known/jwks.json",
                "/api/auth/.well-known/jwks.json",
                "/api/auth/.well-known/jwks.json",
            ],
        ),
    ] {
        let body = issuer.key_set_json();
        let server = RawServer::start(move |path| match path == found_at {
            true => ok(&body),
            false => response("404 Not Found", "", b""),
        })
        .await;
        let fetcher = BetterAuthUrl::parse(&server.url)
            .unwrap()
            .fetcher(false)
            .unwrap();
        for _ in 0..2 {
            assert!(fetcher.fetch(None).await.is_ok());
        }
        assert_eq!(server.paths(), expected);
    }
}

#[tokio::test]
async fn a_web_page_in_another_place_is_not_taken_for_the_key_set() {
    // One 404, as during a deployment, beside an application that answers every path.
    let document = TestIssuer::new("http://127.0.0.1").key_set_json();
    let first = std::sync::atomic::AtomicBool::new(true);
    let server = RawServer::start(move |path| match path {
        "/api/auth/jwks" if first.swap(false, std::sync::atomic::Ordering::Relaxed) => {
            response("404 Not Found", "", b"")
        }
        "/api/auth/jwks" => ok(&document),
        _ => ok(b"<html>an application</html>"),
    })
    .await;
    let fetcher = BetterAuthUrl::parse(&server.url)
        .unwrap()
        .fetcher(false)
        .unwrap();
    let page = fetcher.fetch(None).await.unwrap();
    assert!(matches!(page, Fetched::Document { body, .. } if body.starts_with(b"<html>")));
    let found = fetcher.fetch(None).await.unwrap();
    assert!(matches!(found, Fetched::Document { body, .. } if body.starts_with(b"{")));
}

#[tokio::test]
async fn only_a_404_makes_it_look_elsewhere() {
    let server = RawServer::start(|_| response("500 Oops", "", b"")).await;
    let fetcher = BetterAuthUrl::parse(&server.url)
        .unwrap()
        .fetcher(false)
        .unwrap();
    assert_eq!(
        fetcher.fetch(None).await,
        Err(FetchError::Status {
            status: 500,
            retry_after: None
        })
    );
    assert_eq!(server.paths(), ["/api/auth/jwks"]);
}

#[tokio::test]
async fn nothing_of_a_token_reaches_the_auth_server() {
    let issuer = TestIssuer::new("http://127.0.0.1");
    let body = issuer.key_set_json();
    let server = RawServer::start(move |_| ok(&body)).await;
    let policy = keyward::Policy::new([issuer.url()], [issuer.url()]).unwrap();
    let keys = RemoteKeySet::new(server.fetcher(), RefreshOptions::default());
    let verifier: Verifier = Verifier::builder(policy, keys).build();
    verifier.verify(&issuer.token("ada")).await.unwrap();
    issuer.rotate(keyward::Algorithm::EdDsa);
    let error = verifier.verify(&issuer.token("ada")).await.unwrap_err();
    assert_eq!(error.code(), "key_unknown");
    assert_eq!(server.paths(), ["/jwks", "/jwks"]);
    let heads = server.heads();
    assert!(
        heads
            .iter()
            .all(|head| !head.contains("key-2") && !head.contains("authorization"))
    );
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_ends_in_a_timeout() {
    let server = RawServer::start(|_| Vec::new()).await;
    let mut options = RefreshOptions::default();
    options.fetch_timeout = Duration::from_millis(300);
    let keys = RemoteKeySet::new(server.fetcher(), options);
    let policy = keyward::Policy::new(["i"], ["a"]).unwrap();
    let verifier: Verifier = Verifier::builder(policy, keys.clone()).build();
    let issuer = TestIssuer::new("i");
    let error = verifier.verify(&issuer.token("ada")).await.unwrap_err();
    assert_eq!(error.code(), "keys_unavailable");
    let last = keys.status().last_error;
    assert_eq!(
        last,
        Some(keyward::RefreshError::Fetch(FetchError::Timeout))
    );
}
