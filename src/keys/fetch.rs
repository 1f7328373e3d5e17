//! The seam through which key-set documents come in.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What a fetch brought.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fetched {
    /// A document.
    Document {
        /// Its bytes, not yet looked at.
        body: Vec<u8>,
        /// `Cache-Control: max-age` (RFC 9111 §5.2.2.1).
        max_age: Option<Duration>,
        /// `ETag`, to be given back as `if_none_match` if the document turns out usable.
        etag: Option<String>,
    },
    /// The document that `if_none_match` names is still current (RFC 9110 §15.4.5).
    NotModified {
        /// `Cache-Control: max-age`.
        max_age: Option<Duration>,
    },
}

impl Fetched {
    /// A document without caching information.
    pub fn document(body: impl Into<Vec<u8>>) -> Self {
        Self::Document {
            body: body.into(),
            max_age: None,
            etag: None,
        }
    }
}

impl fmt::Debug for Fetched {
    /// Of a document, its length: it may hold a private key by mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document {
                body,
                max_age,
                etag,
            } => f
                .debug_struct("Document")
                .field("bytes", &body.len())
                .field("max_age", max_age)
                .field("etag", etag)
                .finish(),
            Self::NotModified { max_age } => f
                .debug_struct("NotModified")
                .field("max_age", max_age)
                .finish(),
        }
    }
}

/// Why a fetch brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection: name not resolved, refused, TLS failed.
    #[error("no connection to the auth server")]
    Connect,
    /// The connection broke, or the answer was not HTTP.
    #[error("the exchange with the auth server failed")]
    Transport,
    /// No whole answer in time.
    #[error("the auth server did not answer in time")]
    Timeout,
    /// A redirect. None is followed: it could lead to another origin's keys.
    #[error("the auth server answered with a redirect (status {0}), and none is followed")]
    Redirect(u16),
    /// Another status than 200.
    #[error("the auth server answered with status {status}")]
    Status {
        /// The status.
        status: u16,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// A body over the size limit.
    #[error("the key set is larger than {0} bytes")]
    TooLarge(usize),
    /// The issuer's metadata, which say where the key set is, cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

/// Why an issuer's metadata (RFC 8414, OpenID Connect Discovery 1.0) cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// None of the places has a JSON object.
    #[error("the issuer serves no metadata at any of the well-known places")]
    NotFound,
    /// Not a JSON object with unique names, or a member of the wrong type.
    #[error("the issuer's metadata are not what RFC 8414 describes")]
    Malformed,
    /// The metadata name another issuer (RFC 8414 §3.3).
    #[error("the metadata are another issuer's; issuers are compared as exact strings")]
    IssuerMismatch,
    /// No `jwks_uri`.
    #[error("the metadata name no jwks_uri")]
    NoKeySet,
    /// A `jwks_uri` that is not a plain https URL.
    #[error("the metadata's jwks_uri is not an https URL without user, query and fragment")]
    KeySetUrl,
    /// A `jwks_uri` of another origin than the issuer's.
    #[error(
        "the metadata's jwks_uri is of another origin than the issuer, and that is not allowed"
    )]
    ForeignKeySet,
}

impl FetchError {
    /// A stable code for traces: a word, or the status of an answer that was not 200.
    pub fn code(&self) -> Cow<'static, str> {
        match self {
            Self::Connect => "connect".into(),
            Self::Transport => "transport".into(),
            Self::Timeout => "timeout".into(),
            Self::Redirect(status) | Self::Status { status, .. } => status.to_string().into(),
            Self::TooLarge(_) => "too_large".into(),
            Self::Metadata(_) => "metadata_unusable".into(),
        }
    }
}

/// A boxed future, since a fetcher is used as a trait object.
pub type FetchFuture<'f> = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'f>>;

/// Fetches the key-set document.
///
/// The crate's own, over HTTPS, comes with the feature `remote`. Implement this one to fetch by
/// other means or to test with. At most one fetch of a key set is under way at any time, and one
/// that takes longer than [`RefreshOptions::fetch_timeout`](crate::RefreshOptions) is dropped.
pub trait FetchKeySet: fmt::Debug + Send + Sync + 'static {
    /// Fetches the document, unless it is still the one that `if_none_match` names.
    fn fetch(&self, if_none_match: Option<String>) -> FetchFuture<'_>;
}
