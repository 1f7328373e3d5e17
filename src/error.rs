//! Why a token was refused.

use std::fmt;
use std::time::Duration;

/// A registered claim that Keyward checks (RFC 7519 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Claim {
    /// `iss`, the issuer.
    Issuer,
    /// `sub`, the subject.
    Subject,
    /// `aud`, the audience.
    Audience,
    /// `exp`, the expiration time.
    ExpirationTime,
    /// `nbf`, the time before which the token is not valid.
    NotBefore,
    /// `iat`, the time the token was issued.
    IssuedAt,
    /// `client_id` (RFC 9068 §2.2), of an access token.
    ClientId,
    /// A claim that [`Policy::require_claim`](crate::Policy::require_claim) asks for.
    Required,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer => "iss",
            Self::Subject => "sub",
            Self::Audience => "aud",
            Self::ExpirationTime => "exp",
            Self::NotBefore => "nbf",
            Self::IssuedAt => "iat",
            Self::ClientId => "client_id",
            Self::Required => "one that this service requires",
        })
    }
}

/// Why a token was refused.
///
/// Every variant has a stable [`code`](Self::code). Messages are fixed texts: they hold nothing
/// of the token. Reasons that depend on a claim's value are given only for a token whose
/// signature is proven, so that nobody can probe the policy with made-up tokens; but
/// [`Expired`](Self::Expired) is given to every token that says so of itself, and a verifier that
/// trusts several issuers says of every token whether it names one of them, since it would not know
/// with which keys to prove it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// `token_too_large`: longer than the policy's limit; nothing was decoded.
    #[error(
        "the token is longer than {limit} bytes; by default Better Auth puts the whole user row, \
         avatar included, into the payload: choose what goes in with its jwt plugin's definePayload"
    )]
    TokenTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// `session_token`: a Better Auth session token, or another opaque one, where a JWT belongs.
    #[error(
        "this looks like a Better Auth session token, not a JWT: call /api/auth/token and send the token \
         it returns"
    )]
    SessionToken,
    /// `token_encrypted`: five parts, a JWE (RFC 7516 §3.1).
    #[error("the token is encrypted (JWE); only signed tokens are accepted")]
    TokenEncrypted,
    /// `token_malformed`: not a compact JWS of three strict base64url parts (RFC 7515 §7.1).
    #[error("the token is not a compact JWS of three base64url parts")]
    TokenMalformed,
    /// `token_header_invalid`: over the size limit, not an object, a parameter of the wrong type
    /// or twice there, or no `alg` (RFC 7515 §4).
    #[error("the token's header is not a valid JOSE header")]
    HeaderInvalid,
    /// `token_critical_header`: the header has `crit` (RFC 7515 §4.1.11); no extension is known.
    #[error("the token's header demands extensions (crit), and none is supported")]
    CriticalHeader,
    /// `token_payload_unencoded`: the header has `b64` (RFC 7797).
    #[error("the token's header has b64, which is not supported")]
    UnencodedPayload,
    /// `token_type_not_accepted`: a `typ` that the policy does not list (RFC 8725 §3.11).
    #[error("tokens of this type (typ) are not access tokens for this service")]
    TypeNotAccepted,
    /// `token_algorithm_not_allowed`: an unknown `alg`, `none`, HMAC, or one that the policy does
    /// not list (RFC 8725 §3.1).
    #[error("the token's algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// `token_signature_invalid`.
    #[error("the token's signature does not match")]
    SignatureInvalid,

    /// `keys_unavailable`: no key set to check with. Not the token's fault: HTTP 503.
    #[error("the auth server's keys are not available at the moment")]
    KeysUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// `key_id_missing`: no `kid`, and not exactly one key in the set fits the `alg`.
    #[error("the token names no key (kid), and more or less than one key could have signed it")]
    KeyIdMissing,
    /// `key_unknown`: the key set has no key with this `kid`.
    #[error("the token's key is not in the auth server's key set{}", unknown_key_hint(.refreshed))]
    KeyUnknown {
        /// Whether the key set was fetched after this `kid` had first been asked for.
        refreshed: bool,
    },
    /// `key_algorithm_mismatch`: the key is there but is not for the token's `alg`.
    #[error("the token's algorithm does not fit the key it names")]
    KeyAlgorithmMismatch,

    /// `token_payload_invalid`: not a JSON object, or a name stands twice in it.
    #[error("the token's payload is not a JSON object with unique names")]
    PayloadInvalid,
    /// `token_claim_missing`.
    #[error("the token lacks a claim: {0}")]
    ClaimMissing(Claim),
    /// `token_claim_invalid`: a claim of the wrong type or an impossible value.
    #[error("the token has a malformed claim: {0}")]
    ClaimInvalid(Claim),
    /// `token_time_in_milliseconds`: a time after the year 5138; NumericDate counts seconds.
    #[error(
        "the token's {0} is beyond the year 5138: it seems to be in milliseconds instead of seconds"
    )]
    TimeInMilliseconds(Claim),
    /// `token_expired`.
    #[error("the token has expired")]
    Expired,
    /// `token_not_yet_valid`: `nbf` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `token_issued_in_future`: `iat` is in the future: the clocks differ by more than the leeway.
    #[error("the token was issued in the future: the clocks of auth server and service differ")]
    IssuedInFuture,
    /// `token_issuer_mismatch`.
    #[error(
        "the token comes from another issuer; issuers are compared as exact strings, a trailing slash or a \
         path counts"
    )]
    IssuerMismatch,
    /// `token_audience_mismatch`.
    #[error("the token is for another audience")]
    AudienceMismatch,
    /// `token_sender_constrained`: the token has `cnf`, and a bearer proves no possession
    /// (RFC 9449 §7.2, RFC 8705 §3).
    #[error("the token is bound to a key (cnf) and cannot be used as a plain bearer token")]
    SenderConstrained,
    /// `token_claims_rejected`: the claims do not fit the type the application reads them into.
    #[error("the token's claims are not those that this service needs")]
    ClaimsRejected,
}

