//! `/api/tasks`: the caller's tasks.
//!
//! Every operation hands the caller's id to the store, which looks at nobody else's rows; so
//! another user's task is missing here in the same way as one that never was.

mod types;

pub use types::{NewTask, Task, TaskPage, TaskPatch};

use poem::Result;
use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi};

use super::answer::Json;
use super::body::Body;
use super::cursor::Cursor;
use super::error::ApiError;
use super::parameter::{Limit, Path, Query, TaskId};
use super::precondition::{IfMatch, entity_tag};
use super::tags::Tag;
use super::text::{SearchText, Title};
use super::user::{Read, User, Write};
use crate::service::store::{self, DeleteOutcome, TaskStore, UpdateOutcome};

/// The operations on tasks.
pub struct TasksApi;

/// The answer with a task that was made.
#[derive(ApiResponse)]
enum Created {
    /// The new task.
    #[oai(status = 201)]
    Task(
        Json<Task>,
        /// Where the task is.
        #[oai(header = "Location")]
        String,
        /// The entity tag of the task.
        #[oai(header = "ETag")]
        String,
    ),
}

/// The answer with a task.
#[derive(ApiResponse)]
enum Found {
    /// The task.
    #[oai(status = 200)]
    Task(
        Json<Task>,
        /// The entity tag of the task.
        #[oai(header = "ETag")]
        String,
    ),
}

impl From<store::Task> for Found {
    fn from(task: store::Task) -> Self {
        let tag = entity_tag(task.revision);
        Self::Task(Json(task.into()), tag)
    }
}

/// The answer without a task.
#[derive(ApiResponse)]
enum Deleted {
    /// The task is gone.
    #[oai(status = 204)]
    Gone,
}

#[OpenApi(tag = "Tag::Tasks")]
impl TasksApi {
    /// List tasks
    ///
    /// Newest first, page by page. A task that is made while the pages are read does not shift
    /// the later ones.
    #[oai(path = "/api/tasks", method = "get", operation_id = "listTasks")]
    async fn list_tasks(
        &self,
        Data(store): Data<&TaskStore>,
        user: User<Read>,
        /// How many tasks the page may hold.
        limit: Query<Limit>,
        /// Where the page begins: the `nextCursor` of the page before.
        cursor: Query<Cursor>,
        /// Only tasks that are done, or only those that are not.
        completed: Query<bool>,
        /// Only tasks whose title contains this text, in upper or lower case.
        q: Query<SearchText>,
    ) -> Result<Json<TaskPage>> {
        let query = store::TaskQuery {
            limit: limit.0.unwrap_or_default().0,
            before: cursor.0.map(|Cursor(id)| id),
            completed: completed.0,
            search: q.0.map(|SearchText(text)| text),
        };
        let page = store
            .list(user.owner(), &query)
            .await
            .map_err(ApiError::from)?;
        let last = page.tasks.last().filter(|_| page.has_more);
        let next_cursor = last.map(|task| Cursor(task.id).encode());
        let items = page.tasks.into_iter().map(Task::from).collect();
        Ok(Json(TaskPage { items, next_cursor }))
    }

    /// Make a task
    ///
    /// The caller owns it. The answer has it as it was stored.
    #[oai(path = "/api/tasks", method = "post", operation_id = "createTask")]
    async fn create_task(
        &self,
        Data(store): Data<&TaskStore>,
        user: User<Write>,
        /// The task.
        task: Body<NewTask>,
    ) -> Result<Created> {
        let NewTask {
            title: Title(title),
            completed,
        } = task.0;
        let new = store::NewTask { title, completed };
        let task = store
            .create(user.owner(), new)
            .await
            .map_err(ApiError::from)?;
        let location = format!("/api/tasks/{}", task.id);
        let tag = entity_tag(task.revision);
        Ok(Created::Task(Json(task.into()), location, tag))
    }

    /// Read a task
    ///
    /// With its entity tag, for changing it later on.
    #[oai(path = "/api/tasks/:id", method = "get", operation_id = "getTask")]
    async fn get_task(
        &self,
        Data(store): Data<&TaskStore>,
        user: User<Read>,
        /// The task's id.
        id: Path<TaskId>,
    ) -> Result<Found> {
        let task = store
            .get(user.owner(), id.0.0)
            .await
            .map_err(ApiError::from)?;
        Ok(task.ok_or_else(ApiError::task_not_found)?.into())
    }

    /// Change a task
    ///
    /// Only the members that the body has. With `If-Match`, only if nobody else has changed the
    /// task in the meantime.
    #[oai(path = "/api/tasks/:id", method = "patch", operation_id = "updateTask")]
    async fn update_task(
        &self,
        Data(store): Data<&TaskStore>,
        user: User<Write>,
        /// The task's id.
        id: Path<TaskId>,
        /// Change the task only if it still has one of these entity tags; `*` for any.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        /// The changes.
        changes: Body<TaskPatch>,
    ) -> Result<Found> {
        let TaskPatch { title, completed } = changes.0;
        let change = store::TaskChange {
            title: title.map(|Title(text)| text),
            completed,
        };
        let update = store.update(user.owner(), id.0.0, change, &if_match.0);
        match update.await.map_err(ApiError::from)? {
            UpdateOutcome::Updated(task) => Ok(task.into()),
            UpdateOutcome::NotFound => Err(ApiError::task_not_found().into()),
            UpdateOutcome::Stale => Err(ApiError::precondition_failed().into()),
        }
    }

    /// Delete a task
    ///
    /// For good. With `If-Match`, only if nobody else has changed the task in the meantime.
    #[oai(
        path = "/api/tasks/:id",
        method = "delete",
        operation_id = "deleteTask"
    )]
    async fn delete_task(
        &self,
        Data(store): Data<&TaskStore>,
        user: User<Write>,
        /// The task's id.
        id: Path<TaskId>,
        /// Delete the task only if it still has one of these entity tags; `*` for any.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
    ) -> Result<Deleted> {
        let deletion = store.delete(user.owner(), id.0.0, &if_match.0);
        match deletion.await.map_err(ApiError::from)? {
            DeleteOutcome::Deleted => Ok(Deleted::Gone),
            DeleteOutcome::NotFound => Err(ApiError::task_not_found().into()),
            DeleteOutcome::Stale => Err(ApiError::precondition_failed().into()),
        }
    }
}
