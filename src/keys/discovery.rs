//! Finds an issuer's key set by its metadata (RFC 8414, OpenID Connect Discovery 1.0), and fetches it.
//!
//! 1. The metadata are looked for at the three places where servers have them, the next one only
//!    where one has none: the issuer with `/.well-known/openid-configuration` behind it; the issuer
//!    with `/.well-known/oauth-authorization-server` between host and path (RFC 8414 §3.1), or
//!    behind it.
//! 2. They must name exactly the issuer that was asked for (RFC 8414 §3.3), character by character.
//! 3. `jwks_uri` must be of the issuer's own origin, or of one that was allowed by name. Whoever can
//!    write the metadata could otherwise have this process ask any address it can reach, and would
//!    choose whose keys count.
//! 4. Every request keeps to the rules of [`super::http`]: https but for loopback hosts, no redirect,
//!    5 s, 512 KiB. All of them together have the time of one refresh.
//! 5. What was found is kept, and looked for again after an hour, or when there is nothing there any
//!    more. If the metadata cannot be had then, the place that is known stays; if they are there and
//!    break one of these rules, the refresh fails.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::time::{Instant, timeout};

use super::fetch::{FetchError, FetchFuture, FetchKeySet, Fetched, MetadataError};
use super::http::{AddHeaders, HttpFetcher, UrlError, parse};
use super::remote::lock;
use crate::json::Object;

/// Issuers move their keys seldom, and what is at the old place then is refused by its absence.
const METADATA_MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Where the key set's place is known, metadata that do not come by then are not waited for: what is
/// left of a refresh is for the keys.
const METADATA_PATIENCE: Duration = Duration::from_secs(2);

/// Fetches the key set that an issuer's metadata name.
///
/// ```
/// use keyward::{DiscoveryFetcher, Policy, RefreshOptions, RemoteKeySet, Verifier};
///
/// let issuer = "https://id.example.com";
/// let fetcher = DiscoveryFetcher::new(issuer, false)?
///     // Where this issuer is known to keep its keys.
///     .allow_origin("https://keys.example.com")?;
/// let policy = Policy::for_access_tokens([issuer], ["https://api.example.com"])?;
/// let keys = RemoteKeySet::new(fetcher, RefreshOptions::default());
/// let verifier: Verifier = Verifier::builder(policy, keys).build();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Where the place is known, [`HttpFetcher`] is one request less, and one thing less to trust.
pub struct DiscoveryFetcher {
    /// As the metadata and the tokens must have it.
    issuer: Box<str>,
    /// Origins that a key set may have.
    origins: Vec<String>,
    allow_insecure_http: bool,
    metadata: HttpFetcher,
    add_headers: Option<Arc<AddHeaders>>,
    located: Mutex<Option<Arc<Located>>>,
}

/// Where the key set is.
struct Located {
    url: Box<str>,
    fetcher: Arc<HttpFetcher>,
    at: Instant,
    /// Whether the last document came from here: a validator is good only for its own URL.
    has_answered: AtomicBool,
}

impl DiscoveryFetcher {
    /// For an issuer, spelled as its tokens and its metadata spell it.
    ///
    /// # Errors
    /// See [`UrlError`]; `http` is an error unless the host is a loopback address or
    /// `allow_insecure_http`.
    pub fn new(issuer: &str, allow_insecure_http: bool) -> Result<Self, UrlError> {
        let url = parse(issuer)?;
        Ok(Self {
            issuer: issuer.into(),
            origins: vec![url.origin().ascii_serialization()],
            allow_insecure_http,
            metadata: HttpFetcher::searching(places(&url), allow_insecure_http)?,
            add_headers: None,
            located: Mutex::new(None),
        })
    }

    /// Lets the key set be of this origin too.
    ///
    /// # Errors
    /// When it is not an origin: scheme, host and port alone.
    pub fn allow_origin(mut self, origin: &str) -> Result<Self, UrlError> {
        let url = parse(origin)?;
        if url.path() != "/" {
            return Err(UrlError::Unexpected);
        }
        self.origins.push(url.origin().ascii_serialization());
        Ok(self)
    }

