//! The task operations when all goes well, and what keeps one user's tasks from another.

use poem::http::Method;
use serde_json::{Value, json};

use super::{Api, NO_TASK};

#[tokio::test]
async fn a_new_task_is_where_the_answer_says_and_as_it_says() {
    let api = Api::new().await;
    let made = api
        .post("/api/tasks")
        .user("ada")
        .json(&json!({"title": " Buy \u{1f95b} "}))
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("etag"), "\"1\"");
    let task = made.json();
    assert_eq!(
        (&task["title"], &task["completed"], &task["revision"]),
        (&json!(" Buy \u{1f95b} "), &json!(false), &json!(1))
    );
    assert_eq!(task.as_object().unwrap().len(), 6);
    assert_eq!(task["createdAt"], task["updatedAt"]);
    let time = task["createdAt"].as_str().unwrap();
    let digits: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    assert_eq!(digits, "9999-99-99T99:99:99.999999Z");
    assert_eq!(
        task["id"].as_str().unwrap().as_bytes()[14],
        b'7',
        "a UUIDv7"
    );

    let location = made.header("location");
    assert_eq!(
        location,
        format!("/api/tasks/{}", task["id"].as_str().unwrap())
    );
    let read = api.get(location).user("ada").send().await;
    assert_eq!(
        (read.status, read.header("etag"), read.json()),
        (200, "\"1\"", task)
    );
    let head = api.call(Method::HEAD, location).user("ada").send().await;
    assert_eq!(
        (head.status, head.header("etag"), head.body.len()),
        (200, "\"1\"", 0)
    );

    let done = json!({"title": "b", "completed": true});
    let made = api.post("/api/tasks").user("ada").json(&done).await;
    assert_eq!(made.json()["completed"], true);
}

