//! Health and readiness, and what happens without keys or without a database.

use keyward::testing::TestIssuer;
use keyward::{
    FetchError, FetchFuture, FetchKeySet, Fetched, Policy, RefreshOptions, RemoteKeySet, Verifier,
};
use serde_json::json;

use super::Api;

/// An auth server that answers with this, or not at all.
#[derive(Debug)]
struct AuthServer(Option<Vec<u8>>);

impl FetchKeySet for AuthServer {
    fn fetch(&self, _if_none_match: Option<String>) -> FetchFuture<'_> {
        let fetched = self
            .0
            .clone()
            .map(Fetched::document)
            .ok_or(FetchError::Connect);
        Box::pin(std::future::ready(fetched))
    }
}

async fn api_with_remote_keys(reachable: bool) -> Api {
    let issuer = TestIssuer::new("https://app.example.com");
    let server = AuthServer(reachable.then(|| issuer.key_set_json()));
    let keys = RemoteKeySet::new(server, RefreshOptions::default());
    let policy = Policy::new([issuer.url()], [issuer.url()]).unwrap();
    let api = Api::with(issuer, Verifier::builder(policy, keys).build()).await;
    api.store.migrate().await.unwrap();
    // The first use waits for the first fetch.
    api.get("/api/me").user("ada").send().await;
    api
}

#[tokio::test]
async fn a_service_with_keys_and_tables_is_ready() {
    let api = Api::new().await;
    let health = api.get("/healthz").send().await;
    assert_eq!(
        (health.status, health.json()),
        (200, json!({"status": "ok"}))
    );
    let ready = api.get("/readyz").send().await;
    let parts = json!({
        "keys": {"usable": true, "ageSeconds": null},
        "database": {"answers": true, "migrated": true},
    });
    assert_eq!((ready.status, ready.json()), (200, parts));

    let ready = api_with_remote_keys(true).await.get("/readyz").send().await;
    assert_eq!(
        ready.json()["keys"],
        json!({"usable": true, "ageSeconds": 0})
    );
}

#[tokio::test]
async fn without_keys_it_is_not_ready_and_says_when_to_come_back() {
    let api = api_with_remote_keys(false).await;
    assert_eq!(api.get("/healthz").send().await.status, 200);
    let answer = api.get("/readyz").send().await;
    let problem = answer.problem(503, "not_ready");
    assert_eq!(
        problem["keys"],
        json!({"usable": false, "ageSeconds": null})
    );
    assert_eq!(
        problem["database"],
        json!({"answers": true, "migrated": true})
    );
    assert_eq!(
        problem["detail"],
        "there are no usable keys of the auth server"
    );
    assert_eq!(answer.header("retry-after"), "1");

    let answer = api.get("/api/tasks").user("ada").send().await;
    answer.problem(503, "keys_unavailable");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(answer.header("www-authenticate"), "");
}

#[tokio::test]
async fn without_tables_it_is_not_ready_and_tasks_are_an_internal_error() {
    let api = Api::without_tables().await;
    let problem = api.get("/readyz").send().await.problem(503, "not_ready");
    assert_eq!(
        problem["database"],
        json!({"answers": true, "migrated": false})
    );
    let answer = api.get("/api/tasks").user("ada").send().await;
    answer.problem(500, "internal_error");
    assert!(!answer.text().contains("table"), "the cause is for the log");
}

#[tokio::test]
async fn without_a_database_it_is_not_ready_and_tasks_are_unavailable() {
    let api = Api::new().await;
    let path = api.task("ada", "a").await;
    api.store.close().await;
    let problem = api.get("/readyz").send().await.problem(503, "not_ready");
    assert_eq!(
        problem["database"],
        json!({"answers": false, "migrated": false})
    );
    assert_eq!(problem["detail"], "the database does not answer");
    for call in [
        api.get("/api/tasks").user("ada").send().await,
        api.get(&path).user("ada").send().await,
        api.delete(&path).user("ada").send().await,
        api.post("/api/tasks")
            .user("ada")
            .json(&json!({"title": "b"}))
            .await,
        api.patch(&path)
            .user("ada")
            .json(&json!({"title": "b"}))
            .await,
    ] {
        call.problem(503, "database_unavailable");
        assert_eq!(call.header("retry-after"), "2");
    }
    assert_eq!(
        api.get("/api/me").user("ada").send().await.status,
        200,
        "it needs no database"
    );
}
