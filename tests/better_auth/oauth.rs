//! Access tokens of the real `@better-auth/oauth-provider`: a client goes through the code flow, and
//! through client credentials, and calls the real binary.

use keyward::{BetterAuthUser, Verifier};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::auth_server::BetterAuth;
use super::service::{Keyward, client};

const RESOURCE: &str = "https://api.example.com/v1";

/// A provider, the tokens that a client has got there, and a service that takes them.
struct Set {
    auth: BetterAuth,
    tokens: Value,
    keyward: Keyward,
}

impl Set {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let auth = BetterAuth::start(json!({"oauth": true})).await;
        let tokens = auth.oauth_tokens(RESOURCE).await;
        let issuer = format!("{}/api/auth", auth.url());
        let mut all = vec![
            ("BETTER_AUTH_URL", auth.url()),
            ("OAUTH_ISSUER", &issuer),
            ("OAUTH_AUDIENCE", RESOURCE),
        ];
        all.extend(variables);
        let keyward = Keyward::serve(&all).await;
        Self {
            keyward,
            tokens,
            auth,
        }
    }

    fn token(&self, name: &str) -> &str {
        let token = self.tokens[name].as_str();
        token.unwrap_or_else(|| panic!("no {name}"))
    }

    async fn list(&self, token: &str) -> (StatusCode, Value) {
        let url = format!("{}/api/tasks", self.keyward.url);
        let response = client().get(url).bearer_auth(token).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn create(&self, token: &str) -> (StatusCode, Value) {
        let url = format!("{}/api/tasks", self.keyward.url);
        let request = client().post(url).bearer_auth(token);
        let response = request.json(&json!({"title": "Buy milk"})).send().await;
        let response = response.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// What `GET /api/tasks` answers: a status and, if it is refused, the code.
    async fn verdict(&self, token: &str) -> String {
        let (status, body) = self.list(token).await;
        format!(
            "{} {}",
            status.as_u16(),
            body["code"].as_str().unwrap_or("ok")
        )
    }
}

#[tokio::test]
async fn a_client_acts_for_a_user_with_the_scopes_that_it_was_granted() {
    let set = Set::start(&[]).await;
    let (read, write) = (set.token("readToken"), set.token("writeToken"));

    assert_eq!(set.list(read).await.0, 200);
    let (status, problem) = set.create(read).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (403, &json!("scope_required"))
    );

    let (status, task) = set.create(write).await;
    assert_eq!(status, 201, "{task}");
    assert_eq!(set.list(write).await.0, 403);

    // The user whom it acts for has that task, and needs no scope for it.
    for token in [read, set.token("userToken")] {
        let (status, page) = set.list(token).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(page["items"][0]["id"], task["id"]);
    }
    // Another does not.
    let eve = set.auth.sign_up("Eve", "eve@example.com").await;
    let (_, page) = set.list(&set.auth.token(&eve).await).await;
    assert_eq!(page["items"], json!([]));
}

#[tokio::test]
async fn whatever_else_the_provider_issues_is_refused_for_what_it_is() {
    let set = Set::start(&[]).await;
    for (name, expected) in [
        ("userToken", "200 ok"),
        ("readToken", "200 ok"),
        ("accessToken", "403 scope_required"),
        ("clientAccessToken", "403 user_required"),
        ("idToken", "401 token_type_not_accepted"),
        ("logoutToken", "401 token_type_not_accepted"),
        ("dpopAccessToken", "401 token_sender_constrained"),
        ("dpopProof", "401 token_claim_missing"),
        ("opaqueAccessToken", "401 session_token"),
        ("refreshToken", "401 session_token"),
    ] {
        assert_eq!(set.verdict(set.token(name)).await, expected, "{name}");
    }
    // For another API: the client asked for another resource.
    let elsewhere = set.auth.oauth_tokens("https://other.example.com").await;
    let token = elsewhere["readToken"].as_str().unwrap();
    assert_eq!(set.verdict(token).await, "401 token_audience_mismatch");
}

