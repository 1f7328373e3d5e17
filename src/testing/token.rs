//! Tokens, good ones and ones broken on purpose.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::issuer::TestIssuer;
use super::signing_key::SigningKey;

/// A token that is about to be signed. [`token`](Self::token) and [`bearer`](Self::bearer) sign it,
/// with the issuer's newest key.
///
/// `Debug` prints neither claims nor token.
#[must_use = "nothing is signed until `token` or `bearer` is called"]
#[derive(Clone)]
pub struct TestToken {
    issuer: TestIssuer,
    claims: Map<String, Value>,
    typ: Option<String>,
    stranger: bool,
}

impl TestToken {
    pub(super) fn new(issuer: TestIssuer, claims: Value) -> Self {
        let claims = match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        Self {
            issuer,
            claims,
            typ: None,
            stranger: false,
        }
    }

    /// Sets a claim to any JSON value: one of the application's own, or one to get wrong on purpose.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets `role`: one role, or several as Better Auth joins them, `"admin,user"`.
    pub fn role(self, roles: &str) -> Self {
        self.claim("role", roles)
    }

    /// Sets `scope`: one scope, or several with spaces between them (RFC 6749 §3.3).
    pub fn scope(self, scopes: &str) -> Self {
        self.claim("scope", scopes)
    }

    /// Sets `aud`. Another than the verifier's makes a token for somebody else.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Sets `iss`. Another than the verifier's makes a token from somebody else.
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// Sets `exp`, from the issuer's time. Default: 15 minutes, as Better Auth's.
    pub fn expires_in(self, lifetime: Duration) -> Self {
        let exp = self.issuer.unix_time().saturating_add(lifetime.as_secs());
        self.claim("exp", exp)
    }

    /// A token that expired an hour ago, far beyond what a verifier allows for clocks that differ.
    pub fn expired(self) -> Self {
        let now = self.issuer.unix_time();
        self.claim("iat", now.saturating_sub(2 * 60 * 60))
            .claim("exp", now.saturating_sub(60 * 60))
    }

    /// Sets `typ` in the header, which Better Auth's jwt plugin leaves out.
    pub fn typ(mut self, typ: &str) -> Self {
        self.typ = Some(typ.to_owned());
        self
    }

    /// Signs with a key that nobody publishes, under the `kid` of the published one: a forgery.
    pub fn forged(mut self) -> Self {
        self.stranger = true;
        self
    }

    /// The signed token: a compact JWS.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn token(&self) -> String {
        let key = self.issuer.key();
        let mut header = key.header();
        if let Some(typ) = &self.typ {
            header["typ"] = typ.as_str().into();
        }
        let (header, claims) = (
            header.to_string(),
            Value::from(self.claims.clone()).to_string(),
        );
        match self.stranger {
            true => SigningKey::generate(key.id(), key.algorithm()).sign(header, claims),
            false => key.sign(header, claims),
        }
    }

    /// The signed token as an `Authorization` header's value: `Bearer <token>`.
    ///
    /// # Panics
    /// As [`token`](Self::token).
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token())
    }
}

impl fmt::Debug for TestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestToken")
            .field("typ", &self.typ)
            .finish_non_exhaustive()
    }
}
