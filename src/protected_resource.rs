//! What an API that takes OAuth access tokens says of itself (RFC 9728): a document that tells a
//! client which authorization server to ask, and the challenge that tells where the document is.

use std::net::{IpAddr, Ipv6Addr};

use serde::Serialize;

/// Where the document of a resource without a path is (RFC 9728 §3).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A resource identifier that is none (RFC 9728 §1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a resource is an https URL without user, query or fragment, or an http one of a loopback host"
)]
#[non_exhaustive]
pub struct ResourceError;

/// An API that takes OAuth access tokens, as clients find out about it.
///
/// A client that has no token gets a challenge that names [`metadata_url`](Self::metadata_url),
/// fetches the document from there, asks the authorization server it names for a token, and sends
/// the identifier along as `resource` (RFC 8707), from where it comes back as the token's `aud`. So
/// the identifier, the API's own URL and the policy's audience are one and the same string.
///
/// ```
/// use keyward::ProtectedResource;
///
/// let resource = ProtectedResource::new(
///     "https://api.example.com/v1",
///     ["https://app.example.com/api/auth"],
/// )?
/// .scopes(["tasks:read", "tasks:write"]);
///
/// // What is to be served, and where.
/// assert_eq!(resource.metadata_path(), "/.well-known/oauth-protected-resource/v1");
/// assert!(String::from_utf8(resource.to_json())?.contains(r#""resource":"https://api.example.com/v1""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Serve [`to_json`](Self::to_json) there as `application/json`, to everybody, and hand
/// [`metadata_url`](Self::metadata_url) to
/// [`VerifierBuilder::resource_metadata`](crate::VerifierBuilder::resource_metadata).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ProtectedResource {
    /// The length of the origin in the identifier.
    origin_len: usize,
    document: Document,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Document {
    resource: String,
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    /// RFC 6750 §2.1 and no other way: neither in a form nor in a query string.
    bearer_methods_supported: [&'static str; 1],
}

impl ProtectedResource {
    /// A resource with its identifier and the issuers of its access tokens.
    ///
    /// # Errors
    /// When the identifier is not one.
    pub fn new<S: Into<String>>(
        resource: impl Into<String>,
        authorization_servers: impl IntoIterator<Item = S>,
    ) -> Result<Self, ResourceError> {
        let resource = resource.into();
        let origin_len = origin_len(&resource).ok_or(ResourceError)?;
        let authorization_servers = authorization_servers.into_iter().map(Into::into).collect();
        Ok(Self {
            origin_len,
            document: Document {
                resource,
                authorization_servers,
                scopes_supported: Vec::new(),
                bearer_methods_supported: ["header"],
            },
        })
    }

    /// Names the scopes that a client may ask for.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.document.scopes_supported = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The identifier.
    pub fn resource(&self) -> &str {
        &self.document.resource
    }

    /// Where the document is to be served: the well-known path with that of the identifier behind
    /// it (RFC 9728 §3.1).
    pub fn metadata_path(&self) -> String {
        let (_, path) = self.split();
        format!("{WELL_KNOWN}{}", path.strip_suffix('/').unwrap_or(path))
    }

    /// The document's URL, for the challenge (RFC 9728 §5.1).
    pub fn metadata_url(&self) -> String {
        let (origin, _) = self.split();
        format!("{origin}{}", self.metadata_path())
    }

    /// The document.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings under fixed names: serialization has nothing to fail on.
        serde_json::to_vec(&self.document).unwrap_or_default()
    }

    /// The identifier's origin and path.
    fn split(&self) -> (&str, &str) {
        let resource = &self.document.resource;
        resource
            .split_at_checked(self.origin_len)
            .unwrap_or((resource, ""))
    }
}

/// How long the origin in a resource identifier is, or `None` for what is none.
fn origin_len(resource: &str) -> Option<usize> {
    let (scheme, rest) = resource.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    // RFC 3986 §3.3, with what is encoded.
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/".contains(&byte);
    let is_port = |port: &str| {
        port.strip_prefix(':')
            .is_some_and(|it| it.parse::<u16>().is_ok())
    };
    let well_formed = host.bytes().all(in_host)
        && (port.is_empty() || is_port(port))
        && path.bytes().all(in_path);
    let loopback = || {
        let address = host.parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    let secure = scheme == "https" || (scheme == "http" && loopback());
    (secure && well_formed && !host.is_empty()).then_some(resource.len() - path.len())
}

/// What a challenge says beside the error: the `realm` and where a client learns how to get a token.
///
/// A text is the realm alone; [`Verifier::challenge`](crate::Verifier::challenge) has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'c> {
    pub(crate) realm: &'c str,
    pub(crate) resource_metadata: Option<&'c str>,
}

impl<'c> From<&'c str> for Challenge<'c> {
    fn from(realm: &'c str) -> Self {
        Self {
            realm,
            resource_metadata: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_path_comes_between_origin_and_path() {
        for (resource, url) in [
            (
                "https://api.example.com",
                "https://api.example.com/.well-known/oauth-protected-resource",
            ),
            (
                "https://api.example.com/",
                "https://api.example.com/.well-known/oauth-protected-resource",
            ),
            (
                "https://api.example.com:8443/v1/tasks",
                "https://api.example.com:8443/.well-known/oauth-protected-resource/v1/tasks",
            ),
            (
                "http://[::1]:8000/v1/",
                "http://[::1]:8000/.well-known/oauth-protected-resource/v1",
            ),
            (
                "http://localhost:8000",
                "http://localhost:8000/.well-known/oauth-protected-resource",
            ),
        ] {
            let known = ProtectedResource::new(resource, ["https://a.example"]).unwrap();
            assert_eq!(known.metadata_url(), url, "{resource}");
            assert!(url.ends_with(&known.metadata_path()), "{resource}");
        }
    }

    #[test]
    fn what_is_no_resource_identifier_is_refused() {
        for resource in [
            "",
            "api",
            "https://",
            "https:///path",
            "https://:8000",
            "https://[",
            "https://[::1",
            "https://[::1]x",
            "https://a:b",
            "https://a:1:2",
            "api.example.com",
            "urn:example:api",
            "http://api.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://user@api.example.com",
            "https://api.example.com?x=1",
            "https://api.example.com/#f",
            "https://api.example.com/a\"b",
            "https://api.example.com/a b",
            "https://api.example.com/\r\nx: y",
            "https://bücher.example",
        ] {
            let made = ProtectedResource::new(resource, ["https://a.example"]);
            assert_eq!(made.err(), Some(ResourceError), "{resource}");
        }
    }

    #[test]
    fn the_document() {
        let resource = ProtectedResource::new("https://api.example", ["https://a.example"]);
        let resource = resource.unwrap();
        assert_eq!(
            String::from_utf8(resource.to_json()).unwrap(),
            r#"{"resource":"https://api.example","authorization_servers":["https://a.example"],"bearer_methods_supported":["header"]}"#
        );
        let json = resource.scopes(["tasks:read"]).to_json();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["scopes_supported"], serde_json::json!(["tasks:read"]));
    }
}
