//! The Poem middleware and the poem-openapi security schemes.

use keyward::poem::{
    Access, BearerAuth, BearerAuthMiddleware, Documented, Guarded, OptionalBearerAuth, Public,
    reject,
};
use keyward::testing::TestIssuer;
use keyward::{
    BetterAuthUser, Forbidden, KeySet, Policy, Principal, Rejection, Requirement, Verified,
    Verifier,
};
use poem::http::StatusCode;
use poem::test::{TestClient, TestResponse};
use poem::{Endpoint, EndpointExt, Request, Route, get, handler};
use poem_openapi::payload::PlainText;
use poem_openapi::{ApiResponse, OpenApi, OpenApiService};
use serde_json::{Value, json};

const ISSUER: &str = "https://app.example.com";

fn verifier(issuer: &TestIssuer) -> Verifier {
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    Verifier::builder(Policy::new([ISSUER], [ISSUER]).unwrap(), keys)
        .realm("api")
        .build()
}

#[handler]
fn whoami(request: &Request) -> String {
    let principal = request.extensions().get::<Principal>();
    principal.map_or("anonymous".to_owned(), |principal| {
        principal.subject().to_owned()
    })
}

async fn send(app: impl Endpoint, path: &str, authorization: &[&str]) -> TestResponse {
    let client = TestClient::new(app);
    let mut request = client.get(path);
    for value in authorization {
        request = request.header("authorization", *value);
    }
    request.send().await
}

async fn assert_refused(response: TestResponse, status: u16, code: &str) {
    response.assert_status(StatusCode::from_u16(status).unwrap());
    response.assert_content_type("application/problem+json");
    let challenge = response.0.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        challenge.starts_with(r#"Bearer realm="api""#),
        "{challenge}"
    );
    assert_eq!(
        response.0.data::<Rejection>().map(Rejection::code),
        Some(code)
    );
    let problem: Value =
        serde_json::from_slice(&response.0.into_body().into_vec().await.unwrap()).unwrap();
    assert_eq!(problem["code"], code);
}

#[tokio::test]
async fn the_middleware_lets_a_good_token_through_and_answers_the_others() {
    let issuer = TestIssuer::new(ISSUER);
    let app = || {
        Route::new()
            .at("/", get(whoami))
            .with(BearerAuthMiddleware::new(verifier(&issuer)))
    };
    let good = format!("Bearer {}", issuer.token("ada"));
    send(app(), "/", &[&good]).await.assert_text("ada").await;
    assert_refused(send(app(), "/", &[]).await, 401, "credentials_missing").await;
    assert_refused(
        send(app(), "/", &["Bearer x"]).await,
        401,
        "token_malformed",
    )
    .await;
    assert_refused(
        send(app(), "/", &["Basic eDp5"]).await,
        401,
        "authorization_scheme_unsupported",
    )
    .await;
    assert_refused(
        send(app(), "/", &[&good, &good]).await,
        400,
        "authorization_repeated",
    )
    .await;
}

#[tokio::test]
async fn the_middleware_can_be_optional_and_can_require() {
    let issuer = TestIssuer::new(ISSUER);
    let good = format!("Bearer {}", issuer.token("ada"));
    let optional = || get(whoami).with(BearerAuthMiddleware::new(verifier(&issuer)).optional());
    send(optional(), "/", &[])
        .await
        .assert_text("anonymous")
        .await;
    send(optional(), "/", &[&good])
        .await
        .assert_text("ada")
        .await;
    assert_refused(
        send(optional(), "/", &["Bearer x"]).await,
        401,
        "token_malformed",
    )
    .await;
    let admins = BearerAuthMiddleware::new(verifier(&issuer)).require(Requirement::role("admin"));
    assert_refused(
        send(get(whoami).with(admins), "/", &[&good]).await,
        403,
        "role_required",
    )
    .await;
}

/// Edits in an organization.
struct Editor;

impl Access for Editor {
    type Claims = BetterAuthUser;

    fn check(principal: &Verified) -> Result<(), Forbidden> {
        principal.require(&Requirement::organization_role("editor"))
    }
}

#[derive(ApiResponse)]
enum Declared {
    #[oai(status = 200)]
    Ok,
    /// Its own.
    #[oai(status = 403)]
    #[allow(dead_code, reason = "it is there to be documented")]
    Lacking,
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/user", method = "get")]
    async fn user(&self, auth: BearerAuth) -> PlainText<String> {
        PlainText(auth.0.subject().to_owned())
    }

    #[oai(path = "/anyone", method = "get")]
    async fn anyone(&self, auth: OptionalBearerAuth) -> PlainText<String> {
        PlainText(auth.0.map_or("anonymous".to_owned(), |principal| {
            principal.subject().to_owned()
        }))
    }

