//! Fetches key sets over HTTPS.
//!
//! 1. `https` only, except for loopback hosts or with an explicit permission.
//! 2. Status 200 only; no redirect is followed.
//! 3. Connecting takes at most 2 s, everything at most 5 s, the body at most 512 KiB, counted
//!    while it is read, since Better Auth sends it in chunks without a length.
//! 4. Nothing compressed is asked for or taken, whatever features other crates give the HTTP client:
//!    a limit on what was sent is one on what is read.
//! 5. Each request has a connection of its own. One that is kept may be closed by the server at the
//!    moment of the next request, which then fails for nothing.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::fetch::{FetchError, FetchFuture, FetchKeySet, Fetched};
use super::key_set::KeySet;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(5);

/// 100 RSA keys of 4096 bits are 78 kB.
const MAX_BODY_LEN: usize = 512 * 1024;

/// Why a URL cannot be fetched keys from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Not an absolute `http` or `https` URL with a host.
    #[error("not an absolute http or https URL with a host")]
    Invalid,
    /// The URL holds a user name, a password, a query or a fragment.
    #[error("the URL must not hold a user name, a password, a query or a fragment")]
    Unexpected,
    /// `http` to another host than this one: anybody on the way could supply keys.
    #[error("the URL must use https, since its host is not a loopback address")]
    Insecure,
    /// The HTTP client could not be set up, for want of TLS roots for example.
    #[error("the HTTP client could not be set up")]
    Client,
}

/// Fetches a key set from the first of a few URLs that has one.
pub struct HttpFetcher {
    client: Client,
    urls: Vec<Url>,
    /// The position of the URL that answered last.
    found: AtomicUsize,
    add_headers: Option<Arc<AddHeaders>>,
}

pub(super) type AddHeaders = dyn Fn(&mut HeaderMap) + Send + Sync;

impl HttpFetcher {
    /// Fetches from `url` alone.
    ///
    /// # Errors
    /// See [`UrlError`]; `http` is an error unless the host is a loopback address or
    /// `allow_insecure_http`.
    pub fn new(url: &str, allow_insecure_http: bool) -> Result<Self, UrlError> {
        Self::searching(vec![parse(url)?], allow_insecure_http)
    }

