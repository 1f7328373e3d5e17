//! Every way to be refused, with its status and code.

use keyward::service::api::MAX_BODY_BYTES;
use poem::http::Method;
use serde_json::{Value, json};

use super::{Api, Call, DOCUMENT, NO_TASK};

/// Every documented operation, with a path that fits.
fn operations() -> Vec<(Method, String, &'static Value)> {
    let mut operations = Vec::new();
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let path = if path.contains('{') { NO_TASK } else { path };
        for (method, operation) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            operations.push((method, path.to_owned(), operation));
        }
    }
    assert_eq!(operations.len(), 8);
    operations
}

fn secured() -> impl Iterator<Item = (Method, String)> {
    let secured = operations()
        .into_iter()
        .filter(|(_, _, it)| it["security"] != json!([{}]));
    secured.map(|(method, path, _)| (method, path))
}

#[tokio::test]
async fn every_operation_but_the_health_ones_wants_a_token_before_anything_else() {
    let api = Api::new().await;
    assert_eq!(secured().count(), 6);
    for (method, path) in secured() {
        let answer = api
            .call(method.clone(), &path)
            .body("text/plain", "{")
            .await;
        answer.problem(401, "credentials_missing");
        assert_eq!(
            answer.header("www-authenticate"),
            r#"Bearer realm="keyward""#
        );
        for (authorization, status, code) in [
            ("Bearer a.b.c", 401, "token_malformed"),
            ("Basic eDp5", 401, "authorization_scheme_unsupported"),
            ("Bearer", 400, "authorization_malformed"),
        ] {
            let call = api
                .call(method.clone(), &path)
                .header("authorization", authorization);
            let answer = call.send().await;
            answer.problem(status, code);
            assert!(
                answer.header("www-authenticate").starts_with("Bearer "),
                "{authorization}"
            );
        }
        let twice = api.call(method, &path).user("ada").user("ada").send().await;
        twice.problem(400, "authorization_repeated");
    }
}

#[tokio::test]
async fn a_client_that_acts_for_itself_owns_nothing() {
    let api = Api::new().await;
    let mut claims = api.issuer.claims("service");
    claims["azp"] = json!("service");
    let authorization = format!("Bearer {}", api.issuer.sign(&claims));
    for (method, path) in secured() {
        let call = api
            .call(method, &path)
            .header("authorization", &authorization);
        let answer = call.json(&json!({"title": "a"})).await;
        answer.problem(403, "user_required");
        assert!(
            answer
                .header("www-authenticate")
                .contains(r#"error="insufficient_scope""#)
        );
    }
}

#[tokio::test]
async fn every_operation_refuses_a_query_that_it_does_not_declare() {
    let api = Api::new().await;
    for (method, path, _) in operations() {
        for (query, code) in [
            ("access_token=s3cr3t", "parameter_unknown"),
            ("s3cr3t", "parameter_unknown"),
            ("a=%", "query_malformed"),
            ("a=%ff", "query_malformed"),
        ] {
            let answer = api
                .call(method.clone(), &format!("{path}?{query}"))
                .user("ada")
                .send()
                .await;
            answer.problem(400, code);
            assert!(!answer.text().contains("s3cr3t"));
        }
    }
}

#[tokio::test]
async fn a_parameter_that_breaks_its_rule_is_named_and_not_repeated() {
    let api = Api::new().await;
    let long = "x".repeat(201);
    for (query, code, parameter) in [
        ("limit=0", "parameter_invalid", Some("limit")),
        ("limit=101", "parameter_invalid", Some("limit")),
        ("limit=", "parameter_invalid", Some("limit")),
        ("limit=s3cr3t", "parameter_invalid", Some("limit")),
        ("limit=1&limit=2", "parameter_repeated", None),
        ("completed=1", "parameter_invalid", Some("completed")),
        ("completed=True", "parameter_invalid", Some("completed")),
        ("q=", "parameter_invalid", Some("q")),
        ("q=a%0As3cr3t", "parameter_invalid", Some("q")),
        (&format!("q={long}"), "parameter_invalid", Some("q")),
        ("cursor=s3cr3t", "cursor_invalid", Some("cursor")),
        ("cursor=", "cursor_invalid", Some("cursor")),
        ("Limit=1", "parameter_unknown", None),
    ] {
        let answer = api
            .get(&format!("/api/tasks?{query}"))
            .user("ada")
            .send()
            .await;
        let problem = answer.problem(400, code);
        assert_eq!(
            problem["errors"][0]["parameter"].as_str(),
            parameter,
            "{query}"
        );
        assert!(!answer.text().contains("s3cr3t"), "{query}");
    }
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        for id in ["s3cr3t", "019ab2c3d4e57f608a1b2c3d4e5f6071", "%20"] {
            let call = api
                .call(method.clone(), &format!("/api/tasks/{id}"))
                .user("ada");
            let answer = call.json(&json!({"title": "a"})).await;
            assert_eq!(
                answer.problem(400, "id_invalid")["errors"][0]["parameter"],
                "id"
            );
            assert!(!answer.text().contains("s3cr3t"));
        }
    }
}

/// The two operations with a body.
async fn with_body(api: &Api) -> [Call<'_>; 2] {
    let path = api.task("ada", "kept").await;
    [
        api.post("/api/tasks").user("ada"),
        api.patch(&path).user("ada"),
    ]
}

