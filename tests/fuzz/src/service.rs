//! The service without its socket, on a database in memory: the seam through which cursors and
//! bodies are fuzzed, since their parsers are nobody else's to call.

use std::sync::{LazyLock, Mutex, OnceLock};

use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use keyward::service::api::{ApiState, app};
use keyward::service::http::{HttpOptions, ResponseBody, stack};
use keyward::service::store::{DatabaseUrl, TaskStore};
use keyward::{Algorithm, PROBLEM_JSON};
use tokio::runtime::Runtime;
use tower::ServiceExt;
use tower::util::BoxCloneService;

use crate::lab;
use crate::targets::CACHED;

type Body = Full<bytes::Bytes>;
type Stack = BoxCloneService<Request<Body>, http::Response<ResponseBody>, std::convert::Infallible>;

static OPTIONS: LazyLock<HttpOptions> = LazyLock::new(HttpOptions::default);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
});

static SERVICE: LazyLock<Mutex<Stack>> = LazyLock::new(|| {
    RUNTIME.block_on(async {
        let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
        let store = TaskStore::connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        let state = ApiState {
            verifier: CACHED.clone(),
            store,
            oauth: None,
        };
        Mutex::new(BoxCloneService::new(stack(app(state), &OPTIONS)))
    })
});

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub challenge: Option<String>,
    pub body: Vec<u8>,
}

/// Calls it, and sees that an error is a problem document. `None` for a path that is no URI.
pub fn call(method: Method, path: &str, headers: HeaderMap, body: &[u8]) -> Option<Answer> {
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::try_from(path).ok()?;
    *request.headers_mut() = headers;
    // Without it nothing is looked at any further (RFC 9112 §3.2).
    let host = HeaderValue::from_static("api.example.com");
    request.headers_mut().insert(http::header::HOST, host);
    let service = SERVICE.lock().unwrap().clone();
    RUNTIME.block_on(async {
        let response = service.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let header = |name: &str| {
            let value = parts.headers.get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let answer = Answer {
            status: parts.status.as_u16(),
            challenge: header("www-authenticate"),
            body,
        };
        assert!(answer.status < 500, "{answer:?}");
        if answer.status >= 400 {
            assert_eq!(header("content-type").as_deref(), Some(PROBLEM_JSON));
        }
        Some(answer)
    })
}

/// The headers of somebody with a good token.
pub fn bearer() -> HeaderMap {
    static BEARER: LazyLock<HeaderValue> = LazyLock::new(|| {
        let token = lab::token(Algorithm::EdDsa);
        HeaderValue::try_from(format!("Bearer {token}")).unwrap()
    });
    HeaderMap::from_iter([(http::header::AUTHORIZATION, BEARER.clone())])
}

/// The path of a task of theirs.
pub fn task() -> &'static str {
    static TASK: OnceLock<String> = OnceLock::new();
    TASK.get_or_init(|| {
        let mut headers = bearer();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let made = call(Method::POST, "/api/tasks", headers, br#"{"title":"x"}"#).unwrap();
        let made: serde_json::Value = serde_json::from_slice(&made.body).unwrap();
        format!("/api/tasks/{}", made["id"].as_str().unwrap())
    })
}