    pub(super) fn searching(urls: Vec<Url>, allow_insecure_http: bool) -> Result<Self, UrlError> {
        let loopback = urls.iter().all(is_loopback);
        let secure = urls.iter().all(|url| url.scheme() == "https");
        if !secure && !loopback && !allow_insecure_http {
            return Err(UrlError::Insecure);
        }
        let mut client = Client::builder()
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(0)
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .redirect(redirect::Policy::none());
        if loopback {
            // A proxy's loopback is another machine's.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|_| UrlError::Client)?;
        Ok(Self {
            client,
            urls,
            found: AtomicUsize::new(0),
            add_headers: None,
        })
    }

    /// The URL that is asked, or the one that is asked first.
    pub fn url(&self) -> &str {
        self.urls.first().map_or("", Url::as_str)
    }

    /// Lets `add` put headers into each request, within the span of that request: `traceparent`,
    /// for example.
    #[must_use]
    pub fn with_headers(mut self, add: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        self.add_headers = Some(Arc::new(add));
        self
    }

    pub(super) fn with_shared_headers(mut self, add: Arc<AddHeaders>) -> Self {
        self.add_headers = Some(add);
        self
    }

    pub(super) fn urls(&self) -> &[Url] {
        &self.urls
    }

    /// One request, in a span of its own as OpenTelemetry's conventions for HTTP clients have it
    /// (version 1.23 and later).
    pub(super) async fn get(
        &self,
        url: &Url,
        if_none_match: Option<&str>,
    ) -> Result<Fetched, FetchError> {
        let span = tracing::info_span!(
            "GET",
            otel.kind = "client",
            http.request.method = "GET",
            url.full = url.as_str(),
            server.address = url.host_str(),
            server.port = url.port_or_known_default().map(i64::from),
            http.response.status_code = Empty,
            error.type = Empty,
            otel.status_code = Empty,
        );
        // If this is dropped, it has taken too long.
        let mut error = ErrorOfSpan(&span, Some(FetchError::Timeout));
        let result = self.exchange(url, if_none_match).instrument(span.clone());
        let result = result.await;
        error.1 = result.as_ref().err().copied();
        result
    }

    async fn exchange(
        &self,
        url: &Url,
        if_none_match: Option<&str>,
    ) -> Result<Fetched, FetchError> {
        read(self.send(url, if_none_match).await?, if_none_match).await
    }

    async fn send(&self, url: &Url, if_none_match: Option<&str>) -> Result<Response, FetchError> {
        let mut request = self
            .client
            .get(url.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_ENCODING, "identity");
        if let Some(etag) = if_none_match {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(add) = &self.add_headers {
            let mut headers = HeaderMap::new();
            add(&mut headers);
            request = request.headers(headers);
        }
        let response = request.send().await.map_err(transport_error)?;
        let status = i64::from(response.status().as_u16());
        Span::current().record("http.response.status_code", status);
        Ok(response)
    }
}

/// What a response brings, its body within the limit.
async fn read(response: Response, if_none_match: Option<&str>) -> Result<Fetched, FetchError> {
    let max_age = max_age(response.headers());
    match response.status() {
        StatusCode::OK => {
            let etag = response
                .headers()
                .get(header::ETAG)
                .and_then(|etag| etag.to_str().ok());
            let etag = etag.map(str::to_owned);
            Ok(Fetched::Document {
                body: read_body(response).await?,
                max_age,
                etag,
            })
        }
        StatusCode::NOT_MODIFIED if if_none_match.is_some() => Ok(Fetched::NotModified { max_age }),
        status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            Err(FetchError::Redirect(status.as_u16()))
        }
        status => Err(FetchError::Status {
            status: status.as_u16(),
            retry_after: retry_after(response.headers()),
        }),
    }
}

/// What one URL has answered, for whoever looks into why there are no keys.
#[cfg(feature = "service")]
pub(crate) struct Asked {
    pub(crate) url: Url,
    pub(crate) result: Result<Fetched, FetchError>,
    /// Of the response, whatever its status; none without one.
    pub(crate) headers: HeaderMap,
    /// When the request was sent, and when the response's head had come.
    pub(crate) between: (SystemTime, SystemTime),
}

#[cfg(feature = "service")]
impl HttpFetcher {
    /// Asks the URLs one after the other, as [`fetch`](FetchKeySet::fetch) does, until one has a key
    /// set or fails by more than not having one.
    pub(crate) async fn ask_each(&self) -> Vec<Asked> {
        let mut asked = Vec::new();
        for url in &self.urls {
            let sent = SystemTime::now();
            let response = self.send(url, None).await;
            let between = (sent, SystemTime::now());
            let (headers, result) = match response {
                Ok(response) => (response.headers().clone(), read(response, None).await),
                Err(error) => (HeaderMap::new(), Err(error)),
            };
            let look_on = match &result {
                Ok(Fetched::Document { body, .. }) => KeySet::from_json(body).is_err(),
                Err(FetchError::Status { status, .. }) => *status == 404,
                _ => false,
            };
            asked.push(Asked {
                url: url.clone(),
                result,
                headers,
                between,
            });
            if !look_on {
                break;
            }
        }
        asked
    }

    /// The client that it fetches with: its bounds, its proxies, its roots.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it looks for the key set in more than one place.
    pub(crate) fn searches(&self) -> bool {
        self.urls.len() > 1
    }

    /// Whether it goes to this machine alone, and so through no proxy.
    pub(crate) fn is_local(&self) -> bool {
        self.urls.iter().all(is_loopback)
    }
}

/// Written into the span when it is dropped.
struct ErrorOfSpan<'s>(&'s Span, Option<FetchError>);

impl Drop for ErrorOfSpan<'_> {
    fn drop(&mut self) {
        if let Some(error) = self.1 {
            self.0.record("error.type", &*error.code());
            self.0.record("otel.status_code", "ERROR");
        }
    }
}

