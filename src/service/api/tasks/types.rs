//! What goes in and out of the task operations.

use poem_openapi::registry::MetaSchema;
use poem_openapi::types::Example;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::service::api::body::{Field, Members, Object};
use crate::service::api::text::Title;
use crate::service::store;

/// A task.
#[derive(Clone, Debug, poem_openapi::Object, Serialize)]
#[oai(rename_all = "camelCase", example)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The task's id, a UUIDv7: a later task has a greater one.
    pub id: Uuid,
    /// What is to be done.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub title: String,
    /// Whether it is done.
    pub completed: bool,
    /// Counts the changes. In double quotes it is the task's entity tag, for `If-Match`.
    // A promise to languages whose numbers are doubles. Just below 2^53, serde_json would not
    // read back the float that poem-openapi writes.
    #[oai(validator(minimum(value = "1"), maximum(value = "9000000000000000")))]
    pub revision: i64,
    /// When it was made, in UTC, always with six digits of a second.
    #[oai(serialize_with = "timestamp_value")]
    #[serde(serialize_with = "serialize_timestamp")]
    pub created_at: OffsetDateTime,
    /// When it was last changed, in UTC, always with six digits of a second.
    #[oai(serialize_with = "timestamp_value")]
    #[serde(serialize_with = "serialize_timestamp")]
    pub updated_at: OffsetDateTime,
}

/// RFC 3339 in one length, so that texts sort as times do.
fn timestamp(time: &OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second, micro) = time.to_hms_micro();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z")
}

/// For poem-openapi.
fn timestamp_value(time: &OffsetDateTime) -> Option<Value> {
    Some(timestamp(time).into())
}

fn serialize_timestamp<S: Serializer>(
    time: &OffsetDateTime,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp(time))
}

impl From<store::Task> for Task {
    fn from(task: store::Task) -> Self {
        Self {
            id: task.id,
            completed: task.completed,
            revision: task.revision,
            created_at: task.created_at(),
            updated_at: task.updated_at(),
            title: task.title,
        }
    }
}

impl Example for Task {
    fn example() -> Self {
        let created_at =
            OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(1_795_450_322_423_000);
        Self {
            id: Uuid::from_u128(0x019a_b2c3_d4e5_7f60_8a1b_2c3d_4e5f_6071),
            title: "Buy milk".to_owned(),
            completed: false,
            revision: 1,
            created_at,
            updated_at: created_at,
        }
    }
}

/// A page of tasks, newest first.
#[derive(Clone, Debug, poem_openapi::Object, Serialize)]
#[oai(rename_all = "camelCase", example)]
#[serde(rename_all = "camelCase")]
pub struct TaskPage {
    /// The tasks.
    #[oai(validator(max_items = 100))]
    pub items: Vec<Task>,
    /// Where the next page begins: pass it as `cursor`. Null on the last page.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
}

impl Example for TaskPage {
    fn example() -> Self {
        Self {
            items: vec![Task::example()],
            next_cursor: None,
        }
    }
}

/// A task to be made.
#[derive(Clone)]
pub struct NewTask {
    /// What is to be done.
    pub title: Title,
    /// Whether it is done already.
    pub completed: bool,
}

impl Object for NewTask {
    const NAME: &'static str = "NewTask";

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("A task to be made."),
            required: vec!["title"],
            properties: vec![
                ("title", inline(Title::schema())),
                (
                    "completed",
                    inline(MetaSchema {
                        description: Some("Whether it is done already."),
                        default: Some(false.into()),
                        ..<bool as Field>::schema()
                    }),
                ),
            ],
            example: Some(json!({"title": "Buy milk"})),
            ..MetaSchema::new("object")
        }
    }

    fn read(members: &mut Members) -> Option<Self> {
        let title = members.required("title");
        let completed = members.optional("completed");
        Some(Self {
            title: title?,
            completed: completed.unwrap_or(false),
        })
    }
}

/// Changes to a task.
#[derive(Clone)]
pub struct TaskPatch {
    /// What is to be done, if that changes.
    pub title: Option<Title>,
    /// Whether it is done, if that changes.
    pub completed: Option<bool>,
}

impl Object for TaskPatch {
    const NAME: &'static str = "TaskPatch";
    /// A JSON Merge Patch (RFC 7396), which curl and most clients send as plain JSON.
    const MEDIA_TYPES: &'static [&'static str] =
        &["application/json", "application/merge-patch+json"];

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some(
                "Changes to a task, as a JSON Merge Patch (RFC 7396). Members that are left out \
                 stay as they are; no member of a task can be removed, so none may be null.",
            ),
            properties: vec![
                ("title", inline(Title::schema())),
                (
                    "completed",
                    inline(MetaSchema {
                        description: Some("Whether it is done."),
                        ..<bool as Field>::schema()
                    }),
                ),
            ],
            min_properties: Some(1),
            example: Some(json!({"completed": true})),
            ..MetaSchema::new("object")
        }
    }

    fn read(members: &mut Members) -> Option<Self> {
        if members.is_empty() {
            // It would count as a change.
            members.fault_in_whole("must have at least one member");
        }
        Some(Self {
            title: members.optional("title"),
            completed: members.optional("completed"),
        })
    }
}

fn inline(schema: MetaSchema) -> poem_openapi::registry::MetaSchemaRef {
    poem_openapi::registry::MetaSchemaRef::Inline(Box::new(schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_format() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_795_450_322_423_000, "2026-11-23T16:12:02.423000Z"),
            (1, "1970-01-01T00:00:00.000001Z"),
        ] {
            let time = OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(micros);
            assert_eq!(timestamp(&time), expected);
        }
    }
}
