//! Tasks on SQLite and PostgreSQL.
//!
//! 1. Every statement names the owner: a task of somebody else is exactly like none.
//! 2. One SQL text a statement serves both databases; one contract suite runs on both.
//! 3. Every write is one statement, and so atomic by itself. It is read to its end, `fetch_all`: it
//!    is committed after its last row, and sqlx has no ear for what goes wrong then, a full disk for
//!    example, once it has the rows that `fetch_one` and `fetch_optional` want.
//! 4. Every call ends: a database that does not answer is an error after a few seconds.

mod database;
mod error;
mod inspection;
mod lease;
mod sql;

pub use database::{DatabaseUrl, DatabaseUrlError, StoreOptions};
pub use error::StoreError;
pub use inspection::{DatabaseState, inspect};
/// The statement of [`TaskStore::list`], for a test to have it explained.
pub use sql::PAGE as PAGE_STATEMENT;

use std::fmt;
use std::future::Future;
use std::time::{Instant, SystemTime};

use opentelemetry::KeyValue;
use time::OffsetDateTime;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use crate::service::telemetry::DatabaseMetrics;
use database::{Database, Pools, bounded};
use lease::leased;

/// The one table.
const TABLE: &str = "tasks";

/// Whose task it is: the `sub` of a verified token.
#[derive(Clone, Copy)]
pub struct Owner<'o>(&'o str);

impl<'o> Owner<'o> {
    /// The owner with this subject.
    pub const fn new(subject: &'o str) -> Self {
        Self(subject)
    }
}

impl fmt::Debug for Owner<'_> {
    /// A subject may be an e-mail address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner")
    }
}

/// A task as it is stored.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Task {
    /// UUIDv7.
    pub id: Uuid,
    /// What is to be done.
    pub title: String,
    /// Whether it is done.
    pub completed: bool,
    /// 1, and one more with every change.
    pub revision: i64,
    /// Microseconds since the Unix epoch.
    created_at: i64,
    updated_at: i64,
}

impl Task {
    /// When it was made, to the microsecond.
    pub fn created_at(&self) -> OffsetDateTime {
        date_time(self.created_at)
    }

    /// When it last changed, to the microsecond.
    pub fn updated_at(&self) -> OffsetDateTime {
        date_time(self.updated_at)
    }
}

impl fmt::Debug for Task {
    /// A title is its owner's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// A task to be made.
#[derive(Clone)]
pub struct NewTask {
    /// What is to be done.
    pub title: String,
    /// Whether it is done.
    pub completed: bool,
}

/// What to change of a task; `None` stays as it is.
#[derive(Clone, Default)]
pub struct TaskChange {
    /// A new title.
    pub title: Option<String>,
    /// Done or not.
    pub completed: Option<bool>,
}

/// Which of an owner's tasks to list.
#[derive(Clone, Default)]
pub struct TaskQuery {
    /// No more than this.
    pub limit: u32,
    /// Only tasks made before the one with this id.
    pub before: Option<Uuid>,
    /// Only done, or only undone ones.
    pub completed: Option<bool>,
    /// Only those whose title has this in it, in upper or lower case.
    pub search: Option<String>,
}

/// Some of an owner's tasks, newest first.
#[derive(Clone, Debug)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Whether there are older ones.
    pub has_more: bool,
}

/// What a task's revision must be for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionCondition {
    /// Anything.
    Any,
    /// One of these.
    OneOf(Vec<i64>),
}

/// What became of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// It happened; the task as it is now.
    Updated(Task),
    /// The owner has no such task.
    NotFound,
    /// The task's revision is another.
    Stale,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// It happened.
    Deleted,
    /// The owner has no such task.
    NotFound,
    /// The task's revision is another.
    Stale,
}

/// The tasks of all owners. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TaskStore {
    database: Database,
    metrics: Option<DatabaseMetrics>,
}

/// Runs the same call on a connection of whichever pool there is, the one of SQLite's `readers` or
/// its `writer`.
macro_rules! on_pool {
    ($store:expr, $role:ident, $operation:literal, $connection:ident => $call:expr) => {{
        let operation = Operation {
            name: $operation,
            summary: concat!($operation, " tasks"),
        };
        let limit = $store.database.timeout();
        let call = bounded(limit, async {
            match $store.database.pools() {
                Pools::Sqlite { $role: pool, .. } => leased!(pool, limit, $connection => $call),
                Pools::Postgres(pool) => leased!(pool, limit, $connection => $call),
            }
        });
        $store.traced(operation, call).await
    }};
}

