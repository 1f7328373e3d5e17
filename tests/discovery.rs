//! Key sets found by an issuer's metadata, over HTTP.

#[path = "support/raw_server.rs"]
mod raw_server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::testing::TestIssuer;
use keyward::{
    Algorithm, BetterAuthUser, DiscoveryFetcher, FetchError, FetchKeySet, Fetched, MetadataError,
    Policy, RefreshOptions, RemoteKeySet, Verifier,
};
use raw_server::RawServer;
use serde_json::json;

const API: &str = "https://api.example.com";
const OPENID: &str = "/api/auth/.well-known/openid-configuration";
const INSERTED: &str = "/.well-known/oauth-authorization-server/api/auth";
const APPENDED: &str = "/api/auth/.well-known/oauth-authorization-server";

fn response(status: u16, body: &[u8]) -> Vec<u8> {
    raw_server::response(&format!("{status} Test"), "", body)
}

/// What is served: a path, and its answer. Everything else is a 404.
type Pages = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

struct Provider {
    server: RawServer,
    pages: Pages,
    keys: TestIssuer,
}

impl Provider {
    /// An issuer below `/api/auth`, with keys at `/api/auth/jwks`.
    async fn start() -> Self {
        let pages = Pages::default();
        let served = pages.clone();
        let server = RawServer::start(move |path| {
            let pages = served.lock().unwrap();
            let page = pages.iter().find(|(served, _)| served == path);
            page.map_or_else(|| response(404, b"{}"), |(_, page)| page.clone())
        })
        .await;
        let keys = TestIssuer::new(&*server.url);
        let provider = Self {
            server,
            pages,
            keys,
        };
        provider.serve(
            "/api/auth/jwks",
            response(200, &provider.keys.key_set_json()),
        );
        provider
    }

    fn serve(&self, path: &str, page: Vec<u8>) {
        self.remove(path);
        self.pages.lock().unwrap().push((path.to_owned(), page));
    }

    fn remove(&self, path: &str) {
        self.pages
            .lock()
            .unwrap()
            .retain(|(served, _)| served != path);
    }

    fn issuer(&self) -> String {
        format!("{}/api/auth", self.server.url)
    }

    /// Metadata of this issuer with a key set at `path`.
    fn metadata(&self, path: &str) -> Vec<u8> {
        metadata(&self.issuer(), &format!("{}{path}", self.server.url))
    }

    fn fetcher(&self) -> DiscoveryFetcher {
        DiscoveryFetcher::new(&self.issuer(), false).unwrap()
    }
}

fn metadata(issuer: &str, key_set: &str) -> Vec<u8> {
    let document = json!({"issuer": issuer, "jwks_uri": key_set, "token_endpoint": "x"});
    response(200, document.to_string().as_bytes())
}

/// The document that was fetched, or why not.
async fn fetch(fetcher: &DiscoveryFetcher) -> Result<Vec<u8>, FetchError> {
    match fetcher.fetch(None).await? {
        Fetched::Document { body, .. } => Ok(body),
        other => panic!("{other:?}"),
    }
}

/// An hour passes, for the one who looks at Tokio's clock.
async fn an_hour_passes() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61 * 60)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_keys_are_found_from_each_place_that_has_metadata() {
    for (place, asked) in [(OPENID, 1), (INSERTED, 2), (APPENDED, 3)] {
        let provider = Provider::start().await;
        provider.serve(place, provider.metadata("/api/auth/jwks"));
        let verifier: Verifier<BetterAuthUser> = Verifier::for_oauth(&provider.issuer(), API)
            .unwrap()
            .build();
        let token = provider.keys.access_token("app", "ada").audience(API);
        let principal = verifier.verify(&token.token()).await.unwrap();
        assert_eq!(principal.subject(), "ada");
        let mut expected = [OPENID, INSERTED, APPENDED][..asked].to_vec();
        expected.push("/api/auth/jwks");
        assert_eq!(provider.server.paths(), expected);
    }
}