impl FetchKeySet for HttpFetcher {
    fn fetch(&self, if_none_match: Option<String>) -> FetchFuture<'_> {
        Box::pin(async move {
            let found = self.found.load(Ordering::Relaxed);
            let mut result = Err(FetchError::Connect);
            let mut unusable = None;
            // The one that answered last, then, if it is gone, each of the others once.
            for position in (found..self.urls.len()).chain(0..found) {
                let Some(url) = self.urls.get(position) else {
                    continue;
                };
                // A validator is good only for the URL it came from.
                let validator = if_none_match.as_deref().filter(|_| position == found);
                result = self.get(url, validator).await;
                match &result {
                    Err(FetchError::Status { status: 404, .. }) => continue,
                    // A web application answers every path with its own page.
                    Ok(Fetched::Document { body, .. }) if self.urls.len() > 1 => {
                        if KeySet::from_json(body).is_err() {
                            unusable = unusable.or(Some(result));
                            result = Err(FetchError::Status {
                                status: 404,
                                retry_after: None,
                            });
                            continue;
                        }
                        self.found.store(position, Ordering::Relaxed);
                    }
                    _ => {}
                }
                return result;
            }
            unusable.unwrap_or(result)
        })
    }
}

impl fmt::Debug for HttpFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<&str> = self.urls.iter().map(Url::as_str).collect();
        f.debug_struct("HttpFetcher")
            .field("urls", &urls)
            .finish_non_exhaustive()
    }
}

/// Where a Better Auth server lives: its `baseURL`.
///
/// ```
/// let auth = keyward::BetterAuthUrl::parse("https://App.example.com:443/")?;
/// assert_eq!(auth.origin(), "https://app.example.com"); // its default issuer and audience
/// # Ok::<(), keyward::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BetterAuthUrl(Url);

impl BetterAuthUrl {
    /// Takes what Better Auth takes as its `baseURL`: an origin, or an origin with the path the
    /// server is mounted at (`/api/auth` where there is none).
    ///
    /// # Errors
    /// When it is not an absolute `http` or `https` URL, or holds more than that.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        parse(url).map(Self)
    }

    /// The origin: what Better Auth puts into `iss` and `aud` unless told otherwise. Lower case,
    /// no default port, no path, no trailing slash.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The issuer of the OAuth access tokens that `@better-auth/oauth-provider` issues, unless
    /// `jwt.issuer` is set: the origin with the path the server is mounted at,
    /// `https://app.example.com/api/auth`.
    pub fn oauth_issuer(&self) -> String {
        format!("{}{}", self.origin(), self.path())
    }

    fn path(&self) -> &str {
        match self.0.path().trim_end_matches('/') {
            "" => "/api/auth",
            path => path,
        }
    }

    /// A fetcher that looks for the key set where Better Auth may serve it: `/jwks` below its
    /// path, then, on a 404, `/.well-known/jwks.json` at the root and below its path.
    ///
    /// # Errors
    /// As [`HttpFetcher::new`].
    pub fn fetcher(&self, allow_insecure_http: bool) -> Result<HttpFetcher, UrlError> {
        let mut root = self.0.clone();
        root.set_path("/.well-known/jwks.json");
        HttpFetcher::searching(
            vec![
                self.endpoint("jwks"),
                root,
                self.endpoint(".well-known/jwks.json"),
            ],
            allow_insecure_http,
        )
    }

    /// The URL of one of Better Auth's endpoints.
    pub(crate) fn endpoint(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{name}", self.path()));
        url
    }
}

