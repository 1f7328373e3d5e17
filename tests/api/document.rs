//! The OpenAPI document: as it is checked in, as it is served, and by its own rules.

use std::collections::BTreeMap;

use keyward::service::api::to_text;
use serde_json::{Value, json};

use super::{Api, DOCUMENT, contract};

#[test]
fn the_checked_in_document_is_current() {
    let checked_in = include_str!("../../openapi/openapi.json");
    assert!(
        checked_in == to_text(&DOCUMENT),
        "openapi/openapi.json is not what the code says; run: cargo run -- openapi"
    );
}

#[tokio::test]
async fn the_served_document_is_the_same_and_swagger_ui_shows_it() {
    let api = Api::new().await;
    let served = api.get("/openapi.json").send().await;
    assert_eq!(
        (served.status, served.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(served.text(), to_text(&DOCUMENT));
    let page = api.get("/docs").send().await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let page = page.text();
    assert!(
        page.contains(r#""openapi":"3.1.0""#),
        "it shows this document"
    );
    assert!(
        page.contains("persistAuthorization: true"),
        "a token survives a reload"
    );
}

fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods
            .iter()
            .map(|(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// The names are functions in clients, the statuses are what these handle: changing one breaks
/// them.
#[test]
fn names_and_statuses_are_frozen() {
    let found: BTreeMap<_, _> = operations()
        .map(|(path, method, operation)| {
            let statuses: Vec<_> = operation["responses"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect();
            let id = operation["operationId"].as_str().unwrap();
            (id, format!("{method} {path} {}", statuses.join(" ")))
        })
        .collect();
    let expected = [
        (
            "createTask",
            "post /api/tasks 201 400 401 403 413 415 500 503",
        ),
        (
            "deleteTask",
            "delete /api/tasks/{id} 204 400 401 403 404 412 413 500 503",
        ),
        ("getHealth", "get /healthz 200 400 413 500"),
        ("getMe", "get /api/me 200 400 401 403 413 500 503"),
        ("getReadiness", "get /readyz 200 400 413 500 503"),
        (
            "getTask",
            "get /api/tasks/{id} 200 400 401 403 404 413 500 503",
        ),
        ("listTasks", "get /api/tasks 200 400 401 403 413 500 503"),
        (
            "updateTask",
            "patch /api/tasks/{id} 200 400 401 403 404 412 413 415 500 503",
        ),
    ];
    let found: Vec<_> = found
        .iter()
        .map(|(id, text)| (*id, text.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_operation_and_parameter_is_described() {
    let described = |value: &Value| {
        value["description"]
            .as_str()
            .is_some_and(|it| it.ends_with('.'))
    };
    for (path, method, operation) in operations() {
        let at = format!("{method} {path}");
        assert!(
            described(operation) && operation["summary"].is_string(),
            "{at}"
        );
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{at}");
        assert!(operation["security"].is_array(), "{at}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(described(parameter), "{at} {parameter}");
            assert!(
                parameter["schema"]["examples"].is_array(),
                "{at} {parameter}"
            );
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let shared = response["$ref"].is_string();
            assert_eq!(shared, status.as_str() >= "400", "{at} {status}");
            assert!(shared || described(response), "{at} {status}");
        }
    }
    for (name, response) in DOCUMENT["components"]["responses"].as_object().unwrap() {
        assert!(described(response), "{name}");
        assert!(
            response["content"]["application/problem+json"]["example"].is_object(),
            "{name}"
        );
    }
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        assert!(described(schema), "{name}");
    }
    for tag in DOCUMENT["tags"].as_array().unwrap() {
        assert!(described(tag), "{tag}");
    }
}

#[test]
fn bodies_are_closed_and_say_their_limits() {
    let schemas = &DOCUMENT["components"]["schemas"];
    for body in ["NewTask", "TaskPatch"] {
        assert_eq!(schemas[body]["additionalProperties"], false, "{body}");
        let title = &schemas[body]["properties"]["title"];
        assert_eq!(
            (&title["minLength"], &title["maxLength"]),
            (&json!(1), &json!(200))
        );
    }
    assert_eq!(schemas["NewTask"]["required"], json!(["title"]));
    assert_eq!(schemas["TaskPatch"].get("required"), None);
    assert_eq!(schemas["TaskPatch"]["minProperties"], 1);
    let limit = &DOCUMENT["paths"]["/api/tasks"]["get"]["parameters"][0]["schema"];
    assert_eq!(
        [&limit["minimum"], &limit["maximum"], &limit["default"]],
        [1, 100, 20]
    );
    let revision = &schemas["Task"]["properties"]["revision"];
    assert!(
        revision["maximum"].as_i64() < Some(1 << 53),
        "exact as a double"
    );
    assert_eq!(revision.get("format"), None, "int64 would become a BigInt");
    assert_eq!(
        schemas["TaskPage"]["properties"]["nextCursor"]["type"],
        json!(["string", "null"])
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(value: &Value) -> usize {
        match value {
            Value::Object(object) => {
                let reference = object.get("$ref").and_then(Value::as_str).map(|reference| {
                    let target = DOCUMENT.pointer(reference.trim_start_matches('#'));
                    assert!(target.is_some(), "{reference}");
                });
                usize::from(reference.is_some()) + object.values().map(check).sum::<usize>()
            }
            Value::Array(array) => array.iter().map(check).sum(),
            _ => 0,
        }
    }
    assert!(check(&DOCUMENT) > 50);
}

/// Examples are what people copy, what mock servers answer and what fuzzers start from.
#[test]
fn every_example_is_what_its_schema_says() {
    let mut checked = 0;
    let mut check = |at: &str, schema: &Value, example: &Value| {
        contract::validate(at, schema, example);
        checked += 1;
    };
    let components = &DOCUMENT["components"];
    for (name, schema) in components["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            check(name, schema, example);
        }
    }
    for (name, response) in components["responses"].as_object().unwrap() {
        for media_type in response["content"].as_object().unwrap().values() {
            check(name, &media_type["schema"], &media_type["example"]);
        }
    }
    for (path, method, operation) in operations() {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            for example in parameter["schema"]["examples"].as_array().unwrap() {
                let at = format!("{method} {path} {}", parameter["name"]);
                check(&at, &parameter["schema"], example);
            }
        }
    }
    assert!(checked > 20, "only {checked}");
}
