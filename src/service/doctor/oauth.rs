//! The keys of OAuth clients' access tokens, where these may call.

use std::time::Duration;

use tokio::time::timeout;

use super::key_set::{Keys, usable_keys};
use super::report::Check;
use super::token::Trusted;
use crate::service::oauth::{OAuthConfig, OAuthKeys};
use crate::{FetchError, FetchKeySet, Fetched, MetadataError};

const KEY_SET: &str = "oauth.key_set";

/// For the metadata and the keys, three places of them included.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches them as the service does. `first`: what is known of the other tokens'.
pub(super) async fn examine(
    config: &OAuthConfig,
    first: Option<&Trusted<'_>>,
) -> (Check, Option<Keys>) {
    let (fetcher, place): (&dyn FetchKeySet, String) = match &config.keys {
        OAuthKeys::Shared => {
            let keys = first.and_then(|first| first.keys.clone());
            let check = match &keys {
                Some(_) => Check::ok(KEY_SET, "that of the other tokens"),
                None => Check::skipped(KEY_SET, "that of the other tokens, which was not found"),
            };
            return (check, keys);
        }
        OAuthKeys::At(fetcher, _) => (fetcher, format!("at {}", fetcher.url())),
        OAuthKeys::Discovered(fetcher, _) => (
            fetcher,
            format!("where the metadata of {} say", fetcher.issuer()),
        ),
    };
    let fetched = timeout(TIMEOUT, fetcher.fetch(None)).await;
    let body = match fetched.unwrap_or(Err(FetchError::Timeout)) {
        Ok(Fetched::Document { body, .. }) => body,
        Ok(_) => return (unusable("the key set was not sent".to_owned()), None),
        Err(error) => return (failure(&error).detail(place), None),
    };
    match Keys::read(&body) {
        Ok(keys) => {
            let check = usable_keys(KEY_SET, keys.set.outcomes(), &config.policy).detail(place);
            (check, Some(keys))
        }
        Err(error) => (unusable(error.to_string()).detail(place), None),
    }
}

fn unusable(why: String) -> Check {
    Check::wrong(KEY_SET, "not_a_key_set", why)
        .fix("correct OAUTH_JWKS_URL, or leave it unset, and it is found by the issuer's metadata")
}

fn failure(error: &FetchError) -> Check {
    let fix = match error {
        FetchError::Metadata(MetadataError::NotFound) => {
            "add oauthProvider() to the auth server's plugins, or give the URL of its keys as OAUTH_JWKS_URL"
        }
        FetchError::Metadata(MetadataError::IssuerMismatch) => {
            "give OAUTH_ISSUER exactly as the metadata's issuer has it: a slash and a path count"
        }
        FetchError::Metadata(_) => "give the URL of the keys as OAUTH_JWKS_URL",
        _ => "correct OAUTH_ISSUER or OAUTH_JWKS_URL; see the auth server's log",
    };
    Check::wrong(KEY_SET, error.code().into_owned(), error.to_string()).fix(fix)
}
