//! A clock that a test moves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::clock::Clock;

/// The wall clock of a test: goes as the system's does, and is put forward or back by hand. Clones
/// are one clock.
///
/// It tells the time that tokens' `exp`, `nbf` and `iat` are compared with. The life of a key set
/// (refreshes, cooldowns, staleness) runs on Tokio's clock instead: `tokio::time::pause` and
/// `advance` move that one.
#[derive(Clone, Debug, Default)]
pub struct TestClock(Arc<Mutex<Offset>>);

#[derive(Clone, Copy, Debug, Default)]
struct Offset {
    ahead: Duration,
    behind: Duration,
}

impl TestClock {
    /// A clock that shows the system's time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut offset = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        offset.ahead = offset.ahead.saturating_add(by);
    }

    /// Puts the clock back.
    pub fn rewind(&self, by: Duration) {
        let mut offset = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        offset.behind = offset.behind.saturating_add(by);
    }
}

impl Clock for TestClock {
    /// The time; the system's where the clock was moved beyond what a `SystemTime` can tell.
    fn now(&self) -> SystemTime {
        let offset = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let moved = match offset.ahead.checked_sub(offset.behind) {
            Some(ahead) => now.checked_add(ahead),
            None => now.checked_sub(offset.behind.saturating_sub(offset.ahead)),
        };
        moved.unwrap_or(now)
    }
}
