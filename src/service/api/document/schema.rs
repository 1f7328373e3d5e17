//! Schemas: from the dialect of OpenAPI 3.0 to JSON Schema 2020-12, which 3.1 uses.

use serde_json::{Map, Value, json};

/// Rewrites every schema of the document.
pub fn upgrade(document: &mut Value) {
    close_bodies(document);
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.values_mut().for_each(upgrade_schema);
    }
    if let Some(paths) = document.get_mut("paths") {
        upgrade_within(paths);
    }
}

/// Every object of a request body refuses members that it does not know, and the bodies of this
/// API have no objects inside.
fn close_bodies(document: &mut Value) {
    let mut bodies = Vec::new();
    let operations = document["paths"]
        .as_object()
        .into_iter()
        .flat_map(|paths| paths.values());
    for operation in operations
        .filter_map(Value::as_object)
        .flat_map(|path| path.values())
    {
        let content = operation["requestBody"]["content"].as_object();
        for media_type in content.into_iter().flat_map(|content| content.values()) {
            bodies.extend(media_type["schema"]["$ref"].as_str().map(str::to_owned));
        }
    }
    for body in bodies {
        let schema = document.pointer_mut(body.trim_start_matches('#'));
        if let Some(schema) = schema.and_then(Value::as_object_mut) {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
    }
}

fn upgrade_within(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match name.as_str() {
                    "schema" => upgrade_schema(value),
                    _ => upgrade_within(value),
                }
            }
        }
        Value::Array(array) => array.iter_mut().for_each(upgrade_within),
        _ => {}
    }
}

fn upgrade_schema(schema: &mut Value) {
    let Value::Object(schema) = schema else {
        return;
    };
    // A copy of the component's name, or poem-openapi's name for a Rust type.
    schema.remove("title");
    // The limits say it, and generators of clients make a BigInt of an int64.
    if schema.get("type") == Some(&json!("integer")) {
        schema.remove("format");
    }
    describe_reference(schema);
    if let Some(example) = schema.remove("example") {
        schema.insert("examples".to_owned(), json!([example]));
    }
    for limit in ["minimum", "maximum"] {
        if let Some(limit) = schema.get_mut(limit) {
            *limit = whole(limit);
        }
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        // What may be null is always there: the service leaves no member out.
        let nullable = properties
            .iter()
            .filter(|(_, property)| property["nullable"] == true);
        let nullable: Vec<Value> = nullable.map(|(name, _)| name.as_str().into()).collect();
        if let Value::Array(required) = schema.entry("required").or_insert_with(|| json!([])) {
            required.extend(nullable);
        }
    }
    if let Some(kind) = schema.get("type").cloned()
        && schema.get("nullable") == Some(&Value::Bool(true))
    {
        schema.remove("nullable");
        schema.insert("type".to_owned(), json!([kind, "null"]));
    }
    if schema.get("required") == Some(&json!([])) {
        schema.remove("required");
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(upgrade_schema);
    }
    if let Some(items) = schema.get_mut("items") {
        upgrade_schema(items);
    }
}

/// 3.0 had no place for a description beside a `$ref`, so poem-openapi wraps both into `allOf`,
/// which generators of clients take for an intersection.
fn describe_reference(schema: &mut Map<String, Value>) {
    let description = schema.get("description").cloned();
    let wrapped = |parts: &Vec<Value>| match parts.as_slice() {
        [reference, patch] if *patch == json!({"description": description}) => {
            reference.get("$ref").cloned()
        }
        _ => None,
    };
    if let Some(reference) = schema
        .get("allOf")
        .and_then(Value::as_array)
        .and_then(wrapped)
    {
        schema.remove("allOf");
        schema.insert("$ref".to_owned(), reference);
    }
}

/// poem-openapi prints limits as floats.
fn whole(number: &Value) -> Value {
    match number.as_f64() {
        // Up to 2^53 every whole float is exactly that integer.
        Some(float) if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 => {
            (float as i64).into()
        }
        _ => number.clone(),
    }
}
