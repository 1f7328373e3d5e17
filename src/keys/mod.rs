//! Keys: one key, a set of them, where sets come from, and how a fetched one is kept fresh.

mod ed25519;
pub(crate) mod fetch;
#[cfg(feature = "remote")]
pub(crate) mod http;
pub(crate) mod key;
pub(crate) mod key_set;
pub(crate) mod refresh;
pub(crate) mod remote;

use std::sync::Arc;

use key_set::KeySet;
use remote::RemoteKeySet;

/// Where a verifier gets its keys: a fixed set, or one that is fetched and refreshed.
#[derive(Clone, Debug)]
pub struct KeySource(pub(crate) Source);

#[derive(Clone, Debug)]
pub(crate) enum Source {
    Fixed(Arc<KeySet>),
    Remote(RemoteKeySet),
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
