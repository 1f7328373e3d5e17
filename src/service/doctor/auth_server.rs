//! The auth server: the way to it, its clock, and what it takes for its own URL; `key_set` has its keys.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AGE, DATE, HOST, LOCATION};

use super::key_set::{self, Keys};
use super::network::{Steps, Target, walk};
use super::report::Check;
use super::shown::{said, span};
use crate::Policy;
use crate::keys::http::Asked;
use crate::service::config::ServeConfig;

const CLOCK: &str = "auth_server.clock";
const BASE_URL: &str = "auth_server.base_url";

const STEPS: Steps = Steps {
    name: "auth_server.name",
    connection: "auth_server.connection",
    tls: "auth_server.tls",
};

/// `Date` has whole seconds, and answers take their time.
const CLOCK_RESOLUTION: Duration = Duration::from_secs(2);

/// A name that is nobody's (RFC 2606 §2).
const FOREIGN_HOST: &str = "keyward-doctor.invalid";

/// Asks the auth server.
pub(super) async fn examine(config: &ServeConfig, checks: &mut Vec<Check>) -> Option<Keys> {
    if !reach(config, checks).await {
        checks.push(Check::skipped(
            key_set::FOUND,
            "not asked for: the auth server cannot be reached",
        ));
        return None;
    }
    let asked = config.fetcher.ask_each().await;
    if let Some(check) = asked.iter().find_map(|asked| clock(asked, &config.policy)) {
        checks.push(check);
    }
    let keys = key_set::examine(config, &asked, checks).await;
    if asked.iter().any(|asked| !asked.headers.is_empty()) {
        checks.push(base_url(config).await);
    }
    keys
}

async fn reach(config: &ServeConfig, checks: &mut Vec<Check>) -> bool {
    let Some((url, target)) = Url::parse(config.fetcher.url())
        .ok()
        .and_then(|url| Some((url.clone(), Target::of(&url)?)))
    else {
        return false;
    };
    let proxy = match config.fetcher.is_local() {
        true => None,
        false => Target::proxy_for(&url),
    };
    if let Some(proxy) = &proxy {
        let summary = format!(
            "{} is asked through the proxy {}",
            target.name(),
            proxy.name()
        );
        checks.push(Check::ok("auth_server.proxy", summary));
    }
    let insecure = !target.uses_tls() && !config.fetcher.is_local();
    let reached = walk(proxy.as_ref().unwrap_or(&target), &STEPS, checks).await;
    if reached && insecure {
        let summary = "the keys come over plain http: whoever is on the way can supply others";
        checks.push(
            Check::warning(STEPS.tls, "plain_http", summary)
                .fix("use https, unless the network in between is your own"),
        );
    }
    reached
}

