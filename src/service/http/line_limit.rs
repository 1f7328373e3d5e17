//! How many log lines of one kind there may be: a few each second, and then a count of the rest.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// In a second. Enough to see what happens; a flood has thousands.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct LineLimit(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

/// Whether a line may be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It may, after so many that might not.
    Allowed {
        suppressed: u64,
    },
    Suppressed,
}

impl LineLimit {
    /// Takes one line.
    pub(super) fn take(&self) -> Taken {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> Taken {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |began: Instant| now.saturating_duration_since(began) >= WINDOW;
        if window.began.is_none_or(is_over) {
            window.began = Some(now);
            window.lines = 0;
        }
        if window.lines == LINES {
            window.suppressed += 1;
            return Taken::Suppressed;
        }
        window.lines += 1;
        Taken::Allowed {
            suppressed: std::mem::take(&mut window.suppressed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_a_second_and_the_rest_is_counted() {
        let limit = LineLimit::default();
        let now = Instant::now();
        let taken = |milliseconds| limit.take_at(now + Duration::from_millis(milliseconds));
        for _ in 0..LINES {
            assert_eq!(taken(0), Taken::Allowed { suppressed: 0 });
        }
        for _ in 0..1000 {
            assert_eq!(taken(999), Taken::Suppressed);
        }
        assert_eq!(taken(1000), Taken::Allowed { suppressed: 1000 });
        assert_eq!(taken(1001), Taken::Allowed { suppressed: 0 });
    }
}
