//! JSON answers. poem-openapi's own payload documents itself as `application/json; charset=utf-8`,
//! which no client's table of media types knows, and builds a tree of every answer before it writes
//! one.

use poem::error::ResponseError;
use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON, Type};
use serde::Serialize;

use super::error::ApiError;

/// Its description, in whose place the document puts that of the type.
pub const ANSWER: &str = "What was asked for.";

/// An answer of `application/json`: what is documented as a type's JSON, written by serde.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Type> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(json) => Response::builder()
                .content_type(Self::CONTENT_TYPE)
                .body(Body::from(json)),
            Err(error) => ApiError::internal(&error).as_response(),
        }
    }
}

impl<T: Serialize + ToJSON> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: ANSWER,
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: Self::CONTENT_TYPE,
                    schema: Self::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::Example;

    use super::*;
    use crate::service::api::health::{Health, Readiness};
    use crate::service::api::me::Me;
    use crate::service::api::tasks::{Task, TaskPage};

    #[test]
    fn serde_writes_what_poem_openapi_documents() {
        fn same<T: Example + Serialize + ToJSON>() {
            let example = T::example();
            assert_eq!(serde_json::to_value(&example).ok(), example.to_json());
        }
        same::<Me>();
        same::<Task>();
        same::<TaskPage>();
        same::<Health>();
        same::<Readiness>();
    }
}
