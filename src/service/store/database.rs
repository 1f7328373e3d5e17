//! Connections: which database, with what settings, and its migrations.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, PgPool, SqliteConnection, SqlitePool};

use super::PoolStatus;
use super::error::StoreError;
use super::sql;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Readers beside the one writer that SQLite allows.
const SQLITE_CONNECTIONS: u32 = 4;
/// PostgreSQL works on as many statements at once as it has cores; a few more cover the network.
const POSTGRES_CONNECTIONS: u32 = 16;

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// PostgreSQL's own limit for a statement, in the form of its option.
const STATEMENT_TIMEOUT: &str = "5s";
/// The whole of a call: waiting for a connection and for the statement. A server that hangs
/// without closing its connections is noticed by nothing else.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Migrations may have much to do, and wait for those of another process.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(300);

/// Where the tasks are. `Debug` and errors hold neither user nor password.
#[derive(Clone)]
pub struct DatabaseUrl(Kind);

#[derive(Clone)]
enum Kind {
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
pub(super) enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    pub(super) async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        bounded(async {
            Ok(match &url.0 {
                Kind::Sqlite(options) => Self::Sqlite(connect_sqlite(options.clone()).await?),
                Kind::Postgres(options) => Self::Postgres(connect_postgres(options.clone()).await?),
            })
        })
        .await
        .map_err(|error| match error {
            // Whatever keeps it from being opened, a wrong password for example, it is not there.
            StoreError::Failed(error) => StoreError::Unavailable(Some(error)),
            error => error,
        })
    }

    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let migration = async {
            match self {
                // `run_direct` is `run` without the bound that makes a future of it unfit for
                // `tokio::spawn`.
                Self::Sqlite(pool) => {
                    // sqlx takes no lock on SQLite; a write transaction around the whole is one.
                    let mut connection = pool.acquire().await?;
                    sqlx::query(sql::SQLITE_WAIT_LONG)
                        .execute(&mut *connection)
                        .await?;
                    let result = migrate_sqlite(&mut connection).await;
                    sqlx::query(sql::SQLITE_WAIT_SHORT)
                        .execute(&mut *connection)
                        .await?;
                    result
                }
                Self::Postgres(pool) => {
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
        let (applied, known) = match self {
            Self::Sqlite(pool) => (
                bounded(sqlx::query_scalar::<_, i64>(sql::APPLIED_MIGRATIONS).fetch_one(pool))
                    .await,
                SQLITE_MIGRATIONS.iter().count(),
            ),
            Self::Postgres(pool) => (
                bounded(sqlx::query_scalar::<_, i64>(sql::APPLIED_MIGRATIONS).fetch_one(pool))
                    .await,
                POSTGRES_MIGRATIONS.iter().count(),
            ),
        };
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
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }

    pub(super) fn pool_status(&self) -> PoolStatus {
        let (open, idle, max) = match self {
            Self::Sqlite(pool) => (
                pool.size(),
                pool.num_idle(),
                pool.options().get_max_connections(),
            ),
            Self::Postgres(pool) => (
                pool.size(),
                pool.num_idle(),
                pool.options().get_max_connections(),
            ),
        };
        // The two are not read at the same moment.
        let idle = u32::try_from(idle).unwrap_or(open).min(open);
        PoolStatus {
            idle,
            used: open - idle,
            max,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

async fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    SQLITE_MIGRATIONS
        .run_direct(None, &mut *transaction, false)
        .await?;
    Ok(transaction.commit().await?)
}

async fn connect_sqlite(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    // `sqlite::memory:` names its shared cache "file:sqlx-in-memory-…".
    let in_memory = !is_file(options.get_filename());
    let options = options
        // Readers and the writer do not wait for each other.
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode this loses nothing when the process dies, and at most the last
        // transactions, never the file, when the machine does.
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .optimize_on_close(true, None);
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A file does not hang up, and to ask costs as much as a small statement.
        .test_before_acquire(false);
    let pool = match in_memory {
        // A database in memory lives as long as its connection.
        true => pool
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None),
        false => pool.max_connections(SQLITE_CONNECTIONS),
    };
    pool.connect_with(options).await
}

fn is_file(filename: &Path) -> bool {
    let name = filename.to_string_lossy();
    !name.starts_with("file:") && name != ":memory:"
}

async fn connect_postgres(options: PgConnectOptions) -> Result<PgPool, sqlx::Error> {
    let options = options
        .application_name("keyward")
        .options([("statement_timeout", STATEMENT_TIMEOUT)]);
    // A pool tries again until its time is up and then says only that; one connection says why.
    PgConnection::connect_with(&options).await?.close().await?;
    PgPoolOptions::new()
        .min_connections(1)
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(Duration::from_secs(5 * 60))
        .max_lifetime(Duration::from_secs(30 * 60))
        .connect_with(options)
        .await
}

/// A call that does not end in time is an error.
pub(super) async fn bounded<T>(
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
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
