//! Swagger UI, from the page that poem-openapi carries: nothing is loaded from elsewhere.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::Method;
use poem::{Body, EndpointExt, Response};
use poem_openapi::OpenApiService;
use serde_json::Value;

use super::router::Table;

/// The page's own setting, and what stands there instead: a token that was entered once survives
/// a reload. The page keeps it in the browser's local storage until Logout is clicked.
const SETTING: &str = "deepLinking: true,";
const SETTINGS: &str = "deepLinking: true,\n        persistAuthorization: true,";

/// Where the page gets what it has not: an icon, which browsers would ask the API for.
const TITLE: &str = "<title>";
const ICON_AND_TITLE: &str = r#"<link rel="icon" href="data:,"><title>"#;

/// Where the page holds the document.
const DOCUMENT: (&str, &str) = ("let spec = ", ";\n    let oauth2RedirectUrl;");

/// The routes of the page and of the document.
pub fn routes(document: &Value) -> Table {
    let page = page(document).unwrap_or_else(|| "The page of this version is missing.".to_owned());
    let policy = policy(&page);
    let pages = [
        ("/docs", "text/html; charset=utf-8", policy, page),
        (
            "/openapi.json",
            "application/json",
            NOTHING.to_owned(),
            super::document::to_text(document),
        ),
    ];
    let routes = pages
        .into_iter()
        .map(|(path, content_type, policy, content)| {
            let methods = [(Method::GET, fixed(content_type, policy, content))];
            (path.to_owned(), methods.into())
        });
    routes.collect()
}

/// For what is no page.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// A token may be in the page's storage: only the page's own two scripts may run, it may call and
/// load from nowhere but here, and no other page may frame it and guide clicks. Styles are of many
/// small pieces that the scripts make.
fn policy(page: &str) -> String {
    let hashes: String = scripts(page)
        .map(|script| {
            let hash = digest::digest(&digest::SHA256, script.as_bytes());
            format!(" 'sha256-{}'", STANDARD.encode(hash))
        })
        .collect();
    format!(
        "{NOTHING}; script-src{hashes}; style-src 'unsafe-inline'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
}

/// What stands in the page's script elements, as a browser takes it.
fn scripts(page: &str) -> impl Iterator<Item = &str> {
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, element) = rest.split_once("<script")?;
        let (script, after) = element.split_once('>')?.1.split_once("</script>")?;
        rest = after;
        Some(script)
    })
}

fn fixed(content_type: &'static str, policy: String, content: String) -> BoxEndpoint<'static> {
    let content = Bytes::from(content);
    make_sync(move |_| {
        let body = BoxBody::new(Slices(content.clone()));
        Response::builder()
            .content_type(content_type)
            .header("cache-control", "no-cache")
            .header("content-security-policy", &policy)
            .body(Body::from(body))
    })
    .boxed()
}

/// What hyper is given at a time: it copies what it sends, and a client that does not read would
/// have it keep a copy of the whole page, of more than a megabyte, for each of its requests.
const SLICE_LEN: usize = 16 * 1024;

/// A body of which all is there, handed out bit by bit.
struct Slices(Bytes);

impl http_body::Body for Slices {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let len = self.0.len().min(SLICE_LEN);
        let slice = self.0.split_to(len);
        Poll::Ready((len > 0).then_some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// The page, for our document instead of the one that poem-openapi would make. `None` if the
/// page is no longer what this expects.
fn page(document: &Value) -> Option<String> {
    let template = OpenApiService::new((), "", "").swagger_ui_html();
    let (script, rest) = template.rsplit_once(DOCUMENT.0)?;
    let (_, tail) = rest.split_once(DOCUMENT.1)?;
    let (before, after) = tail.split_once(SETTING)?;
    // In a script no `<` may begin an end tag, and in JSON it can only stand in strings.
    let document = document.to_string().replace('<', "\\u003c");
    let (head, script) = script.split_once(TITLE)?;
    let (start, end) = DOCUMENT;
    Some(format!(
        "{head}{ICON_AND_TITLE}{script}{start}{document}{end}{before}{SETTINGS}{after}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_still_has_the_places_that_are_replaced() {
        let document = serde_json::json!({"openapi": "3.1.0", "info": {"title": "</script>"}});
        let page = page(&document).expect("poem-openapi's Swagger UI page has changed: adapt it");
        assert!(
            page.contains(r#"let spec = {"info":{"title":"\u003c/script>"},"openapi":"3.1.0"};"#)
        );
        assert_eq!(page.matches("persistAuthorization: true").count(), 1);
        assert!(page.trim_end().ends_with("</html>"));
    }

    #[test]
    fn the_policy_lets_the_pages_scripts_run_and_no_others() {
        let document = serde_json::json!({"info": {"title": "<script>alert(1)</script>"}});
        let page = page(&document).unwrap();
        let scripts: Vec<_> = scripts(&page).collect();
        assert_eq!(scripts.len(), 2);
        assert!(scripts[0].contains("SwaggerUIBundle"));
        assert!(scripts[1].contains("let spec = "));
        let policy = policy(&page);
        assert_eq!(policy.matches("'sha256-").count(), 2);
        assert!(!policy.contains("script-src 'unsafe-inline'"));
    }
}
