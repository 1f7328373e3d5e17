//! What a token must say to be accepted, and the checks in the order they are made.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::claim_set::{ClaimSet, text, time, words};
use crate::claims::Claims;
use crate::error::{Claim, VerifyError};
use crate::json::{Object, Value};

/// 30 seconds of clock difference between auth server and service.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

/// A whole Authorization header of 8 to 16 KiB is what proxies let through.
const DEFAULT_MAX_TOKEN_LEN: usize = 16 * 1024;

/// `typ` values of access tokens: RFC 7519 §5.1 and RFC 9068 §2.1. Better Auth's session-cookie
/// JWT (`better-auth.session-cache+jwt`), logout tokens and DPoP proofs are signed with the same
/// keys and differ in nothing else that is sure to be checked.
const DEFAULT_TOKEN_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// RFC 9068 §2.1.
const ACCESS_TOKEN: &str = "at+jwt";

/// In bytes: the 255 characters of OpenID Connect Core §2 at their longest in UTF-8. What is keyed
/// by a subject, a database index for example, has limits too.
const MAX_SUBJECT_LEN: usize = 4 * 255;

/// A policy without an issuer or without an audience would accept tokens made for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// No allowed issuer, or an empty one.
    #[error("at least one issuer is needed, and none may be empty")]
    NoIssuer,
    /// No allowed audience, or an empty one.
    #[error("at least one audience is needed, and none may be empty")]
    NoAudience,
    /// No allowed algorithm.
    #[error("at least one algorithm is needed")]
    NoAlgorithm,
}

/// What a token must say to be accepted.
///
/// Issuer, audience, `exp` and a `sub` of 1 to 1020 bytes without control characters are always
/// demanded. Issuers and audiences are
/// compared as exact strings: `https://app.example.com/` is not `https://app.example.com`.
///
/// ```
/// use std::time::Duration;
/// use keyward::{Algorithm, Policy};
///
/// let policy = Policy::new(["https://app.example.com"], ["https://api.example.com"])?
///     .algorithms([Algorithm::EdDsa, Algorithm::Ed25519])?
///     .leeway(Duration::from_secs(5))
///     .require_claim("email");
/// # Ok::<(), keyward::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Policy {
    issuers: Vec<Arc<str>>,
    audiences: Vec<Arc<str>>,
    algorithms: AlgorithmSet,
    leeway: Duration,
    token_types: Vec<Box<str>>,
    /// Whether a token without `typ` is refused too.
    type_required: bool,
    client_id_required: bool,
    required_claims: Vec<Box<str>>,
    max_token_len: usize,
}

impl Policy {
    /// A policy that accepts tokens of any of `issuers` for any of `audiences`, with all of
    /// [`Algorithm::ALL`], 30 s of leeway, the types `JWT` and `at+jwt` (or none), and at most
    /// 16 KiB.
    ///
    /// Better Auth's default for both is the *origin* of its base URL: no path, no trailing slash.
    ///
    /// # Errors
    /// When either list is empty or holds an empty string.
    pub fn new<I, A>(issuers: I, audiences: A) -> Result<Self, PolicyError>
    where
        I: IntoIterator,
        I::Item: Into<Arc<str>>,
        A: IntoIterator,
        A::Item: Into<Arc<str>>,
    {
        let issuers: Vec<Arc<str>> = issuers.into_iter().map(Into::into).collect();
        let audiences: Vec<Arc<str>> = audiences.into_iter().map(Into::into).collect();
        let lacking =
            |list: &[Arc<str>]| list.is_empty() || list.iter().any(|entry| entry.is_empty());
        if lacking(&issuers) {
            return Err(PolicyError::NoIssuer);
        }
        if lacking(&audiences) {
            return Err(PolicyError::NoAudience);
        }
        Ok(Self {
            issuers,
            audiences,
            algorithms: Algorithm::ALL.into_iter().collect(),
            leeway: DEFAULT_LEEWAY,
            token_types: DEFAULT_TOKEN_TYPES.into_iter().map(Box::from).collect(),
            type_required: false,
            client_id_required: false,
            required_claims: Vec::new(),
            max_token_len: DEFAULT_MAX_TOKEN_LEN,
        })
    }

