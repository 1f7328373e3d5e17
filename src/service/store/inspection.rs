//! A look at a database that changes nothing: no file is made, none is written to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::database::{
    DatabaseUrl, Kind, POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS, bounded, is_file,
};
use super::error::StoreError;
use super::sql;

/// How far a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseState {
    /// The SQLite file does not exist; its directory does.
    Absent,
    /// Neither does the directory.
    NoDirectory,
    /// SQLite in memory: there is nothing to look at.
    InMemory,
    /// No migration was ever applied.
    NotMigrated,
    /// Some were.
    Behind {
        /// So many.
        applied: usize,
        /// Of so many.
        known: usize,
    },
    /// All were.
    Current,
    /// It has some that are not known here, or that were others when they were applied.
    Foreign,
    /// One was begun and not finished.
    Interrupted,
}

/// An applied migration: its version, whether it was finished, its checksum.
type Applied = (i64, bool, Vec<u8>);

/// Looks how far a database is. For a statement, and for a connection, `limit` each.
///
/// # Errors
/// When it does not answer or does not let itself be looked at.
pub async fn inspect(url: &DatabaseUrl, limit: Duration) -> Result<DatabaseState, StoreError> {
    let (applied, migrator) = match &url.0 {
        Kind::Sqlite(options) => {
            let file = options.get_filename();
            if !is_file(file) {
                return Ok(DatabaseState::InMemory);
            }
            if !file.exists() {
                let directory = file
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty());
                return Ok(match directory.is_none_or(Path::is_dir) {
                    true => DatabaseState::Absent,
                    false => DatabaseState::NoDirectory,
                });
            }
            let options = untouched(options.clone()).busy_timeout(limit);
            let applied = bounded(limit, async {
                let mut connection = options.connect().await?;
                let applied = sqlx::query_as(sql::MIGRATIONS)
                    .fetch_all(&mut connection)
                    .await;
                connection.close().await?;
                applied
            });
            (applied.await, &SQLITE_MIGRATIONS)
        }
        Kind::Postgres(options) => {
            let timeout = limit.as_millis().to_string();
            let options = options.clone().application_name("keyward doctor").options([
                ("statement_timeout", timeout.as_str()),
                ("default_transaction_read_only", "on"),
            ]);
            let applied = bounded(limit, async {
                let mut connection = options.connect().await?;
                let applied = sqlx::query_as(sql::MIGRATIONS)
                    .fetch_all(&mut connection)
                    .await;
                connection.close().await?;
                applied
            });
            (applied.await, &POSTGRES_MIGRATIONS)
        }
    };
    match applied {
        Ok(applied) => Ok(compare(&applied, migrator)),
        Err(StoreError::Failed(error)) if lacks_table(&error) => Ok(DatabaseState::NotMigrated),
        Err(error) => Err(error),
    }
}

/// Reads without writing. Beside a file in WAL mode SQLite makes two more, even to read, unless it is
/// told that nothing changes; which is true of one that nobody has open, as the two show.
fn untouched(options: SqliteConnectOptions) -> SqliteConnectOptions {
    let beside = |suffix: &str| {
        let mut path = options.get_filename().as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path).exists()
    };
    let in_use = beside("-wal") && beside("-shm");
    options
        .create_if_missing(false)
        .read_only(true)
        .immutable(!in_use)
}

fn lacks_table(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        // SQLite has no code of its own for it.
        error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
    })
}

fn compare(applied: &[Applied], migrator: &Migrator) -> DatabaseState {
    if applied.iter().any(|(_, finished, _)| !finished) {
        return DatabaseState::Interrupted;
    }
    let is_known = |(version, _, checksum): &Applied| {
        migrator
            .iter()
            .any(|known| known.version == *version && *known.checksum == **checksum)
    };
    if !applied.iter().all(is_known) {
        return DatabaseState::Foreign;
    }
    let (applied, known) = (applied.len(), migrator.iter().count());
    match applied {
        0 => DatabaseState::NotMigrated,
        _ if applied < known => DatabaseState::Behind { applied, known },
        _ => DatabaseState::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_applied_is_compared_with_what_is_known() {
        let known = SQLITE_MIGRATIONS.iter().next().unwrap();
        let good = (known.version, true, known.checksum.to_vec());
        let unfinished = (known.version, false, known.checksum.to_vec());
        let changed = (known.version, true, vec![0; 48]);
        let newer = (i64::MAX, true, known.checksum.to_vec());
        for (applied, expected) in [
            (vec![], DatabaseState::NotMigrated),
            (vec![good.clone()], DatabaseState::Current),
            (vec![good, newer], DatabaseState::Foreign),
            (vec![changed], DatabaseState::Foreign),
            (vec![unfinished], DatabaseState::Interrupted),
        ] {
            assert_eq!(compare(&applied, &SQLITE_MIGRATIONS), expected);
        }
    }
}
