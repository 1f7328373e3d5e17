//! OAuth clients beside the web app's own users.

use keyward::service::api::OAuth;
use keyward::testing::{TestIssuer, TestToken};
use keyward::{KeySet, Policy, ProtectedResource, Verifier};
use serde_json::json;

use super::{Answer, Api, NO_TASK};

const APP: &str = "https://app.example.com";
const RESOURCE: &str = "https://api.example.com/v1";
const METADATA: &str = "/.well-known/oauth-protected-resource/v1";

async fn api() -> Api {
    let issuer = TestIssuer::new(APP);
    let oauth_issuer = format!("{APP}/api/auth");
    let keys = || KeySet::from_json(&issuer.key_set_json()).unwrap();
    let resource = ProtectedResource::new(RESOURCE, [&*oauth_issuer]).unwrap();
    let resource = resource.scopes(["tasks:read", "tasks:write"]);
    let clients = Policy::for_access_tokens([&*oauth_issuer], [RESOURCE]).unwrap();
    let verifier: Verifier = Verifier::builder(Policy::new([APP], [APP]).unwrap(), keys())
        .trust(clients, keys())
        .unwrap()
        .resource_metadata(resource.metadata_url())
        .build();
    let oauth = OAuth {
        resource,
        first_party: vec![APP.into()],
    };
    let api = Api::with_oauth(issuer, verifier, Some(oauth)).await;
    api.store.migrate().await.unwrap();
    api
}

fn token(api: &Api, scope: &str) -> TestToken {
    let token = api.issuer.access_token("app", "ada").audience(RESOURCE);
    token.scope(scope)
}

/// Each operation on tasks, as the holder of the token.
async fn each_operation(api: &Api, token: &TestToken) -> [u16; 5] {
    let bearer = token.bearer();
    let title = json!({"title": "Buy milk"});
    let list = api.get("/api/tasks").header("authorization", &bearer);
    let get = api.get(NO_TASK).header("authorization", &bearer);
    let create = api.post("/api/tasks").header("authorization", &bearer);
    let update = api.patch(NO_TASK).header("authorization", &bearer);
    let delete = api.delete(NO_TASK).header("authorization", &bearer);
    [
        list.send().await.status,
        get.send().await.status,
        create.json(&title).await.status,
        update.json(&title).await.status,
        delete.send().await.status,
    ]
}

#[tokio::test]
async fn a_client_reads_and_writes_with_the_scope_for_it_and_a_user_needs_none() {
    let api = api().await;
    let user = || api.issuer.user("ada");
    for (name, token, expected) in [
        ("no scope", token(&api, ""), [403, 403, 403, 403, 403]),
        (
            "another",
            token(&api, "openid tasks"),
            [403, 403, 403, 403, 403],
        ),
        (
            "to read",
            token(&api, "tasks:read"),
            [200, 404, 403, 403, 403],
        ),
        (
            "to write",
            token(&api, "tasks:write"),
            [403, 403, 201, 404, 404],
        ),
        (
            "both",
            token(&api, "tasks:read openid tasks:write"),
            [200, 404, 201, 404, 404],
        ),
        ("a user's", user(), [200, 404, 201, 404, 404]),
        // What it says itself of scopes gives and takes nothing.
        (
            "a user's with a scope",
            user().scope("tasks:read"),
            [200, 404, 201, 404, 404],
        ),
        (
            "a client's own",
            api.issuer
                .client("app")
                .audience(RESOURCE)
                .scope("tasks:read tasks:write"),
            [403, 403, 403, 403, 403],
        ),
    ] {
        assert_eq!(each_operation(&api, &token).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_user_and_their_clients_see_the_same_tasks_and_nobody_elses() {
    let api = api().await;
    let path = api.task("ada", "Buy milk").await;
    let read = |token: TestToken| {
        api.get(&path)
            .header("authorization", &token.bearer())
            .send()
    };
    assert_eq!(read(token(&api, "tasks:read")).await.status, 200);
    let eves = api.issuer.access_token("app", "eve").audience(RESOURCE);
    assert_eq!(read(eves.scope("tasks:read")).await.status, 404);
}

#[tokio::test]
async fn a_challenge_says_which_scope_and_where_to_get_a_token() {
    let api = api().await;
    let metadata =
        r#"resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1""#;
    let get = |token: Option<&TestToken>| {
        let call = api.get("/api/tasks");
        match token {
            Some(token) => call.header("authorization", &token.bearer()),
            None => call,
        }
    };
    let challenge = |answer: &Answer| answer.header("www-authenticate").to_owned();

    let answer = get(None).send().await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        challenge(&answer),
        format!(r#"Bearer realm="keyward", {metadata}"#)
    );
    let answer = get(Some(&token(&api, "").expired())).send().await;
    assert!(challenge(&answer).ends_with(metadata), "{}", answer.text());

    let answer = get(Some(&token(&api, "openid"))).send().await;
    assert_eq!(answer.status, 403);
    answer.problem(403, "scope_required");
    let challenge_text = challenge(&answer);
    let lacking = format!(r#"scope="tasks:read", {metadata}"#);
    assert!(challenge_text.contains(r#"error="insufficient_scope""#));
    assert!(challenge_text.ends_with(&lacking), "{challenge_text}");

    let own = api
        .issuer
        .client("app")
        .audience(RESOURCE)
        .scope("tasks:read");
    let answer = get(Some(&own)).send().await;
    answer.problem(403, "user_required");
    assert!(challenge(&answer).ends_with(metadata));
}

#[tokio::test]
async fn a_client_may_ask_whose_token_it_has() {
    let api = api().await;
    let call = api.get("/api/me");
    let bearer = token(&api, "").bearer();
    let answer = call.header("authorization", &bearer).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["id"], "ada");
}

#[tokio::test]
async fn the_resource_describes_itself_where_there_are_clients() {
    let api = api().await;
    let answer = api.get(METADATA).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.json(),
        json!({
            "resource": RESOURCE,
            "authorization_servers": [format!("{APP}/api/auth")],
            "scopes_supported": ["tasks:read", "tasks:write"],
            "bearer_methods_supported": ["header"],
        })
    );
    let answer = api.post(METADATA).send().await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/v1/x",
    ] {
        assert_eq!(api.get(path).send().await.status, 404, "{path}");
    }
    let without = Api::new().await;
    assert_eq!(without.get(METADATA).send().await.status, 404);
    let answer = without.get("/api/tasks").send().await;
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer realm="keyward""#
    );
}
