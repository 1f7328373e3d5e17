//! A key set that is fetched, kept, and refreshed in the background.
//!
//! Reading it is wait-free; only a request that lacks a key ever waits, and then for one attempt,
//! shared with all others. One task makes the attempts, one after another. It starts with the
//! first runtime it meets, holds the set only weakly, and is started again if that runtime ends.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::fetch::{FetchError, FetchKeySet, Fetched};
use super::key::VerifyingKey;
use super::key_set::{KeySet, KeySetError};
use super::refresh::{Answer, Refresh, RefreshOptions, Waiting};

/// A request waits this much longer than an attempt may take; an attempt that is still not over
/// then was dropped with its runtime.
const WAIT_MARGIN: Duration = Duration::from_secs(1);

/// Why a refresh brought no set to verify with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The document could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The document is not a key set.
    #[error(transparent)]
    Document(#[from] KeySetError),
}

impl RefreshError {
    /// A stable code for traces: a word, or the status of an answer that was not 200.
    pub fn code(&self) -> Cow<'static, str> {
        match self {
            Self::Fetch(error) => error.code(),
            Self::Document(_) => "key_set_unusable".into(),
        }
    }
}

/// How a remote key set is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeySetStatus {
    /// Whether tokens can be verified: there is a set, and it is not too old.
    pub usable: bool,
    /// Time since the last good answer; `None` before the first.
    pub age: Option<Duration>,
    /// How many keys can verify tokens.
    pub keys: usize,
    /// Failed attempts since the last good answer.
    pub consecutive_failures: u32,
    /// Why the last attempt failed, if it did.
    pub last_error: Option<RefreshError>,
    /// Attempts that brought a good answer, since the start.
    pub succeeded: u64,
    /// Attempts that did not, since the start.
    pub failed: u64,
    /// Tokens whose `kid` was not in the set at first, since the start.
    pub unknown_keys: u64,
}

/// A key set behind a URL, or whatever else a [`FetchKeySet`] fetches. Cheap to clone and meant
/// to be shared: verifiers made from clones share keys, refreshes and budgets.
#[derive(Clone)]
pub struct RemoteKeySet(Arc<Shared>);

struct Shared {
    fetcher: Arc<dyn FetchKeySet>,
    options: RefreshOptions,
    loaded: ArcSwapOption<Loaded>,
    refresh: Mutex<Refresh>,
    last_error: Mutex<Option<RefreshError>>,
    /// Wakes the task that makes the attempts.
    wake: Arc<Notify>,
    /// The number of the last attempt that has ended.
    ended: watch::Sender<u64>,
    keeper_runs: AtomicBool,
    kid_hasher: RandomState,
    /// An attempt, and the verification that asked for it first, which it is traced below.
    asked_by: Mutex<Option<(u64, Span)>>,
    on_answer: Option<Box<OnAnswer>>,
}

/// Is told of each good answer: the keys, and the document unless it is still the last one.
pub(super) type OnAnswer = dyn Fn(&KeySet, Option<&[u8]>) + Send + Sync;

/// Keys to begin with, and how long ago the auth server gave them.
pub(super) struct Held {
    pub(super) keys: KeySet,
    pub(super) age: Duration,
}

struct Loaded {
    /// The number of the attempt that brought it; 0 for one that was there at the start.
    attempt: u64,
    keys: Arc<KeySet>,
    etag: Option<String>,
    loaded_at: Instant,
    /// How old it was then. Not taken off `loaded_at`: time may not reach back that far.
    age_then: Duration,
}

impl Loaded {
    fn age(&self) -> Duration {
        self.loaded_at.elapsed().saturating_add(self.age_then)
    }
}

/// The set at one moment, borrowed without a count of references that all threads would write to.
pub(crate) struct Look {
    loaded: Guard<Option<Arc<Loaded>>>,
    usable: bool,
}

impl Look {
    /// The keys, unless there are none or they are too old to be trusted.
    pub(crate) fn usable(&self) -> Option<&KeySet> {
        self.loaded
            .as_deref()
            .filter(|_| self.usable)
            .map(|loaded| &*loaded.keys)
    }

