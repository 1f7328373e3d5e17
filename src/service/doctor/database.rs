//! The database, looked at and not touched: nothing is migrated, no file is made.

use std::time::Duration;

use super::report::Check;
use crate::service::error_chain::chain;
use crate::service::store::{DatabaseState, DatabaseUrl, StoreError, inspect};

const CONNECTION: &str = "database.connection";
const MIGRATIONS: &str = "database.migrations";

/// A database that takes longer is no use to requests either.
const TIMEOUT: Duration = Duration::from_secs(5);

const MIGRATE: &str = "run keyward migrate, or start keyward serve, which does it too";

pub(super) async fn examine(url: &DatabaseUrl) -> Vec<Check> {
    let state = match inspect(url, TIMEOUT).await {
        Ok(state) => state,
        Err(error) => return vec![failure(&error)],
    };
    let reached = Check::ok(CONNECTION, format!("{url:?} answers"));
    let wrong = |code, summary: String, fix: &str| Check::wrong(MIGRATIONS, code, summary).fix(fix);
    match state {
        DatabaseState::Current => vec![reached, Check::ok(MIGRATIONS, "all applied")],
        DatabaseState::Absent => vec![
            Check::warning(CONNECTION, "no_file", format!("{url:?} does not exist yet"))
                .fix(format!("{MIGRATE}; it makes the file. If there should be one, correct DATABASE_URL: a path \
                      counts from where the service is started")),
        ],
        DatabaseState::NoDirectory => vec![
            Check::wrong(CONNECTION, "no_directory", format!("{url:?} is in a directory that does not exist"))
                .fix("make the directory, or correct DATABASE_URL"),
        ],
        DatabaseState::InMemory => vec![
            Check::warning(CONNECTION, "in_memory", "in memory: each start begins with an empty one")
                .fix("set DATABASE_URL to a file or to PostgreSQL, if tasks are to be kept"),
        ],
        DatabaseState::NotMigrated => vec![
            reached,
            wrong("not_migrated", "it has no migrations yet".to_owned(), MIGRATE),
        ],
        DatabaseState::Behind { applied, known } => vec![
            reached,
            wrong("not_migrated", format!("{applied} of {known} applied"), MIGRATE),
        ],
        DatabaseState::Foreign => vec![
            reached,
            wrong(
                "other_version",
                "it has migrations that this version of Keyward does not know, or knows otherwise".to_owned(),
                "run the version of Keyward that made them, or a newer one; or correct DATABASE_URL",
            ),
        ],
        DatabaseState::Interrupted => vec![
            reached,
            wrong(
                "interrupted",
                "a migration was begun and not finished".to_owned(),
                "look at what it left behind, then delete its row in _sqlx_migrations and migrate again",
            ),
        ],
    }
}

fn failure(error: &StoreError) -> Check {
    let code = error.code();
    let (name, fix) = match &*code {
        // PostgreSQL's SQLSTATEs (its manual, appendix A).
        "28P01" | "28000" => (
            "database_credentials",
            "correct user and password in DATABASE_URL, or pg_hba.conf",
        ),
        "3D000" => (
            "database_missing",
            "create the database, or correct its name in DATABASE_URL",
        ),
        "42501" => (
            "database_permission",
            "let the role of DATABASE_URL use the schema: GRANT USAGE, CREATE ON SCHEMA public",
        ),
        "26" => (
            "database_not_sqlite",
            "correct DATABASE_URL: the file is no SQLite database",
        ),
        _ => (
            "database_unavailable",
            "start the database, or correct DATABASE_URL: host, port, and sslmode where it wants TLS",
        ),
    };
    // What the database itself has said needs no introduction.
    let said = error.database_message().map(str::to_owned);
    Check::wrong(CONNECTION, name, said.unwrap_or_else(|| chain(error))).fix(fix)
}
