//! When a key set is fetched: the rules, without the fetching.
//!
//! 1. A set is refreshed on a schedule: every [`RefreshOptions::interval`] ± 10 %, or as the
//!    response's `max-age` says, within a minute and an hour.
//! 2. An unknown `kid` asks for one refresh at once, then at most one per
//!    [`RefreshOptions::cooldown`], counted from the last attempt, failed ones included. One that
//!    brought the key it was made for does not count: keys that are rotated twice within a cooldown,
//!    as Better Auth's are when several requests find the old one expired, are both there at once,
//!    and made-up `kid`s gain nothing by it.
//! 3. A bad signature under a known `kid` asks for one too, at most one per
//!    [`RefreshOptions::bad_signature_cooldown`]: a rebuilt auth database reuses serial ids.
//! 4. Each of the three has a budget of its own, so that made-up tokens can starve none.
//! 5. At most one fetch is under way; all who need one share it.
//! 6. A `kid` that a set fetched for it did not contain is remembered until the next set, but
//!    for no more than two cooldowns: an auth server behind several caches may publish it late,
//!    and serial ids can be guessed before they are used.
//! 7. An answer that went by an older set than there is by now is not given: look again.
//! 8. A failure is retried after 1 s, doubled up to 60 s, with jitter, and never earlier than the
//!    server's `Retry-After`, which holds for all three budgets.
//!
//! Everything here is a function of the time it is given; [`super::remote`] supplies the clock.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// The bounds within which a response's `max-age` sets the interval.
const MAX_AGE_BOUNDS: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(60 * 60));

const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// A server that asks for more is asked again after an hour all the same: the set it serves may
/// have lost a key since.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// How many absent `kid`s are remembered. Each costs 24 bytes; one more forgets them all.
const MAX_ABSENT: usize = 1024;

/// Within these bounds options are taken; beyond them an attempt would follow on the other without
/// a pause, or time would overflow.
const OPTION_BOUNDS: (Duration, Duration) = (
    Duration::from_millis(100),
    Duration::from_secs(10 * 365 * 24 * 60 * 60),
);

/// How a fetched key set is kept fresh. `Default` gives the values named here; times below 100 ms
/// or above ten years are taken as those.
///
/// ```
/// let mut options = keyward::RefreshOptions::default();
/// options.max_staleness = std::time::Duration::from_secs(60 * 60);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshOptions {
    /// Time between scheduled refreshes: 5 min.
    pub interval: Duration,
    /// Least time between two refreshes for unknown `kid`s, unless the first brought its key: 10 s.
    pub cooldown: Duration,
    /// Least time between two refreshes for bad signatures: 60 s.
    pub bad_signature_cooldown: Duration,
    /// Verification stops this long after the last good answer: 24 h.
    pub max_staleness: Duration,
    /// A whole attempt takes no longer than this: 5 s, which is also the most that
    /// `HttpFetcher` allows.
    pub fetch_timeout: Duration,
    /// A document with more keys is refused: 256.
    pub max_keys: usize,
}

impl Default for RefreshOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5 * 60),
            cooldown: Duration::from_secs(10),
            bad_signature_cooldown: Duration::from_secs(60),
            max_staleness: Duration::from_secs(24 * 60 * 60),
            fetch_timeout: Duration::from_secs(5),
            max_keys: 256,
        }
    }
}

impl RefreshOptions {
    pub(crate) fn bounded(self) -> Self {
        let bounded = |time: Duration| time.clamp(OPTION_BOUNDS.0, OPTION_BOUNDS.1);
        Self {
            interval: bounded(self.interval),
            cooldown: bounded(self.cooldown),
            bad_signature_cooldown: bounded(self.bad_signature_cooldown),
            max_staleness: bounded(self.max_staleness),
            fetch_timeout: bounded(self.fetch_timeout),
            max_keys: self.max_keys,
        }
    }
}

/// The answer to a request that lacks a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There is a newer set than the one looked at.
    LookAgain,
    /// Wait for an attempt to end, then look again.
    Wait(Waiting),
    /// The key is not there. `refreshed`: a set fetched for this `kid` did not contain it.
    Unknown { refreshed: bool },
    /// Whether it is there cannot be said.
    Unavailable { retry_after: Duration },
}

/// A request waits for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) attempt: u64,
    /// The attempt began after the request had asked, so its answer settles the question.
    settles: bool,
}