    #[oai(path = "/open", method = "get")]
    async fn open(&self, _public: Public) -> PlainText<&'static str> {
        PlainText("open")
    }

    #[oai(path = "/admin", method = "get")]
    async fn admin(
        &self,
        request: &Request,
        auth: BearerAuth,
    ) -> poem::Result<PlainText<&'static str>> {
        let admin = Requirement::role("admin");
        auth.0
            .require(&admin)
            .map_err(|lack| reject(request, "api", lack.into()))?;
        Ok(PlainText("welcome"))
    }

    #[oai(path = "/guarded", method = "get")]
    async fn guarded(&self, caller: Guarded<Editor>) -> PlainText<String> {
        PlainText(caller.principal().subject().to_owned())
    }

    #[oai(path = "/declared", method = "get")]
    async fn declared(&self, _caller: Guarded<Editor>) -> Declared {
        Declared::Ok
    }

    #[oai(path = "/echo", method = "post")]
    async fn echo(&self, _auth: BearerAuth, body: PlainText<String>) -> PlainText<String> {
        body
    }
}

fn api(issuer: &TestIssuer) -> impl Endpoint {
    OpenApiService::new(Api, "Test", "1").data(verifier(issuer))
}

#[tokio::test]
async fn an_operation_gets_its_principal_or_the_caller_a_challenge() {
    let issuer = TestIssuer::new(ISSUER);
    let good = format!("Bearer {}", issuer.token("ada"));
    send(api(&issuer), "/user", &[&good])
        .await
        .assert_text("ada")
        .await;
    send(api(&issuer), "/user", &[&good.replace("Bearer", "bEARER")])
        .await
        .assert_text("ada")
        .await;
    assert_refused(
        send(api(&issuer), "/user", &[]).await,
        401,
        "credentials_missing",
    )
    .await;
    assert_refused(
        send(api(&issuer), "/user", &["Bearer x"]).await,
        401,
        "token_malformed",
    )
    .await;
    assert_refused(
        send(api(&issuer), "/user", &[&good, &good]).await,
        400,
        "authorization_repeated",
    )
    .await;
    assert_refused(
        send(api(&issuer), "/admin", &[&good]).await,
        403,
        "role_required",
    )
    .await;
    send(api(&issuer), "/open", &["Bearer x"])
        .await
        .assert_text("open")
        .await;
}

