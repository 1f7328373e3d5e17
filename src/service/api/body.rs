//! Request bodies: JSON objects, read strictly.
//!
//! 1. The media type is one the operation names; parameters such as `charset=utf-8` are ignored,
//!    since JSON is UTF-8 (RFC 8259 §8.1).
//! 2. At most 64 KiB are read.
//! 3. A member that stands twice or is not known is refused, and no value is coerced.
//! 4. All faults are reported at once, each with its pointer.

use std::fmt;

use poem::error::ReadBodyError;
use poem::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::error::{ApiError, BODY_MALFORMED};
use crate::problem::Violation;

/// The longest body in bytes. The largest that the API takes, a title of 200 characters each
/// escaped as a surrogate pair, has less than 3 KiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A value inside a body.
pub trait Field: Sized {
    /// What the value must be, to be read after the member's name.
    const RULE: &'static str;

    /// The same rule in the document.
    fn schema() -> MetaSchema;

    /// Reads it.
    fn from_json(value: Value) -> Option<Self>;
}

impl Field for bool {
    const RULE: &'static str = "must be true or false";

    fn schema() -> MetaSchema {
        MetaSchema::new("boolean")
    }

    fn from_json(value: Value) -> Option<Self> {
        value.as_bool()
    }
}

/// A JSON object that an operation takes.
pub trait Object: Sized + Send + 'static {
    /// Its name in the document.
    const NAME: &'static str;
    /// The media types it may come as, the usual one first.
    const MEDIA_TYPES: &'static [&'static str] = &["application/json"];

    /// Its schema. `additionalProperties: false` is added to the document for every body.
    fn schema() -> MetaSchema;

    /// Reads its members. `None` only after a fault was noted.
    fn read(members: &mut Members) -> Option<Self>;
}

/// The body of a request.
pub struct Body<T>(pub T);

impl<'a, T: Object> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_schema::<T, _>(T::NAME.to_owned(), |_| T::schema());
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = T::MEDIA_TYPES.iter().map(|content_type| MetaMediaType {
            content_type,
            schema: MetaSchemaRef::Reference(T::NAME.to_owned()),
        });
        Some(MetaRequest {
            description: None,
            content: content.collect(),
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        check_media_type(request, T::MEDIA_TYPES)?;
        let bytes = body.take()?.into_bytes_limit(MAX_BODY_BYTES).await;
        let bytes = bytes.map_err(|error| unreadable(&error))?;
        Ok(Self(parse(&bytes)?))
    }
}

fn check_media_type(request: &Request, accepted: &[&str]) -> Result<(), ApiError> {
    let encoded = request.headers().contains_key(CONTENT_ENCODING);
    let mut types = request.headers().get_all(CONTENT_TYPE).iter();
    let media_type = types
        .next()
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let known = accepted
        .iter()
        .any(|accepted| accepted.eq_ignore_ascii_case(media_type));
    match known && types.next().is_none() && !encoded {
        true => Ok(()),
        false => Err(ApiError::unsupported_media_type(accepted)),
    }
}

fn unreadable(error: &ReadBodyError) -> ApiError {
    match error {
        ReadBodyError::PayloadTooLarge => ApiError::payload_too_large(),
        _ => ApiError::new(&BODY_MALFORMED, "the body could not be read to its end"),
    }
}

fn parse<T: Object>(bytes: &[u8]) -> Result<T, ApiError> {
    let members: RawMembers = serde_json::from_slice(bytes).map_err(|error| {
        let detail = match error.is_data() {
            true => "the body must be a JSON object".to_owned(),
            false => format!(
                "the body is not JSON, see line {}, column {}",
                error.line(),
                error.column()
            ),
        };
        ApiError::new(&BODY_MALFORMED, detail)
    })?;
    let mut members = Members {
        members: members.0,
        known: Vec::new(),
        faults: Vec::new(),
    };
    let object = T::read(&mut members);
    match (object, members.faults()) {
        (Some(object), faults) if faults.is_empty() => Ok(object),
        (_, faults) => Err(ApiError::in_body(faults)),
    }
}

/// The members of an object, in their order and with repetitions.
struct RawMembers(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for RawMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = RawMembers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMembers, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// The members of a body while it is read, and the faults found so far.
pub struct Members {
    members: Vec<(String, Value)>,
    known: Vec<&'static str>,
    faults: Vec<Violation>,
}

impl Members {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A member that must be there.
    pub fn required<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let found = self.take(name);
        self.check(name, Some(found.unwrap_or(Value::Null)))
    }

    /// A member that may be left out. Being null is not being left out.
    pub fn optional<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let found = self.take(name);
        self.check(name, found)
    }

    fn check<T: Field>(&mut self, name: &str, value: Option<Value>) -> Option<T> {
        let read = T::from_json(value?);
        if read.is_none() {
            self.fault(name, T::RULE);
        }
        read
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let position = self.members.iter().position(|(other, _)| other == name)?;
        let (_, value) = self.members.remove(position);
        if self.members.iter().any(|(other, _)| other == name) {
            self.members.retain(|(other, _)| other != name);
            // Which of them counts would be a guess, and parsers differ (RFC 8259 §4).
            self.fault(name, "must stand once");
        }
        Some(value)
    }

    /// Notes a fault of the whole body.
    pub fn fault_in_whole(&mut self, rule: &'static str) {
        self.faults.push(Violation::in_body("", rule));
    }

    fn fault(&mut self, name: &str, rule: &'static str) {
        self.faults
            .push(Violation::in_body(format!("/{name}"), rule));
    }

    fn faults(self) -> Vec<Violation> {
        let mut faults = self.faults;
        if !self.members.is_empty() {
            let detail = format!("must have no members but {}", self.known.join(", "));
            faults.push(Violation::in_body("", detail));
        }
        faults
    }
}