#[tokio::test]
async fn a_client_without_a_token_finds_its_way_to_the_provider() {
    let set = Set::start(&[]).await;
    let get = |path: &str| client().get(format!("{}{path}", set.keyward.url)).send();
    let refused = get("/api/tasks").await.unwrap();
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    let (_, url) = challenge.split_once(r#"resource_metadata=""#).unwrap();
    let url = url.strip_suffix('"').unwrap();
    // The service is behind a proxy, as its clients see it.
    let path = url.strip_prefix("https://api.example.com").unwrap();
    let metadata: Value = get(path).await.unwrap().json().await.unwrap();
    assert_eq!(metadata["resource"], RESOURCE);
    let issuer = metadata["authorization_servers"][0].as_str().unwrap();
    let place = format!("{issuer}/.well-known/openid-configuration");
    let provider = client().get(place).send().await.unwrap();
    let provider: Value = provider.json().await.unwrap();
    assert_eq!(provider["issuer"], issuer);
    let known = provider["scopes_supported"].as_array().unwrap();
    for scope in metadata["scopes_supported"].as_array().unwrap() {
        assert!(known.contains(scope), "{scope} in {known:?}");
    }
}

#[tokio::test]
async fn keys_that_the_provider_rotates_are_followed_and_measured_under_both_names() {
    let set = Set::start(&[("METRICS_ADDR", "127.0.0.1:0")]).await;
    assert_eq!(set.verdict(set.token("readToken")).await, "200 ok");
    assert_eq!(set.verdict(set.token("userToken")).await, "200 ok");
    set.auth.rotate().await;
    let tokens = set.auth.oauth_tokens(RESOURCE).await;
    for name in ["readToken", "userToken"] {
        let token = tokens[name].as_str().unwrap();
        assert_ne!(token.split('.').next(), set.token(name).split('.').next());
        assert_eq!(set.verdict(token).await, "200 ok", "{name}");
        assert_eq!(
            set.verdict(set.token(name)).await,
            "200 ok",
            "{name} of before"
        );
    }
    let (_, url) = set.keyward.greeting.split_once("metrics at ").unwrap();
    let metrics = client().get(url.lines().next().unwrap()).send();
    let metrics = metrics.await.unwrap().text().await.unwrap();
    for issuer in [
        set.auth.url().to_owned(),
        format!("{}/api/auth", set.auth.url()),
    ] {
        let label = format!(r#"keyward_issuer="{issuer}""#);
        for (name, rest) in [
            ("keyward_key_set_age_seconds{", ""),
            ("keyward_key_set_keys{", "} 2"),
            ("keyward_key_set_unknown_keys_total{", "} 1"),
            (
                "keyward_key_set_refreshes_total{",
                r#"keyward_result="succeeded""#,
            ),
            (
                "keyward_key_set_refreshes_total{",
                r#"keyward_result="failed""#,
            ),
        ] {
            let is_it =
                |line: &str| line.starts_with(name) && line.contains(&label) && line.contains(rest);
            assert!(
                metrics.lines().any(is_it),
                "{name} {rest} of {issuer} in {metrics}"
            );
        }
    }
}

#[tokio::test]
async fn one_key_set_for_both_is_fetched_once() {
    let auth = BetterAuth::start(json!({"oauth": true})).await;
    let tokens = auth.oauth_tokens(RESOURCE).await;
    let before = auth.jwks_requests().await;
    let issuer = format!("{}/api/auth", auth.url());
    let keyward = Keyward::serve(&[
        ("BETTER_AUTH_URL", auth.url()),
        ("OAUTH_ISSUER", &issuer),
        ("OAUTH_AUDIENCE", RESOURCE),
        ("OAUTH_JWKS_URL", &format!("{issuer}/jwks")),
    ])
    .await;
    let set = Set {
        auth,
        tokens,
        keyward,
    };
    assert_eq!(set.verdict(set.token("readToken")).await, "200 ok");
    assert_eq!(set.verdict(set.token("userToken")).await, "200 ok");
    assert_eq!(set.auth.jwks_requests().await - before, 1);
    let ready = format!("{}/readyz", set.keyward.url);
    assert_eq!(client().get(ready).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_service_that_finds_no_provider_is_not_ready_and_serves_its_users() {
    let auth = BetterAuth::start(json!({})).await;
    let issuer = format!("{}/api/auth", auth.url());
    let keyward = Keyward::serve(&[
        ("BETTER_AUTH_URL", auth.url()),
        ("OAUTH_ISSUER", &issuer),
        ("OAUTH_AUDIENCE", RESOURCE),
    ])
    .await;
    let ada = auth.sign_up("Ada", "ada@example.com").await;
    let me = format!("{}/api/me", keyward.url);
    let request = client().get(me).bearer_auth(auth.token(&ada).await);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let ready = format!("{}/readyz", keyward.url);
    let ready = client().get(ready).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let (_, log) = keyward.stop().await;
    assert!(log.contains("the issuer serves no metadata"), "{log}");
}

#[tokio::test]
async fn the_library_takes_access_tokens_by_the_providers_url_or_by_its_metadata() {
    let auth = BetterAuth::start(json!({"oauth": true})).await;
    let tokens = auth.oauth_tokens(RESOURCE).await;
    let token = |name: &str| tokens[name].as_str().unwrap();
    let issuer = format!("{}/api/auth", auth.url());
    let known: Verifier<BetterAuthUser> = Verifier::for_better_auth_oauth(auth.url(), RESOURCE)
        .unwrap()
        .build();
    let found: Verifier = Verifier::for_oauth(&issuer, RESOURCE).unwrap().build();
    for verifier in [&known, &found] {
        let user = verifier.verify(token("readToken")).await.unwrap();
        assert!(user.claims().has_scope("tasks:read") && !user.claims().is_client());
        assert_eq!(user.claims().client_id.as_deref(), Some(token("clientId")));
        let own = verifier.verify(token("clientAccessToken")).await.unwrap();
        assert!(own.claims().is_client() && own.user().is_none());
        for (name, code) in [
            ("idToken", "token_type_not_accepted"),
            ("userToken", "token_type_not_accepted"),
        ] {
            let error = verifier.verify(token(name)).await.unwrap_err();
            assert_eq!(error.code(), code, "{name}");
        }
    }
}
