//! Connections: which database, with what settings, and its migrations.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::query::QueryScalar;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, SqliteConnection, SqlitePool};

use super::PoolStatus;
use super::error::StoreError;
use super::lease::leased;
use super::sql;

pub(super) static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
pub(super) static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Readers beside the one writer that SQLite allows.
const SQLITE_CONNECTIONS: u32 = 4;
/// PostgreSQL works on as many statements at once as it has cores; a few more cover the network.
const POSTGRES_CONNECTIONS: u32 = 16;

/// Migrations may have much to do, and wait for those of another process.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(300);

/// Bounds on the use of a database. `Default` gives the values named here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Connections: 16 to PostgreSQL, 4 to a SQLite file, where one more writes.
    pub max_connections: Option<u32>,
    /// To wait for a connection, and then for a statement: 5 s each.
    pub timeout: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_connections: None,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Where the tasks are. `Debug` and errors hold neither user nor password.
#[derive(Clone)]
pub struct DatabaseUrl(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

/// Why a database URL is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseUrlError {
    /// Another scheme.
    #[error("is neither a sqlite: nor a postgres: URL")]
    Scheme,
    /// What follows the scheme is wrong.
    #[error("is not a database URL that can be read")]
    Invalid,
}

impl DatabaseUrl {
    /// Reads a `sqlite:` or `postgres:` URL.
    ///
    /// # Errors
    /// For another scheme, or one that does not parse.
    pub fn parse(url: &str) -> Result<Self, DatabaseUrlError> {
        let kind = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => SqliteConnectOptions::from_str(url).map(|options| {
                // A file that is not there is made, unless the URL says what to do.
                let create = !url.contains("mode=");
                Kind::Sqlite(if create {
                    options.create_if_missing(true)
                } else {
                    options
                })
            }),
            Some("postgres" | "postgresql") => PgConnectOptions::from_str(url).map(Kind::Postgres),
            _ => return Err(DatabaseUrlError::Scheme),
        };
        match kind {
            // Without a name, every connection would have a database of its own.
            Ok(Kind::Sqlite(options)) if options.get_filename().as_os_str().is_empty() => {
                Err(DatabaseUrlError::Invalid)
            }
            Ok(kind) => Ok(Self(kind)),
            Err(_) => Err(DatabaseUrlError::Invalid),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sqlite(options) => write!(f, "sqlite:{}", options.get_filename().display()),
            Kind::Postgres(options) => write!(f, "postgres:{}", options.get_host()),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Database {
    pools: Pools,
    timeout: Duration,
}

/// SQLite has a pool for reads and one for writes: writes that wait for each other, or for another
/// process, would otherwise take all connections, and reads need to wait for neither.
#[derive(Clone, Debug)]
pub(super) enum Pools {
    Sqlite {
        readers: SqlitePool,
        writer: SqlitePool,
    },
    Postgres(PgPool),
}

impl Database {
    pub(super) async fn connect(
        url: &DatabaseUrl,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let pools = bounded(options.timeout, async {
            match &url.0 {
                Kind::Sqlite(url) => connect_sqlite(url.clone(), options).await,
                Kind::Postgres(url) => connect_postgres(url.clone(), options).await,
            }
        });
        let pools = pools.await.map_err(|error| match error {
            // Whatever keeps it from being opened, a wrong password for example, it is not there.
            StoreError::Failed(error) => StoreError::Unavailable(Some(error)),
            error => error,
        })?;
        Ok(Self {
            pools,
            timeout: options.timeout,
        })
    }

    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// What a connection or a statement may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let migration = async {
            match &self.pools {
                // `run_direct` is `run` without the bound that makes a future of it unfit for
                // `tokio::spawn`.
                Pools::Sqlite { writer, .. } => {
                    // sqlx takes no lock on SQLite; a write transaction around the whole is one.
                    let mut connection = writer.acquire().await?;
                    wait_on_sqlite(&mut connection, MIGRATION_TIMEOUT).await?;
                    let result = migrate_sqlite(&mut connection).await;
                    wait_on_sqlite(&mut connection, self.timeout).await?;
                    result
                }
                Pools::Postgres(pool) => {
                    // sqlx holds an advisory lock meanwhile. The connection is not given back:
                    // one whose migration failed still holds it.
                    let mut connection = pool.acquire().await?.detach();
                    sqlx::query(sql::POSTGRES_NO_TIMEOUT)
                        .execute(&mut connection)
                        .await?;
                    POSTGRES_MIGRATIONS
                        .run_direct(None, &mut connection, false)
                        .await?;
                    connection.close().await?;
                    Ok(())
                }
            }
        };
        match tokio::time::timeout(MIGRATION_TIMEOUT, migration).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable(None)),
        }
    }

    pub(super) async fn is_migrated(&self) -> Result<bool, StoreError> {
        let limit = self.timeout;
        let known = match &self.pools {
            Pools::Sqlite { .. } => SQLITE_MIGRATIONS.iter().count(),
            Pools::Postgres(_) => POSTGRES_MIGRATIONS.iter().count(),
        };
        let applied = bounded(limit, async {
            match &self.pools {
                Pools::Sqlite { readers, .. } => {
                    leased!(readers, limit, connection => applied_migrations().fetch_one(connection))
                }
                Pools::Postgres(pool) => {
                    leased!(pool, limit, connection => applied_migrations().fetch_one(connection))
                }
            }
        });
        let applied = applied.await;
        match applied {
            Ok(applied) => Ok(usize::try_from(applied).is_ok_and(|applied| applied >= known)),
            // The table of migrations is not there yet, or not for this user.
            Err(StoreError::Failed(error)) => {
                tracing::warn!(%error, "the database's migrations cannot be read");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// As OpenTelemetry's conventions call it.
    pub(super) fn system(&self) -> &'static str {
        match &self.pools {
            Pools::Sqlite { .. } => "sqlite",
            Pools::Postgres(_) => "postgresql",
        }
    }

    pub(super) fn pool_status(&self) -> PoolStatus {
        match &self.pools {
            Pools::Sqlite { readers, writer } => status(readers).and(status(writer)),
            Pools::Postgres(pool) => status(pool),
        }
    }

    pub(super) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

fn status<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> PoolStatus {
    let open = pool.size();
    // The two are not read at the same moment.
    let idle = u32::try_from(pool.num_idle()).unwrap_or(open).min(open);
    PoolStatus {
        idle,
        used: open - idle,
        max: pool.options().get_max_connections(),
    }
}

async fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    SQLITE_MIGRATIONS
        .run_direct(None, &mut *transaction, false)
        .await?;
    Ok(transaction.commit().await?)
}

async fn connect_sqlite(
    url: SqliteConnectOptions,
    options: StoreOptions,
) -> Result<Pools, sqlx::Error> {
    // `sqlite::memory:` names its shared cache "file:sqlx-in-memory-…".
    let in_memory = !is_file(url.get_filename());
    let url = url
        // Readers and the writer do not wait for each other.
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode this loses nothing when the process dies, and at most the last
        // transactions, never the file, when the machine does.
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(options.timeout)
        .optimize_on_close(true, None);
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(options.timeout)
        // A file does not hang up, and to ask costs as much as a small statement.
        .test_before_acquire(false);
    if in_memory {
        // A database in memory lives as long as its connection.
        let pool = pool
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
        let pool = pool.connect_with(url).await?;
        return Ok(Pools::Sqlite {
            readers: pool.clone(),
            writer: pool,
        });
    }
    let readers = options.max_connections.unwrap_or(SQLITE_CONNECTIONS);
    Ok(Pools::Sqlite {
        // The first one makes the file.
        writer: pool
            .clone()
            .max_connections(1)
            .connect_with(url.clone())
            .await?,
        readers: pool.max_connections(readers).connect_with(url).await?,
    })
}

/// How long a connection waits for those of others that write.
async fn wait_on_sqlite(
    connection: &mut SqliteConnection,
    limit: Duration,
) -> Result<(), sqlx::Error> {
    let pragma = format!("PRAGMA busy_timeout = {}", limit.as_millis());
    sqlx::query(AssertSqlSafe(pragma))
        .execute(connection)
        .await?;
    Ok(())
}

fn applied_migrations<'q, D: sqlx::Database>() -> QueryScalar<'q, D, i64, D::Arguments>
where
    (i64,): for<'r> sqlx::FromRow<'r, D::Row>,
{
    sqlx::query_scalar(sql::APPLIED_MIGRATIONS)
}

pub(super) fn is_file(filename: &Path) -> bool {
    let name = filename.to_string_lossy();
    !name.starts_with("file:") && name != ":memory:"
}

async fn connect_postgres(
    url: PgConnectOptions,
    options: StoreOptions,
) -> Result<Pools, sqlx::Error> {
    let statement_timeout = options.timeout.as_millis().to_string();
    let url = url
        .application_name("keyward")
        .options([("statement_timeout", statement_timeout)]);
    // A pool tries again until its time is up and then says only that; one connection says why.
    PgConnection::connect_with(&url).await?.close().await?;
    let pool = PgPoolOptions::new()
        .min_connections(1)
        .max_connections(options.max_connections.unwrap_or(POSTGRES_CONNECTIONS))
        .acquire_timeout(options.timeout)
        .idle_timeout(Duration::from_secs(5 * 60))
        .max_lifetime(Duration::from_secs(30 * 60))
        .connect_with(url)
        .await?;
    Ok(Pools::Postgres(pool))
}

/// A call that does not end in time is an error: twice the limit for a connection and for a
/// statement, which have it in turn. A server that hangs without closing its connections is noticed
/// by nothing else.
pub(super) async fn bounded<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(2 * limit, call).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(StoreError::Unavailable(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for url in [
            "sqlite://keyward.db",
            "sqlite::memory:",
            "sqlite:/tmp/a.db",
            "postgres://u:p@h:5/d",
            "postgresql://h/d",
        ] {
            assert!(DatabaseUrl::parse(url).is_ok(), "{url}");
        }
        for (url, expected) in [
            ("", DatabaseUrlError::Scheme),
            ("keyward.db", DatabaseUrlError::Scheme),
            ("mysql://u:p@h/d", DatabaseUrlError::Scheme),
            ("postgres://h:port/d", DatabaseUrlError::Invalid),
            ("sqlite://a.db?mode=odd", DatabaseUrlError::Invalid),
            ("sqlite:", DatabaseUrlError::Invalid),
            ("sqlite://", DatabaseUrlError::Invalid),
        ] {
            assert_eq!(DatabaseUrl::parse(url).err(), Some(expected), "{url}");
        }
        let url = DatabaseUrl::parse("postgres://user:hunter2@db.example/tasks").unwrap();
        assert_eq!(format!("{url:?}"), "postgres:db.example");
    }
}
