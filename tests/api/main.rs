//! The API as its callers meet it: the app's endpoint, a real verifier, a real SQLite database.
//! Every answer of a documented operation must be one that the document names.

mod contract;
mod document;
mod errors;
mod health;
mod me;
mod oauth;
mod tasks;

use std::sync::LazyLock;

use keyward::service::api::{ApiState, OAuth, app, document as openapi_document};
use keyward::service::store::{DatabaseUrl, TaskStore};
use keyward::testing::TestIssuer;
use keyward::{KeySet, PROBLEM_JSON, Policy, TraceId, Verifier};
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderMap, Method};
use poem::{Endpoint, EndpointExt, Request, Response};
use serde_json::Value;

/// The trace of every request here, so that bodies can be compared.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// An id that no task has.
const NO_TASK: &str = "/api/tasks/019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071";

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi_document);

/// The app with an issuer and a store of its own.
struct Api {
    endpoint: BoxEndpoint<'static, Response>,
    issuer: TestIssuer,
    store: TaskStore,
}

impl Api {
    async fn new() -> Self {
        let api = Self::without_tables().await;
        api.store.migrate().await.unwrap();
        api
    }

    async fn without_tables() -> Self {
        let issuer = TestIssuer::new("https://app.example.com");
        let policy = Policy::new([issuer.url()], [issuer.url()]).unwrap();
        let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
        let verifier: Verifier = Verifier::builder(policy, keys).build();
        Self::with(issuer, verifier).await
    }

    async fn with(issuer: TestIssuer, verifier: Verifier) -> Self {
        Self::with_oauth(issuer, verifier, None).await
    }

    async fn with_oauth(issuer: TestIssuer, verifier: Verifier, oauth: Option<OAuth>) -> Self {
        let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
        let store = TaskStore::connect(&url).await.unwrap();
        let state = ApiState {
            verifier,
            store: store.clone(),
            oauth,
        };
        Self {
            endpoint: app(state).boxed(),
            issuer,
            store,
        }
    }

    fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    fn patch(&self, path: &str) -> Call<'_> {
        self.call(Method::PATCH, path)
    }

    fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    fn call(&self, method: Method, path: &str) -> Call<'_> {
        let request = Request::builder().method(method).uri(path.parse().unwrap());
        let request = request.extension(TraceId::from_hex(TRACE).unwrap());
        Call {
            api: self,
            request,
            body: Vec::new(),
        }
    }

    /// Makes a task and gives its path.
    async fn task(&self, user: &str, title: &str) -> String {
        let call = self.post("/api/tasks").user(user);
        let answer = call.json(&serde_json::json!({"title": title})).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.header("location").to_owned()
    }
}

/// A request being put together.
struct Call<'a> {
    api: &'a Api,
    request: poem::RequestBuilder,
    body: Vec<u8>,
}

impl Call<'_> {
    fn user(self, user: &str) -> Self {
        let token = self.api.issuer.token(user);
        self.header("authorization", &format!("Bearer {token}"))
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    async fn json(self, body: &Value) -> Answer {
        self.body("application/json", body.to_string()).await
    }

    async fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.body = body.into();
        self.header("content-type", content_type).send().await
    }

    async fn send(self) -> Answer {
        let request = self.request.body(self.body);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.api.endpoint.call(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().into_vec().await.unwrap();
        let answer = Answer {
            status,
            headers,
            body,
        };
        contract::check(&method, &path, &answer);
        answer
    }
}

/// What came back.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/json",
            "{}",
            self.text()
        );
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem document, after a look at what all have in common.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), PROBLEM_JSON);
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:keyward:problem:{code}"));
        assert_eq!(problem["traceId"], TRACE);
        let text = |member: &str| {
            problem[member]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        };
        assert!(text("title") && text("detail"), "{problem}");
        let codes = &DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        assert!(
            codes.as_array().unwrap().contains(&code.into()),
            "{code} is not documented"
        );
        problem
    }
}