    /// As [`new`](Self::new), for OAuth 2 access tokens alone (RFC 9068), as
    /// `@better-auth/oauth-provider` issues them for a resource: `typ` must be there and be
    /// `at+jwt`, which tells them from an id_token and a logout token of the same issuer and key;
    /// and there must be a `client_id`, which tells a client that acts for itself from a user.
    ///
    /// The issuer of Better Auth's is the *origin and path* of the auth server
    /// (`https://app.example.com/api/auth`), the audience is what the client asked for as
    /// `resource` (RFC 8707): the API's own URL. What a token may be used for is in its scopes:
    /// demand them with [`Requirement::scope`](crate::Requirement::scope).
    ///
    /// A client that acts for itself is known by a `sub` that is its `client_id`, as Better Auth has
    /// it and RFC 9068 §5 describes. Other servers may give it a `sub` of its own, which looks like a
    /// user's: with those, let a scope that only users grant decide.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_access_tokens<I, A>(issuers: I, audiences: A) -> Result<Self, PolicyError>
    where
        I: IntoIterator,
        I::Item: Into<Arc<str>>,
        A: IntoIterator,
        A::Item: Into<Arc<str>>,
    {
        let mut policy = Self::new(issuers, audiences)?
            .token_types([ACCESS_TOKEN])
            .require_token_type();
        policy.client_id_required = true;
        Ok(policy)
    }

    /// Allows only these algorithms. Default: all.
    ///
    /// # Errors
    /// When the list is empty.
    pub fn algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, PolicyError> {
        self.algorithms = algorithms.into_iter().collect();
        match self.algorithms.is_empty() {
            true => Err(PolicyError::NoAlgorithm),
            false => Ok(self),
        }
    }

    /// How far the clocks of auth server and service may differ. Default: 30 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Accepts these values of `typ`, compared without regard to case and to a leading
    /// `application/` (RFC 7515 §4.1.9). A token without `typ`, as Better Auth issues it, is
    /// accepted too, unless [`require_token_type`](Self::require_token_type) says otherwise.
    /// Default: `JWT`, `at+jwt`.
    pub fn token_types<T: Into<Box<str>>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.token_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Refuses tokens without `typ`.
    pub fn require_token_type(mut self) -> Self {
        self.type_required = true;
        self
    }