#[tokio::test]
async fn a_body_that_is_not_one_json_object_is_malformed() {
    let api = Api::new().await;
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"null",
        b"[]",
        b"\"s3cr3t\"",
        b"{\"title\":\"a\"} {}",
        b"{'title':'a'}",
        b"{\"title\":\"\xff\"}",
        b"{\"title\":\"\\ud800\"}",
        b"\xef\xbb\xbf{\"title\":\"a\"}",
    ] {
        for call in with_body(&api).await {
            let answer = call.body("application/json", body).await;
            answer.problem(400, "body_malformed");
            assert!(!answer.text().contains("s3cr3t"));
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_rules_gets_all_of_them_back_with_their_places() {
    let api = Api::new().await;
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(201));
    for (body, pointers) in [
        (r#"{"title":null}"#, vec!["/title"]),
        (r#"{"title":""}"#, vec!["/title"]),
        (r#"{"title":"  "}"#, vec!["/title"]),
        (r#"{"title":"s3cr3t\u0000"}"#, vec!["/title"]),
        (r#"{"title":"s3cr3t\n"}"#, vec!["/title"]),
        (&long, vec!["/title"]),
        (r#"{"title":5}"#, vec!["/title"]),
        (r#"{"title":false}"#, vec!["/title"]),
        (r#"{"title":["s3cr3t"]}"#, vec!["/title"]),
        (r#"{"title":"a","completed":null}"#, vec!["/completed"]),
        (r#"{"title":"a","completed":"true"}"#, vec!["/completed"]),
        (r#"{"title":"a","completed":1}"#, vec!["/completed"]),
        (r#"{"title":"a","title":"a"}"#, vec!["/title"]),
        (r#"{"title":"a","\u0074itle":"b"}"#, vec!["/title"]),
        (r#"{"title":"a","owner":"s3cr3t"}"#, vec![""]),
        (r#"{"title":"a","s3cr3t":1,"s3cr3t":2}"#, vec![""]),
        (
            r#"{"title":0,"completed":0,"x":0}"#,
            vec!["/title", "/completed", ""],
        ),
    ] {
        for call in with_body(&api).await {
            let answer = call.body("application/json", body).await;
            let problem = answer.problem(400, "body_invalid");
            let errors = problem["errors"].as_array().unwrap();
            let found: Vec<_> = errors
                .iter()
                .map(|error| error["pointer"].as_str().unwrap())
                .collect();
            assert_eq!(found, pointers, "{body}");
            assert!(!answer.text().contains("s3cr3t"), "{body}");
        }
    }
    let [post, patch] = with_body(&api).await;
    for call in [
        post.body("application/json", "{}"),
        patch.body("application/json", "{}"),
    ] {
        call.await.problem(400, "body_invalid");
    }
    let list = api
        .get("/api/tasks?limit=100")
        .user("ada")
        .send()
        .await
        .json();
    let untouched = |task: &Value| task["title"] == "kept" && task["revision"] == 1;
    assert!(list["items"].as_array().unwrap().iter().all(untouched));
}

#[tokio::test]
async fn only_json_is_taken() {
    let api = Api::new().await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/problem+json",
        "",
        "json",
    ] {
        for call in with_body(&api).await {
            let answer = call.body(content_type, r#"{"title":"a"}"#).await;
            answer.problem(415, "unsupported_media_type");
        }
    }
    let [post, patch] = with_body(&api).await;
    let merge_patch = "application/merge-patch+json";
    post.body(merge_patch, r#"{"title":"a"}"#)
        .await
        .problem(415, "unsupported_media_type");
    assert_eq!(
        patch.body(merge_patch, r#"{"title":"a"}"#).await.status,
        200
    );
    for call in with_body(&api).await {
        let answer = call
            .header("content-encoding", "gzip")
            .json(&json!({"title": "a"}))
            .await;
        answer.problem(415, "unsupported_media_type");
    }
    for call in with_body(&api).await {
        call.send().await.problem(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_read() {
    let api = Api::new().await;
    let padded = |len: usize| {
        let body = r#"{"title":"a"}"#;
        body.to_owned() + &" ".repeat(len - body.len())
    };
    for call in with_body(&api).await {
        let answer = call.body("application/json", padded(MAX_BODY_BYTES)).await;
        assert!(answer.status < 300, "{}", answer.text());
    }
    for call in with_body(&api).await {
        let answer = call
            .body("application/json", padded(MAX_BODY_BYTES + 1))
            .await;
        answer.problem(413, "payload_too_large");
    }
}

#[tokio::test]
async fn a_method_that_a_path_lacks_gets_the_ones_it_has() {
    let api = Api::new().await;
    for (path, allow) in [
        ("/api/me", "GET, HEAD"),
        ("/api/tasks", "GET, POST, HEAD"),
        (NO_TASK, "DELETE, GET, PATCH, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
    ] {
        for method in ["PUT", "OPTIONS", "TRACE", "BREW"] {
            let answer = api
                .call(method.parse().unwrap(), path)
                .user("ada")
                .send()
                .await;
            answer.problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let api = Api::new().await;
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/tasks/",
        "/api/me/x",
        "/API/me",
        "/docs/",
        "//",
        "/%2e%2e",
    ] {
        api.get(path)
            .user("ada")
            .send()
            .await
            .problem(404, "not_found");
    }
}
