//! Whose tokens a verifier accepts, and which keys and policy a token is held against.
//!
//! 1. A trust is a policy and the keys of its issuers, and nothing of one serves another: a token
//!    that names an issuer of one is checked with that one's keys and that one's policy, `iss`
//!    once more among it, after the signature.
//! 2. Each issuer belongs to one trust. Two policies for one issuer would leave it open which of
//!    them holds.
//! 3. With several trusts, the token's `iss` chooses, before anything is proven. It chooses among
//!    what is configured and does nothing else: a token of an unknown issuer is refused without a
//!    look at any key set, and so without a fetch.
//! 4. One trust alone has nothing to choose, and spends nothing on it.

use std::sync::Arc;

use crate::claim_set::text;
use crate::error::{Claim, VerifyError};
use crate::json::Object;
use crate::keys::KeySource;
use crate::policy::Policy;

/// Why an issuer cannot be trusted beside those that are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Another trust has the same issuer.
    #[error("the issuer {0} is trusted twice: which of both policies holds would be a guess")]
    IssuerRepeated(Arc<str>),
}

/// A policy, and the keys that its issuers sign with.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    pub(crate) policy: Policy,
    pub(crate) keys: KeySource,
}

/// All that a verifier trusts: one, or several with different issuers.
#[derive(Clone, Debug)]
pub(crate) struct Trusts {
    first: Trust,
    others: Vec<Trust>,
}

/// The place of a trust among those of its verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustId(u32);

impl Trusts {
    pub(crate) fn new(first: Trust) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }

    /// Adds one whose issuers are nobody else's.
    pub(crate) fn add(&mut self, trust: Trust) -> Result<(), TrustError> {
        for issuer in trust.policy.issuers() {
            if self.iter().any(|other| other.policy.names_issuer(issuer)) {
                return Err(TrustError::IssuerRepeated(issuer.clone()));
            }
        }
        self.others.push(trust);
        Ok(())
    }

    /// In the order in which they were given.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Trust> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(crate) fn get(&self, id: TrustId) -> Option<&Trust> {
        match (id.0 as usize).checked_sub(1) {
            None => Some(&self.first),
            Some(position) => self.others.get(position),
        }
    }

    /// The one that there is, if it is alone.
    pub(crate) fn only(&self) -> Option<&Trust> {
        self.others.is_empty().then_some(&self.first)
    }

    /// The longest token that any of the policies takes.
    pub(crate) fn token_len_limit(&self) -> usize {
        let limits = self.iter().map(|trust| trust.policy.token_len_limit());
        limits.max().unwrap_or_default()
    }

    /// The trust that the `iss` of an unproven payload names.
    pub(crate) fn select(&self, payload: &Object<'_>) -> Result<(TrustId, &Trust), VerifyError> {
        let mut members = payload.members();
        let issuer = members.find_map(|(name, value)| (name == "iss").then_some(value));
        let issuer = text(Claim::Issuer, issuer)?;
        (0..)
            .map(TrustId)
            .zip(self.iter())
            .find(|(_, trust)| trust.policy.names_issuer(issuer))
            .ok_or(VerifyError::IssuerMismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::key_set::KeySet;

    fn trust(issuers: &[&str]) -> Trust {
        let keys = KeySet::from_json(
            br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"}]}"#,
        );
        Trust {
            policy: Policy::new(issuers.iter().copied(), ["https://api.example"]).unwrap(),
            keys: keys.unwrap().into(),
        }
    }

    #[test]
    fn an_issuer_belongs_to_one_trust() {
        let mut trusts = Trusts::new(trust(&["https://a.example", "https://b.example"]));
        assert_eq!(trusts.add(trust(&["https://c.example"])), Ok(()));
        for repeated in [
            "https://a.example",
            "https://b.example",
            "https://c.example",
        ] {
            let error = trusts.add(trust(&["https://d.example", repeated]));
            assert_eq!(error, Err(TrustError::IssuerRepeated(repeated.into())));
        }
        // Whoever was refused is not half there.
        assert_eq!(trusts.iter().count(), 2);
        // Issuers are compared as exact strings here as everywhere.
        assert_eq!(trusts.add(trust(&["https://a.example/"])), Ok(()));
    }

    #[test]
    fn a_payload_chooses_by_the_exact_name_of_its_issuer() {
        let mut trusts = Trusts::new(trust(&["https://a.example"]));
        trusts.add(trust(&["https://b.example"])).unwrap();
        let select = |payload: &str| {
            let payload = Object::parse(payload.as_bytes()).unwrap();
            trusts.select(&payload).map(|(id, _)| id)
        };
        assert_eq!(select(r#"{"iss":"https://a.example"}"#), Ok(TrustId(0)));
        assert_eq!(select(r#"{"iss":"https://b.example"}"#), Ok(TrustId(1)));
        assert_eq!(
            select(r#"{"iss":"https:\/\/b.ex\u0061mple"}"#),
            Ok(TrustId(1))
        );
        for (payload, expected) in [
            (
                r#"{"iss":"https://b.example/"}"#,
                VerifyError::IssuerMismatch,
            ),
            (
                r#"{"iss":"HTTPS://b.example"}"#,
                VerifyError::IssuerMismatch,
            ),
            (r#"{"iss":""}"#, VerifyError::IssuerMismatch),
            ("{}", VerifyError::ClaimMissing(Claim::Issuer)),
            (
                r#"{"x":{"iss":"https://b.example"}}"#,
                VerifyError::ClaimMissing(Claim::Issuer),
            ),
            (
                r#"{"iss":["https://b.example"]}"#,
                VerifyError::ClaimInvalid(Claim::Issuer),
            ),
        ] {
            assert_eq!(select(payload), Err(expected), "{payload}");
        }
    }

    #[test]
    fn a_place_finds_the_trust_it_was_given_for() {
        let mut trusts = Trusts::new(trust(&["https://a.example"]));
        assert!(trusts.only().is_some());
        trusts.add(trust(&["https://b.example"])).unwrap();
        assert!(trusts.only().is_none());
        for (id, issuer) in [(0, "https://a.example"), (1, "https://b.example")] {
            let trust = trusts.get(TrustId(id)).unwrap();
            assert!(trust.policy.names_issuer(issuer));
        }
        assert!(trusts.get(TrustId(2)).is_none());
    }
}
