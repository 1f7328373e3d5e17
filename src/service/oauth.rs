//! Configuration of OAuth clients: access tokens of the auth server's own OAuth provider, beside the
//! tokens of the web app's users.

use clap::Args;
use reqwest::Url;

use super::config;
use super::telemetry::Telemetry;
use super::variable::{ConfigError, Variable};
use crate::service::api::{OAuth, READ, WRITE};
use crate::{
    BetterAuthUrl, DiscoveryFetcher, HttpFetcher, Policy, ProtectedResource, RemoteKeySet,
    ResourceError, WarmStart,
};

/// The settings, as they come in.
#[derive(Args, Clone, Default)]
pub struct OAuthArgs {
    /// The issuer of OAuth access tokens, if OAuth clients may call: the Better Auth server's own
    /// OAuth provider [default: none].
    #[arg(long, env = "OAUTH_ISSUER", value_name = "URL")]
    pub oauth_issuer: Option<String>,
    /// This API's URL, which is the access tokens' audience; of several, comma-separated, the first
    /// is the one that clients are told. Required with OAUTH_ISSUER.
    #[arg(long, env = "OAUTH_AUDIENCE", value_name = "LIST")]
    pub oauth_audience: Option<String>,
    /// The URL of the key set for access tokens [default: found by the metadata of OAUTH_ISSUER].
    #[arg(long, env = "OAUTH_JWKS_URL", value_name = "URL")]
    pub oauth_jwks_url: Option<String>,
}

/// OAuth clients.
#[derive(Debug)]
pub struct OAuthConfig {
    /// What access tokens must say.
    pub policy: Policy,
    /// Where their keys are.
    pub keys: OAuthKeys,
    /// What the API knows of them.
    pub api: OAuth,
}

/// Where the keys of access tokens are.
#[derive(Debug)]
pub enum OAuthKeys {
    /// They are those of the other tokens.
    Shared,
    /// At a URL.
    At(HttpFetcher, Option<WarmStart>),
    /// Where the issuer's metadata say.
    Discovered(DiscoveryFetcher, Option<WarmStart>),
}

/// What is configured beside it.
pub(super) struct Beside<'c> {
    pub(super) base: &'c BetterAuthUrl,
    pub(super) issuers: &'c [String],
    /// The key set's URL.
    pub(super) key_set: &'c str,
    pub(super) cache_dir: Option<&'c str>,
    pub(super) allow_insecure_http: bool,
}

impl OAuthArgs {
    /// Reads the settings; `None` without an issuer.
    pub(super) fn read(&self, beside: &Beside<'_>) -> Result<Option<OAuthConfig>, ConfigError> {
        let issuer = Variable::new(
            "OAUTH_ISSUER",
            "https://app.example.com/api/auth",
            &self.oauth_issuer,
        );
        let audiences = Variable::new(
            "OAUTH_AUDIENCE",
            "https://api.example.com",
            &self.oauth_audience,
        );
        let key_set = Variable::new(
            "OAUTH_JWKS_URL",
            "https://app.example.com/api/auth/jwks",
            &self.oauth_jwks_url,
        );
        let Some(issuer) = issuer.optional() else {
            // A service that refuses every client would not be what was meant.
            return match [audiences, key_set].iter().find_map(|it| it.optional()) {
                Some(set) => Err(issuer.error(format!("is not set, and {} is", set.name))),
                None => Ok(None),
            };
        };
        check_issuer(issuer, beside)?;
        let audience_list = audiences
            .list()?
            .ok_or_else(|| audiences.error("is not set, and OAUTH_ISSUER is".to_owned()))?;
        let resource = audience_list.first().map_or("", String::as_str);
        let resource = ProtectedResource::new(resource, [issuer.value])
            .map_err(|ResourceError| {
                audiences.error(
                    "is not an https URL without a query and a fragment (http for loopback only)"
                        .to_owned(),
                )
            })?
            .scopes([READ, WRITE]);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let path = resource.metadata_path();
        if !path.bytes().all(plain) || path.contains("//") {
            let problem = "has a path with other characters than letters, digits, -, ., _ and ~ between \
                           single slashes";
            return Err(audiences.error(problem.to_owned()));
        }
        let policy = Policy::for_access_tokens([issuer.value], audience_list)
            .map_err(|error| audiences.error(error.to_string()))?;
        let warm_start = |source: &str| Some(config::warm_start(beside.cache_dir?, source));
        let insecure = beside.allow_insecure_http;
        let keys = match key_set.optional() {
            Some(url) if url.value == beside.key_set => OAuthKeys::Shared,
            Some(url) => {
                let fetcher = url.parse_with(|url| HttpFetcher::new(url, insecure))?;
                let warm_start = warm_start(fetcher.url());
                OAuthKeys::At(fetcher, warm_start)
            }
            None => {
                let new = |issuer: &str| DiscoveryFetcher::new(issuer, insecure);
                OAuthKeys::Discovered(issuer.parse_with(new)?, warm_start(issuer.value))
            }
        };
        let first_party = beside.issuers.iter().map(|it| it.as_str().into()).collect();
        Ok(Some(OAuthConfig {
            policy,
            keys,
            api: OAuth {
                resource,
                first_party,
            },
        }))
    }
}

