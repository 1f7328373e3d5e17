//! Swagger UI, from the page that poem-openapi carries: nothing is loaded from elsewhere.

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

/// Where the page holds the document.
const DOCUMENT: (&str, &str) = ("let spec = ", ";\n    let oauth2RedirectUrl;");

/// The routes of the page and of the document.
pub fn routes(document: &Value) -> Table {
    let page = page(document).unwrap_or_else(|| "The page of this version is missing.".to_owned());
    let pages = [
        ("/docs", "text/html; charset=utf-8", page),
        (
            "/openapi.json",
            "application/json",
            super::document::to_text(document),
        ),
    ];
    let routes = pages.into_iter().map(|(path, content_type, content)| {
        let methods = [(Method::GET, fixed(content_type, content))];
        (path.to_owned(), methods.into())
    });
    routes.collect()
}

fn fixed(content_type: &'static str, content: String) -> BoxEndpoint<'static> {
    let content = bytes::Bytes::from(content);
    make_sync(move |_| {
        let body = Body::from_bytes(content.clone());
        Response::builder()
            .content_type(content_type)
            .header("cache-control", "no-cache")
            // A token may be in the page's storage: no other page may frame it and guide clicks.
            .header("content-security-policy", "frame-ancestors 'none'")
            .body(body)
    })
    .boxed()
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
    let (start, end) = DOCUMENT;
    Some(format!(
        "{script}{start}{document}{end}{before}{SETTINGS}{after}"
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
}
