//! A connection for one call, which the pool gets back whole or not at all.
//!
//! A call that is given up in the middle, because its time is up or because nobody waits any more,
//! leaves an answer behind that is still to come. sqlx waits for that before the pool has the
//! connection again, and sets itself no limit: where a server has gone without a word, as in a
//! failover, connections would be lost to the pool until the kernel gives up on them, a quarter of
//! an hour later. Here the wait has a limit, and a connection that is silent for longer is closed.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Pool};
use tokio::runtime::Handle;
use tokio::time::timeout;

pub(super) struct Lease<D: sqlx::Database> {
    /// There until the call has ended.
    connection: Option<PoolConnection<D>>,
    limit: Duration,
}

impl<D: sqlx::Database> Lease<D> {
    pub(super) async fn take(pool: &Pool<D>, limit: Duration) -> Result<Self, sqlx::Error> {
        Ok(Self {
            connection: Some(pool.acquire().await?),
            limit,
        })
    }

    pub(super) fn connection(&mut self) -> Result<&mut D::Connection, sqlx::Error> {
        // It is there: only the end of a lease takes it.
        self.connection
            .as_deref_mut()
            .ok_or(sqlx::Error::PoolClosed)
    }

    /// The call has ended, with this result.
    pub(super) fn end<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        self.connection = None;
        result
    }
}

impl<D: sqlx::Database> Drop for Lease<D> {
    fn drop(&mut self) {
        // Without a runtime there is no more to be done with it.
        let (Some(connection), Ok(runtime)) = (self.connection.take(), Handle::try_current())
        else {
            return;
        };
        runtime.spawn(give_back(connection, self.limit));
    }
}

async fn give_back<D: sqlx::Database>(mut connection: PoolConnection<D>, limit: Duration) {
    if !matches!(timeout(limit, connection.ping()).await, Ok(Ok(()))) {
        connection.close_on_drop();
    }
}

/// Runs a call with a connection of a pool.
macro_rules! leased {
    ($pool:expr, $limit:expr, $connection:ident => $call:expr) => {{
        let mut lease = $crate::service::store::lease::Lease::take($pool, $limit).await?;
        let $connection = lease.connection()?;
        let result = $call.await;
        lease.end(result)
    }};
}
pub(super) use leased;
