//! The document held against what the service answers: every answer of the suite goes through
//! [`check`].

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Draft, Validator};
use poem::http::Method;
use serde_json::{Value, json};

use super::{Answer, DOCUMENT};

/// Of HTTP itself, which may come with any answer.
const HEADERS_OF_HTTP: [&str; 3] = ["cache-control", "content-length", "content-type"];

/// An operation answers with a status, headers and a body that its document names.
#[track_caller]
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let pattern = match path.strip_prefix("/api/tasks/") {
        Some(_) => "/api/tasks/{id}",
        None => path,
    };
    let operation = &DOCUMENT["paths"][pattern][method.as_str().to_lowercase()];
    let Some(responses) = operation["responses"].as_object() else {
        return;
    };
    let at = format!("{method} {path} {}", answer.status);
    let response = responses.get(&answer.status.to_string());
    let response = resolved(response.unwrap_or_else(|| panic!("{at}: an undocumented status")));
    check_headers(&at, response, answer);
    match response["content"].as_object() {
        None => assert!(answer.body.is_empty(), "{at}: an undocumented body"),
        Some(content) => {
            let media_type = content.get(answer.header("content-type"));
            let media_type =
                media_type.unwrap_or_else(|| panic!("{at}: an undocumented media type"));
            let body = serde_json::from_slice(&answer.body).unwrap();
            validate(&at, &media_type["schema"], &body);
        }
    }
}

#[track_caller]
fn check_headers(at: &str, response: &'static Value, answer: &Answer) {
    let documented = response["headers"].as_object();
    let documented: HashMap<_, _> = documented
        .into_iter()
        .flatten()
        .map(|(name, header)| (name.to_lowercase(), resolved(header)))
        .collect();
    for (name, header) in &documented {
        let value = answer.header(name);
        if value.is_empty() {
            assert_eq!(header["required"], false, "{at}: {name} is missing");
            continue;
        }
        let is_number = header["schema"]["type"] == "integer";
        let value = match value.parse::<u64>() {
            Ok(number) if is_number => json!(number),
            _ => json!(value),
        };
        validate(&format!("{at} {name}"), &header["schema"], &value);
    }
    for name in answer.headers.keys() {
        assert!(
            documented.contains_key(name.as_str()) || HEADERS_OF_HTTP.contains(&name.as_str()),
            "{at}: an undocumented header: {name}"
        );
    }
}

/// Holds a value against a schema of the document.
#[track_caller]
pub fn validate(at: &str, schema: &Value, value: &Value) {
    let faults: Vec<_> = validator(schema)
        .iter_errors(value)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{at}: {faults:#?} in {value:#}");
}

fn validator(schema: &Value) -> Arc<Validator> {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> =
        LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        // References lead from the root, where the components therefore are.
        let root = json!({"allOf": [schema], "components": DOCUMENT["components"]});
        // OpenAPI 3.1's schemas are JSON Schema's, whose formats are checked only when asked for.
        let options = jsonschema::options().with_draft(Draft::Draft202012);
        let validator = options.should_validate_formats(true).build(&root);
        Arc::new(validator.unwrap())
    });
    validator.clone()
}

/// The part of the document that a value is or refers to.
pub fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

#[test]
#[should_panic(expected = "/items/0/createdAt")]
fn formats_behind_references_are_checked() {
    let schema = json!({"$ref": "#/components/schemas/TaskPage"});
    let mut page = DOCUMENT["components"]["schemas"]["TaskPage"]["examples"][0].clone();
    page["items"][0]["createdAt"] = json!("2026-11-23");
    validate("a page", &schema, &page);
}
