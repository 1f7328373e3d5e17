//! The OpenAPI document: what poem-openapi makes of the typed operations, and what it leaves out.
//!
//! poem-openapi writes 3.0 and knows only what return types say. From there on:
//! 1. `schema`: the schemas become those of 3.1, with `null` as a type, and say which objects are
//!    closed.
//! 2. `responses`: every operation gets the errors that its shape brings with it.
//! 3. Answers that are described as nothing in particular get the description of what they hold.
//! 4. Header names get their usual case.

mod codes;
mod responses;
mod schema;

use poem_openapi::{LicenseObject, OpenApiService};
use serde_json::{Map, Value};

use super::answer::ANSWER;
use super::{API, Api};

const DESCRIPTION: &str = "A small task list that shows Keyward at work.\n\n\
    Every request but those for the service's health needs a JWT of the Better Auth server as a \
    bearer token, or, where the service is set up for OAuth clients, an access token of that server: \
    with the scope `tasks:read` to read tasks, and `tasks:write` to change them. Every error is a problem document (RFC 9457) with a stable `code`.";

/// The document.
pub fn document() -> Value {
    // Not JSON would be poem-openapi's fault; the tests would show it.
    let mut document: Value = serde_json::from_str(&raw()).unwrap_or_default();
    if let Some(document) = document.as_object_mut() {
        document.insert("openapi".to_owned(), "3.1.0".into());
    }
    schema::upgrade(&mut document);
    responses::add(&mut document);
    describe_answers(&mut document);
    tidy(&mut document);
    document
}

/// The document's text: the same on every machine.
pub fn to_text(document: &Value) -> String {
    format!("{document:#}\n")
}

fn raw() -> String {
    service().spec()
}

fn service() -> OpenApiService<Api, ()> {
    OpenApiService::new(API, "Keyward", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(
            LicenseObject::new(env!("CARGO_PKG_LICENSE")).identifier(env!("CARGO_PKG_LICENSE")),
        )
        .server("/")
}

/// What `Json` answers is a type of its own, whose first paragraph says what.
fn describe_answers(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let paths = document["paths"].as_object_mut();
    let methods = paths.into_iter().flat_map(Map::values_mut);
    let operations = methods
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    let responses = operations.filter_map(|operation| operation.pointer_mut("/responses/200"));
    for response in responses.filter(|response| response["description"] == ANSWER) {
        let schema = response.pointer("/content/application~1json/schema/$ref");
        let name = schema.and_then(|it| it.as_str()?.rsplit('/').next());
        if let Some(text) = name.and_then(|name| schemas[name]["description"].as_str()) {
            response["description"] = text.split("\n\n").next().into();
        }
    }
}

/// Takes out what says nothing, and writes header names as everybody does.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("deprecated") == Some(&Value::Bool(false)) {
                object.remove("deprecated");
            }
            if object.contains_key("in") {
                object.remove("explode");
            }
            if let Some(Value::Object(headers)) = object.get_mut("headers") {
                let named: Map<_, _> = std::mem::take(headers)
                    .into_iter()
                    .map(|(name, header)| (header_name(&name), header))
                    .collect();
                *headers = named;
            }
            // The lines of a comment are not the lines of a text.
            if let Some(Value::String(text)) = object.get_mut("description") {
                let paragraphs = text.split("\n\n").map(|lines| lines.replace('\n', " "));
                *text = paragraphs.collect::<Vec<_>>().join("\n\n");
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(array) => array.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn header_name(name: &str) -> String {
    const AS_REGISTERED: [&str; 4] = ["ETag", "Location", "Retry-After", "WWW-Authenticate"];
    let known = AS_REGISTERED
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name));
    known.copied().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice_not_even_before_the_changes() {
        // A status that both the answer and the error type declare would be here twice.
        for text in [raw(), to_text(&document())] {
            crate::json::Object::parse(text.as_bytes()).unwrap();
        }
    }

    #[test]
    fn nothing_of_3_0_is_left() {
        let document = document();
        for part in ["/components/schemas", "/paths"] {
            let text = to_text(document.pointer(part).unwrap());
            for left in [
                "\"nullable\"",
                "\"example\"",
                "\"exclusiveM",
                "ETAG",
                "\"uint",
                ".0,",
            ] {
                assert!(!text.contains(left), "{left} in {part}");
            }
        }
    }
}
