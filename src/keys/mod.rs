//! Keys: one key, a set of them, where sets come from, and how a fetched one is kept fresh.

#[cfg(feature = "remote")]
pub(crate) mod discovery;
mod ed25519;
pub(crate) mod fetch;
#[cfg(feature = "remote")]
pub(crate) mod http;
pub(crate) mod key;
pub(crate) mod key_set;
pub(crate) mod refresh;
pub(crate) mod remote;
#[cfg(feature = "remote")]
pub(crate) mod warm_start;

use std::sync::Arc;
use std::time::Duration;

use key_set::KeySet;
use refresh::Waiting;
use remote::{Lookup, RemoteKeySet};

/// Where a verifier gets its keys: a fixed set, or one that is fetched and refreshed.
#[derive(Clone, Debug)]
pub struct KeySource(pub(crate) Source);

#[derive(Clone, Debug)]
pub(crate) enum Source {
    Fixed(Arc<KeySet>),
    Remote(RemoteKeySet),
}

impl KeySource {
    /// The keys at this moment. Wait-free, and for a moment only: it is not to be kept.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        match &self.0 {
            Source::Fixed(keys) => Snapshot(Held::Fixed(keys)),
            Source::Remote(remote) => Snapshot(Held::Remote(remote.look())),
        }
    }

    /// The one that is fetched, if it is.
    pub(crate) fn remote(&self) -> Option<&RemoteKeySet> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::Remote(remote) => Some(remote),
        }
    }

    /// Time since the keys were last given by the auth server; `None` for fixed ones.
    pub(crate) fn age(&self) -> Option<Duration> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::Remote(remote) => remote.age(),
        }
    }

    /// What to do if a snapshot held no keys. `seen`: the attempt that brought it; `waited`: what
    /// was waited for already.
    pub(crate) fn no_keys(&self, seen: u64, waited: Option<Waiting>) -> Lookup {
        match &self.0 {
            Source::Fixed(_) => Lookup::Unknown { refreshed: false },
            Source::Remote(remote) => remote.no_keys(seen, waited),
        }
    }

    /// What to do if a snapshot did not hold a token's key.
    pub(crate) fn unknown_key(&self, kid: &str, seen: u64, waited: Option<Waiting>) -> Lookup {
        match &self.0 {
            Source::Fixed(_) => Lookup::Unknown { refreshed: false },
            Source::Remote(remote) => remote.unknown_key(kid, seen, waited),
        }
    }

    /// A rebuilt auth database with serial ids reuses `kid`s, so a token that does not fit the
    /// key it names may mean that the key is an old one.
    pub(crate) fn suspect_stale_key(&self) {
        if let Source::Remote(remote) = &self.0 {
            remote.bad_signature();
        }
    }
}

/// The keys at one moment.
pub(crate) struct Snapshot<'s>(Held<'s>);

enum Held<'s> {
    Fixed(&'s KeySet),
    Remote(remote::Look),
}

impl Snapshot<'_> {
    /// The keys, unless there are none or they are too old to be trusted.
    pub(crate) fn keys(&self) -> Option<&KeySet> {
        match &self.0 {
            Held::Fixed(keys) => Some(keys),
            Held::Remote(look) => look.usable(),
        }
    }

    /// The attempt that brought them, be they too old or not; 0 for none.
    pub(crate) fn attempt(&self) -> u64 {
        match &self.0 {
            Held::Fixed(_) => 0,
            Held::Remote(look) => look.attempt(),
        }
    }
}

impl From<KeySet> for KeySource {
    fn from(keys: KeySet) -> Self {
        Self(Source::Fixed(Arc::new(keys)))
    }
}

impl From<RemoteKeySet> for KeySource {
    fn from(keys: RemoteKeySet) -> Self {
        Self(Source::Remote(keys))
    }
}