    /// The attempt that brought them, be they too old or not; 0 for none.
    pub(crate) fn attempt(&self) -> u64 {
        self.loaded.as_deref().map_or(0, |loaded| loaded.attempt)
    }
}

/// What to do about a key that is not there.
pub(crate) enum Lookup {
    /// There is a newer set by now.
    LookAgain,
    /// Await this, then look again and say what was waited for.
    Wait(Waiting, KeyWait),
    Unknown {
        refreshed: bool,
    },
    Unavailable {
        retry_after: Duration,
    },
}

/// Ends with the attempt that a request waits for, or when that has taken too long.
pub(crate) type KeyWait = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

impl RemoteKeySet {
    /// A key set that `fetcher` fetches. The first attempt begins at once inside a Tokio runtime,
    /// else with the first verification; neither waits for it here. The runtime must have its time
    /// enabled.
    pub fn new(fetcher: impl FetchKeySet, options: RefreshOptions) -> Self {
        Self::start(fetcher, options, None, None)
    }

    pub(super) fn start(
        fetcher: impl FetchKeySet,
        options: RefreshOptions,
        held: Option<Held>,
        on_answer: Option<Box<OnAnswer>>,
    ) -> Self {
        let options = options.bounded();
        let now = Instant::now();
        let held = held.map(|held| {
            Arc::new(Loaded {
                attempt: 0,
                keys: Arc::new(held.keys),
                etag: None,
                loaded_at: now,
                age_then: held.age,
            })
        });
        let set = Self(Arc::new(Shared {
            fetcher: Arc::new(fetcher),
            options,
            loaded: ArcSwapOption::new(held),
            refresh: Mutex::new(Refresh::new(options, now)),
            last_error: Mutex::new(None),
            wake: Arc::new(Notify::new()),
            ended: watch::Sender::new(0),
            keeper_runs: AtomicBool::new(false),
            kid_hasher: RandomState::new(),
            asked_by: Mutex::new(None),
            on_answer,
        }));
        set.ensure_keeper();
        set
    }

    /// How it is doing.
    pub fn status(&self) -> KeySetStatus {
        self.ensure_keeper();
        let loaded = self.0.loaded.load();
        let loaded = loaded.as_deref();
        let (failures, counts) = {
            let refresh = self.0.refresh();
            (refresh.failures(), refresh.counts())
        };
        KeySetStatus {
            usable: loaded.is_some_and(|loaded| self.fresh_enough(loaded)),
            age: loaded.map(Loaded::age),
            keys: loaded.map_or(0, |loaded| loaded.keys.len()),
            consecutive_failures: failures,
            last_error: lock(&self.0.last_error).clone(),
            succeeded: counts.succeeded,
            failed: counts.failed,
            unknown_keys: counts.unknown_keys,
        }
    }

