//! From request headers to a principal, or to a rejection that says how to answer.

use std::time::Duration;

use crate::authorization::Forbidden;
use crate::error::VerifyError;
use crate::problem::{Problem, TraceId};
use crate::protected_resource::Challenge;

/// Why a request is not let through.
///
/// Adapters turn it into a response: [`status`](Self::status), a challenge
/// ([`www_authenticate`](Self::www_authenticate)), a problem document
/// ([`problem`](Self::problem)). It is also put into the response's extensions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// `credentials_missing`: no Authorization header. HTTP 401.
    #[error("this needs a bearer token")]
    CredentialsMissing,
    /// `authorization_scheme_unsupported`: credentials of another scheme, `Basic` for example.
    /// HTTP 401.
    #[error("only the Bearer authentication scheme is supported")]
    SchemeUnsupported,
    /// `authorization_repeated`: more than one Authorization header, or several credentials in
    /// one. Which one counts would be a guess. HTTP 400.
    #[error("the request has more than one set of credentials")]
    AuthorizationRepeated,
    /// `authorization_malformed`: not `Bearer`, a space, and a token (RFC 6750 §2.1). HTTP 400.
    #[error("the Authorization header is not of the form: Bearer <token>")]
    AuthorizationMalformed,
    /// The token was refused. HTTP 401, or 503 when there are no keys to check it with.
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// The token is good and not enough. HTTP 403.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

impl Rejection {
    /// The HTTP status: 400, 401, 403 or 503.
    pub const fn status(&self) -> u16 {
        match self {
            Self::CredentialsMissing | Self::SchemeUnsupported => 401,
            Self::AuthorizationRepeated | Self::AuthorizationMalformed => 400,
            Self::Token(VerifyError::KeysUnavailable { .. }) => 503,
            Self::Token(_) => 401,
            Self::Forbidden(_) => 403,
        }
    }

    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CredentialsMissing => "credentials_missing",
            Self::SchemeUnsupported => "authorization_scheme_unsupported",
            Self::AuthorizationRepeated => "authorization_repeated",
            Self::AuthorizationMalformed => "authorization_malformed",
            Self::Token(error) => error.code(),
            Self::Forbidden(forbidden) => forbidden.code(),
        }
    }

    /// The `error` of RFC 6750 §3.1; none where no bearer credentials came.
    const fn oauth_error(&self) -> Option<&'static str> {
        match self {
            Self::CredentialsMissing | Self::SchemeUnsupported => None,
            Self::AuthorizationRepeated | Self::AuthorizationMalformed => Some("invalid_request"),
            Self::Token(VerifyError::KeysUnavailable { .. }) => None,
            Self::Token(_) => Some("invalid_token"),
            Self::Forbidden(_) => Some("insufficient_scope"),
        }
    }

    /// When to try again, in seconds; only where there are no keys.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Token(VerifyError::KeysUnavailable { retry_after }) => {
                // Rounded up: a client that comes back early would come for nothing.
                Some(
                    retry_after
                        .saturating_add(Duration::from_nanos(999_999_999))
                        .as_secs(),
                )
            }
            _ => None,
        }
    }

    /// The challenge of RFC 6750 §3; none with a 503, which is not about the credentials.
    ///
    /// `challenge`: the realm as a text, or
    /// [`Verifier::challenge`](crate::Verifier::challenge).
    pub fn www_authenticate<'c>(&self, challenge: impl Into<Challenge<'c>>) -> Option<String> {
        if self.status() == 503 {
            return None;
        }
        let Challenge {
            realm,
            resource_metadata,
        } = challenge.into();
        let mut challenge = format!("Bearer realm=\"{}\"", quotable(realm));
        if let Some(error) = self.oauth_error() {
            let description = self.to_string();
            let description = quotable(&description);
            challenge += &format!(", error=\"{error}\", error_description=\"{description}\"");
        }
        if let Self::Forbidden(Forbidden::ScopeRequired(scope)) = self
            // RFC 6749 §3.3.
            && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        {
            challenge += &format!(", scope=\"{scope}\"");
        }
        // RFC 9728 §5.1.
        if let Some(url) = resource_metadata {
            challenge += &format!(", resource_metadata=\"{}\"", quotable(url));
        }
        Some(challenge)
    }

    /// The problem document.
    pub fn problem(&self, trace_id: Option<&TraceId>) -> Problem {
        let title = match self.status() {
            400 => "Malformed credentials",
            401 => "Authentication failed",
            403 => "Not allowed",
            _ => "Keys unavailable",
        };
        Problem::new(self.status(), self.code(), title)
            .with_detail(self.to_string())
            .with_trace_id(trace_id)
    }
}

