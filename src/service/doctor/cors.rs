//! What a browser is told when a page of some origin calls this service, and the auth server.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, Method, Request};
use http_body_util::Empty;
use tower::ServiceExt;

use super::auth_server::endpoint;
use super::report::Check;
use super::shown::{quoted, said};
use crate::service::config::ServeConfig;
use crate::service::http::{HttpOptions, stack};

const SERVICE: &str = "cors.service";
const AUTH_SERVER: &str = "cors.auth_server";

/// Asks both for their permission, as a browser does before it calls (Fetch, "CORS-preflight fetch").
pub(super) async fn examine(origin: &str, config: &ServeConfig) -> [Check; 2] {
    [
        service(origin, config).await,
        auth_server(origin, config).await,
    ]
}

/// The service's own answer, by what it puts around its API.
async fn service(origin: &str, config: &ServeConfig) -> Check {
    let options = HttpOptions {
        cors_origins: config.cors_origins.clone(),
        ..HttpOptions::default()
    };
    let app = stack(poem::endpoint::make_sync(|_| ()), &options);
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/api/tasks")
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "PATCH")
        .header(
            ACCESS_CONTROL_REQUEST_HEADERS,
            "authorization,content-type,if-match",
        )
        .body(Empty::<Bytes>::new());
    let answer = match preflight {
        Ok(preflight) => app.oneshot(preflight).await,
        Err(error) => return Check::skipped(SERVICE, error.to_string()),
    };
    let allows = answer.is_ok_and(|answer| allows(answer.headers(), origin));
    match allows {
        true => Check::ok(SERVICE, format!("pages of {} may call", quoted(origin))),
        false => {
            let allowed: Vec<String> = config.cors_origins.iter().map(|it| quoted(it)).collect();
            Check::wrong(
                SERVICE,
                "origin_not_allowed",
                "browsers will not let pages of this origin call the service",
            )
            .detail(format!("origin   {}", quoted(origin)))
            .detail(format!("allowed  {}", allowed.join(", ")))
            .fix(format!("add {origin} to CORS_ALLOWED_ORIGINS"))
        }
    }
}

fn allows(headers: &HeaderMap, origin: &str) -> bool {
    headers
        .get(ACCESS_CONTROL_ALLOW_ORIGIN)
        .is_some_and(|allowed| allowed.as_bytes() == origin.as_bytes())
}

async fn auth_server(origin: &str, config: &ServeConfig) -> Check {
    let own = config.auth_server.origin();
    if own == origin {
        let summary = "pages of this origin are the auth server's own and need no permission";
        return Check::ok(AUTH_SERVER, summary);
    }
    let request = config
        .fetcher
        .client()
        .request(Method::OPTIONS, endpoint(config, "token"))
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "GET");
    let Ok(answer) = request.send().await else {
        return Check::skipped(AUTH_SERVER, "not asked: the auth server gave no answer");
    };
    let headers = answer.headers();
    let fix = "serve these pages and Better Auth from one origin, as Next.js does, or put CORS for \
               /api/auth in front of it, with credentials; Better Auth has none of its own";
    if !allows(headers, origin) {
        let summary = format!(
            "browsers will not let pages of this origin get a token: status {}, {}",
            answer.status().as_u16(),
            match headers.get(ACCESS_CONTROL_ALLOW_ORIGIN) {
                Some(other) => format!("for {}", said(&String::from_utf8_lossy(other.as_bytes()))),
                None => "no Access-Control-Allow-Origin".to_owned(),
            }
        );
        return Check::wrong(AUTH_SERVER, "origin_not_allowed", summary)
            .detail(format!("origin       {}", quoted(origin)))
            .detail(format!("auth server  {}", quoted(&own)))
            .fix(fix);
    }
    // The session is a cookie.
    let credentials = headers.get(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    match credentials.is_some_and(|value| value == "true") {
        true => Check::ok(
            AUTH_SERVER,
            format!("pages of {} may get a token", quoted(origin)),
        ),
        false => Check::wrong(
            AUTH_SERVER,
            "credentials_not_allowed",
            "browsers will not send the session cookie along: no Access-Control-Allow-Credentials",
        )
        .fix(fix),
    }
}
