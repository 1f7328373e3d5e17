//! All connections, and which of them has to go first.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;

use super::ShutdownReport;
use super::activity::Activity;

/// What a new connection has for its request before another may take its place. Whoever has
/// something to ask asks within this time, however many others just come and wait.
const WELCOME: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    activities: HashMap<Id, Arc<Activity>>,
}

impl Connections {
    pub(super) fn spawn<F>(&mut self, connection: impl FnOnce(Arc<Activity>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let activity = Arc::new(Activity::default());
        let task = self.tasks.spawn(connection(activity.clone()));
        self.activities.insert(task.id(), activity);
    }

    pub(super) fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(&ended);
        }
    }

    fn forget(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.activities.remove(&id);
    }

    /// Tells up to `count` connections to leave: of those that wait for their peers, and have for
    /// longer than [`WELCOME`], the ones that have waited the longest. nginx does so with idle
    /// ones; here a request that does not come to its end is no better.
    pub(super) fn make_room(&mut self, count: usize) {
        self.forget_ended();
        let mut waiting: Vec<(Duration, &Activity)> = self
            .activities
            .values()
            .filter(|activity| activity.waits_for_peer() && !activity.was_told_to_leave())
            .map(|activity| (activity.since_event(), &**activity))
            .filter(|(waited, _)| *waited >= WELCOME)
            .collect();
        waiting.sort_by_key(|(waited, _)| std::cmp::Reverse(*waited));
        for (_, activity) in waiting.into_iter().take(count) {
            activity.must_leave();
        }
    }

    /// Waits for all to end, but not longer than `grace`.
    pub(super) async fn drain(mut self, grace: Duration) -> ShutdownReport {
        self.forget_ended();
        let open = self.tasks.len();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(grace, all).await;
        let aborted = self.tasks.len();
        self.tasks.shutdown().await;
        ShutdownReport {
            finished: open - aborted,
            aborted,
        }
    }
}
