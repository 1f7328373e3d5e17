//! `/healthz` and `/readyz`: for whatever runs the service.

use std::time::Duration;

use poem::web::Data;
use poem_openapi::types::{Example, ToJSON};
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;

use super::answer::Json;
use super::error::{ApiError, NOT_READY};
use super::tags::Tag;
use crate::poem::Public;
use crate::service::error_chain::chain;
use crate::service::store::TaskStore;
use crate::verifier::Verifier;

/// The database must answer within this time. Probes give up after a second or a few.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// When to look again, as the rejections for lack of keys have it at the least.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The operations about the service.
pub struct HealthApi;

/// The process lives.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Health {
    /// Always `ok`.
    pub status: HealthStatus,
}

/// How the process is.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It answers.
    Ok,
}

impl Example for Health {
    fn example() -> Self {
        Self {
            status: HealthStatus::Ok,
        }
    }
}

/// What the service rests on, part by part.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Readiness {
    /// The keys that tokens are verified with: those of each issuer, if there are several.
    pub keys: KeysReadiness,
    /// The database.
    pub database: DatabaseReadiness,
}

/// How the auth server's keys are.
#[derive(Clone, Copy, Debug, Object, Serialize)]
#[oai(rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub struct KeysReadiness {
    /// Whether tokens can be verified: there are keys, and they are not too old. Of several sets of
    /// keys, whether all are usable.
    pub usable: bool,
    /// Seconds since the auth server last gave them, the oldest if there are several sets; null if it has not yet, or if they are fixed.
    #[oai(nullable, validator(minimum(value = "0")))]
    pub age_seconds: Option<i64>,
}

/// How the database is.
#[derive(Clone, Copy, Debug, Object, Serialize)]
#[oai(rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub struct DatabaseReadiness {
    /// Whether it answers in time.
    pub answers: bool,
    /// Whether it has the tables of this version.
    pub migrated: bool,
}

impl Example for Readiness {
    fn example() -> Self {
        Self {
            keys: KeysReadiness {
                usable: true,
                age_seconds: Some(42),
            },
            database: DatabaseReadiness {
                answers: true,
                migrated: true,
            },
        }
    }
}

impl Readiness {
    async fn of(verifier: &Verifier, store: &TaskStore) -> Self {
        Self {
            keys: KeysReadiness::of(verifier),
            database: DatabaseReadiness::of(store).await,
        }
    }

    /// As it is while neither the auth server nor the database has answered.
    pub fn nothing() -> Self {
        Self {
            keys: KeysReadiness {
                usable: false,
                age_seconds: None,
            },
            database: DatabaseReadiness {
                answers: false,
                migrated: false,
            },
        }
    }

    /// What is lacking, in words; empty if nothing is.
    fn lacks(&self) -> String {
        let database = self.database;
        let lacks = [
            (!self.keys.usable).then_some("there are no usable keys of the auth server"),
            (!database.answers).then_some("the database does not answer"),
            (database.answers && !database.migrated).then_some("the database is not migrated"),
        ];
        lacks.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// The problem that names what is lacking, and has every part.
    pub fn into_error(self) -> ApiError {
        let error = ApiError::new(&NOT_READY, self.lacks()).with_retry_after(RETRY_AFTER);
        match self.to_json() {
            Some(serde_json::Value::Object(parts)) => error.with_members(parts),
            _ => error,
        }
    }
}

impl KeysReadiness {
    fn of(verifier: &Verifier) -> Self {
        match verifier.key_set_status() {
            Some(status) => Self {
                usable: status.usable,
                age_seconds: status
                    .age
                    .map(|age| age.as_secs().try_into().unwrap_or(i64::MAX)),
            },
            // Keys that are fixed are always there.
            None => Self {
                usable: true,
                age_seconds: None,
            },
        }
    }
}

impl DatabaseReadiness {
    async fn of(store: &TaskStore) -> Self {
        let none = Self {
            answers: false,
            migrated: false,
        };
        match tokio::time::timeout(DATABASE_TIMEOUT, store.is_migrated()).await {
            Ok(Ok(migrated)) => Self {
                answers: true,
                migrated,
            },
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "the database does not answer");
                none
            }
            Err(_) => {
                tracing::warn!("the database does not answer in time");
                none
            }
        }
    }
}

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// The process lives
    ///
    /// Says nothing about what the service rests on: a restart would not mend that.
    #[oai(path = "/healthz", method = "get", operation_id = "getHealth")]
    async fn get_health(&self, _public: Public) -> Json<Health> {
        Json(Health::example())
    }

    /// The service can do its work
    ///
    /// There are keys to verify tokens with, and the database answers and is migrated. If not, the
    /// problem names each part.
    #[oai(path = "/readyz", method = "get", operation_id = "getReadiness")]
    async fn get_readiness(
        &self,
        Data(verifier): Data<&Verifier>,
        Data(store): Data<&TaskStore>,
        _public: Public,
    ) -> poem::Result<Json<Readiness>> {
        let readiness = Readiness::of(verifier, store).await;
        match readiness.lacks().is_empty() {
            true => Ok(Json(readiness)),
            false => Err(readiness.into_error().into()),
        }
    }
}