    /// Whether both are clones of one set.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Time since the last good answer.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.0.loaded.load().as_deref().map(Loaded::age)
    }

    /// The keys at this moment, unless there are none or they are too old to be trusted.
    pub fn keys(&self) -> Option<Arc<KeySet>> {
        let look = self.look();
        let loaded = look.loaded.as_ref().filter(|_| look.usable)?;
        Some(loaded.keys.clone())
    }

    /// What there is at this moment.
    pub(crate) fn look(&self) -> Look {
        self.ensure_keeper();
        let loaded = self.0.loaded.load();
        let usable = loaded
            .as_deref()
            .is_some_and(|loaded| self.fresh_enough(loaded));
        Look { loaded, usable }
    }

    fn fresh_enough(&self, loaded: &Loaded) -> bool {
        loaded.age() < self.0.options.max_staleness
    }

    /// For a request that came while [`keys`](Self::keys) had none.
    pub(crate) fn no_keys(&self, seen: u64, waited: Option<Waiting>) -> Lookup {
        let answer = self.0.refresh().no_keys(Instant::now(), seen, waited);
        self.act_on(answer)
    }

    /// For a request with a `kid` that the set does not have.
    pub(crate) fn unknown_key(&self, kid: &str, seen: u64, waited: Option<Waiting>) -> Lookup {
        let kid = self.0.kid_hasher.hash_one(kid);
        let answer = self
            .0
            .refresh()
            .unknown_key(kid, Instant::now(), seen, waited);
        self.act_on(answer)
    }

    /// For a request whose token names a key of the set and is not that key's.
    pub(crate) fn bad_signature(&self) {
        let attempt = self.0.refresh().bad_signature(Instant::now());
        if let Some(attempt) = attempt {
            self.0.ask(attempt);
        }
    }

    fn act_on(&self, answer: Answer) -> Lookup {
        match answer {
            Answer::LookAgain => Lookup::LookAgain,
            // Nothing here could wait, nor make an attempt.
            Answer::Wait(_) if tokio::runtime::Handle::try_current().is_err() => {
                Lookup::Unavailable {
                    retry_after: WAIT_MARGIN,
                }
            }
            Answer::Unknown { refreshed } => Lookup::Unknown { refreshed },
            Answer::Unavailable { retry_after } => Lookup::Unavailable { retry_after },
            Answer::Wait(waiting) => {
                let mut ended = self.0.ended.subscribe();
                self.0.ask(waiting.attempt);
                let limit = self.0.options.fetch_timeout + WAIT_MARGIN;
                let wait = async move {
                    // Neither a time-out nor a closed channel needs handling: the request looks
                    // again and finds that the attempt has brought nothing.
                    let _ = timeout(limit, ended.wait_for(|ended| *ended >= waiting.attempt)).await;
                };
                Lookup::Wait(waiting, Box::pin(wait))
            }
        }
    }

    fn ensure_keeper(&self) {
        if self.0.keeper_runs.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.0.keeper_runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let guard = KeeperGuard(Arc::downgrade(&self.0));
        runtime.spawn(keep(guard, self.0.wake.clone()));
    }
}

impl fmt::Debug for RemoteKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeySet")
            .field("fetcher", &self.0.fetcher)
            .field("options", &self.0.options)
            .field("status", &self.status())
            .finish()
    }
}