#[tokio::test]
async fn a_guarded_operation_is_called_by_whoever_has_what_it_demands() {
    let issuer = TestIssuer::new(ISSUER);
    let user = || issuer.user("ada").claim("activeOrganizationId", "org-1");
    let editor = user().claim("activeOrganizationRole", "owner,editor");
    let viewer = user().claim("activeOrganizationRole", "viewer");
    for documented in [true, false] {
        let app = || match documented {
            true => OpenApiService::new(Documented(Api), "Test", "1")
                .data(verifier(&issuer))
                .boxed(),
            false => api(&issuer).map_to_response().boxed(),
        };
        send(app(), "/guarded", &[&editor.bearer()])
            .await
            .assert_text("ada")
            .await;
        let refused = send(app(), "/guarded", &[&viewer.bearer()]).await;
        assert_refused(refused, 403, "organization_role_required").await;
        let refused = send(app(), "/guarded", &[&user().expired().bearer()]).await;
        assert_refused(refused, 401, "token_expired").await;
        let refused = send(app(), "/guarded", &[]).await;
        assert_refused(refused, 401, "credentials_missing").await;
    }
    // Without a verifier nobody passes.
    let bare = OpenApiService::new(Api, "Test", "1");
    let response = send(
        Route::new().nest("/", bare),
        "/guarded",
        &[&editor.bearer()],
    )
    .await;
    response.assert_status(StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn the_middleware_takes_a_rule_and_names_the_resource_metadata() {
    let issuer = TestIssuer::new(ISSUER);
    let url = "https://api.example.com/.well-known/oauth-protected-resource";
    let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
    let verifier: Verifier = Verifier::builder(Policy::new([ISSUER], [ISSUER]).unwrap(), keys)
        .realm("api")
        .resource_metadata(url)
        .build();
    let named_ada = |principal: &Verified| match principal.subject() {
        "ada" => Ok(()),
        _ => Err(Forbidden::rule("not_ada", "this is for Ada")),
    };
    let middleware = BearerAuthMiddleware::new(verifier.clone()).require(named_ada);
    let app = || get(whoami).with(middleware.clone());
    let (ada, eve) = (issuer.user("ada").bearer(), issuer.user("eve").bearer());
    send(app(), "/", &[&ada]).await.assert_text("ada").await;
    let openapi = || OpenApiService::new(Api, "Test", "1").data(verifier.clone());
    for (response, status, code) in [
        (send(app(), "/", &[&eve]).await, 403, "not_ada"),
        (send(app(), "/", &[]).await, 401, "credentials_missing"),
        (
            send(openapi(), "/user", &[]).await,
            401,
            "credentials_missing",
        ),
        (
            send(openapi(), "/anyone", &["Bearer x"]).await,
            401,
            "token_malformed",
        ),
        (
            send(openapi(), "/guarded", &[&eve]).await,
            403,
            "organization_role_required",
        ),
    ] {
        let challenge = response.0.headers()["www-authenticate"].to_str().unwrap();
        let metadata = format!(r#"resource_metadata="{url}""#);
        assert!(challenge.ends_with(&metadata), "{challenge}");
        assert_refused(response, status, code).await;
    }
}

#[test]
fn the_document_says_how_callers_are_refused() {
    let spec = OpenApiService::new(Documented(Api), "Test", "1").spec();
    let spec: Value = serde_json::from_str(&spec).unwrap();
    let responses = |path: &str| &spec["paths"][path]["get"]["responses"];
    for path in ["/user", "/anyone", "/guarded"] {
        for (status, header) in [
            ("401", "WWW-Authenticate"),
            ("403", "WWW-Authenticate"),
            ("503", "Retry-After"),
        ] {
            let response = &responses(path)[status];
            let content = &response["content"]["application/problem+json"];
            let required = &content["schema"]["required"];
            assert!(
                required.as_array().unwrap().contains(&json!("code")),
                "{response}"
            );
            assert!(response["headers"][header].is_object(), "{response}");
        }
        assert!(responses(path)["200"].is_object());
    }
    // What an operation declares itself is more exact, and what is public refuses nobody.
    assert_eq!(responses("/declared")["403"]["description"], "Its own.");
    assert!(responses("/declared")["401"].is_object());
    let open: Vec<&String> = responses("/open").as_object().unwrap().keys().collect();
    assert_eq!(open, ["200"]);
    // A problem document has what is said of one.
    let schema = &responses("/user")["403"]["content"]["application/problem+json"]["schema"];
    let problem = Rejection::from(Forbidden::UserRequired)
        .problem(None)
        .to_json();
    let problem: Value = serde_json::from_slice(&problem).unwrap();
    for (name, _) in problem.as_object().unwrap() {
        assert!(schema["properties"][name].is_object(), "{name}");
    }
}

#[tokio::test]
async fn a_bad_token_is_never_an_anonymous_caller() {
    let issuer = TestIssuer::new(ISSUER);
    send(api(&issuer), "/anyone", &[])
        .await
        .assert_text("anonymous")
        .await;
    let good = format!("Bearer {}", issuer.token("ada"));
    send(api(&issuer), "/anyone", &[&good])
        .await
        .assert_text("ada")
        .await;
    let mut claims = issuer.claims("ada");
    claims["exp"] = json!(3600);
    let expired = format!("Bearer {}", issuer.sign(&claims));
    assert_refused(
        send(api(&issuer), "/anyone", &[&expired]).await,
        401,
        "token_expired",
    )
    .await;
    assert_refused(
        send(api(&issuer), "/anyone", &["Basic eDp5"]).await,
        401,
        "authorization_scheme_unsupported",
    )
    .await;
}

#[tokio::test]
async fn authentication_comes_before_the_body() {
    let issuer = TestIssuer::new(ISSUER);
    let client = TestClient::new(api(&issuer));
    let response = client
        .post("/echo")
        .content_type("image/png")
        .body("x")
        .send()
        .await;
    assert_refused(response, 401, "credentials_missing").await;
}

#[tokio::test]
async fn without_a_verifier_nobody_passes() {
    for path in ["/user", "/anyone"] {
        let response = send(
            Route::new().nest("/", OpenApiService::new(Api, "Test", "1")),
            path,
            &[],
        )
        .await;
        response.assert_status(StatusCode::INTERNAL_SERVER_ERROR);
        response.assert_content_type("application/problem+json");
    }
}

#[test]
fn the_document_has_the_scheme_and_says_which_operation_needs_it() {
    let spec: Value = serde_json::from_str(&OpenApiService::new(Api, "Test", "1").spec()).unwrap();
    let scheme = &spec["components"]["securitySchemes"]["BearerAuth"];
    assert_eq!(
        (&scheme["type"], &scheme["scheme"], &scheme["bearerFormat"]),
        (&json!("http"), &json!("bearer"), &json!("JWT"))
    );
    let security = |path: &str, method: &str| spec["paths"][path][method]["security"].clone();
    assert_eq!(security("/user", "get"), json!([{"BearerAuth": []}]));
    assert_eq!(security("/anyone", "get"), json!([{"BearerAuth": []}, {}]));
    assert_eq!(security("/open", "get"), json!([{}]));
}