/// The state of a key set's refreshes.
#[derive(Debug)]
pub(crate) struct Refresh {
    options: RefreshOptions,
    attempts: u64,
    /// The last attempt that brought a set.
    last_succeeded: u64,
    in_flight: bool,
    last_failed: bool,
    failures: u32,
    scheduled_at: Instant,
    /// The server's `Retry-After`.
    not_before: Instant,
    unknown_allowed_at: Instant,
    /// The `kid` that the attempt under way was begun for, by its hash.
    wanted: Option<u64>,
    bad_signature_allowed_at: Instant,
    absent: HashMap<u64, Instant>,
    counts: Counts,
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// Requests with a `kid` that was not there at first.
    pub(crate) unknown_keys: u64,
}

impl Refresh {
    /// A set that was never fetched: the first attempt is due at once.
    pub(crate) fn new(options: RefreshOptions, now: Instant) -> Self {
        Self {
            options,
            attempts: 0,
            last_succeeded: 0,
            in_flight: false,
            last_failed: false,
            failures: 0,
            scheduled_at: now,
            not_before: now,
            unknown_allowed_at: now,
            wanted: None,
            bad_signature_allowed_at: now,
            absent: HashMap::new(),
            counts: Counts::default(),
        }
    }

    /// What has happened since the start.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The attempt to make now, if one was asked for or is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u64> {
        if !self.in_flight && now >= self.scheduled_at {
            self.begin();
        }
        self.in_flight.then_some(self.attempts)
    }

    /// When the next attempt is due.
    pub(crate) fn scheduled_at(&self) -> Instant {
        self.scheduled_at
    }

    /// Consecutive failures.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The task that makes the attempts was dropped, with its runtime or by a panic. An attempt
    /// that was under way has failed. Gives its number.
    pub(crate) fn abandon(&mut self, now: Instant, random: f64) -> u64 {
        if self.in_flight {
            self.failed(now, None, random);
        }
        self.attempts
    }

    fn begin(&mut self) -> u64 {
        self.attempts += 1;
        self.in_flight = true;
        self.attempts
    }

    /// A request came while there is no set, or only one that is too old. `seen`: the attempt that
    /// brought the set it looked at, 0 for none.
    pub(crate) fn no_keys(&mut self, now: Instant, seen: u64, waited: Option<Waiting>) -> Answer {
        if self.last_succeeded > seen {
            return Answer::LookAgain;
        }
        match (waited, self.due(now)) {
            (None, Some(attempt)) => Answer::Wait(Waiting {
                attempt,
                settles: false,
            }),
            _ => self.unavailable(now),
        }
    }

    /// A request named a `kid`, here by its hash, that the set does not have. `seen`: the attempt
    /// that brought that set; `waited`: what the request waited for already.
    pub(crate) fn unknown_key(
        &mut self,
        kid: u64,
        now: Instant,
        seen: u64,
        waited: Option<Waiting>,
    ) -> Answer {
        if self.last_succeeded > seen {
            return Answer::LookAgain;
        }
        self.counts.unknown_keys += u64::from(waited.is_none());
        if let Some(waiting) = waited {
            // It failed, or is still running: the question is not settled.
            if self.last_succeeded < waiting.attempt {
                return self.unavailable(now);
            }
            if waiting.settles {
                self.remember_absent(kid, now);
                return Answer::Unknown { refreshed: true };
            }
        }
        if self
            .absent
            .get(&kid)
            .is_some_and(|since| now < *since + 2 * self.options.cooldown)
        {
            return Answer::Unknown { refreshed: true };
        }
        if self.in_flight {
            return Answer::Wait(Waiting {
                attempt: self.attempts,
                settles: waited.is_some(),
            });
        }
        if now >= self.unknown_allowed_at && now >= self.not_before {
            self.unknown_allowed_at = now + self.options.cooldown;
            self.wanted = Some(kid);
            return Answer::Wait(Waiting {
                attempt: self.begin(),
                settles: true,
            });
        }
        // A key signed with since the last good answer may be missing only because the auth
        // server is away: that is no reason to call its token false.
        match self.last_failed {
            true => self.unavailable(now),
            false => Answer::Unknown { refreshed: false },
        }
    }

    /// A signature under a known `kid` was bad. The attempt that this starts, if it does; nobody
    /// waits.
    pub(crate) fn bad_signature(&mut self, now: Instant) -> Option<u64> {
        if self.in_flight || now < self.bad_signature_allowed_at || now < self.not_before {
            return None;
        }
        self.bad_signature_allowed_at = now + self.options.bad_signature_cooldown;
        Some(self.begin())
    }

    /// The attempt brought a good set, in which `holds` looks for the hash of a `kid`. `random` is
    /// in `0.0..1.0`.
    pub(crate) fn succeeded(
        &mut self,
        now: Instant,
        max_age: Option<Duration>,
        holds: impl FnOnce(u64) -> bool,
        random: f64,
    ) {
        self.in_flight = false;
        if self.wanted.take().is_some_and(holds) {
            self.unknown_allowed_at = now;
        }
        self.counts.succeeded += 1;
        self.last_succeeded = self.attempts;
        self.last_failed = false;
        self.failures = 0;
        self.absent.clear();
        let (least, most) = MAX_AGE_BOUNDS;
        let interval = max_age.map_or(self.options.interval, |max_age| max_age.clamp(least, most));
        self.scheduled_at = now + interval.mul_f64(0.9 + 0.2 * random);
    }

    /// The attempt brought nothing usable. `random` is in `0.0..1.0`.
    pub(crate) fn failed(&mut self, now: Instant, retry_after: Option<Duration>, random: f64) {
        self.in_flight = false;
        self.wanted = None;
        self.counts.failed += 1;
        self.last_failed = true;
        let doubled = FIRST_BACKOFF
            .saturating_mul(1 << self.failures.min(6))
            .min(LONGEST_BACKOFF);
        self.failures = self.failures.saturating_add(1);
        // Half of it is jitter, so that many replicas do not come back together.
        let backoff = doubled.mul_f64(0.5 + 0.5 * random);
        let retry_after = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.not_before = now + retry_after;
        self.scheduled_at = now + backoff.max(retry_after);
    }

    fn unavailable(&self, now: Instant) -> Answer {
        let retry_after = self
            .scheduled_at
            .saturating_duration_since(now)
            .max(Duration::from_secs(1));
        Answer::Unavailable { retry_after }
    }

    fn remember_absent(&mut self, kid: u64, now: Instant) {
        if self.absent.len() >= MAX_ABSENT {
            self.absent.clear();
        }
        self.absent.insert(kid, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MIDDLE: f64 = 0.5;

    /// A set that was fetched at the returned time.
    fn fetched() -> (Refresh, Instant) {
        let now = Instant::now();
        let mut refresh = Refresh::new(RefreshOptions::default(), now);
        assert_eq!(refresh.due(now), Some(1));
        refresh.succeeded(now, None, |_| false, MIDDLE);
        (refresh, now)
    }

    /// Asks as a request does that has looked at the newest set.
    fn ask(refresh: &mut Refresh, kid: u64, now: Instant, waited: Option<Waiting>) -> Answer {
        let seen = refresh.last_succeeded;
        refresh.unknown_key(kid, now, seen, waited)
    }

    fn ask_for_any(refresh: &mut Refresh, now: Instant, waited: Option<Waiting>) -> Answer {
        let seen = refresh.last_succeeded;
        refresh.no_keys(now, seen, waited)
    }

    #[test]
    fn an_answer_by_an_older_set_than_there_is_is_not_given() {
        let (mut refresh, now) = fetched();
        assert_eq!(refresh.no_keys(now, 0, None), Answer::LookAgain);
        assert_eq!(refresh.unknown_key(1, now, 0, None), Answer::LookAgain);
        started(refresh.unknown_key(1, now, 1, None));
    }

    #[test]
    fn a_refresh_that_brought_its_key_starts_no_cooldown_and_one_that_did_not_does() {
        let (mut refresh, now) = fetched();
        for kid in 1..5 {
            started(ask(&mut refresh, kid, now, None));
            refresh.succeeded(now, None, |wanted| wanted == kid, MIDDLE);
        }
        // Brought by another's: it was not what the attempt was made for.
        started(ask(&mut refresh, 5, now, None));
        refresh.succeeded(now, None, |wanted| wanted == 6, MIDDLE);
        let answer = ask(&mut refresh, 7, now, None);
        assert_eq!(answer, Answer::Unknown { refreshed: false });
        // What is scheduled is made for no key.
        refresh.scheduled_at = now;
        assert!(refresh.due(now).is_some());
        refresh.succeeded(now, None, |_| true, MIDDLE);
        let answer = ask(&mut refresh, 7, now, None);
        assert_eq!(answer, Answer::Unknown { refreshed: false });
        let later = now + 10 * SECOND;
        started(ask(&mut refresh, 7, later, None));
        refresh.failed(later, None, MIDDLE);
        assert!(matches!(
            ask(&mut refresh, 8, later, None),
            Answer::Unavailable { .. }
        ));
    }

    #[test]
    fn an_abandoned_attempt_settles_nothing() {
        let (mut refresh, now) = fetched();
        let waiting = started(ask(&mut refresh, 1, now, None));
        assert_eq!(refresh.abandon(now, MIDDLE), waiting.attempt);
        let answer = ask(&mut refresh, 1, now, Some(waiting));
        assert!(matches!(answer, Answer::Unavailable { .. }), "{answer:?}");
        assert!(refresh.absent.is_empty());
    }

    #[test]
    fn an_attempt_that_is_due_is_waited_for_although_nobody_has_begun_it() {
        let (mut refresh, now) = fetched();
        let due = refresh.scheduled_at();
        started(ask_for_any(&mut refresh, due, None));
        assert!(now < due);
    }

    #[test]
    fn options_beyond_all_bounds_overflow_nothing() {
        let now = Instant::now();
        for time in [Duration::ZERO, Duration::MAX] {
            let options = RefreshOptions {
                interval: time,
                cooldown: time,
                bad_signature_cooldown: time,
                max_staleness: time,
                fetch_timeout: time,
                max_keys: 1,
            };
            let mut refresh = Refresh::new(options.bounded(), now);
            refresh.due(now);
            refresh.succeeded(now, None, |_| false, 1.0);
            assert!(refresh.scheduled_at() > now);
            started(ask(&mut refresh, 1, now, None));
            refresh.failed(now, None, 1.0);
            assert!(refresh.bad_signature(now).is_some());
        }
    }

    fn started(answer: Answer) -> Waiting {
        match answer {
            Answer::Wait(waiting) => waiting,
            other => panic!("expected an attempt, got {other:?}"),
        }
    }

    #[test]
    fn the_schedule_has_jitter_and_follows_max_age_within_its_bounds() {
        for (max_age, random, expected) in [
            (None, 0.0, 270.0),
            (None, 0.5, 300.0),
            (None, 1.0, 330.0),
            (Some(0), 0.5, 60.0),
            (Some(600), 0.5, 600.0),
            (Some(86_400), 0.5, 3600.0),
        ] {
            let (mut refresh, now) = fetched();
            refresh.succeeded(now, max_age.map(Duration::from_secs), |_| false, random);
            let delay = refresh.scheduled_at() - now;
            assert!(
                (delay.as_secs_f64() - expected).abs() < 0.001,
                "{max_age:?} {random}: {delay:?}"
            );
            assert_eq!(refresh.due(now + delay - SECOND), None);
            assert_eq!(refresh.due(now + delay), Some(2));
        }
    }

    #[test]
    fn an_unknown_kid_refreshes_once_per_cooldown() {
        let (mut refresh, now) = fetched();
        let first = started(ask(&mut refresh, 1, now, None));
        refresh.succeeded(now, None, |_| false, MIDDLE);
        assert_eq!(
            ask(&mut refresh, 1, now, Some(first)),
            Answer::Unknown { refreshed: true }
        );

        for kid in 2..5000 {
            assert_eq!(
                ask(&mut refresh, kid, now + 9 * SECOND, None),
                Answer::Unknown { refreshed: false }
            );
        }
        let second = started(ask(&mut refresh, 2, now + 10 * SECOND, None));
        assert_eq!(second.attempt, 3);
    }

    #[test]
    fn requests_share_the_attempt_in_flight_and_only_a_later_one_settles_for_them() {
        let (mut refresh, now) = fetched();
        let due = refresh.scheduled_at();
        assert_eq!(refresh.due(due), Some(2)); // the scheduled refresh began before the key was made
        let joined = started(ask(&mut refresh, 7, due, None));
        assert_eq!(
            joined,
            Waiting {
                attempt: 2,
                settles: false
            }
        );
        refresh.succeeded(due, None, |_| false, MIDDLE);
        // Its own budget is untouched, so the request gets a fetch of its own.
        let own = started(ask(&mut refresh, 7, due, Some(joined)));
        assert_eq!(
            own,
            Waiting {
                attempt: 3,
                settles: true
            }
        );
        // Another joined the same first attempt: by now the second is in flight and settles.
        assert_eq!(started(ask(&mut refresh, 8, due, Some(joined))), own);
        refresh.succeeded(due, None, |_| false, MIDDLE);
        assert_eq!(
            ask(&mut refresh, 7, due, Some(own)),
            Answer::Unknown { refreshed: true }
        );
        assert!(now < due);
    }

    #[test]
    fn an_absent_kid_is_remembered_for_two_cooldowns_or_until_the_next_set() {
        let (mut refresh, now) = fetched();
        let waiting = started(ask(&mut refresh, 1, now, None));
        refresh.succeeded(now, None, |_| false, MIDDLE);
        ask(&mut refresh, 1, now, Some(waiting));
        // Remembered beyond the cooldown: it does not spend the next attempt.
        assert_eq!(
            ask(&mut refresh, 1, now + 19 * SECOND, None),
            Answer::Unknown { refreshed: true }
        );
        started(ask(&mut refresh, 1, now + 20 * SECOND, None));
        refresh.succeeded(now + 20 * SECOND, None, |_| false, MIDDLE);
        assert_eq!(
            ask(&mut refresh, 1, now + 20 * SECOND, None),
            Answer::Unknown { refreshed: false }
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut refresh, now) = fetched();
        for kid in 0..10_000 {
            refresh.remember_absent(kid, now);
            assert!(refresh.absent.len() <= MAX_ABSENT);
        }
    }

    #[test]
    fn the_cooldown_counts_failed_attempts_too() {
        let (mut refresh, now) = fetched();
        let waiting = started(ask(&mut refresh, 1, now, None));
        refresh.failed(now, None, MIDDLE);
        assert!(matches!(
            ask(&mut refresh, 1, now, Some(waiting)),
            Answer::Unavailable { .. }
        ));
        for kid in 2..100 {
            assert!(matches!(
                ask(&mut refresh, kid, now + 9 * SECOND, None),
                Answer::Unavailable { .. }
            ));
        }
        started(ask(&mut refresh, 2, now + 10 * SECOND, None));
    }

    #[test]
    fn three_budgets_none_of_which_spends_another() {
        let (mut refresh, now) = fetched();
        assert!(refresh.bad_signature(now).is_some());
        refresh.succeeded(now, None, |_| false, MIDDLE);
        assert!(refresh.bad_signature(now + 59 * SECOND).is_none());
        started(ask(&mut refresh, 1, now, None));
        refresh.succeeded(now, None, |_| false, MIDDLE);
        assert!(refresh.bad_signature(now + 60 * SECOND).is_some());
        refresh.succeeded(now + 60 * SECOND, None, |_| false, MIDDLE);
        let due = refresh.scheduled_at();
        assert!(refresh.due(due).is_some());
    }

    #[test]
    fn failures_back_off_from_a_second_to_a_minute_with_jitter() {
        let (mut refresh, now) = fetched();
        let mut delays = Vec::new();
        for _ in 0..8 {
            refresh.failed(now, None, 1.0);
            delays.push((refresh.scheduled_at() - now).as_secs());
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
        refresh.failed(now, None, 0.0);
        assert_eq!(refresh.scheduled_at() - now, 30 * SECOND);
        assert_eq!(refresh.failures(), 9);
        refresh.succeeded(now, None, |_| false, MIDDLE);
        refresh.failed(now, None, 1.0);
        assert_eq!(refresh.scheduled_at() - now, SECOND);
    }

    #[test]
    fn retry_after_holds_for_every_budget_up_to_an_hour() {
        let (mut refresh, now) = fetched();
        refresh.failed(now, Some(45 * SECOND), MIDDLE);
        assert_eq!(refresh.scheduled_at() - now, 45 * SECOND);
        assert_eq!(
            ask(&mut refresh, 1, now + 44 * SECOND, None),
            Answer::Unavailable {
                retry_after: SECOND
            }
        );
        assert!(refresh.bad_signature(now + 44 * SECOND).is_none());
        assert!(refresh.bad_signature(now + 45 * SECOND).is_some());
        refresh.failed(now, Some(Duration::MAX), MIDDLE);
        assert_eq!(refresh.scheduled_at() - now, LONGEST_RETRY_AFTER);
    }

    #[test]
    fn before_the_first_set_requests_wait_only_for_an_attempt_in_flight() {
        let now = Instant::now();
        let mut refresh = Refresh::new(RefreshOptions::default(), now);
        refresh.due(now);
        let waiting = started(ask_for_any(&mut refresh, now, None));
        refresh.failed(now, None, 1.0);
        let unavailable = Answer::Unavailable {
            retry_after: SECOND,
        };
        assert_eq!(ask_for_any(&mut refresh, now, Some(waiting)), unavailable);
        assert_eq!(ask_for_any(&mut refresh, now, None), unavailable);
        // A request that has waited once does not wait for the retry as well.
        refresh.due(now + SECOND);
        assert_eq!(
            ask_for_any(&mut refresh, now + SECOND, Some(waiting)),
            unavailable
        );
        started(ask_for_any(&mut refresh, now + SECOND, None));
    }
}