/// What a call does, for traces and metrics.
#[derive(Clone, Copy)]
struct Operation {
    name: &'static str,
    summary: &'static str,
}

/// The connections to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Open, and not in use.
    pub idle: u32,
    /// In use.
    pub used: u32,
    /// How many there may be.
    pub max: u32,
}

impl PoolStatus {
    /// These connections, and those.
    #[must_use]
    fn and(self, other: Self) -> Self {
        Self {
            idle: self.idle + other.idle,
            used: self.used + other.used,
            max: self.max + other.max,
        }
    }
}

impl TaskStore {
    /// Opens the database; a SQLite file that is not there is made.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Self::connect_with(url, StoreOptions::default()).await
    }

    /// As [`connect`](Self::connect), with other bounds.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect_with(
        url: &DatabaseUrl,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::connect(url, options).await?,
            metrics: None,
        })
    }

    /// The same tasks, with each operation measured.
    #[must_use]
    pub fn measured(self, metrics: DatabaseMetrics) -> Self {
        Self {
            metrics: Some(metrics),
            ..self
        }
    }

    /// How many connections there are.
    pub fn pool_status(&self) -> PoolStatus {
        self.database.pool_status()
    }

    /// Around each call: a span, and what is measured, by OpenTelemetry's conventions for databases
    /// (version 1.33 and later). Statements are not shown; there are six.
    async fn traced<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let system = self.database.system();
        let span = tracing::info_span!(
            "db_operation",
            otel.name = operation.summary,
            otel.kind = "client",
            db.system.name = system,
            db.operation.name = operation.name,
            db.collection.name = TABLE,
            db.query.summary = operation.summary,
            error.type = Empty,
            otel.status_code = Empty,
        );
        let began = Instant::now();
        let result = call.instrument(span.clone()).await;
        let error = result.as_ref().err().map(StoreError::code);
        if let Some(error) = &error {
            span.record("error.type", &**error);
            span.record("otel.status_code", "ERROR");
        }
        if let Some(metrics) = &self.metrics {
            let mut attributes = vec![
                KeyValue::new("db.system.name", system),
                KeyValue::new("db.operation.name", operation.name),
                KeyValue::new("db.collection.name", TABLE),
            ];
            attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
            metrics.record(began, &attributes);
        }
        result
    }

    /// Applies the migrations that have not been. Any number of processes may do so at once.
    ///
    /// # Errors
    /// When one fails; none is then applied half.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.database.migrate().await
    }

    /// Whether the database answers and has all migrations.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        self.database.is_migrated().await
    }

    /// Closes the connections, after the calls under way.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Makes a task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create(&self, owner: Owner<'_>, new: NewTask) -> Result<Task, StoreError> {
        let now = now();
        let made: Vec<Task> = on_pool!(self, writer, "INSERT", connection => sqlx::query_as(sql::INSERT)
            .bind(owner.0)
            .bind(Uuid::now_v7())
            .bind(&new.title)
            .bind(fold(&new.title))
            .bind(new.completed)
            .bind(now)
            .fetch_all(connection))?;
        the_one(made).ok_or(StoreError::Failed(sqlx::Error::RowNotFound))
    }

    /// One of the owner's tasks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, owner: Owner<'_>, id: Uuid) -> Result<Option<Task>, StoreError> {
        on_pool!(self, readers, "SELECT", connection => sqlx::query_as(sql::SELECT).bind(owner.0).bind(id).fetch_optional(connection))
    }

    /// A page of the owner's tasks, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, owner: Owner<'_>, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        let limit = query.limit as usize;
        let pattern = query.search.as_deref().map(contains_pattern);
        let mut tasks: Vec<Task> = on_pool!(self, readers, "SELECT", connection => sqlx::query_as(sql::PAGE)
            .bind(owner.0)
            // No UUIDv7 is as great, so the statement needs no case for the first page.
            .bind(query.before.unwrap_or(Uuid::max()))
            .bind(query.completed)
            .bind(pattern.as_deref())
            .bind(i64::from(query.limit) + 1)
            .fetch_all(connection))?;
        let has_more = tasks.len() > limit;
        tasks.truncate(limit);
        Ok(TaskPage { tasks, has_more })
    }

    /// Changes one of the owner's tasks if its revision meets the condition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update(
        &self,
        owner: Owner<'_>,
        id: Uuid,
        change: TaskChange,
        condition: &RevisionCondition,
    ) -> Result<UpdateOutcome, StoreError> {
        let expected = match self.expected_revision(owner, id, condition).await? {
            Ok(expected) => expected,
            Err(Unmet::NotFound) => return Ok(UpdateOutcome::NotFound),
            Err(Unmet::Stale) => return Ok(UpdateOutcome::Stale),
        };
        let updated: Vec<Task> = on_pool!(self, writer, "UPDATE", connection => sqlx::query_as(sql::UPDATE)
            .bind(owner.0)
            .bind(id)
            .bind(change.title.as_deref())
            .bind(change.title.as_deref().map(fold))
            .bind(change.completed)
            .bind(now())
            .bind(expected)
            .fetch_all(connection))?;
        Ok(match (the_one(updated), expected) {
            (Some(task), _) => UpdateOutcome::Updated(task),
            (None, None) => UpdateOutcome::NotFound,
            // It changed, or went, since its revision was read.
            (None, Some(_)) => UpdateOutcome::Stale,
        })
    }

    /// Deletes one of the owner's tasks if its revision meets the condition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete(
        &self,
        owner: Owner<'_>,
        id: Uuid,
        condition: &RevisionCondition,
    ) -> Result<DeleteOutcome, StoreError> {
        let expected = match self.expected_revision(owner, id, condition).await? {
            Ok(expected) => expected,
            Err(Unmet::NotFound) => return Ok(DeleteOutcome::NotFound),
            Err(Unmet::Stale) => return Ok(DeleteOutcome::Stale),
        };
        let deleted: Vec<(i64,)> = on_pool!(self, writer, "DELETE", connection => sqlx::query_as(sql::DELETE)
            .bind(owner.0)
            .bind(id)
            .bind(expected)
            .fetch_all(connection))?;
        Ok(match (the_one(deleted), expected) {
            (Some(_), _) => DeleteOutcome::Deleted,
            (None, None) => DeleteOutcome::NotFound,
            (None, Some(_)) => DeleteOutcome::Stale,
        })
    }

    /// The revision that the write must find: of those a condition lists, the one the task has.
    /// The write checks it again, so what happens in between makes it stale and is not lost.
    async fn expected_revision(
        &self,
        owner: Owner<'_>,
        id: Uuid,
        condition: &RevisionCondition,
    ) -> Result<Result<Option<i64>, Unmet>, StoreError> {
        let RevisionCondition::OneOf(revisions) = condition else {
            return Ok(Ok(None));
        };
        let Some(task) = self.get(owner, id).await? else {
            return Ok(Err(Unmet::NotFound));
        };
        Ok(match revisions.contains(&task.revision) {
            true => Ok(Some(task.revision)),
            false => Err(Unmet::Stale),
        })
    }
}

/// Why a condition is not met.
enum Unmet {
    NotFound,
    Stale,
}

/// What a write returned: a key names one row at most.
fn the_one<T>(mut rows: Vec<T>) -> Option<T> {
    rows.pop()
}

/// The form in which titles are searched. Made here, since databases disagree about letters
/// beyond ASCII. Letter by letter: a sigma at the end of a word has a form of its own, and what is
/// searched for ends where the title goes on.
fn fold(title: &str) -> String {
    title
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .collect()
}

/// A LIKE pattern for titles with `text` in them. `\` is the escape character of the statement.
fn contains_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in fold(text).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn date_time(microseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_what_is_searched_for_literally() {
        assert_eq!(contains_pattern("Ab"), "%ab%");
        assert_eq!(contains_pattern(r"50%_\x"), r"%50\%\_\\x%");
        assert_eq!(contains_pattern("ÄÖ"), "%äö%");
    }

    #[test]
    fn debug_prints_no_title_and_no_owner() {
        let task = Task {
            id: Uuid::nil(),
            title: "secret".to_owned(),
            completed: false,
            revision: 1,
            created_at: 0,
            updated_at: 0,
        };
        assert!(!format!("{task:?} {:?}", Owner::new("secret")).contains("secret"));
    }
}