    /// Lets `add` put headers into each request: see [`HttpFetcher::with_headers`].
    #[must_use]
    pub fn with_headers(mut self, add: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        let add: Arc<AddHeaders> = Arc::new(add);
        self.metadata = self.metadata.with_shared_headers(add.clone());
        self.add_headers = Some(add);
        self
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    async fn fetch_keys(&self, if_none_match: Option<String>) -> Result<Fetched, FetchError> {
        let known = lock(&self.located).clone();
        let recent = known
            .clone()
            .filter(|known| known.at.elapsed() < METADATA_MAX_AGE);
        let (located, is_new) = match recent {
            Some(recent) => (recent, false),
            None => (self.locate(known).await?, true),
        };
        match self.fetch_from(&located, if_none_match).await {
            Err(FetchError::Status {
                status: 404 | 410, ..
            }) if !is_new => {
                let located = self.locate(None).await?;
                self.fetch_from(&located, None).await
            }
            result => result,
        }
    }

    async fn fetch_from(
        &self,
        located: &Located,
        if_none_match: Option<String>,
    ) -> Result<Fetched, FetchError> {
        let has_answered = &located.has_answered;
        let validator = if_none_match.filter(|_| has_answered.load(Ordering::Relaxed));
        let fetched = located.fetcher.fetch(validator).await?;
        has_answered.store(true, Ordering::Relaxed);
        Ok(fetched)
    }

    /// Looks where the key set is. `known`: where it was, if that may still hold.
    async fn locate(&self, known: Option<Arc<Located>>) -> Result<Arc<Located>, FetchError> {
        let found = match &known {
            Some(_) => timeout(METADATA_PATIENCE, self.find_key_set())
                .await
                .unwrap_or(Err(FetchError::Timeout)),
            None => self.find_key_set().await,
        };
        let url = match (found, known) {
            (Ok(url), known) => match known {
                Some(known) if *known.url == *url.as_str() => {
                    return Ok(self.keep(Located {
                        url: known.url.clone(),
                        fetcher: known.fetcher.clone(),
                        at: Instant::now(),
                        has_answered: known.has_answered.load(Ordering::Relaxed).into(),
                    }));
                }
                _ => url,
            },
            (Err(FetchError::Metadata(error)), _) if error != MetadataError::NotFound => {
                return Err(error.into());
            }
            (Err(_), Some(known)) => return Ok(known),
            (Err(error), None) => return Err(error),
        };
        // Insecure, or no client for it.
        let mut fetcher = HttpFetcher::new(url.as_str(), self.allow_insecure_http)
            .map_err(|_| MetadataError::KeySetUrl)?;
        if let Some(add) = &self.add_headers {
            fetcher = fetcher.with_shared_headers(add.clone());
        }
        Ok(self.keep(Located {
            url: url.as_str().into(),
            fetcher: Arc::new(fetcher),
            at: Instant::now(),
            has_answered: AtomicBool::new(false),
        }))
    }

    fn keep(&self, located: Located) -> Arc<Located> {
        let located = Arc::new(located);
        *lock(&self.located) = Some(located.clone());
        located
    }

    /// The `jwks_uri` of the metadata.
    async fn find_key_set(&self) -> Result<Url, FetchError> {
        for place in self.metadata.urls() {
            match self.metadata.get(place, None).await {
                Ok(Fetched::Document { body, .. }) => {
                    // A web application answers every path with its own page.
                    if let Some(metadata) = Metadata::parse(&body) {
                        return Ok(self.check(metadata)?);
                    }
                }
                // To ask on would be what it asks not to be done.
                Err(FetchError::Status {
                    status: 400..=428 | 430..=499,
                    ..
                }) => {}
                Err(error) => return Err(error),
                // Nothing was sent that it could be compared with.
                Ok(Fetched::NotModified { .. }) => return Err(MetadataError::Malformed.into()),
            }
        }
        Err(MetadataError::NotFound.into())
    }

    fn check(&self, metadata: Metadata) -> Result<Url, MetadataError> {
        // RFC 8414 §3.3: what another issuer says "MUST NOT be used".
        if *metadata.issuer != *self.issuer {
            return Err(MetadataError::IssuerMismatch);
        }
        let key_set = metadata.key_set?;
        let url = parse(&key_set).map_err(|_| MetadataError::KeySetUrl)?;
        let origin = url.origin().ascii_serialization();
        match self.origins.contains(&origin) {
            true => Ok(url),
            false => Err(MetadataError::ForeignKeySet),
        }
    }
}

/// What is read of the metadata (RFC 8414 §2).
struct Metadata {
    issuer: Box<str>,
    key_set: Result<Box<str>, MetadataError>,
}

impl Metadata {
    /// `None` for what are no metadata: not an object with an `issuer`.
    fn parse(body: &[u8]) -> Option<Self> {
        let object = Object::parse(body).ok()?;
        let (mut issuer, mut key_set) = (None, Err(MetadataError::NoKeySet));
        for (name, value) in object.members() {
            match name {
                "issuer" => issuer = value.as_text().map(Box::from),
                "jwks_uri" => {
                    key_set = value
                        .as_text()
                        .map(Box::from)
                        .ok_or(MetadataError::Malformed);
                }
                _ => {}
            }
        }
        Some(Self {
            issuer: issuer?,
            key_set,
        })
    }
}

/// Where an issuer may have its metadata.
fn places(issuer: &Url) -> Vec<Url> {
    const OPENID: &str = "/.well-known/openid-configuration";
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    let path = issuer.path().trim_end_matches('/');
    let mut places: Vec<Url> = Vec::new();
    for path in [
        format!("{path}{OPENID}"),
        format!("{OAUTH}{path}"),
        format!("{path}{OAUTH}"),
    ] {
        let mut place = issuer.clone();
        place.set_path(&path);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

impl FetchKeySet for DiscoveryFetcher {
    fn fetch(&self, if_none_match: Option<String>) -> FetchFuture<'_> {
        Box::pin(self.fetch_keys(if_none_match))
    }
}

impl fmt::Debug for DiscoveryFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let located = lock(&self.located).clone();
        f.debug_struct("DiscoveryFetcher")
            .field("issuer", &self.issuer)
            .field("origins", &self.origins)
            .field("key_set", &located.map(|located| located.url.clone()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_looked_for_where_servers_have_them() {
        for (issuer, expected) in [
            (
                "https://id.example",
                vec![
                    "https://id.example/.well-known/openid-configuration",
                    "https://id.example/.well-known/oauth-authorization-server",
                ],
            ),
            (
                "https://app.example/api/auth",
                vec![
                    "https://app.example/api/auth/.well-known/openid-configuration",
                    "https://app.example/.well-known/oauth-authorization-server/api/auth",
                    "https://app.example/api/auth/.well-known/oauth-authorization-server",
                ],
            ),
            (
                "https://app.example:8443/tenant/",
                vec![
                    "https://app.example:8443/tenant/.well-known/openid-configuration",
                    "https://app.example:8443/.well-known/oauth-authorization-server/tenant",
                    "https://app.example:8443/tenant/.well-known/oauth-authorization-server",
                ],
            ),
        ] {
            let places = places(&parse(issuer).unwrap());
            let places: Vec<&str> = places.iter().map(Url::as_str).collect();
            assert_eq!(places, expected, "{issuer}");
        }
    }

    #[test]
    fn an_issuer_that_is_no_plain_https_url_is_not_asked() {
        for (issuer, expected) in [
            ("id.example", UrlError::Invalid),
            ("http://id.example", UrlError::Insecure),
            ("https://id.example?tenant=1", UrlError::Unexpected),
            ("https://user:secret@id.example", UrlError::Unexpected),
        ] {
            let made = DiscoveryFetcher::new(issuer, false);
            assert_eq!(made.err(), Some(expected), "{issuer}");
        }
        let fetcher = || DiscoveryFetcher::new("https://id.example", false).unwrap();
        assert!(fetcher().allow_origin("https://keys.example/").is_ok());
        for origin in [
            "https://keys.example/a",
            "keys.example",
            "https://*.example?",
        ] {
            assert!(fetcher().allow_origin(origin).is_err(), "{origin}");
        }
    }

    #[test]
    fn only_the_issuers_own_metadata_and_origin_count() {
        use MetadataError::*;
        let fetcher = DiscoveryFetcher::new("https://id.example/t", false)
            .and_then(|fetcher| fetcher.allow_origin("https://keys.example"))
            .unwrap();
        let good = r#""issuer":"https://id.example/t""#;
        for (metadata, expected) in [
            (
                format!(r#"{{{good},"jwks_uri":"https://id.example/jwks"}}"#),
                Ok(()),
            ),
            (
                format!(r#"{{{good},"jwks_uri":"https://id.example:443/k"}}"#),
                Ok(()),
            ),
            (
                format!(r#"{{{good},"jwks_uri":"https://keys.example/jwks"}}"#),
                Ok(()),
            ),
            (format!(r#"{{{good}}}"#), Err(NoKeySet)),
            (format!(r#"{{{good},"jwks_uri":7}}"#), Err(Malformed)),
            (format!(r#"{{{good},"jwks_uri":"/jwks"}}"#), Err(KeySetUrl)),
            (
                format!(r#"{{{good},"jwks_uri":"file:///etc/passwd"}}"#),
                Err(KeySetUrl),
            ),
            (
                format!(r#"{{{good},"jwks_uri":"https://a@id.example/"}}"#),
                Err(KeySetUrl),
            ),
            (
                format!(r#"{{{good},"jwks_uri":"https://id.example/?a"}}"#),
                Err(KeySetUrl),
            ),
            (
                format!(r#"{{{good},"jwks_uri":"https://evil.example/"}}"#),
                Err(ForeignKeySet),
            ),
            (
                format!(r#"{{{good},"jwks_uri":"https://id.example:8443/"}}"#),
                Err(ForeignKeySet),
            ),
            (
                format!(r#"{{{good},"jwks_uri":"http://id.example/jwks"}}"#),
                Err(ForeignKeySet),
            ),
            (
                format!(r#"{{{good},"jwks_uri":"http://localhost/jwks"}}"#),
                Err(ForeignKeySet),
            ),
            (
                r#"{"issuer":"https://id.example/t/","jwks_uri":"https://id.example/jwks"}"#.into(),
                Err(IssuerMismatch),
            ),
            (
                r#"{"issuer":"https://evil.example","jwks_uri":"https://evil.example/"}"#.into(),
                Err(IssuerMismatch),
            ),
        ] {
            let found = fetcher.check(Metadata::parse(metadata.as_bytes()).unwrap());
            assert_eq!(found.map(|_| ()), expected, "{metadata}");
        }
        for none in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"issuer":["https://id.example/t"]}"#,
            r#"{"issuer":"https://evil.example","issuer":"https://id.example/t"}"#,
        ] {
            assert!(Metadata::parse(none.as_bytes()).is_none(), "{none}");
        }
    }
}
