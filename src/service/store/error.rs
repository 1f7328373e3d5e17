//! What can go wrong with the database, as its callers need to know it.

use std::borrow::Cow;

use sqlx::migrate::MigrateError;

/// The database failed. Messages hold no parameter of a statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It does not answer, is full, or is read-only: trying again later may help.
    #[error("the database is not available")]
    Unavailable(#[source] Option<sqlx::Error>),
    /// Anything else: a fault of this program or of the schema.
    #[error("the database refused a statement")]
    Failed(#[source] sqlx::Error),
    /// A migration failed.
    #[error("the database could not be migrated")]
    Migration(#[source] MigrateError),
}

impl StoreError {
    /// A stable code for traces and metrics: the database's own where it gave one.
    pub fn code(&self) -> Cow<'static, str> {
        let code = self
            .of_database()
            .and_then(sqlx::error::DatabaseError::code);
        match (code, self) {
            (Some(code), _) => code.into_owned().into(),
            (None, Self::Unavailable(_)) => "unavailable".into(),
            (None, _) => "_OTHER".into(),
        }
    }

    /// What the database has said, if it has said anything.
    pub fn database_message(&self) -> Option<&str> {
        self.of_database().map(sqlx::error::DatabaseError::message)
    }

    fn of_database(&self) -> Option<&dyn sqlx::error::DatabaseError> {
        let error = match self {
            Self::Unavailable(error) => error.as_ref(),
            Self::Failed(error) => Some(error),
            Self::Migration(_) => None,
        };
        error.and_then(sqlx::Error::as_database_error)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match is_unavailable(&error) {
            true => Self::Unavailable(Some(error)),
            false => Self::Failed(error),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) if is_unavailable(&error) => {
                Self::Unavailable(Some(error))
            }
            error => Self::Migration(error),
        }
    }
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            match error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
                // The low byte is the primary code (https://sqlite.org/rescode.html): BUSY, LOCKED,
                // READONLY, IOERR, FULL, CANTOPEN.
                Some(_) => code
                    .parse::<u32>()
                    .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14)),
                // SQLSTATE classes: connection, insufficient resources, operator intervention
                // (which includes the statement time-out and a server that starts or stops),
                // the server's system, a read-only transaction, a database that takes nobody.
                None => ["08", "53", "57", "58", "25006", "55000"]
                    .iter()
                    .any(|class| code.starts_with(class)),
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection};

    #[tokio::test]
    async fn a_database_that_may_not_grow_is_one_that_is_not_available() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut results = Vec::new();
        // SQLite's own disk of few pages: it fills up as a real one does.
        for statement in [
            "CREATE TABLE full (x)",
            "PRAGMA max_page_count = 3",
            "INSERT INTO full VALUES (zeroblob(1000000))",
            "INSERT INTO nowhere VALUES (1)",
        ] {
            results.push(sqlx::query(statement).execute(&mut connection).await);
        }
        let mut errors = results.into_iter().filter_map(Result::err);
        let mut next = || StoreError::from(errors.next().unwrap());
        let full = next();
        assert!(matches!(full, StoreError::Unavailable(_)), "{full:?}");
        assert_eq!(full.code(), "13");
        assert!(matches!(next(), StoreError::Failed(_)));
    }
}