#[tokio::test]
async fn pages_that_are_no_metadata_are_passed_over() {
    let provider = Provider::start().await;
    let pages: [&[u8]; 5] = [
        b"<!doctype html><title>App</title>",
        b"{}",
        b"[]",
        br#"{"issuer":7}"#,
        b"",
    ];
    for page in pages {
        provider.serve(OPENID, response(200, page));
        provider.serve(INSERTED, response(403, b"no"));
        provider.serve(APPENDED, provider.metadata("/api/auth/jwks"));
        assert_eq!(
            fetch(&provider.fetcher()).await,
            Ok(provider.keys.key_set_json())
        );
        provider.remove(APPENDED);
        let error = fetch(&provider.fetcher()).await;
        assert_eq!(error, Err(MetadataError::NotFound.into()));
    }
}

#[tokio::test]
async fn metadata_that_break_a_rule_lead_nowhere() {
    let provider = Provider::start().await;
    let elsewhere = RawServer::start(|_| response(200, b"{}")).await;
    let issuer = provider.issuer();
    let own = format!("{}/api/auth/jwks", provider.server.url);
    let foreign = format!("{}/jwks", elsewhere.url);
    for (page, expected) in [
        (
            metadata(&elsewhere.url, &foreign),
            MetadataError::IssuerMismatch,
        ),
        (
            metadata(&elsewhere.url, &own),
            MetadataError::IssuerMismatch,
        ),
        (
            metadata(&format!("{issuer}/"), &own),
            MetadataError::IssuerMismatch,
        ),
        (metadata(&issuer, &foreign), MetadataError::ForeignKeySet),
        (
            metadata(&issuer, &own.replace("127.0.0.1", "localhost")),
            MetadataError::ForeignKeySet,
        ),
        (metadata(&issuer, "jwks"), MetadataError::KeySetUrl),
        (
            metadata(&issuer, &format!("{own}?x=1")),
            MetadataError::KeySetUrl,
        ),
        (
            response(200, json!({ "issuer": issuer }).to_string().as_bytes()),
            MetadataError::NoKeySet,
        ),
    ] {
        provider.serve(OPENID, page);
        // The right ones at another place do not make up for it.
        provider.serve(INSERTED, provider.metadata("/api/auth/jwks"));
        assert_eq!(fetch(&provider.fetcher()).await, Err(expected.into()));
    }
    assert_eq!(elsewhere.connections(), 0);
    assert!(
        !provider
            .server
            .paths()
            .contains(&"/api/auth/jwks".to_owned())
    );

    // What is allowed by name is fetched.
    provider.serve(OPENID, metadata(&issuer, &foreign));
    let allowing = provider.fetcher().allow_origin(&elsewhere.url).unwrap();
    assert_eq!(fetch(&allowing).await, Ok(b"{}".to_vec()));
    assert_eq!(elsewhere.paths(), ["/jwks"]);
}