/// What fits into a quoted string as it is (RFC 9110 §5.6.4) and into an error's description
/// (RFC 6750 §3). The rest is left out.
pub(crate) fn quotable(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
        .collect()
}

/// The token in a request's Authorization headers.
///
/// Only the header counts: a token in a query string or a form ends up in logs (RFC 6750 §2.3,
/// §5.3), and a cookie is sent without the application's doing.
#[cfg(any(feature = "http", test))]
pub(crate) fn token<'h>(mut headers: impl Iterator<Item = &'h [u8]>) -> Result<&'h str, Rejection> {
    let header = headers.next().ok_or(Rejection::CredentialsMissing)?;
    if headers.next().is_some() {
        return Err(Rejection::AuthorizationRepeated);
    }
    let header = header.trim_ascii();
    let (scheme, rest) = match header.iter().position(|byte| matches!(byte, b' ' | b'\t')) {
        Some(end) => header.split_at(end),
        None => (header, &b""[..]),
    };
    // Scheme names ignore case (RFC 9110 §11.1).
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        let token_shaped = scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte));
        return Err(match token_shaped && !rest.is_empty() {
            true => Rejection::SchemeUnsupported,
            false => Rejection::AuthorizationMalformed,
        });
    }
    // b64token of RFC 6750 §2.1, which is also all that the parts of a JWS consist of.
    let token = rest.trim_ascii_start();
    // Without an early end the compiler checks many bytes at once.
    let allowed = |all: bool, byte: &u8| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        let mark = (*byte == b'-') | (*byte == b'.') | (*byte == b'_') | (*byte == b'~');
        let base64 = (*byte == b'+') | (*byte == b'/') | (*byte == b'=');
        all & (letter | digit | mark | base64)
    };
    if (token.is_empty() || !token.iter().fold(true, allowed)) && !is_encoded_session_token(token) {
        return Err(match token.contains(&b',') {
            true => Rejection::AuthorizationRepeated,
            false => Rejection::AuthorizationMalformed,
        });
    }
    std::str::from_utf8(token).map_err(|_| Rejection::AuthorizationMalformed)
}

/// Better Auth up to 1.4 percent-encodes the session token in `set-auth-token`. As it is, it is no
/// b64token; who sends it is told what it is all the same.
#[cfg(any(feature = "http", test))]
fn is_encoded_session_token(token: &[u8]) -> bool {
    let encoded = |byte: &u8| byte.is_ascii_alphanumeric() || b"%.-_~".contains(byte);
    token.contains(&b'%')
        && token.iter().all(encoded)
        && token.iter().filter(|byte| **byte == b'.').count() == 1
}

#[cfg(feature = "http")]
mod headers {
    use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
    use http::{HeaderMap, HeaderValue, Response, StatusCode};
    use serde::de::DeserializeOwned;

    use super::{Rejection, token};
    use crate::claims::Principal;
    #[cfg(feature = "tower")]
    use crate::keys::remote::KeyWait;
    use crate::problem::{PROBLEM_JSON, TraceId};
    use crate::protected_resource::Challenge;
    use crate::verifier::Verifier;
    #[cfg(feature = "tower")]
    use crate::verifier::{Step, Ticket};

