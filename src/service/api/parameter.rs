//! Typed parameters: one place says what a value must be, for the check and for the document.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::error::{ApiError, ID_INVALID, Kind};
use super::query::QueryString;

/// A value that comes as text.
pub trait Parameter: Sized + Send {
    /// What the value must be, to be read after the parameter's name.
    const RULE: &'static str;
    /// The kind of problem if it is not.
    const KIND: &'static Kind = &super::error::PARAMETER_INVALID;

    /// The same rule in the document.
    fn schema() -> MetaSchema;

    /// Reads it.
    fn parse(text: &str) -> Option<Self>;
}

/// An optional query parameter.
pub struct Query<T>(pub Option<T>);

/// A path parameter. The macro of poem-openapi knows path parameters by this name.
pub struct Path<T>(pub T);

impl<'a, T: Parameter> ApiExtractor<'a> for Query<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(T::schema())))
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let query = request.extensions().get::<QueryString>();
        let Some(text) = query.and_then(|query| query.get(options.name)) else {
            return Ok(Self(None));
        };
        match T::parse(text) {
            Some(value) => Ok(Self(Some(value))),
            None => Err(ApiError::in_parameter(T::KIND, options.name, T::RULE).into()),
        }
    }
}

impl<'a, T: Parameter> ApiExtractor<'a> for Path<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(T::schema())))
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let text = request.raw_path_param(options.name).unwrap_or_default();
        match T::parse(text) {
            Some(value) => Ok(Self(value)),
            // The macro gives a path parameter's position instead of its name; all are ids.
            None => Err(ApiError::in_parameter(T::KIND, "id", T::RULE).into()),
        }
    }
}

/// The id of a task.
#[derive(Clone, Copy, Debug)]
pub struct TaskId(pub uuid::Uuid);

/// Characters of a UUID with hyphens. The other spellings that `uuid` reads are not UUIDs to the
/// format that the document names.
const UUID_LEN: usize = 36;

impl Parameter for TaskId {
    const RULE: &'static str = "must be a UUID";
    const KIND: &'static Kind = &ID_INVALID;

    fn schema() -> MetaSchema {
        MetaSchema {
            example: Some("019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071".into()),
            ..MetaSchema::new_with_format("string", "uuid")
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let id = text.parse().ok().map(Self);
        id.filter(|_| text.len() == UUID_LEN)
    }
}

impl Parameter for bool {
    const RULE: &'static str = "must be true or false";

    fn schema() -> MetaSchema {
        MetaSchema {
            example: Some(false.into()),
            ..MetaSchema::new("boolean")
        }
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// How many tasks a page may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limit(pub u32);

impl Limit {
    const MAX: u32 = 100;
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl Parameter for Limit {
    const RULE: &'static str = "must be an integer from 1 to 100";

    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(1.0),
            maximum: Some(Self::MAX.into()),
            default: Some(Self::default().0.into()),
            example: Some(Self::MAX.into()),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }

    fn parse(text: &str) -> Option<Self> {
        // Rust also reads a leading plus.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text
            .parse()
            .ok()
            .filter(|limit| digits && (1..=Self::MAX).contains(limit));
        limit.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_strictly() {
        for (text, expected) in [
            ("1", Some(1)),
            ("100", Some(100)),
            ("007", Some(7)),
            ("0", None),
            ("101", None),
            ("+5", None),
            ("-5", None),
            ("5.0", None),
            ("", None),
            ("99999999999", None),
        ] {
            assert_eq!(Limit::parse(text).map(|limit| limit.0), expected, "{text}");
        }
        for text in ["True", "1", "", "yes"] {
            assert_eq!(<bool as Parameter>::parse(text), None, "{text}");
        }
        for (text, good) in [
            ("019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071", true),
            ("019AB2C3-D4E5-7F60-8A1B-2C3D4E5F6071", true),
            ("019ab2c3d4e57f608a1b2c3d4e5f6071", false),
            ("{019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071}", false),
            ("urn:uuid:019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071", false),
            ("1", false),
            ("", false),
        ] {
            assert_eq!(TaskId::parse(text).is_some(), good, "{text}");
        }
    }
}
