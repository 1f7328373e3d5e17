//! A key set (RFC 7517 §5) as an immutable snapshot: each key stands or falls by itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::key::{self, SkipReason, VerifyingKey};
use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::error::VerifyError;

/// What became of one key of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyOutcome {
    /// Its `kid`, where it could be read.
    pub id: Option<Box<str>>,
    /// The algorithms it verifies, or why it was skipped.
    pub result: Result<AlgorithmSet, SkipReason>,
}

/// Why a document is not a key set to verify with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Not a JSON object with an array `keys` (RFC 7517 §5.1).
    #[error("the document is not a JSON Web Key Set: an object with an array \"keys\"")]
    Malformed,
    /// `keys` is empty. A Better Auth server whose keys have all expired answers this way.
    #[error("the key set is empty")]
    Empty,
    /// No key of the set can verify tokens.
    #[error("none of the {0} keys in the set can verify tokens")]
    NoUsableKey(usize),
    /// More keys than the limit.
    #[error("the key set holds {0} keys, which is over the limit")]
    TooManyKeys(usize),
}

/// An immutable set of public keys.
///
/// ```
/// let set = keyward::KeySet::from_json(br#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","kid":"1","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"},
///     {"kty":"oct","kid":"2","k":"c2VjcmV0"}
/// ]}"#).unwrap();
/// assert_eq!(set.len(), 1);
/// assert!(set.outcomes()[1].result.is_err());
/// ```
pub struct KeySet {
    keys: Vec<Arc<VerifyingKey>>,
    /// Positions in `keys`. Several keys may share a `kid` if their algorithms differ
    /// (RFC 7517 §4.5).
    by_id: HashMap<Box<str>, Vec<usize>>,
    outcomes: Vec<KeyOutcome>,
    /// No other set of this process has the same.
    generation: u64,
    /// Headers of tokens that were proven with keys of this set.
    headers: [OnceLock<KnownHeader>; KNOWN_HEADERS],
}

/// An issuer writes one header into all tokens of a key, so that a set knows one, or two around a
/// rotation.
const KNOWN_HEADERS: usize = 4;

/// What an encoded header says, and the key that it selects.
pub(crate) struct KnownHeader {
    pub(crate) encoded: Arc<str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) token_type: Option<Box<str>>,
    pub(crate) key: Arc<VerifyingKey>,
}

#[derive(Deserialize)]
pub(super) struct Document<'d> {
    #[serde(borrow)]
    pub(super) keys: Vec<&'d RawValue>,
}

