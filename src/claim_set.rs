//! A payload taken apart into the claims Keyward reads (RFC 7519 §4), typed and not yet checked.

use std::time::SystemTime;

use crate::clock::from_unix_seconds;
use crate::error::{Claim, VerifyError};
use crate::json::{Object, Value};

/// The year 5138. A later time is one in milliseconds.
const FIRST_IMPLAUSIBLE_TIME: f64 = 100_000_000_000.0;

/// The claims Keyward reads, before any is checked.
#[derive(Default)]
pub(crate) struct ClaimSet<'p> {
    pub(crate) iss: Option<&'p Value<'p>>,
    pub(crate) sub: Option<&'p Value<'p>>,
    pub(crate) aud: Option<&'p Value<'p>>,
    pub(crate) exp: Option<&'p Value<'p>>,
    pub(crate) nbf: Option<&'p Value<'p>>,
    pub(crate) iat: Option<&'p Value<'p>>,
    pub(crate) scope: Option<&'p Value<'p>>,
    pub(crate) role: Option<&'p Value<'p>>,
    pub(crate) organization: Option<&'p str>,
    pub(crate) organization_role: Option<&'p Value<'p>>,
    pub(crate) client_id: Option<&'p str>,
    pub(crate) azp: Option<&'p str>,
    pub(crate) sender_constrained: bool,
    pub(crate) required_missing: bool,
}

impl<'p> ClaimSet<'p> {
    /// Finds the claims in a payload. `required`: names that must be there, whatever their value.
    pub(crate) fn find(payload: &'p Object<'p>, required: &[Box<str>]) -> Self {
        let mut found = Self::default();
        let mut required_found = 0;
        for (name, value) in payload.members() {
            // Names are unique in a payload, so each is counted once.
            required_found += required
                .iter()
                .filter(|required| ***required == *name)
                .count();
            match name {
                "iss" => found.iss = Some(value),
                "sub" => found.sub = Some(value),
                "aud" => found.aud = Some(value),
                "exp" => found.exp = Some(value),
                "nbf" => found.nbf = Some(value),
                "iat" => found.iat = Some(value),
                "scope" => found.scope = Some(value),
                "role" => found.role = Some(value),
                "activeOrganizationId" => {
                    found.organization = value.as_text().filter(|id| !id.is_empty());
                }
                "activeOrganizationRole" => found.organization_role = Some(value),
                "client_id" => found.client_id = value.as_text(),
                "azp" => found.azp = value.as_text(),
                "cnf" => found.sender_constrained = true,
                _ => {}
            }
        }
        found.required_missing = required_found < required.len();
        found
    }
}

/// A claim that must be there and a string.
pub(crate) fn text<'p>(claim: Claim, value: Option<&'p Value<'_>>) -> Result<&'p str, VerifyError> {
    value
        .ok_or(VerifyError::ClaimMissing(claim))?
        .as_text()
        .ok_or(VerifyError::ClaimInvalid(claim))
}

/// A NumericDate: any finite number of seconds, fractions included (RFC 7519 §2). What lies before
/// 1970 is taken for 1970.
pub(crate) fn time(
    claim: Claim,
    value: Option<&Value<'_>>,
) -> Result<Option<SystemTime>, VerifyError> {
    let Some(value) = value else {
        return Ok(None);
    };
    match value.as_number() {
        Some(seconds) if !seconds.is_finite() => Err(VerifyError::ClaimInvalid(claim)),
        Some(seconds) if seconds >= FIRST_IMPLAUSIBLE_TIME => {
            Err(VerifyError::TimeInMilliseconds(claim))
        }
        Some(seconds) => Ok(Some(from_unix_seconds(seconds))),
        None => Err(VerifyError::ClaimInvalid(claim)),
    }
}

/// Scopes are separated by spaces (RFC 8693 §4.2), Better Auth's roles by commas; both come as
/// arrays too. Anything else grants nothing.
pub(crate) fn words(value: Option<&Value<'_>>, separator: char) -> Box<[Box<str>]> {
    match value {
        Some(Value::Text(text)) => text
            .split(separator)
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(Box::from)
            .collect(),
        Some(value) => value
            .as_texts()
            .map(|texts| texts.map(Box::from).collect())
            .unwrap_or_default(),
        None => Box::default(),
    }
}
