//! The key set: where it was found, or why it was not, and what is in it.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};

use super::auth_server::endpoint;
use super::report::Check;
use super::shown::{said, shown, span, took};
use crate::keys::http::Asked;
use crate::service::config::ServeConfig;
use crate::{
    BetterAuthUrl, FetchError, Fetched, KeyOutcome, KeySet, KeySetError, Policy, RefreshOptions,
    SkipReason,
};

pub(super) const FOUND: &str = "key_set.found";
const KEYS: &str = "key_set.keys";
const SIZE: &str = "key_set.size";

/// Better Auth publishes no more (`findMany` without a limit of its own).
pub(super) const MOST_PUBLISHED: usize = 100;
/// Daily rotation is there in ten days.
const NEARLY_MOST_PUBLISHED: usize = 90;

/// How to get the keys published again that tokens are signed with.
pub(super) const TOO_MANY_ROWS: &str = "delete the oldest rows of the auth server's table jwks, or raise its \
                             advanced.database.defaultFindManyLimit";

/// The key set as it was found.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) set: Arc<KeySet>,
    /// With those that cannot be used.
    pub(super) published: usize,
}

impl Keys {
    /// As the service would take the document.
    pub(super) fn read(document: &[u8]) -> Result<Self, KeySetError> {
        let max_keys = RefreshOptions::default().max_keys;
        let set = KeySet::from_document(document, max_keys, None)?;
        Ok(Self {
            published: set.outcomes().len(),
            set: Arc::new(set),
        })
    }
}

/// The key set among the answers, or why there is none.
pub(super) async fn examine(
    config: &ServeConfig,
    asked: &[Asked],
    checks: &mut Vec<Check>,
) -> Option<Keys> {
    let places: Vec<String> = asked.iter().map(place).collect();
    for asked in asked {
        let Ok(Fetched::Document { body, .. }) = &asked.result else {
            continue;
        };
        if let Ok(keys) = Keys::read(body) {
            let time = asked.between.1.duration_since(asked.between.0);
            let summary = format!("at {} ({})", asked.url, took(time.unwrap_or_default()));
            let earlier = places.iter().take(places.len() - 1).cloned();
            checks.push(Check::ok(FOUND, summary).details(earlier));
            checks.push(usable_keys(KEYS, keys.set.outcomes(), &config.policy));
            checks.push(size(keys.published));
            return Some(keys);
        }
    }
    // What the service takes for the reason as well: the first answer that is more than a 404.
    let not_found =
        |asked: &&Asked| !matches!(&asked.result, Err(FetchError::Status { status: 404, .. }));
    let telling = asked.iter().find(not_found);
    let outcomes = telling.and_then(|asked| match &asked.result {
        Ok(Fetched::Document { body, .. }) => {
            KeySet::examine(body, RefreshOptions::default().max_keys).ok()
        }
        _ => None,
    });
    let check = match telling {
        Some(asked) => failure(asked),
        None => Check::wrong(FOUND, "not_found", "there is no key set"),
    };
    let gone = telling.is_none() || check.code.as_deref() == Some("not_a_key_set");
    let check = match gone {
        true => whereabouts(config, check).await,
        false => check,
    };
    checks.push(check.details(places));
    if let Some(outcomes) = outcomes.filter(|outcomes| !outcomes.is_empty()) {
        checks.push(usable_keys(KEYS, &outcomes, &config.policy));
    }
    None
}

/// A URL and what it has answered.
fn place(asked: &Asked) -> String {
    let what = match &asked.result {
        Ok(Fetched::Document { body, .. }) => match KeySet::from_json(body) {
            Ok(_) => "a key set".to_owned(),
            Err(_) if is_web_page(&asked.headers) => "a web page".to_owned(),
            Err(error) => error.to_string(),
        },
        Ok(_) => "nothing new".to_owned(),
        Err(FetchError::Status { status, .. }) => format!("status {status}"),
        Err(error) => error.to_string(),
    };
    format!("{}: {what}", asked.url)
}

fn is_web_page(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("text/html"))
}