#[tokio::test]
async fn a_redirect_an_error_and_a_flood_are_not_metadata() {
    let provider = Provider::start().await;
    let elsewhere = RawServer::start(|_| response(200, b"{}")).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url
    );
    for (page, expected) in [
        (redirect.into_bytes(), FetchError::Redirect(302)),
        (
            response(500, b"{}"),
            FetchError::Status {
                status: 500,
                retry_after: None,
            },
        ),
        (
            response(200, &vec![b' '; 600 * 1024]),
            FetchError::TooLarge(512 * 1024),
        ),
    ] {
        provider.serve(OPENID, page);
        assert_eq!(fetch(&provider.fetcher()).await, Err(expected));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn an_issuer_that_says_nothing_is_given_up_within_the_time_of_one_refresh() {
    let silent = RawServer::start(|_| Vec::new()).await;
    let mut options = RefreshOptions::default();
    options.fetch_timeout = Duration::from_millis(300);
    let fetcher = DiscoveryFetcher::new(&silent.url, false).unwrap();
    let keys = RemoteKeySet::new(fetcher, options);
    let policy = Policy::for_access_tokens([&*silent.url], [API]).unwrap();
    let verifier: Verifier = Verifier::builder(policy, keys).build();
    let token = TestIssuer::new("x").access_token("app", "ada");
    let token = token.claim("iss", &*silent.url).audience(API).token();
    let error = verifier.verify(&token).await.unwrap_err();
    assert_eq!(error.code(), "keys_unavailable");
}

#[tokio::test]
async fn keys_that_move_are_found_again() {
    let provider = Provider::start().await;
    provider.serve(OPENID, provider.metadata("/api/auth/jwks"));
    let fetcher = provider.fetcher();
    let keys = |path: &str| provider.serve(path, response(200, &provider.keys.key_set_json()));
    assert!(fetch(&fetcher).await.is_ok());
    assert!(fetch(&fetcher).await.is_ok());
    let asked = |path: &str| {
        let paths = provider.server.paths();
        paths.iter().filter(|asked| *asked == path).count()
    };
    assert_eq!((asked(OPENID), asked("/api/auth/jwks")), (1, 2));

    // The old place has nothing any more.
    provider.keys.rotate(Algorithm::Es256);
    keys("/keys/2");
    provider.remove("/api/auth/jwks");
    provider.serve(OPENID, provider.metadata("/keys/2"));
    assert_eq!(fetch(&fetcher).await, Ok(provider.keys.key_set_json()));
    assert_eq!((asked(OPENID), asked("/keys/2")), (2, 1));

    // The old place has old keys still.
    keys("/keys/3");
    provider.serve(OPENID, provider.metadata("/keys/3"));
    assert!(fetch(&fetcher).await.is_ok());
    assert_eq!(asked("/keys/3"), 0);
    an_hour_passes().await;
    assert!(fetch(&fetcher).await.is_ok());
    assert_eq!(asked("/keys/3"), 1);
}

#[tokio::test]
async fn metadata_that_are_gone_are_not_missed_and_wrong_ones_are_not_followed() {
    let provider = Provider::start().await;
    provider.serve(OPENID, provider.metadata("/api/auth/jwks"));
    let fetcher = provider.fetcher();
    assert!(fetch(&fetcher).await.is_ok());
    an_hour_passes().await;
    provider.serve(OPENID, response(500, b""));
    assert!(fetch(&fetcher).await.is_ok());
    provider.remove(OPENID);
    assert!(fetch(&fetcher).await.is_ok());
    // Nothing comes.
    provider.serve(OPENID, Vec::new());
    assert!(fetch(&fetcher).await.is_ok());
    let wrong = metadata(
        "https://evil.example",
        &format!("{}/x", provider.server.url),
    );
    provider.serve(OPENID, wrong);
    let error = fetch(&fetcher).await;
    assert_eq!(error, Err(MetadataError::IssuerMismatch.into()));
    provider.serve(OPENID, provider.metadata("/api/auth/jwks"));
    assert!(fetch(&fetcher).await.is_ok());
}

#[tokio::test]
async fn a_validator_goes_only_to_the_place_it_came_from() {
    let provider = Provider::start().await;
    provider.serve(OPENID, provider.metadata("/api/auth/jwks"));
    let fetcher = provider.fetcher();
    let validated = || {
        let heads = provider.server.heads();
        heads
            .iter()
            .filter(|head| head.contains("if-none-match"))
            .count()
    };
    // Of another run, from wherever.
    fetcher.fetch(Some("\"1\"".to_owned())).await.unwrap();
    assert_eq!(validated(), 0);
    fetcher.fetch(Some("\"1\"".to_owned())).await.unwrap();
    assert_eq!(validated(), 1);
    provider.serve("/keys/2", response(200, &provider.keys.key_set_json()));
    provider.serve(OPENID, provider.metadata("/keys/2"));
    an_hour_passes().await;
    fetcher.fetch(Some("\"1\"".to_owned())).await.unwrap();
    assert_eq!(validated(), 1);
}