    impl Rejection {
        /// The whole response: status, challenge or `Retry-After`, problem document. The
        /// rejection itself is in its extensions.
        ///
        /// `challenge`: the realm as a text, or
        /// [`Verifier::challenge`](crate::Verifier::challenge).
        pub fn to_response<'c>(
            &self,
            challenge: impl Into<Challenge<'c>>,
            trace_id: Option<&TraceId>,
        ) -> Response<Vec<u8>> {
            let mut response = Response::new(self.problem(trace_id).to_json());
            *response.status_mut() =
                StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let challenge = self
                .www_authenticate(challenge)
                .and_then(|value| HeaderValue::try_from(value).ok());
            if let Some(challenge) = challenge {
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            if let Some(seconds) = self.retry_after_seconds() {
                headers.insert(RETRY_AFTER, seconds.into());
            }
            response.extensions_mut().insert(self.clone());
            response
        }
    }

    /// How far an authentication got without waiting.
    #[cfg(feature = "tower")]
    pub(crate) enum AuthStep<C> {
        Done(Result<Principal<C>, Rejection>),
        Wait(Ticket, KeyWait),
    }

    impl<C: DeserializeOwned> Verifier<C> {
        /// Authenticates a request by its headers: the one call that every adapter rests on.
        ///
        /// # Errors
        /// How to answer instead: see [`Rejection`].
        pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal<C>, Rejection> {
            Ok(self.verify(bearer_token(headers)?).await?)
        }

        /// As [`authenticate`](Self::authenticate), or nobody for a request *without
        /// credentials*. Bad credentials are refused, never taken for none.
        ///
        /// # Errors
        /// As [`authenticate`](Self::authenticate).
        pub async fn authenticate_optional(
            &self,
            headers: &HeaderMap,
        ) -> Result<Option<Principal<C>>, Rejection> {
            match self.authenticate(headers).await {
                Ok(principal) => Ok(Some(principal)),
                Err(Rejection::CredentialsMissing) => Ok(None),
                Err(rejection) => Err(rejection),
            }
        }

        /// [`authenticate`](Self::authenticate) in steps, for a future with a name.
        #[cfg(feature = "tower")]
        pub(crate) fn authenticate_step(
            &self,
            headers: &HeaderMap,
            ticket: Option<Ticket>,
        ) -> AuthStep<C> {
            match bearer_token(headers).map(|token| self.step(token, ticket)) {
                Ok(Step::Done(result)) => AuthStep::Done(result.map_err(Rejection::Token)),
                Ok(Step::Wait(ticket, wait)) => AuthStep::Wait(ticket, wait),
                Err(rejection) => AuthStep::Done(Err(rejection)),
            }
        }
    }

    fn bearer_token(headers: &HeaderMap) -> Result<&str, Rejection> {
        token(
            headers
                .get_all(AUTHORIZATION)
                .iter()
                .map(|value| value.as_bytes()),
        )
    }
}