    /// Demands that a claim is there, whatever its value. Its type is the business of the claims
    /// type the verifier reads into.
    pub fn require_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.required_claims.push(name.into());
        self
    }

    /// Refuses longer tokens, in bytes, before any decoding. Default: 16 KiB.
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.max_token_len = bytes;
        self
    }

    pub(crate) fn issuers(&self) -> &[Arc<str>] {
        &self.issuers
    }

    /// Whether tokens of this issuer are what the policy is about.
    pub(crate) fn names_issuer(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|allowed| **allowed == *issuer)
    }

    pub(crate) fn token_len_limit(&self) -> usize {
        self.max_token_len
    }

    /// The algorithm a header names, if the policy allows it (RFC 8725 §3.1).
    pub(crate) fn check_algorithm(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<Algorithm, VerifyError> {
        algorithm
            .filter(|algorithm| self.algorithms.contains(*algorithm))
            .ok_or(VerifyError::AlgorithmNotAllowed)
    }

    /// RFC 8725 §3.11; for access tokens RFC 9068 §4.
    pub(crate) fn check_token_type(&self, token_type: Option<&str>) -> Result<(), VerifyError> {
        let Some(token_type) = token_type else {
            return match self.type_required {
                true => Err(VerifyError::TypeNotAccepted),
                false => Ok(()),
            };
        };
        let accepted = |listed: &str| bare_type(listed).eq_ignore_ascii_case(bare_type(token_type));
        match self.token_types.iter().any(|listed| accepted(listed)) {
            true => Ok(()),
            false => Err(VerifyError::TypeNotAccepted),
        }
    }

    /// The claims that are checked, as a payload has them.
    pub(crate) fn find_claims<'p>(&self, payload: &'p Object<'p>) -> ClaimSet<'p> {
        ClaimSet::find(payload, &self.required_claims)
    }

    /// Whether claims, proven or not, say that they have expired. A malformed `exp` says nothing.
    pub(crate) fn check_expiry(
        &self,
        found: &ClaimSet<'_>,
        now: SystemTime,
    ) -> Result<(), VerifyError> {
        match time(Claim::ExpirationTime, found.exp) {
            Ok(Some(expires_at)) if self.has_expired(expires_at, now) => Err(VerifyError::Expired),
            _ => Ok(()),
        }
    }

    /// Checks claims that a signature has proven.
    pub(crate) fn check_claims(
        &self,
        found: &ClaimSet<'_>,
        now: SystemTime,
    ) -> Result<Claims, VerifyError> {
        // RFC 9449 §7.2, RFC 8705 §3: a bearer proves no possession of the key in `cnf`.
        if found.sender_constrained {
            return Err(VerifyError::SenderConstrained);
        }

        let issuer = self.check_issuer(found.iss)?;
        let audience = self.check_audience(found.aud)?;

        let times = Times {
            expires_at: time(Claim::ExpirationTime, found.exp)?
                .ok_or(VerifyError::ClaimMissing(Claim::ExpirationTime))?,
            not_before: time(Claim::NotBefore, found.nbf)?,
            issued_at: time(Claim::IssuedAt, found.iat)?,
        };
        self.check_times(&times, now)?;

        let subject = check_subject(found.sub)?;
        if found.required_missing {
            return Err(VerifyError::ClaimMissing(Claim::Required));
        }

        // RFC 9068 §2.2. Without it the next question could not be answered.
        if self.client_id_required && found.client_id.is_none() {
            return Err(VerifyError::ClaimMissing(Claim::ClientId));
        }
        // RFC 9068 §5: a token that a client got for itself has the client as its subject.
        let is_client = [found.client_id, found.azp].contains(&Some(subject));
        Ok(Claims {
            issuer: issuer.clone(),
            audience: audience.clone(),
            subject: subject.into(),
            expires_at: times.expires_at,
            not_before: times.not_before,
            issued_at: times.issued_at,
            client_id: found.client_id.or(found.azp).map(Into::into),
            is_client,
            scopes: words(found.scope, ' '),
            roles: words(found.role, ','),
            organization: found.organization.map(Into::into),
            organization_roles: words(found.organization_role, ','),
        })
    }

    /// RFC 7519 §4.1.1, RFC 8725 §3.8.
    pub(crate) fn check_issuer(&self, claim: Option<&Value<'_>>) -> Result<&Arc<str>, VerifyError> {
        let issuer = text(Claim::Issuer, claim)?;
        self.issuers
            .iter()
            .find(|allowed| ***allowed == *issuer)
            .ok_or(VerifyError::IssuerMismatch)
    }

    /// RFC 7519 §4.1.3, RFC 8725 §3.9.
    pub(crate) fn check_audience(
        &self,
        claim: Option<&Value<'_>>,
    ) -> Result<&Arc<str>, VerifyError> {
        let claim = claim.ok_or(VerifyError::ClaimMissing(Claim::Audience))?;
        let allowed = match (claim.as_text(), claim.as_texts()) {
            (Some(audience), _) => self
                .audiences
                .iter()
                .find(|allowed| ***allowed == *audience),
            (None, Some(audiences)) => self
                .audiences
                .iter()
                .find(|allowed| audiences.clone().any(|audience| ***allowed == *audience)),
            (None, None) => return Err(VerifyError::ClaimInvalid(Claim::Audience)),
        };
        allowed.ok_or(VerifyError::AudienceMismatch)
    }

    /// Whether it is neither too late nor too early for a token. This is all that changes about
    /// a verified token with time, so it is asked again whenever one is met again.
    pub(crate) fn check_times(&self, times: &Times, now: SystemTime) -> Result<(), VerifyError> {
        if self.has_expired(times.expires_at, now) {
            return Err(VerifyError::Expired);
        }
        // A sum beyond what the clock can tell is later than everything.
        let early = |time: Option<SystemTime>| match (time, now.checked_add(self.leeway)) {
            (Some(time), Some(latest)) => latest < time,
            _ => false,
        };
        // RFC 7519 §4.1.5.
        if early(times.not_before) {
            return Err(VerifyError::NotYetValid);
        }
        if early(times.issued_at) {
            return Err(VerifyError::IssuedInFuture);
        }
        Ok(())
    }

    /// RFC 7519 §4.1.4: "on or after which the JWT MUST NOT be accepted".
    fn has_expired(&self, expires_at: SystemTime, now: SystemTime) -> bool {
        self.dies_at(expires_at)
            .is_some_and(|dies_at| now >= dies_at)
    }

    /// When a token that expires at `expires_at` is refused; `None` for a time beyond the clock's.
    pub(crate) fn dies_at(&self, expires_at: SystemTime) -> Option<SystemTime> {
        expires_at.checked_add(self.leeway)
    }
}