impl Shared {
    fn refresh(&self) -> MutexGuard<'_, Refresh> {
        lock(&self.refresh)
    }

    /// Wakes the task that makes the attempts, for the one with this number.
    fn ask(&self, attempt: u64) {
        let span = Span::current();
        if !span.is_disabled() {
            let mut asked_by = lock(&self.asked_by);
            // One that has ended by now would hold the span, and hold it back, until the next.
            let is_ahead = attempt > *self.ended.borrow();
            if is_ahead && asked_by.as_ref().is_none_or(|(other, _)| *other < attempt) {
                *asked_by = Some((attempt, span));
            }
        }
        self.wake.notify_one();
    }

    async fn make_attempt(&self, number: u64) {
        let asked_by = lock(&self.asked_by).take_if(|(attempt, _)| *attempt == number);
        let span = || {
            tracing::info_span!(
                "refresh_key_set",
                otel.status_code = Empty,
                keyward.result = Empty,
                keyward.key_set.keys = Empty,
                error.type = Empty,
            )
        };
        // Entered, not named as the parent: its id may mean nothing to this thread's subscriber.
        let span = match asked_by {
            Some((_, parent)) => parent.in_scope(span),
            None => span(),
        };
        self.attempt(number).instrument(span).await;
        let mut asked_by = lock(&self.asked_by);
        asked_by.take_if(|(attempt, _)| *attempt <= number);
        self.ended.send_replace(number);
    }

    async fn attempt(&self, number: u64) {
        let held = self.loaded.load_full();
        let etag = held.as_ref().and_then(|held| held.etag.clone());
        let fetched = match timeout(self.options.fetch_timeout, self.fetcher.fetch(etag)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::Timeout),
        };
        let now = Instant::now();
        match self.read(number, fetched, held.as_deref(), now) {
            Ok((loaded, max_age)) => {
                let span = Span::current();
                span.record("keyward.result", "succeeded");
                span.record("keyward.key_set.keys", loaded.keys.len() as i64);
                let keys = loaded.keys.clone();
                let holds = |kid| {
                    let mut ids = keys.keys().filter_map(VerifyingKey::id);
                    ids.any(|id| self.kid_hasher.hash_one(id) == kid)
                };
                self.loaded.store(Some(Arc::new(loaded)));
                *lock(&self.last_error) = None;
                self.refresh()
                    .succeeded(now, max_age, holds, fastrand::f64());
            }
            Err(error) => {
                let retry_after = match &error {
                    RefreshError::Fetch(FetchError::Status { retry_after, .. }) => *retry_after,
                    _ => None,
                };
                let span = Span::current();
                span.record("keyward.result", "failed");
                span.record("error.type", &*error.code());
                span.record("otel.status_code", "ERROR");
                tracing::warn!(
                    error = %error,
                    keys_held = held.is_some(),
                    "key set refresh failed"
                );
                *lock(&self.last_error) = Some(error);
                self.refresh().failed(now, retry_after, fastrand::f64());
            }
        }
    }

    fn read(
        &self,
        attempt: u64,
        fetched: Result<Fetched, FetchError>,
        held: Option<&Loaded>,
        now: Instant,
    ) -> Result<(Loaded, Option<Duration>), RefreshError> {
        match (fetched?, held) {
            (
                Fetched::Document {
                    body,
                    max_age,
                    etag,
                },
                held,
            ) => {
                let before = held.map(|held| &*held.keys);
                let keys = KeySet::from_document(&body, self.options.max_keys, before)?;
                report(&keys, before);
                self.tell(&keys, Some(&body));
                let loaded = Loaded {
                    attempt,
                    keys: Arc::new(keys),
                    etag,
                    loaded_at: now,
                    age_then: Duration::ZERO,
                };
                Ok((loaded, max_age))
            }
            (Fetched::NotModified { max_age }, Some(held)) if held.etag.is_some() => {
                self.tell(&held.keys, None);
                let loaded = Loaded {
                    attempt,
                    keys: held.keys.clone(),
                    etag: held.etag.clone(),
                    loaded_at: now,
                    age_then: Duration::ZERO,
                };
                Ok((loaded, max_age))
            }
            // "Not modified" compared with nothing.
            (Fetched::NotModified { .. }, _) => Err(FetchError::Status {
                status: 304,
                retry_after: None,
            }
            .into()),
        }
    }

    fn tell(&self, keys: &KeySet, document: Option<&[u8]>) {
        if let Some(on_answer) = &self.on_answer {
            on_answer(keys, document);
        }
    }
}

/// Says what a set holds when that has changed, so that an odd key warns once and not every time.
fn report(keys: &KeySet, before: Option<&KeySet>) {
    if before.is_some_and(|before| before.outcomes() == keys.outcomes()) {
        return;
    }
    tracing::info!(
        usable = keys.len(),
        published = keys.outcomes().len(),
        "key set changed"
    );
    for outcome in keys.outcomes() {
        if let Err(reason) = &outcome.result {
            tracing::warn!(kid = ?outcome.id, %reason, "key skipped");
        }
    }
}

/// Makes the attempts, until the set is dropped.
async fn keep(guard: KeeperGuard, wake: Arc<Notify>) {
    while let Some(shared) = guard.0.upgrade() {
        let due = shared.refresh().due(Instant::now());
        match due {
            Some(number) => shared.make_attempt(number).await,
            None => {
                let scheduled_at = shared.refresh().scheduled_at();
                drop(shared);
                // Woken or due: both look again.
                let _ = timeout_at(scheduled_at, wake.notified()).await;
            }
        }
    }
}

/// Lets the next request start a new task when this one is dropped, with its runtime or by a
/// panic in a fetcher.
struct KeeperGuard(Weak<Shared>);

impl Drop for KeeperGuard {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            let abandoned = shared.refresh().abandon(Instant::now(), fastrand::f64());
            lock(&shared.asked_by).take();
            shared.keeper_runs.store(false, Ordering::Release);
            shared.ended.send_replace(abandoned);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// A lock whose holder panicked still guards consistent data: each critical section is a few
/// assignments.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
