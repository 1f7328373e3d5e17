//! The seam through which wall-clock time comes in.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

/// Tells the time that a token's `exp`, `nbf` and `iat` are compared with.
///
/// Tests inject their own. The key set's life (cooldowns, staleness) runs on Tokio's monotonic
/// clock instead, so a jump of the wall clock does not disturb it; tests pause that one with
/// `tokio::time::pause`.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// The time of a NumericDate (RFC 7519 §2): seconds since the Unix epoch. One before the epoch is the
/// epoch.
pub(crate) fn from_unix_seconds(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