#[cfg(feature = "tower")]
pub(crate) use headers::AuthStep;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_exactly_one_bearer_header() {
        use Rejection::*;
        let table: &[(&[&str], Result<&str, Rejection>)] = &[
            (&[], Err(CredentialsMissing)),
            (&["Bearer a.b.c"], Ok("a.b.c")),
            (&["bearer a.b.c"], Ok("a.b.c")),
            (&["BEARER   a.b-_~+/c=="], Ok("a.b-_~+/c==")),
            (&[" Bearer\ta.b.c "], Ok("a.b.c")),
            (
                &["Bearer a.b.c", "Bearer a.b.c"],
                Err(AuthorizationRepeated),
            ),
            (&["Bearer a.b.c", "Basic eA=="], Err(AuthorizationRepeated)),
            (&["Bearer a.b.c, Bearer d.e.f"], Err(AuthorizationRepeated)),
            (&["Bearer a.b.c,d.e.f"], Err(AuthorizationRepeated)),
            (&[""], Err(AuthorizationMalformed)),
            (&["Bearer"], Err(AuthorizationMalformed)),
            (&["Bearer "], Err(AuthorizationMalformed)),
            // A session token of Better Auth 1.4, for the verifier to recognise, and no JWT.
            (&["Bearer WY6Y.tdal%2BBhQY%3D"], Ok("WY6Y.tdal%2BBhQY%3D")),
            (&["Bearer a.b.c%3D"], Err(AuthorizationMalformed)),
            (&["Bearer abc%3D"], Err(AuthorizationMalformed)),
            (&["Bearer a.b%3D;"], Err(AuthorizationMalformed)),
            (&["Bearer a b"], Err(AuthorizationMalformed)),
            (&["Bearer \"a.b.c\""], Err(AuthorizationMalformed)),
            (&["Bearer token=a.b.c;"], Err(AuthorizationMalformed)),
            (&["Bearer \u{e9}"], Err(AuthorizationMalformed)),
            (&["a.b.c"], Err(AuthorizationMalformed)),
            (&["\u{e9} x"], Err(AuthorizationMalformed)),
            (&["Basic dXNlcjpwYXNz"], Err(SchemeUnsupported)),
            (&["DPoP a.b.c"], Err(SchemeUnsupported)),
            (&["Bearer: a.b.c"], Err(AuthorizationMalformed)),
        ];
        for (headers, expected) in table {
            assert_eq!(
                token(headers.iter().map(|header| header.as_bytes())),
                *expected,
                "{headers:?}"
            );
        }
    }

    #[test]
    fn challenges_follow_rfc_6750() {
        let challenge = |rejection: Rejection| rejection.www_authenticate("api");
        assert_eq!(
            challenge(Rejection::CredentialsMissing).unwrap(),
            r#"Bearer realm="api""#
        );
        assert_eq!(
            challenge(VerifyError::Expired.into()).unwrap(),
            r#"Bearer realm="api", error="invalid_token", error_description="the token has expired""#
        );
        assert!(
            challenge(Rejection::AuthorizationRepeated)
                .unwrap()
                .contains(r#"error="invalid_request""#)
        );
        let scope = challenge(Forbidden::ScopeRequired("tasks:write".into()).into()).unwrap();
        assert!(
            scope.contains(r#"error="insufficient_scope""#)
                && scope.ends_with(r#", scope="tasks:write""#)
        );
        let injected =
            challenge(Forbidden::ScopeRequired("a\", realm=\"evil".into()).into()).unwrap();
        assert!(!injected.contains("evil"));
        let unavailable = VerifyError::KeysUnavailable {
            retry_after: Duration::from_millis(1500),
        };
        let unavailable = Rejection::from(unavailable);
        assert_eq!(
            (
                unavailable.www_authenticate("api"),
                unavailable.retry_after_seconds()
            ),
            (None, Some(2))
        );
    }

    #[test]
    fn every_description_fits_into_a_challenge_and_every_code_is_its_own() {
        let rejections: Vec<Rejection> = VerifyError::ALL
            .into_iter()
            .map(Rejection::Token)
            .chain(
                [
                    Forbidden::UserRequired,
                    Forbidden::RoleRequired,
                    Forbidden::ScopeRequired("s".into()),
                ]
                .map(Into::into),
            )
            .chain([
                Rejection::CredentialsMissing,
                Rejection::SchemeUnsupported,
                Rejection::AuthorizationRepeated,
                Rejection::AuthorizationMalformed,
            ])
            .collect();
        let mut codes: Vec<_> = rejections.iter().map(Rejection::code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), rejections.len());
        for rejection in &rejections {
            let description = rejection.to_string();
            let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
            assert!(description.chars().all(allowed), "{description}");
            assert!(
                rejection
                    .code()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
            );
        }
    }
}
