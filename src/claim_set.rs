//! A payload taken apart into the claims Keyward reads (RFC 7519 §4), typed and not yet checked.

use std::borrow::Cow;

use crate::error::{Claim, VerifyError};
use crate::json::{self, Value};

/// The year 5138. A later time is one in milliseconds.
const FIRST_IMPLAUSIBLE_TIME: f64 = 100_000_000_000.0;

/// The claims Keyward reads, before any is checked.
#[derive(Default)]
pub(crate) struct ClaimSet<'p> {
    pub(crate) iss: Option<Value<'p>>,
    pub(crate) sub: Option<Value<'p>>,
    pub(crate) aud: Option<Value<'p>>,
    pub(crate) exp: Option<Value<'p>>,
    pub(crate) nbf: Option<Value<'p>>,
    pub(crate) iat: Option<Value<'p>>,
    pub(crate) scope: Option<Value<'p>>,
    pub(crate) role: Option<Value<'p>>,
    pub(crate) client_id: Option<Cow<'p, str>>,
    pub(crate) azp: Option<Cow<'p, str>>,
    pub(crate) sender_constrained: bool,
    pub(crate) required_missing: bool,
}

impl<'p> ClaimSet<'p> {
    /// Parses a decoded payload. `required`: names that must be there, whatever their value.
    pub(crate) fn parse(payload: &'p [u8], required: &[Box<str>]) -> Result<Self, VerifyError> {
        let mut raw = Self::default();
        let mut required_found = 0;
        json::object(payload, |name, value| {
            // Names are unique in a payload that passes, so each is counted once.
            required_found += required
                .iter()
                .filter(|required| ***required == *name)
                .count();
            match &*name {
                "iss" => raw.iss = Some(value),
                "sub" => raw.sub = Some(value),
                "aud" => raw.aud = Some(value),
                "exp" => raw.exp = Some(value),
                "nbf" => raw.nbf = Some(value),
                "iat" => raw.iat = Some(value),
                "scope" => raw.scope = Some(value),
                "role" => raw.role = Some(value),
                "client_id" => raw.client_id = value.into_text(),
                "azp" => raw.azp = value.into_text(),
                "cnf" => raw.sender_constrained = true,
                _ => {}
            }
        })
        .map_err(|_| VerifyError::PayloadInvalid)?;
        raw.required_missing = required_found < required.len();
        Ok(raw)
    }
}

/// A claim that must be there and a string.
pub(crate) fn text<'p>(
    claim: Claim,
    value: Option<Value<'p>>,
) -> Result<Cow<'p, str>, VerifyError> {
    value
        .ok_or(VerifyError::ClaimMissing(claim))?
        .into_text()
        .ok_or(VerifyError::ClaimInvalid(claim))
}

/// A NumericDate: any finite number of seconds, fractions included (RFC 7519 §2).
pub(crate) fn time(claim: Claim, value: Option<Value<'_>>) -> Result<Option<f64>, VerifyError> {
    match value {
        None => Ok(None),
        Some(Value::Number(seconds)) if !seconds.is_finite() => {
            Err(VerifyError::ClaimInvalid(claim))
        }
        Some(Value::Number(seconds)) if seconds >= FIRST_IMPLAUSIBLE_TIME => {
            Err(VerifyError::TimeInMilliseconds(claim))
        }
        Some(Value::Number(seconds)) => Ok(Some(seconds)),
        Some(_) => Err(VerifyError::ClaimInvalid(claim)),
    }
}

/// Scopes are separated by spaces (RFC 8693 §4.2), Better Auth's roles by commas; both come as
/// arrays too. Anything else grants nothing.
pub(crate) fn words(value: Option<Value<'_>>, separator: char) -> Box<[Box<str>]> {
    match value {
        Some(Value::Text(text)) => text
            .split(separator)
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(Box::from)
            .collect(),
        Some(Value::Texts(texts)) => texts
            .into_iter()
            .map(|text| text.into_owned().into_boxed_str())
            .collect(),
        _ => Box::default(),
    }
}