/// For whoever explains a refusal to those who run the service.
#[cfg(feature = "service")]
impl Policy {
    pub(crate) fn audiences(&self) -> &[Arc<str>] {
        &self.audiences
    }

    pub(crate) fn accepted_types(&self) -> impl Iterator<Item = &str> {
        self.token_types.iter().map(|token_type| &**token_type)
    }

    pub(crate) fn demands_type(&self) -> bool {
        self.type_required
    }

    pub(crate) fn allowed_algorithms(&self) -> AlgorithmSet {
        self.algorithms
    }

    pub(crate) fn allowed_clock_difference(&self) -> Duration {
        self.leeway
    }
}

pub(crate) fn check_subject<'p>(claim: Option<&'p Value<'_>>) -> Result<&'p str, VerifyError> {
    let subject = text(Claim::Subject, claim)?;
    match subject.is_empty()
        || subject.len() > MAX_SUBJECT_LEN
        || subject.contains(char::is_control)
    {
        true => Err(VerifyError::ClaimInvalid(Claim::Subject)),
        false => Ok(subject),
    }
}

/// The times that a token holds, `exp`, `nbf` and `iat`.
pub(crate) struct Times {
    pub(crate) expires_at: SystemTime,
    pub(crate) not_before: Option<SystemTime>,
    pub(crate) issued_at: Option<SystemTime>,
}