/// The issuer must be the same server by another name. A user's tasks are found by the token's `sub`
/// alone, which is unique only among the users of one server (RFC 7519 §4.1.2).
fn check_issuer(issuer: Variable<'_>, beside: &Beside<'_>) -> Result<(), ConfigError> {
    issuer.parse_with(BetterAuthUrl::parse)?;
    if beside.issuers.iter().any(|known| known == issuer.value) {
        let problem = "is a JWT_ISSUER as well: which of both policies holds would be a guess";
        return Err(issuer.error(problem.to_owned()));
    }
    let origin = |url: &str| Some(Url::parse(url).ok()?.origin().ascii_serialization());
    let own = origin(issuer.value);
    let same_server = |known: &str| own.is_some() && origin(known) == own;
    let known = beside.issuers.iter().any(|known| same_server(known));
    if !known && !same_server(&beside.base.origin()) {
        let problem = "is of another server than BETTER_AUTH_URL and JWT_ISSUER, whose users may have \
                       the same ids";
        return Err(issuer.error(problem.to_owned()));
    }
    Ok(())
}

impl OAuthKeys {
    /// The key set. `shared`: that of the other tokens.
    pub(super) async fn into_key_set(
        self,
        telemetry: &Telemetry,
        shared: &RemoteKeySet,
    ) -> RemoteKeySet {
        match self {
            Self::Shared => shared.clone(),
            Self::At(fetcher, warm_start) => telemetry.key_set(fetcher, warm_start).await,
            Self::Discovered(fetcher, warm_start) => {
                telemetry.discovered_key_set(fetcher, warm_start).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{ServeArgs, ServeConfig};
    use super::*;

    fn args(issuer: &str, audience: &str) -> ServeArgs {
        ServeArgs {
            better_auth_url: Some("https://app.example.com".to_owned()),
            oauth: OAuthArgs {
                oauth_issuer: Some(issuer.to_owned()),
                oauth_audience: Some(audience.to_owned()),
                oauth_jwks_url: None,
            },
            ..Default::default()
        }
    }

    const ISSUER: &str = "https://app.example.com/api/auth";
    const API: &str = "https://api.example.com";

    fn read(args: &ServeArgs) -> OAuthConfig {
        let config = ServeConfig::from_args(args).unwrap();
        config.oauth.expect("there is an issuer")
    }

    #[test]
    fn without_an_issuer_there_are_no_oauth_clients() {
        let config = ServeConfig::from_args(&args("", " ")).unwrap();
        assert!(config.oauth.is_none());
    }

    #[test]
    fn issuer_and_audience_are_enough() {
        let mut args = args(ISSUER, "https://api.example.com/v1, urn:tasks");
        args.jwt_algorithms = Some("ES256".to_owned());
        let oauth = read(&args);
        let policy = format!("{:?}", oauth.policy);
        for part in [
            r#"issuers: ["https://app.example.com/api/auth"]"#,
            r#"audiences: ["https://api.example.com/v1", "urn:tasks"]"#,
            "type_required: true",
            "{ES256}",
        ] {
            assert!(policy.contains(part), "{part} in {policy}");
        }
        let OAuthKeys::Discovered(fetcher, None) = oauth.keys else {
            panic!("{:?}", oauth.keys);
        };
        assert_eq!(fetcher.issuer(), ISSUER);
        assert_eq!(oauth.api.first_party, ["https://app.example.com".into()]);
        assert_eq!(
            oauth.api.resource.metadata_url(),
            "https://api.example.com/.well-known/oauth-protected-resource/v1"
        );
    }

    #[test]
    fn keys_may_be_elsewhere_and_those_at_one_url_are_fetched_once() {
        let mut args = args(ISSUER, API);
        args.jwks_cache_dir = Some("/var/cache/keyward".to_owned());
        let OAuthKeys::Discovered(_, Some(found)) = read(&args).keys else {
            panic!("found by metadata, and kept");
        };
        args.oauth.oauth_jwks_url = Some("https://keys.example.com/jwks".to_owned());
        let OAuthKeys::At(fetcher, Some(other)) = read(&args).keys else {
            panic!("at a URL, and kept");
        };
        assert_eq!(fetcher.url(), "https://keys.example.com/jwks");
        assert_ne!(found.path(), other.path());
        args.oauth.oauth_jwks_url = Some("https://app.example.com/api/auth/jwks".to_owned());
        assert!(matches!(read(&args).keys, OAuthKeys::Shared));
        args.jwks_url = Some("http://web:3000/api/auth/jwks".to_owned());
        args.jwks_allow_insecure_http = Some("true".to_owned());
        assert!(matches!(read(&args).keys, OAuthKeys::At(..)));
        args.oauth.oauth_jwks_url = args.jwks_url.clone();
        assert!(matches!(read(&args).keys, OAuthKeys::Shared));
    }

    #[test]
    fn the_issuer_is_the_auth_server_under_another_name() {
        let mut args = args("https://id.example.com/oauth", API);
        assert!(ServeConfig::from_args(&args).is_err());
        args.jwt_issuer = Some("https://id.example.com, https://app.example.com".to_owned());
        let oauth = read(&args);
        assert_eq!(oauth.api.first_party.len(), 2);
    }

    #[test]
    fn what_does_not_fit_is_named_with_an_example() {
        let with_keys = |mut args: ServeArgs, url: &str| {
            args.oauth.oauth_jwks_url = Some(url.to_owned());
            args
        };
        for (args, variable, problem) in [
            (
                args("", API),
                "OAUTH_ISSUER",
                "is not set, and OAUTH_AUDIENCE is",
            ),
            (
                with_keys(args("", ""), "https://a.example/jwks"),
                "OAUTH_ISSUER",
                "is not set, and OAUTH_JWKS_URL is",
            ),
            (
                args(ISSUER, ""),
                "OAUTH_AUDIENCE",
                "is not set, and OAUTH_ISSUER is",
            ),
            (
                args(ISSUER, "https://api.example.com,"),
                "OAUTH_AUDIENCE",
                "an empty entry",
            ),
            (args(ISSUER, "api"), "OAUTH_AUDIENCE", "is not an https URL"),
            (
                args(ISSUER, "http://api.example.com"),
                "OAUTH_AUDIENCE",
                "is not an https URL",
            ),
            (
                args(ISSUER, "https://api.example.com/:id"),
                "OAUTH_AUDIENCE",
                "other characters",
            ),
            (
                args(ISSUER, "https://api.example.com/v1//x"),
                "OAUTH_AUDIENCE",
                "between single slashes",
            ),
            (
                args("id.example.com", API),
                "OAUTH_ISSUER",
                "not an absolute",
            ),
            (
                args("https://app.example.com", API),
                "OAUTH_ISSUER",
                "is a JWT_ISSUER as well",
            ),
            (
                args("https://id.example.com", API),
                "OAUTH_ISSUER",
                "is of another server",
            ),
            (
                args("https://app.example.com:8443/api/auth", API),
                "OAUTH_ISSUER",
                "is of another server",
            ),
            (
                with_keys(args(ISSUER, API), "http://web:3000/jwks"),
                "OAUTH_JWKS_URL",
                "must use https",
            ),
        ] {
            let error = ServeConfig::from_args(&args).err().unwrap().to_string();
            assert!(
                error.starts_with(&format!("{variable} "))
                    && error.contains(problem)
                    && error.contains(&format!("; for example {variable}=")),
                "{error}"
            );
        }
    }
}