fn failure(asked: &Asked) -> Check {
    let wrong = |code, summary: String, fix: &str| Check::wrong(FOUND, code, summary).fix(fix);
    match &asked.result {
        Ok(Fetched::Document { body, .. }) => match KeySet::from_json(body) {
            Err(KeySetError::Empty) => wrong(
                "empty",
                "the key set is empty: all keys are past their grace period, and nobody has signed in \
                 since"
                    .to_owned(),
                "sign in once, which makes a key; choose a longer jwks.gracePeriod",
            ),
            Err(KeySetError::NoUsableKey(_)) => wrong(
                "no_usable_key",
                "no key in the set can verify tokens".to_owned(),
                "see key_set.keys; let the auth server's jwt plugin use EdDSA, its default",
            ),
            Ok(set) => wrong(
                "too_many_keys",
                format!("the key set holds {} keys, which is over the limit", set.outcomes().len()),
                "delete the oldest rows of the auth server's table jwks",
            ),
            Err(_) if is_web_page(&asked.headers) => wrong(
                "not_a_key_set",
                "a web page where the key set should be".to_owned(),
                "let the web app pass /api/auth/* on to Better Auth, or correct the URL",
            ),
            Err(error) => wrong("not_a_key_set", error.to_string(), "correct the URL"),
        },
        Ok(_) => wrong(
            "status_304",
            "the auth server answered 304 to a request without conditions".to_owned(),
            "look at the cache or proxy in front of it",
        ),
        Err(FetchError::Status { status: 429, retry_after }) => {
            let wait = match retry_after {
                Some(wait) => format!("; it asks to be left alone for {}", span(*wait)),
                None => String::new(),
            };
            wrong(
                "rate_limited",
                format!("the auth server refuses to answer so often (429){wait}"),
                "raise Better Auth's rateLimit for /jwks (customRules), and tell it the header with \
                 callers' addresses (advanced.ipAddress), lest all share one allowance",
            )
        }
        Err(error @ FetchError::Redirect(_)) => {
            let to = asked.headers.get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.map_or(String::new(), |to| format!(", to {}", said(to)));
            wrong(
                "redirect",
                format!("{error}{to}"),
                "set BETTER_AUTH_URL (or JWKS_URL) to where it leads, in scheme, host and path",
            )
        }
        Err(FetchError::Status { status, .. }) => wrong(
            "status",
            format!("the auth server answered with status {status}"),
            match status {
                500.. => "see the auth server's log: its database, or a key of a kind it cannot handle",
                401 | 403 => "let the key set be read without credentials; it is public",
                _ => "correct the URL",
            },
        )
        .code(format!("status_{status}")),
        Err(error) => wrong(
            "fetch",
            error.to_string(),
            "see the auth server's log, and the proxies in front of it",
        )
        .code(error.code().into_owned()),
    }
}

/// Where the keys may be if they are not where they were looked for.
async fn whereabouts(config: &ServeConfig, check: Check) -> Check {
    let origin = config.auth_server.origin();
    if !config.fetcher.searches() {
        if let Some(url) = found_below(&config.auth_server, config.insecure_http).await {
            return check.fix(format!(
                "JWKS_URL={url}, or leave it unset: it would be found"
            ));
        }
    } else if let Some(at_origin) = BetterAuthUrl::parse(&origin).ok()
        && at_origin.endpoint("jwks") != config.auth_server.endpoint("jwks")
        && found_below(&at_origin, config.insecure_http)
            .await
            .is_some()
    {
        return check.code("other_path").fix(format!(
            "BETTER_AUTH_URL={origin}: the keys are at its usual path"
        ));
    }
    let (jwks, token, ok) = tokio::join!(
        status(config, "jwks"),
        status(config, "token"),
        status(config, "ok")
    );
    // The one 404 of Better Auth's that has a body.
    let is_disabled = |answer: &Option<(StatusCode, String)>| matches!(answer, Some((StatusCode::NOT_FOUND, body)) if body == "Not Found");
    let is_there = matches!(&ok, Some((StatusCode::OK, body)) if body.contains("\"ok\":true"));
    if is_disabled(&jwks) {
        Check::wrong(
            FOUND,
            "disabled",
            "Better Auth is there, and /jwks is switched off",
        )
        .fix("take /jwks out of its disabledPaths")
    } else if matches!(token, Some((StatusCode::UNAUTHORIZED, _))) {
        Check::wrong(
            FOUND,
            "served_elsewhere",
            "Better Auth signs tokens there, and serves no keys: its jwks.remoteUrl names another place \
             for them, or jwks.jwksPath another path",
        )
        .fix("set JWKS_URL to that URL")
    } else if is_there {
        Check::wrong(
            FOUND,
            "no_jwt_plugin",
            "Better Auth is there, without its jwt plugin",
        )
        .fix("add jwt() to the auth server's plugins")
    } else {
        match check.fix {
            Some(_) => check,
            None => check.code("no_better_auth").fix(
                "set BETTER_AUTH_URL to the auth server's origin, with its basePath if that is not /api/auth",
            ),
        }
    }
}