impl VerifyError {
    /// One of each kind, for what counts or lists them.
    #[cfg(any(test, feature = "service"))]
    pub(crate) const ALL: [Self; 25] = [
        Self::TokenTooLarge { limit: 0 },
        Self::SessionToken,
        Self::TokenEncrypted,
        Self::TokenMalformed,
        Self::HeaderInvalid,
        Self::CriticalHeader,
        Self::UnencodedPayload,
        Self::TypeNotAccepted,
        Self::AlgorithmNotAllowed,
        Self::SignatureInvalid,
        Self::KeysUnavailable {
            retry_after: Duration::ZERO,
        },
        Self::KeyIdMissing,
        Self::KeyUnknown { refreshed: false },
        Self::KeyAlgorithmMismatch,
        Self::PayloadInvalid,
        Self::ClaimMissing(Claim::ExpirationTime),
        Self::ClaimInvalid(Claim::ExpirationTime),
        Self::TimeInMilliseconds(Claim::ExpirationTime),
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInFuture,
        Self::IssuerMismatch,
        Self::AudienceMismatch,
        Self::SenderConstrained,
        Self::ClaimsRejected,
    ];

    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TokenTooLarge { .. } => "token_too_large",
            Self::SessionToken => "session_token",
            Self::TokenEncrypted => "token_encrypted",
            Self::TokenMalformed => "token_malformed",
            Self::HeaderInvalid => "token_header_invalid",
            Self::CriticalHeader => "token_critical_header",
            Self::UnencodedPayload => "token_payload_unencoded",
            Self::TypeNotAccepted => "token_type_not_accepted",
            Self::AlgorithmNotAllowed => "token_algorithm_not_allowed",
            Self::SignatureInvalid => "token_signature_invalid",
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::KeyIdMissing => "key_id_missing",
            Self::KeyUnknown { .. } => "key_unknown",
            Self::KeyAlgorithmMismatch => "key_algorithm_mismatch",
            Self::PayloadInvalid => "token_payload_invalid",
            Self::ClaimMissing(_) => "token_claim_missing",
            Self::ClaimInvalid(_) => "token_claim_invalid",
            Self::TimeInMilliseconds(_) => "token_time_in_milliseconds",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::IssuedInFuture => "token_issued_in_future",
            Self::IssuerMismatch => "token_issuer_mismatch",
            Self::AudienceMismatch => "token_audience_mismatch",
            Self::SenderConstrained => "token_sender_constrained",
            Self::ClaimsRejected => "token_claims_rejected",
        }
    }
}

fn unknown_key_hint(refreshed: &bool) -> &'static str {
    match refreshed {
        true => {
            ", not even after a refresh; a Better Auth server with more than 100 rows in its jwks table \
             signs with a key that it does not publish"
        }
        false => "",
    }
}
