//! What a connection is up to, for those who decide whether it may stay.
//!
//! It either waits for its peer, who is to send a request or the rest of one, or the peer waits for
//! an answer. What counts as an event is a request that has come with its whole head, and an answer
//! that is ready: a peer that drips bytes makes none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::Version;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Times are milliseconds since the connection was accepted. Each value stands for itself, and
/// whoever acts on them looks again: no order among them is needed.
pub(super) struct Activity {
    accepted: Instant,
    requests: AtomicU64,
    in_flight: AtomicUsize,
    /// Of those in flight, the ones that wait for more of their body.
    receiving: AtomicUsize,
    last_event: AtomicU64,
    /// When the first bytes came that are not of a request in flight; [`NONE`] if none have.
    head_began: AtomicU64,
    is_http2: AtomicBool,
    is_closing: AtomicBool,
    must_leave: AtomicBool,
    leave: Notify,
}

const NONE: u64 = u64::MAX;

impl Default for Activity {
    fn default() -> Self {
        Self {
            accepted: Instant::now(),
            requests: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            receiving: AtomicUsize::new(0),
            last_event: AtomicU64::new(0),
            head_began: AtomicU64::new(NONE),
            is_http2: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            must_leave: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }
}

impl Activity {
    fn now(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(NONE - 1)
    }

    /// A request's head is there. It is in flight until what this returns is dropped.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_began.store(NONE, Ordering::Relaxed);
        self.last_event.store(self.now(), Ordering::Relaxed);
        if version == Version::HTTP_2 {
            self.is_http2.store(true, Ordering::Relaxed);
        }
        InFlight(self.clone())
    }

    /// Bytes have come.
    pub(super) fn received(&self) {
        // Over HTTP/2 there is more than heads between requests.
        if self.in_flight.load(Ordering::Relaxed) == 0
            && self.head_began.load(Ordering::Relaxed) == NONE
            && !self.is_http2()
        {
            self.head_began.store(self.now(), Ordering::Relaxed);
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether no request is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// Whether the peer is who should do something: nobody loses an answer if this ends.
    pub(super) fn waits_for_peer(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) <= self.receiving.load(Ordering::Relaxed)
    }

    /// How long ago something last happened.
    pub(super) fn since_event(&self) -> Duration {
        let event = self.last_event.load(Ordering::Relaxed);
        Duration::from_millis(self.now().saturating_sub(event))
    }

    /// How long a request's head has been under way, if one is.
    pub(super) fn since_head_began(&self) -> Option<Duration> {
        let began = self.head_began.load(Ordering::Relaxed);
        (began != NONE).then(|| Duration::from_millis(self.now().saturating_sub(began)))
    }

    /// Tells the connection to leave. `false` if it was told before.
    pub(super) fn must_leave(&self) -> bool {
        let is_first = !self.must_leave.swap(true, Ordering::Relaxed);
        if is_first {
            self.leave.notify_one();
        }
        is_first
    }

    pub(super) fn was_told_to_leave(&self) -> bool {
        self.must_leave.load(Ordering::Relaxed)
    }

    /// Completes when the connection was told to leave.
    pub(super) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    /// From now on each answer is the last of its connection.
    pub(super) fn close_with_next_answer(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }
}

/// A request that has no answer yet.
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let activity = &self.0;
        activity.last_event.store(activity.now(), Ordering::Relaxed);
        activity.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request's body, which may keep the request waiting.
pub(super) struct Receiving {
    activity: Arc<Activity>,
    waits: bool,
}

impl Receiving {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        Self {
            activity,
            waits: false,
        }
    }

    pub(super) fn set(&mut self, waits: bool) {
        match (self.waits, waits) {
            (false, true) => self.activity.receiving.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.activity.receiving.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.waits = waits;
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.set(false);
    }
}