fn bare_type(token_type: &str) -> &str {
    match token_type.get(..12) {
        Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &token_type[12..],
        _ => token_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_450_000;

    fn policy() -> Policy {
        Policy::new(
            ["https://app.example", "https://two.example"],
            ["https://api.example"],
        )
        .unwrap()
    }

    fn check_with(policy: &Policy, payload: &str) -> Result<Claims, VerifyError> {
        let payload = Object::parse(payload.as_bytes()).map_err(|_| VerifyError::PayloadInvalid)?;
        let found = policy.find_claims(&payload);
        policy.check_claims(&found, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
    }

    /// A good payload in which `member` replaces the member of the same name, or is added.
    fn payload_with(member: &str) -> String {
        let name = member.split(':').next().unwrap();
        let base = [
            r#""iss":"https://app.example""#.to_owned(),
            r#""aud":"https://api.example""#.to_owned(),
            r#""sub":"ada""#.to_owned(),
            format!(r#""exp":{}"#, NOW + 900),
        ];
        let mut members: Vec<String> = base
            .into_iter()
            .filter(|kept| !kept.starts_with(name))
            .collect();
        if member.contains(':') {
            members.push(member.to_owned());
        }
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn a_policy_without_issuer_or_audience_cannot_be_made() {
        let none: [&str; 0] = [];
        assert_eq!(Policy::new(none, ["a"]).err(), Some(PolicyError::NoIssuer));
        assert_eq!(
            Policy::new(["i"], none).err(),
            Some(PolicyError::NoAudience)
        );
        assert_eq!(Policy::new([""], ["a"]).err(), Some(PolicyError::NoIssuer));
        assert_eq!(
            policy().algorithms([]).err(),
            Some(PolicyError::NoAlgorithm)
        );
    }

    #[test]
    fn each_claim_is_checked_and_names_its_own_reason() {
        use Claim::*;
        use VerifyError::*;
        let long_subject = format!(r#""sub":"{}""#, "x".repeat(MAX_SUBJECT_LEN + 1));
        let table = [
            // The member, and why it is refused.
            (r#""iss""#, ClaimMissing(Issuer)),
            (r#""iss":7"#, ClaimInvalid(Issuer)),
            (r#""iss":null"#, ClaimInvalid(Issuer)),
            (r#""iss":["https://app.example"]"#, ClaimInvalid(Issuer)),
            (r#""iss":"https://app.example/""#, IssuerMismatch),
            (r#""iss":"https://APP.example""#, IssuerMismatch),
            (r#""iss":"""#, IssuerMismatch),
            (r#""aud""#, ClaimMissing(Audience)),
            (r#""aud":7"#, ClaimInvalid(Audience)),
            (r#""aud":null"#, ClaimInvalid(Audience)),
            (r#""aud":["https://api.example",7]"#, ClaimInvalid(Audience)),
            (
                r#""aud":{"a":"https://api.example"}"#,
                ClaimInvalid(Audience),
            ),
            (r#""aud":[]"#, AudienceMismatch),
            (r#""aud":"https://other.example""#, AudienceMismatch),
            (r#""aud":"https://api.example/""#, AudienceMismatch),
            (r#""sub""#, ClaimMissing(Subject)),
            (r#""sub":7"#, ClaimInvalid(Subject)),
            (r#""sub":"""#, ClaimInvalid(Subject)),
            (r#""sub":"a\u0000""#, ClaimInvalid(Subject)),
            (&long_subject, ClaimInvalid(Subject)),
            (r#""exp""#, ClaimMissing(ExpirationTime)),
            (r#""exp":"1795460000""#, ClaimInvalid(ExpirationTime)),
            (r#""exp":null"#, ClaimInvalid(ExpirationTime)),
            (r#""exp":true"#, ClaimInvalid(ExpirationTime)),
            (r#""exp":3600"#, Expired),
            (r#""exp":-1"#, Expired),
            (r#""exp":1795449970"#, Expired), // now − leeway: on the second is too late
            (r#""exp":1795460000000"#, TimeInMilliseconds(ExpirationTime)),
            (r#""exp":1e99"#, TimeInMilliseconds(ExpirationTime)),
            (r#""nbf":1795450031"#, NotYetValid),
            (r#""nbf":"now""#, ClaimInvalid(NotBefore)),
            (r#""nbf":1795450000000"#, TimeInMilliseconds(NotBefore)),
            (r#""iat":1795450031"#, IssuedInFuture),
            (r#""iat":[]"#, ClaimInvalid(IssuedAt)),
            (r#""iat":1795450000000"#, TimeInMilliseconds(IssuedAt)),
            (r#""cnf":{"jkt":"x"}"#, SenderConstrained),
            (r#""cnf":null"#, SenderConstrained),
            (r#""x":{"y":1,"y":2}"#, PayloadInvalid),
        ];
        for (member, expected) in table {
            assert_eq!(
                check_with(&policy(), &payload_with(member)).err(),
                Some(expected),
                "{member}"
            );
        }
        for payload in ["[]", "null", "", "{", r#"{"exp":1,"exp":1}"#] {
            assert_eq!(
                check_with(&policy(), payload).err(),
                Some(PayloadInvalid),
                "{payload}"
            );
        }
    }

    #[test]
    fn good_claims_are_accepted() {
        for member in [
            r#""x":1"#,
            r#""iss":"https://two.example""#,
            r#""aud":["https://other.example","https://api.example"]"#,
            r#""exp":1795449970.5"#, // half a second inside the leeway
            r#""exp":1795460000.75"#,
            r#""nbf":1795450030"#,
            r#""iat":1795450029.99"#,
            r#""iat":5"#,
            r#""exp":99999999999"#,
        ] {
            assert!(
                check_with(&policy(), &payload_with(member)).is_ok(),
                "{member}"
            );
        }
    }

    #[test]
    fn leeway_is_configurable() {
        let strict = policy().leeway(Duration::ZERO);
        assert!(check_with(&strict, &payload_with(r#""exp":1795450001"#)).is_ok());
        assert_eq!(
            check_with(&strict, &payload_with(r#""exp":1795450000"#)).err(),
            Some(VerifyError::Expired)
        );
        // A leeway larger than the time itself overflows nothing.
        assert!(check_with(&policy().leeway(Duration::MAX), &payload_with(r#""exp":1"#)).is_ok());
    }

    #[test]
    fn a_client_that_acts_for_itself_is_a_client_and_never_a_user() {
        for (member, is_client) in [
            (r#""client_id":"ada""#, true),
            (r#""azp":"ada""#, true),
            (r#""client_id":"web""#, false),
            (r#""client_id":7"#, false),
        ] {
            assert_eq!(
                check_with(&policy(), &payload_with(member))
                    .unwrap()
                    .is_client(),
                is_client,
                "{member}"
            );
        }
    }

    #[test]
    fn roles_and_scopes_come_as_strings_and_as_arrays() {
        let roles = |member: &str| {
            check_with(&policy(), &payload_with(member))
                .unwrap()
                .roles
                .to_vec()
        };
        assert_eq!(
            roles(r#""role":"admin, user,""#),
            ["admin".into(), "user".into()]
        );
        assert_eq!(
            roles(r#""role":["admin","user"]"#),
            ["admin".into(), "user".into()]
        );
        for nothing in [
            r#""role":null"#,
            r#""role":{"admin":true}"#,
            r#""role":["admin",1]"#,
            r#""role":"""#,
        ] {
            assert!(roles(nothing).is_empty(), "{nothing}");
        }
        let claims =
            check_with(&policy(), &payload_with(r#""scope":"openid tasks:read""#)).unwrap();
        assert!(claims.has_scope("tasks:read") && !claims.has_scope("tasks"));
    }

    #[test]
    fn a_required_claim_must_be_there() {
        let policy = policy().require_claim("email").require_claim("name");
        let both = r#""email":"a","name":"b""#;
        assert!(check_with(&policy, &payload_with(both)).is_ok());
        assert_eq!(
            check_with(&policy, &payload_with(r#""email":"a""#)).err(),
            Some(VerifyError::ClaimMissing(Claim::Required))
        );
    }

    #[test]
    fn an_access_token_says_that_it_is_one_and_whose() {
        let policy = Policy::for_access_tokens(["https://app.example"], ["https://api.example"]);
        let policy = policy.unwrap();
        for accepted in ["at+jwt", "AT+JWT", "application/at+jwt"] {
            assert_eq!(
                policy.check_token_type(Some(accepted)),
                Ok(()),
                "{accepted}"
            );
        }
        for refused in [None, Some("JWT"), Some("logout+jwt"), Some("at+jwt ")] {
            let refusal = policy.check_token_type(refused);
            assert_eq!(refusal, Err(VerifyError::TypeNotAccepted), "{refused:?}");
        }
        let missing = VerifyError::ClaimMissing(Claim::ClientId);
        for (member, expected) in [
            (r#""client_id":"web""#, Ok(false)),
            (r#""client_id":"ada""#, Ok(true)),
            (r#""azp":"ada""#, Err(missing.clone())),
            (r#""client_id":["ada"]"#, Err(missing.clone())),
            (r#""x":1"#, Err(missing.clone())),
        ] {
            let claims = check_with(&policy, &payload_with(member));
            assert_eq!(claims.map(|it| it.is_client()), expected, "{member}");
        }
    }

    #[test]
    fn an_organization_and_its_roles() {
        let both = r#""activeOrganizationId":"org-1","activeOrganizationRole":"owner,admin""#;
        let claims = check_with(&policy(), &payload_with(both)).unwrap();
        assert_eq!(claims.organization.as_deref(), Some("org-1"));
        assert!(claims.has_organization_role("admin") && !claims.has_role("admin"));
        // A role without an organization is a role in none.
        let role = r#""activeOrganizationRole":"owner""#;
        for member in [
            role.to_owned(),
            format!(r#""activeOrganizationId":null,{role}"#),
            format!(r#""activeOrganizationId":"",{role}"#),
            format!(r#""activeOrganizationId":7,{role}"#),
        ] {
            let claims = check_with(&policy(), &payload_with(&member)).unwrap();
            assert_eq!(claims.organization, None, "{member}");
            assert!(!claims.has_organization_role("owner"), "{member}");
        }
    }

    #[test]
    fn token_types() {
        let policy = policy();
        for accepted in [
            None,
            Some("JWT"),
            Some("jwt"),
            Some("at+jwt"),
            Some("application/at+JWT"),
            Some("Application/jwt"),
        ] {
            assert_eq!(policy.check_token_type(accepted), Ok(()), "{accepted:?}");
        }
        for refused in [
            "",
            "better-auth.session-cache+jwt",
            "logout+jwt",
            "dpop+jwt",
            "id_token",
            "application/",
            "ätt+jwt",
        ] {
            assert_eq!(
                policy.check_token_type(Some(refused)),
                Err(VerifyError::TypeNotAccepted),
                "{refused}"
            );
        }
        let custom = policy.token_types(["application/my+jwt"]);
        assert_eq!(custom.check_token_type(Some("MY+jwt")), Ok(()));
        assert_eq!(
            custom.check_token_type(Some("JWT")),
            Err(VerifyError::TypeNotAccepted)
        );
    }
}