impl KeySet {
    /// Reads a JWK Set document.
    ///
    /// # Errors
    /// When the document is not a key set or no key in it is usable. One unusable key beside a
    /// usable one is not an error: see [`outcomes`](Self::outcomes).
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        Self::from_document(json, usize::MAX, None)
    }

    /// Reads a document of at most `max_keys` keys. Keys that `before` has as well are taken from
    /// it: they are prepared, and what was proven with them stays proven.
    pub(crate) fn from_document(
        json: &[u8],
        max_keys: usize,
        before: Option<&Self>,
    ) -> Result<Self, KeySetError> {
        let set = Self::read(json, max_keys, before)?;
        match set.keys.is_empty() {
            true => Err(KeySetError::NoUsableKey(set.outcomes.len())),
            false => Ok(set),
        }
    }

    /// What becomes of each key of a document, usable or not.
    #[cfg(feature = "service")]
    pub(crate) fn examine(json: &[u8], max_keys: usize) -> Result<Vec<KeyOutcome>, KeySetError> {
        Ok(Self::read(json, max_keys, None)?.outcomes)
    }

    fn read(json: &[u8], max_keys: usize, before: Option<&Self>) -> Result<Self, KeySetError> {
        static GENERATIONS: AtomicU64 = AtomicU64::new(0);
        // serde would take an array of the members for the object.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(KeySetError::Malformed);
        }
        // serde_json does not look at the bytes of strings that it skips (RFC 8259 §8.1).
        let text = std::str::from_utf8(json).map_err(|_| KeySetError::Malformed)?;
        let document: Document<'_> =
            serde_json::from_str(text).map_err(|_| KeySetError::Malformed)?;
        let count = document.keys.len();
        if count == 0 {
            return Err(KeySetError::Empty);
        }
        if count > max_keys {
            return Err(KeySetError::TooManyKeys(count));
        }
        let mut set = Self {
            keys: Vec::new(),
            by_id: HashMap::new(),
            outcomes: Vec::with_capacity(count),
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            headers: Default::default(),
        };
        for jwk in document.keys {
            let jwk = jwk.get().as_bytes();
            let (id, key) = match before.and_then(|before| before.same_key(jwk)) {
                Some(key) => (key.id().map(Box::from), Ok(key.clone())),
                None => {
                    let (id, key) = VerifyingKey::from_jwk(jwk);
                    (id, key.map(Arc::new))
                }
            };
            let result = key.and_then(|key| set.add(key));
            set.outcomes.push(KeyOutcome { id, result });
        }
        Ok(set)
    }

    fn same_key(&self, jwk: &[u8]) -> Option<&Arc<VerifyingKey>> {
        let digest = key::digest(jwk);
        self.keys.iter().find(|key| key.is_of(&digest))
    }

    fn add(&mut self, key: Arc<VerifyingKey>) -> Result<AlgorithmSet, SkipReason> {
        let algorithms = key.algorithms();
        if let Some(id) = key.id() {
            let namesakes = self.by_id.entry(id.into()).or_default();
            if namesakes
                .iter()
                .filter_map(|position| self.keys.get(*position))
                .any(|other| other.algorithms().intersects(algorithms))
            {
                return Err(SkipReason::DuplicateKeyId);
            }
            namesakes.push(self.keys.len());
        }
        self.keys.push(key);
        Ok(algorithms)
    }

    /// Tells sets apart.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether this very key is in the set. Another one under the same `kid` is not.
    pub(crate) fn holds(&self, key: &Arc<VerifyingKey>) -> bool {
        self.keys.iter().any(|held| Arc::ptr_eq(held, key))
    }

    /// A header that a proven token has had.
    pub(crate) fn known_header(&self, encoded: &str) -> Option<&KnownHeader> {
        self.headers
            .iter()
            .map_while(OnceLock::get)
            .find(|header| *header.encoded == *encoded)
    }

    /// An encoded header for many to keep: the one that is remembered, if it is.
    pub(crate) fn shared_header(&self, encoded: &str) -> Arc<str> {
        self.known_header(encoded)
            .map_or_else(|| encoded.into(), |known| known.encoded.clone())
    }

    /// Remembers the header of a proven token, if there is room.
    pub(crate) fn remember_header(
        &self,
        encoded: &str,
        algorithm: Algorithm,
        token_type: Option<&str>,
        key: &Arc<VerifyingKey>,
    ) {
        if let Some(free) = self.headers.iter().find(|header| header.get().is_none()) {
            // Whoever is faster has one to remember as well.
            let _ = free.set(KnownHeader {
                encoded: encoded.into(),
                algorithm,
                token_type: token_type.map(Into::into),
                key: key.clone(),
            });
        }
    }

    /// How many keys can verify tokens.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Always `false`: a set without a usable key is never made.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that can verify tokens.
    pub fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter().map(|key| &**key)
    }

    /// What became of each key of the document, in its order.
    pub fn outcomes(&self) -> &[KeyOutcome] {
        &self.outcomes
    }

    /// The key that a token's header selects: exactly the one it names, or, where it names none,
    /// the only one that fits its algorithm. Never "the first".
    pub(crate) fn select(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&Arc<VerifyingKey>, VerifyError> {
        let fits = |key: &&Arc<VerifyingKey>| key.algorithms().contains(algorithm);
        let Some(id) = id else {
            let mut fitting = self.keys.iter().filter(fits);
            return match (fitting.next(), fitting.next()) {
                (Some(key), None) => Ok(key),
                _ => Err(VerifyError::KeyIdMissing),
            };
        };
        let namesakes = self
            .by_id
            .get(id)
            .ok_or(VerifyError::KeyUnknown { refreshed: false })?;
        namesakes
            .iter()
            .filter_map(|position| self.keys.get(*position))
            .find(fits)
            .ok_or(VerifyError::KeyAlgorithmMismatch)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610""#;
    const EC: &str = r#""kty":"EC","crv":"P-256","x":"Cy2F20xBlTnc5Q5NDGyL1HFHWhTYs5xp0jDe4-CoTEc","y":"XA_A1ZspuSAQCX6KHskLogTOvK4zUhaQWaM6RfxFDbw""#;

    fn set(keys: &[String]) -> KeySet {
        KeySet::from_json(format!(r#"{{"keys":[{}],"other":1}}"#, keys.join(",")).as_bytes())
            .unwrap()
    }

    fn key(members: &str, id: &str) -> String {
        format!(r#"{{{members},"kid":"{id}"}}"#)
    }

    #[test]
    fn a_kid_selects_exactly_its_key_and_the_algorithm_must_fit() {
        let set = set(&[key(ED, "a"), key(EC, "b")]);
        let select = |id, algorithm| {
            set.select(id, algorithm)
                .map(|key| key.id().unwrap().to_owned())
        };
        assert_eq!(select(Some("a"), Algorithm::EdDsa), Ok("a".to_owned()));
        assert_eq!(select(Some("b"), Algorithm::Es256), Ok("b".to_owned()));
        assert_eq!(
            select(Some("a"), Algorithm::Es256),
            Err(VerifyError::KeyAlgorithmMismatch)
        );
        assert_eq!(
            select(Some("c"), Algorithm::Es256),
            Err(VerifyError::KeyUnknown { refreshed: false })
        );
        assert_eq!(
            select(Some(""), Algorithm::Es256),
            Err(VerifyError::KeyUnknown { refreshed: false })
        );
    }

    #[test]
    fn without_a_kid_one_single_key_must_fit() {
        let two_kinds = set(&[key(ED, "a"), format!("{{{EC}}}")]);
        assert!(two_kinds.select(None, Algorithm::Es256).is_ok());
        assert!(two_kinds.select(None, Algorithm::EdDsa).is_ok());
        assert_eq!(
            two_kinds.select(None, Algorithm::Rs256).err(),
            Some(VerifyError::KeyIdMissing)
        );
        let twice = set(&[key(ED, "a"), key(ED, "b")]);
        assert_eq!(
            twice.select(None, Algorithm::EdDsa).err(),
            Some(VerifyError::KeyIdMissing)
        );
    }

    #[test]
    fn keys_may_share_a_kid_only_if_their_algorithms_differ() {
        let set = set(&[key(ED, "1"), key(EC, "1"), key(ED, "1")]);
        assert_eq!(set.len(), 2);
        assert_eq!(set.outcomes()[2].result, Err(SkipReason::DuplicateKeyId));
        assert!(set.select(Some("1"), Algorithm::EdDsa).is_ok());
        assert!(set.select(Some("1"), Algorithm::Es256).is_ok());
    }

    #[test]
    fn one_unusable_key_never_spoils_the_others() {
        for odd in [
            "null",
            "7",
            r#""text""#,
            "{}",
            "[]",
            r#"{"kty":"AKP"}"#,
            r#"{"kty":7}"#,
            r#"{"kid":7}"#,
            r#"{"kty":"EC","kty":"EC"}"#,
            r#"{"key_ops":"verify"}"#,
            r#"{"x5c":"text"}"#,
            r#"{"use":[]}"#,
        ] {
            let set = set(&[odd.to_owned(), key(ED, "a")]);
            assert_eq!(set.len(), 1, "{odd}");
            assert_eq!(set.outcomes().len(), 2, "{odd}");
        }
    }

    #[test]
    fn a_document_without_a_usable_key_is_an_error() {
        for (json, expected) in [
            ("", KeySetError::Malformed),
            ("<html>", KeySetError::Malformed),
            ("[]", KeySetError::Malformed),
            (r#"[[{"kty":"oct"}]]"#, KeySetError::Malformed),
            ("{}", KeySetError::Malformed),
            (r#"{"keys":null}"#, KeySetError::Malformed),
            (r#"{"keys":[{]}"#, KeySetError::Malformed),
            (r#"{"keys":[],"keys":[]}"#, KeySetError::Malformed),
            (r#"{"keys":[]}"#, KeySetError::Empty),
            (
                r#"{"keys":[{"kty":"oct","k":"AA"}]}"#,
                KeySetError::NoUsableKey(1),
            ),
        ] {
            assert_eq!(
                KeySet::from_json(json.as_bytes()).err(),
                Some(expected),
                "{json}"
            );
        }
        let no_text = [b"{\"x\":\"\xff\",\"keys\":[{", ED.as_bytes(), b"}]}"].concat();
        assert_eq!(
            KeySet::from_json(&no_text).err(),
            Some(KeySetError::Malformed)
        );
        assert_eq!(
            KeySet::from_document(br#"{"keys":[1,2,3]}"#, 2, None).err(),
            Some(KeySetError::TooManyKeys(3))
        );
    }
}