pub(super) fn parse(url: &str) -> Result<Url, UrlError> {
    let url = Url::parse(url).map_err(|_| UrlError::Invalid)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(UrlError::Invalid);
    }
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    match bare {
        true => Ok(url),
        false => Err(UrlError::Unexpected),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(transport_error)? {
        if body.len() + chunk.len() > MAX_BODY_LEN {
            return Err(FetchError::TooLarge(MAX_BODY_LEN));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn transport_error(error: reqwest::Error) -> FetchError {
    match error {
        error if error.is_timeout() => FetchError::Timeout,
        error if error.is_connect() => FetchError::Connect,
        _ => FetchError::Transport,
    }
}

/// `Cache-Control: max-age` (RFC 9111 §5.2.2.1).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|directive| directive.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok())
        .map(Duration::from_secs)
}

/// How long the server asks to be left alone: the longer of `Retry-After`, in seconds or as a
/// date (RFC 9110 §10.2.3), and Better Auth's `X-Retry-After`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let delay = |value: &header::HeaderValue| {
        let value = value.to_str().ok()?.trim();
        match value.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => httpdate::parse_http_date(value)
                .ok()?
                .duration_since(SystemTime::now())
                .ok(),
        }
    };
    [
        headers.get(header::RETRY_AFTER),
        headers.get("x-retry-after"),
    ]
    .into_iter()
    .flatten()
    .filter_map(delay)
    .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_hosts_or_by_permission() {
        for url in [
            "http://localhost:3000/jwks",
            "http://127.0.0.1/jwks",
            "http://127.9.9.9/jwks",
            "http://[::1]:80/jwks",
            "https://auth.example.com/jwks",
        ] {
            assert!(HttpFetcher::new(url, false).is_ok(), "{url}");
        }
        for url in [
            "http://auth.example.com/jwks",
            "http://localhost.example.com/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example.com/",
        ] {
            assert_eq!(
                HttpFetcher::new(url, false).err(),
                Some(UrlError::Insecure),
                "{url}"
            );
            assert!(HttpFetcher::new(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for (url, expected) in [
            ("", UrlError::Invalid),
            ("auth.example.com", UrlError::Invalid),
            ("/api/auth", UrlError::Invalid),
            ("ftp://example.com", UrlError::Invalid),
            ("file:///etc/passwd", UrlError::Invalid),
            ("https://user@example.com", UrlError::Unexpected),
            ("https://:secret@example.com", UrlError::Unexpected),
            ("https://example.com/?a=b", UrlError::Unexpected),
            ("https://example.com/#a", UrlError::Unexpected),
        ] {
            assert_eq!(BetterAuthUrl::parse(url), Err(expected), "{url}");
        }
    }

    #[test]
    fn a_base_url_gives_the_issuer_and_the_places_to_look() {
        for (base, origin, jwks) in [
            (
                "https://app.example.com",
                "https://app.example.com",
                "https://app.example.com/api/auth/jwks",
            ),
            (
                "https://APP.example.com/",
                "https://app.example.com",
                "https://app.example.com/api/auth/jwks",
            ),
            (
                "https://app.example.com/api/auth",
                "https://app.example.com",
                "https://app.example.com/api/auth/jwks",
            ),
            (
                "https://a.example:443/sub/path/",
                "https://a.example",
                "https://a.example/sub/path/jwks",
            ),
            (
                "http://localhost:3000",
                "http://localhost:3000",
                "http://localhost:3000/api/auth/jwks",
            ),
        ] {
            let url = BetterAuthUrl::parse(base).unwrap();
            assert_eq!(url.origin(), origin, "{base}");
            assert_eq!(format!("{}/jwks", url.oauth_issuer()), jwks, "{base}");
            assert_eq!(url.fetcher(false).unwrap().urls[0].as_str(), jwks, "{base}");
        }
        let urls = BetterAuthUrl::parse("https://a.example")
            .unwrap()
            .fetcher(false)
            .unwrap()
            .urls;
        let urls: Vec<_> = urls.iter().map(Url::path).collect();
        assert_eq!(
            urls,
            [
                "/api/auth/jwks",
                "/.well-known/jwks.json",
                "/api/auth/.well-known/jwks.json"
            ]
        );
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn caching_and_retry_headers() {
        for (value, expected) in [
            ("max-age=60", Some(60)),
            ("public, Max-Age=15, stale-if-error=86400", Some(15)),
            ("max-age=\"7\"", Some(7)),
            ("no-store", None),
            ("max-age=-1", None),
            ("s-maxage=9", None),
        ] {
            assert_eq!(
                max_age(&headers(&[("cache-control", value)])),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
        assert_eq!(
            retry_after(&headers(&[("retry-after", "7")])),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            retry_after(&headers(&[("x-retry-after", "10")])),
            Some(Duration::from_secs(10))
        );
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")])), None);
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        let delay = retry_after(&headers(&[("retry-after", &date)])).unwrap();
        assert!((90..=100).contains(&delay.as_secs()), "{delay:?}");
    }
}