/// The difference of the clocks, if the answer says what time it is (RFC 9110 §6.6.1).
fn clock(asked: &Asked, policy: &Policy) -> Option<Check> {
    let text = |name| asked.headers.get(name)?.to_str().ok();
    let date = httpdate::parse_http_date(text(DATE)?).ok()?;
    // An answer from a cache is as old as it says (RFC 9111 §5.1).
    let age = text(AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
    let date = date + Duration::from_secs(age);
    let (sent, received) = asked.between;
    let ahead = date.duration_since(received).unwrap_or_default();
    let behind = sent.duration_since(date + Duration::from_secs(1));
    let behind = behind.unwrap_or_default();
    let (difference, direction) = match ahead > behind {
        true => (ahead, "ahead of"),
        false => (behind, "behind"),
    };
    let leeway = policy.allowed_clock_difference();
    let allowed = format!("{} are allowed (JWT_LEEWAY_SECONDS)", span(leeway));
    Some(if difference <= CLOCK_RESOLUTION {
        Check::ok(CLOCK, format!("the clocks agree; {allowed}"))
    } else {
        let summary = format!(
            "the auth server's clock is {} {direction} this machine's; {allowed}",
            span(difference)
        );
        let fix = "set both clocks by NTP";
        match difference > leeway {
            true => Check::wrong(CLOCK, "clocks_differ", summary).fix(fix),
            false => Check::warning(CLOCK, "clocks_differ", summary).fix(fix),
        }
    })
}

/// Beside the key set, which may be asked for at an address inside of a cluster; else below the base
/// URL.
pub(super) fn endpoint(config: &ServeConfig, name: &str) -> Url {
    Url::parse(config.fetcher.url())
        .ok()
        .filter(|url| url.path().ends_with("/jwks"))
        .and_then(|url| url.join(name).ok())
        .unwrap_or_else(|| config.auth_server.endpoint(name))
}

/// What Better Auth takes for its own URL, which it signs into tokens unless told otherwise. A
/// callback of a provider that is not there redirects to an error page below that URL, and reads and
/// writes nothing before it does.
///
/// Up to version 1.4 an unset URL is decided by the first request after the start, for all that follow.
/// The key set was asked for by then, under the name that the service uses, so that nothing else is
/// decided here, nor seen.
async fn base_url(config: &ServeConfig) -> Check {
    let Some(own) = error_page(config, None).await else {
        return Check::skipped(
            BASE_URL,
            "the auth server does not show what URL it takes for its own",
        );
    };
    let follows = error_page(config, Some(FOREIGN_HOST)).await;
    if follows.is_some_and(|url| url.host_str() == Some(FOREIGN_HOST)) {
        let summary = "the auth server has no baseURL: issuer and audience of its tokens are what the Host \
                       header of the request says, and so whatever a caller wants";
        return Check::wrong(BASE_URL, "base_url_unset", summary).fix(format!(
            "set baseURL on the auth server, or BETTER_AUTH_URL in its environment: {}",
            config.auth_server.origin()
        ));
    }
    let origin = own.origin().ascii_serialization();
    // The OAuth provider signs with the whole base URL.
    let provider = format!("{origin}{}", own.path().trim_end_matches("/error"));
    let is_own = |issuer: &str| issuer == origin || issuer == provider;
    let issuers = config.policy.issuers();
    if issuers.iter().any(|issuer| is_own(issuer)) {
        return Check::ok(
            BASE_URL,
            format!("the auth server takes {} for its own", said(&origin)),
        );
    }
    let issuers: Vec<String> = issuers.iter().map(|issuer| said(issuer)).collect();
    let summary =
        "tokens will come from another issuer, unless the auth server's jwt.issuer says otherwise";
    Check::warning(BASE_URL, "other_base_url", summary)
        .detail(format!("its baseURL  {}", said(&origin)))
        .detail(format!("allowed      {}", issuers.join(", ")))
        .fix(format!(
            "set baseURL on the auth server to its public origin, or here JWT_ISSUER={origin}"
        ))
}

/// Where Better Auth sends a browser whose sign-in has failed.
async fn error_page(config: &ServeConfig, host: Option<&str>) -> Option<Url> {
    let url = endpoint(config, "callback/keyward-doctor");
    let mut request = config.fetcher.client().get(url);
    if let Some(host) = host {
        request = request.header(HOST, host);
    }
    let response = request.send().await.ok()?;
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let location = Url::parse(location).ok()?;
    // Named `error` or, by some versions, `state`.
    let is_error_page = location.path().ends_with("/error")
        && location
            .query_pairs()
            .any(|(_, value)| value == "state_not_found");
    is_error_page.then_some(location)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::FetchError;
    use std::time::SystemTime;

    use crate::service::doctor::report::Status;

    #[test]
    fn clocks_are_compared_within_what_a_date_can_tell() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_450_000);
        let policy = Policy::new(["i"], ["a"]).unwrap();
        let check = |offset: i64, age: Option<&str>| {
            let date = match offset {
                0.. => now + Duration::from_secs(offset.unsigned_abs()),
                _ => now - Duration::from_secs(offset.unsigned_abs()),
            };
            let mut headers = HeaderMap::new();
            headers.insert(DATE, httpdate::fmt_http_date(date).parse().unwrap());
            if let Some(age) = age {
                headers.insert(AGE, age.parse().unwrap());
            }
            let asked = Asked {
                url: Url::parse("http://localhost").unwrap(),
                result: Err(FetchError::Connect),
                headers,
                between: (now, now + Duration::from_millis(900)),
            };
            clock(&asked, &policy).unwrap()
        };
        for (offset, age, status, said) in [
            (0, None, Status::Ok, "agree"),
            (-3, None, Status::Ok, "agree"),
            (-600, Some("600"), Status::Ok, "agree"),
            (10, None, Status::Warning, "9 s ahead of"),
            (-20, None, Status::Warning, "19 s behind"),
            (100, None, Status::Wrong, "1 min 39 s ahead of"),
        ] {
            let check = check(offset, age);
            assert_eq!(check.status, status, "{offset}: {}", check.summary);
            assert!(check.summary.contains(said), "{offset}: {}", check.summary);
        }
    }
}
