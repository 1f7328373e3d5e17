//! What a verifier tells whoever counts its verifications.

use std::fmt;
use std::time::Duration;

use crate::error::VerifyError;

/// Is told of each verification, for metrics.
///
/// It is called in the middle of a request, so it should do little: a verification of a token seen
/// before takes less than 100 ns. Count with atomics, and export what was counted elsewhere.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use keyward::{Observation, VerificationObserver};
///
/// #[derive(Debug, Default)]
/// struct Refusals(AtomicU64);
///
/// impl VerificationObserver for Refusals {
///     fn observe(&self, verification: &Observation<'_>) {
///         if verification.error.is_some() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait VerificationObserver: fmt::Debug + Send + Sync + 'static {
    /// A verification has ended.
    fn observe(&self, verification: &Observation<'_>);
}

/// How a verification went. Nothing of the token is in it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Observation<'v> {
    /// Why the token was not accepted; `None` for one that was.
    pub error: Option<&'v VerifyError>,
    /// Whether the token was found among those verified before.
    pub cached: bool,
    /// How long it took, without the time for which it waited for keys. `None` for 63 of 64
    /// verifications of tokens seen before: to read the clock twice would take half as long again.
    pub duration: Option<Duration>,
}

/// Of so many verifications of tokens seen before, one is timed.
pub(crate) const HITS_PER_TIMED_HIT: u8 = 64;