async fn titles(api: &Api, user: &str, query: &str) -> (Vec<String>, Option<String>) {
    let answer = api
        .get(&format!("/api/tasks{query}"))
        .user(user)
        .send()
        .await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    let page = answer.json();
    assert_eq!(page.as_object().unwrap().len(), 2);
    let items = page["items"].as_array().unwrap();
    let titles = items
        .iter()
        .map(|task| task["title"].as_str().unwrap().to_owned())
        .collect();
    assert!(page["nextCursor"].is_null() || page["nextCursor"].is_string());
    (titles, page["nextCursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_whatever_is_made_meanwhile() {
    let api = Api::new().await;
    assert_eq!(titles(&api, "ada", "").await, (vec![], None));
    for n in 0..5 {
        api.task("ada", &format!("task {n}")).await;
    }
    let (first, cursor) = titles(&api, "ada", "?limit=2").await;
    assert_eq!(first, ["task 4", "task 3"]);
    api.task("ada", "newer").await;
    let (second, cursor) =
        titles(&api, "ada", &format!("?limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!(second, ["task 2", "task 1"]);
    let (third, cursor) =
        titles(&api, "ada", &format!("?limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!((third, cursor), (vec!["task 0".to_owned()], None));
    let (all, none) = titles(&api, "ada", "?limit=6").await;
    assert_eq!(
        (all.len(), none),
        (6, None),
        "a full last page has no next one"
    );
}

#[tokio::test]
async fn a_page_has_twenty_tasks_unless_asked_otherwise() {
    let api = Api::new().await;
    for n in 0..21 {
        api.task("ada", &n.to_string()).await;
    }
    let (page, cursor) = titles(&api, "ada", "").await;
    assert!(page.len() == 20 && cursor.is_some());
    assert_eq!(titles(&api, "ada", "?limit=100").await.0.len(), 21);
}

#[tokio::test]
async fn filters_narrow_a_list() {
    let api = Api::new().await;
    let milk = api.task("ada", "Buy MILK").await;
    api.task("ada", "100% Wool").await;
    api.task("ada", "\u{c4}pfel").await;
    let done = api
        .patch(&milk)
        .user("ada")
        .json(&json!({"completed": true}))
        .await;
    assert_eq!(done.status, 200);
    for (query, expected) in [
        ("?completed=true", vec!["Buy MILK"]),
        ("?completed=false", vec!["\u{c4}pfel", "100% Wool"]),
        ("?q=milk", vec!["Buy MILK"]),
        ("?q=buy+milk", vec!["Buy MILK"]),
        ("?q=%25", vec!["100% Wool"]),
        ("?q=%C3%A4p", vec!["\u{c4}pfel"]),
        ("?q=_", vec![]),
        ("?q=milk&completed=false", vec![]),
        ("?", vec!["\u{c4}pfel", "100% Wool", "Buy MILK"]),
    ] {
        assert_eq!(titles(&api, "ada", query).await.0, expected, "{query}");
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_counts_the_change() {
    let api = Api::new().await;
    let path = api.task("ada", "a").await;
    let first = api.get(&path).user("ada").send().await.json();
    for (revision, content_type, patch, title, completed) in [
        (2, "application/json", r#"{"completed":true}"#, "a", true),
        (
            3,
            "application/merge-patch+json",
            r#"{"title":"b"}"#,
            "b",
            true,
        ),
        (
            4,
            "application/json; charset=utf-8",
            r#"{"title":"c","completed":false}"#,
            "c",
            false,
        ),
        (5, "Application/JSON ;x=y", r#"{"title":"c"}"#, "c", false),
    ] {
        let answer = api.patch(&path).user("ada").body(content_type, patch).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("etag"), format!("\"{revision}\""));
        let task = answer.json();
        assert_eq!(
            [&task["title"], &task["completed"], &task["revision"]],
            [&json!(title), &json!(completed), &json!(revision)]
        );
        assert_eq!(
            [&task["id"], &task["createdAt"]],
            [&first["id"], &first["createdAt"]]
        );
        assert!(task["updatedAt"].as_str() >= first["updatedAt"].as_str());
        assert_eq!(api.get(&path).user("ada").send().await.json(), task);
    }
}

#[tokio::test]
async fn if_match_guards_changes_and_deletions() {
    let api = Api::new().await;
    for method in [Method::PATCH, Method::DELETE] {
        for (if_match, status) in [
            (r#""2""#, 200),
            ("*", 200),
            (r#""9", "2""#, 200),
            (r#""1""#, 412),
            (r#""3", "x""#, 412),
            (r#"W/"2""#, 412),
            (r#""02""#, 412),
            ("2", 400),
            ("", 400),
        ] {
            let path = api.task("ada", "a").await;
            api.patch(&path)
                .user("ada")
                .json(&json!({"title": "b"}))
                .await;
            let call = api
                .call(method.clone(), &path)
                .user("ada")
                .header("if-match", if_match);
            let answer = call.json(&json!({"title": "c"})).await;
            let good = if method == Method::DELETE { 204 } else { 200 };
            match status {
                200 => assert_eq!(answer.status, good, "{method} {if_match}"),
                412 => drop(answer.problem(412, "precondition_failed")),
                _ => {
                    let problem = answer.problem(400, "if_match_invalid");
                    assert_eq!(problem["errors"][0]["parameter"], "If-Match");
                }
            }
            let kept = api.get(&path).user("ada").send().await;
            match (status, method == Method::DELETE) {
                (200, true) => assert_eq!(kept.status, 404),
                (200, false) => assert_eq!(kept.json()["title"], "c"),
                _ => assert_eq!(kept.json()["title"], "b", "{method} {if_match}"),
            }
        }
    }
}

#[tokio::test]
async fn several_if_match_lines_are_one_list_and_a_missing_task_is_missing_first() {
    let api = Api::new().await;
    let path = api.task("ada", "a").await;
    let call = api.delete(&path).user("ada").header("if-match", "\"7\"");
    assert_eq!(call.header("if-match", "\"1\"").send().await.status, 204);
    let call = api.delete(&path).user("ada").header("if-match", "\"1\"");
    call.send().await.problem(404, "task_not_found");
}

#[tokio::test]
async fn another_users_task_is_missing_byte_for_byte() {
    let api = Api::new().await;
    let path = api.task("ada", "secret plan").await;
    let before = api.get(&path).user("ada").send().await.json();
    let patch = json!({"title": "mine now"});
    for method in [Method::GET, Method::PATCH, Method::DELETE, Method::HEAD] {
        for if_match in [None, Some("*"), Some("\"1\""), Some("\"2\"")] {
            let mut answers = Vec::new();
            for path in [path.as_str(), NO_TASK] {
                let mut call = api.call(method.clone(), path).user("eve");
                if let Some(if_match) = if_match {
                    call = call.header("if-match", if_match);
                }
                let answer = call.json(&patch).await;
                answers.push((answer.status, answer.headers, answer.body));
            }
            assert_eq!(answers[0].0, 404);
            assert_eq!(answers[0], answers[1], "{method} {if_match:?}");
        }
    }
    assert_eq!(titles(&api, "eve", "").await.0, Vec::<String>::new());
    assert_eq!(
        titles(&api, "eve", "?q=secret").await.0,
        Vec::<String>::new()
    );
    // Nor does the position of ada's task in a cursor lead anywhere.
    api.task("ada", "another").await;
    let (_, cursor) = titles(&api, "ada", "?limit=1").await;
    let cursor = cursor.unwrap();
    assert_eq!(
        titles(&api, "eve", &format!("?cursor={cursor}")).await.0,
        Vec::<String>::new()
    );
    assert_eq!(api.get(&path).user("ada").send().await.json(), before);
}

#[tokio::test]
async fn a_deleted_task_is_gone() {
    let api = Api::new().await;
    let path = api.task("ada", "a").await;
    let deleted = api.delete(&path).user("ada").send().await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    api.delete(&path)
        .user("ada")
        .send()
        .await
        .problem(404, "task_not_found");
    api.get(&path)
        .user("ada")
        .send()
        .await
        .problem(404, "task_not_found");
    let patched = api
        .patch(&path)
        .user("ada")
        .json(&json!({"completed": true}))
        .await;
    patched.problem(404, "task_not_found");
}

#[tokio::test]
async fn answers_have_the_members_that_the_document_requires_and_no_others() {
    let api = Api::new().await;
    let path = api.task("ada", "a").await;
    let schemas = &super::DOCUMENT["components"]["schemas"];
    for (answer, schema) in [
        (api.get(&path).user("ada").send().await, "Task"),
        (api.get("/api/tasks").user("ada").send().await, "TaskPage"),
        (api.get("/api/me").user("ada").send().await, "Me"),
        (api.get("/healthz").send().await, "Health"),
        (api.get("/readyz").send().await, "Readiness"),
    ] {
        let sorted = |mut names: Vec<Value>| {
            names.sort_by_key(Value::to_string);
            names
        };
        let answer = answer.json();
        let members = answer
            .as_object()
            .unwrap()
            .keys()
            .map(|name| name.as_str().into());
        let required = schemas[schema]["required"].as_array().unwrap().clone();
        assert_eq!(sorted(members.collect()), sorted(required), "{schema}");
    }
}