async fn found_below(auth_server: &BetterAuthUrl, insecure_http: bool) -> Option<Url> {
    let asked = auth_server.fetcher(insecure_http).ok()?.ask_each().await;
    let found = asked.into_iter().find(|asked| {
        matches!(&asked.result, Ok(Fetched::Document { body, .. }) if KeySet::from_json(body).is_ok())
    });
    found.map(|asked| asked.url)
}

/// The status, and a short body, of one of Better Auth's endpoints, asked without credentials.
async fn status(config: &ServeConfig, name: &str) -> Option<(StatusCode, String)> {
    let request = config.fetcher.client().get(endpoint(config, name));
    let mut response = request.send().await.ok()?;
    let status = response.status();
    let start = response.chunk().await.ok().flatten().unwrap_or_default();
    Some((status, String::from_utf8_lossy(&start).into_owned()))
}

pub(super) fn usable_keys(id: &'static str, outcomes: &[KeyOutcome], policy: &Policy) -> Check {
    let name = |outcome: &KeyOutcome| match &outcome.id {
        Some(id) => format!("kid {}", shown(id, &[])),
        None => "no kid".to_owned(),
    };
    let allowed = policy.allowed_algorithms();
    let mut usable = Vec::new();
    let mut algorithms = Vec::new();
    let mut skipped = Vec::new();
    for outcome in outcomes {
        match &outcome.result {
            Ok(own) => {
                usable.push(own);
                algorithms.extend(
                    own.iter()
                        .filter(|name| !algorithms.contains(name))
                        .collect::<Vec<_>>(),
                );
            }
            Err(reason) => skipped.push(format!("{}: {reason}", name(outcome))),
        }
    }
    let names: Vec<&str> = algorithms
        .iter()
        .map(|algorithm| algorithm.name())
        .collect();
    let names = names.join(", ");
    let private = outcomes
        .iter()
        .any(|outcome| outcome.result == Err(SkipReason::PrivateKey));
    if private {
        let summary = "the set publishes a private key: whoever reads it can sign tokens";
        return Check::wrong(id, "private_key", summary)
            .details(skipped)
            .fix("take the set off the network, and delete that key: its tokens prove nothing");
    }
    if usable.is_empty() {
        return Check::wrong(id, "no_usable_key", "none can be used").details(skipped);
    }
    if !usable.iter().any(|own| own.intersects(allowed)) {
        return Check::wrong(
            id,
            "algorithms_not_allowed",
            "no key is for an algorithm that this service allows",
        )
        .detail(format!("keys     {names}"))
        .detail(format!("allowed  {allowed}"))
        .details(skipped)
        .fix(format!("JWT_ALGORITHMS={}", names.replace(", ", ",")));
    }
    let summary = format!(
        "{} of {} can be used: {names}",
        usable.len(),
        outcomes.len()
    );
    match skipped.is_empty() {
        true => Check::ok(id, summary),
        false => Check::warning(id, "keys_skipped", summary)
            .details(skipped)
            .fix("correct these rows of the auth server's table jwks (their alg, often), or delete them"),
    }
}

fn size(published: usize) -> Check {
    let summary = format!("{published} published");
    if published >= MOST_PUBLISHED {
        let summary = format!(
            "{summary}: Better Auth publishes no more than {MOST_PUBLISHED}, and signs with keys that it \
             does not publish"
        );
        Check::warning(SIZE, "hundred_keys", summary).fix(TOO_MANY_ROWS)
    } else if published >= NEARLY_MOST_PUBLISHED {
        let summary =
            format!("{summary}: from {MOST_PUBLISHED} on, Better Auth publishes no new ones");
        Check::warning(SIZE, "nearly_hundred_keys", summary).fix(TOO_MANY_ROWS)
    } else {
        Check::ok(SIZE, summary)
    }
}
