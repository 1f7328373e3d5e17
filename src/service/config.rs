//! Configuration: environment variables, each of them also a command-line flag.
//!
//! A value that does not parse stops the start with one line: the variable, what is wrong, and a
//! correct example. The value itself is not repeated, since a database URL holds a password.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest;
use clap::Args;
use reqwest::Url;
use tracing_subscriber::EnvFilter;

use super::limits::LimitArgs;
use super::oauth::{Beside, OAuthArgs, OAuthConfig};
use super::variable::{ConfigError, Variable};
use crate::service::store::DatabaseUrl;
use crate::service::telemetry::{SubjectHasher, Telemetry};
use crate::{
    Algorithm, BetterAuthUrl, CacheOptions, HttpFetcher, Policy, TrustError, Verifier, WarmStart,
};

/// More clock difference than this is a broken clock, and leeway prolongs stolen tokens.
const MAX_LEEWAY_SECONDS: u64 = 300;

/// More would be 20 GiB of memory.
const MAX_CACHE_ENTRIES: u64 = 10_000_000;

/// Room for usual tokens, of 1.3 KiB with all that is kept of them, and for some that are longer.
const CACHE_BYTES_PER_ENTRY: usize = 2048;

/// A shorter key could be guessed, and the pseudonyms with it.
const MIN_SUBJECT_KEY_LEN: usize = 16;

/// The settings of `serve`, as they come in.
///
/// None of these settings has a `Debug`: a secret may be in any of them, by mistake or not.
#[derive(Args, Clone, Default)]
pub struct ServeArgs {
    /// The auth server's base URL. Required.
    #[arg(long, env = "BETTER_AUTH_URL", value_name = "URL")]
    pub better_auth_url: Option<String>,
    /// The key set's URL [default: looked for below BETTER_AUTH_URL].
    #[arg(long, env = "JWKS_URL", value_name = "URL")]
    pub jwks_url: Option<String>,
    /// Fetch the key set over plain http from a host that is not this one: true or false
    /// [default: false].
    #[arg(long, env = "JWKS_ALLOW_INSECURE_HTTP", value_name = "BOOL")]
    pub jwks_allow_insecure_http: Option<String>,
    /// A directory to keep the last good key set in, so that a restart does not depend on the auth
    /// server; an absolute path [default: none].
    #[arg(long, env = "JWKS_CACHE_DIR", value_name = "PATH")]
    pub jwks_cache_dir: Option<String>,
    /// Allowed issuers, comma-separated [default: the origin of BETTER_AUTH_URL].
    #[arg(long, env = "JWT_ISSUER", value_name = "LIST")]
    pub jwt_issuer: Option<String>,
    /// Allowed audiences, comma-separated [default: the origin of BETTER_AUTH_URL].
    #[arg(long, env = "JWT_AUDIENCE", value_name = "LIST")]
    pub jwt_audience: Option<String>,
    /// Allowed algorithms, comma-separated [default: all that Keyward knows].
    #[arg(long, env = "JWT_ALGORITHMS", value_name = "LIST")]
    pub jwt_algorithms: Option<String>,
    /// Accepted clock difference in seconds [default: 30].
    #[arg(long, env = "JWT_LEEWAY_SECONDS", value_name = "SECONDS")]
    pub jwt_leeway_seconds: Option<String>,
    /// How many verified tokens are remembered; 0 for none [default: 16384].
    #[arg(long, env = "JWT_CACHE_ENTRIES", value_name = "TOKENS")]
    pub jwt_cache_entries: Option<String>,
    /// Origins that browsers may call from, comma-separated [default: the origin of
    /// BETTER_AUTH_URL].
    #[arg(long, env = "CORS_ALLOWED_ORIGINS", value_name = "LIST")]
    pub cors_allowed_origins: Option<String>,
    /// OAuth clients.
    #[command(flatten)]
    pub oauth: OAuthArgs,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The listen address.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// Limits.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
    /// Traces and metrics.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Traces and metrics, beside OpenTelemetry's own variables.
#[derive(Args, Clone, Default)]
pub struct TelemetryArgs {
    /// Address and port of /metrics, for Prometheus [default: none].
    #[arg(long, env = "METRICS_ADDR", value_name = "ADDR")]
    pub metrics_addr: Option<String>,
    /// A secret of 16 characters or more: traces name users by a hash keyed with it
    /// [default: none, and traces name nobody].
    #[arg(long, env = "TRACE_SUBJECT_KEY", value_name = "SECRET")]
    pub trace_subject_key: Option<String>,
}

impl TelemetryArgs {
    /// Where to serve `/metrics`, if anywhere.
    ///
    /// # Errors
    /// When it is not an IP address and a port.
    pub fn parse_metrics_addr(&self) -> Result<Option<SocketAddr>, ConfigError> {
        let variable = Variable::new("METRICS_ADDR", "127.0.0.1:9464", &self.metrics_addr);
        variable
            .optional()
            .map(|variable| parse_address(variable, variable.value))
            .transpose()
    }

    /// Makes pseudonyms for traces, if there is a key.
    ///
    /// # Errors
    /// When it is too short to be a secret.
    pub fn parse_subject_key(&self) -> Result<Option<SubjectHasher>, ConfigError> {
        let variable = Variable::new(
            "TRACE_SUBJECT_KEY",
            "the output of `openssl rand -hex 16`",
            &self.trace_subject_key,
        );
        match variable.optional() {
            None => Ok(None),
            Some(secret) if secret.value.len() < MIN_SUBJECT_KEY_LEN => {
                Err(variable.error(format!("is shorter than {MIN_SUBJECT_KEY_LEN} characters")))
            }
            Some(secret) => Ok(Some(SubjectHasher::new(secret.value.as_bytes()))),
        }
    }
}

fn parse_address(variable: Variable<'_>, address: &str) -> Result<SocketAddr, ConfigError> {
    address
        .parse()
        .map_err(|_| variable.error("is not an IP address and a port".to_owned()))
}

/// Which database.
#[derive(Args, Clone, Default)]
pub struct DatabaseArgs {
    /// `sqlite:` or `postgres:` [default: sqlite://keyward.db].
    #[arg(long, env = "DATABASE_URL", value_name = "URL")]
    pub database_url: Option<String>,
}

/// Where to listen.
#[derive(Args, Clone, Default)]
pub struct ListenArgs {
    /// Address and port of the API [default: 127.0.0.1:8000].
    #[arg(long, env = "LISTEN_ADDR", value_name = "ADDR")]
    pub listen_addr: Option<String>,
}

/// What is logged, and how.
#[derive(Args, Clone, Default)]
pub struct LogArgs {
    /// What is logged, as tracing's filter directives [default: info].
    #[arg(long, env = "RUST_LOG", value_name = "FILTER")]
    pub rust_log: Option<String>,
    /// `text` or `json` [default: text on a terminal, json otherwise].
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// What `serve` needs beyond the database, the address and the log.
#[derive(Debug)]
pub struct ServeConfig {
    /// Where the auth server lives.
    pub auth_server: BetterAuthUrl,
    /// Whether plain http may go to another machine.
    pub insecure_http: bool,
    /// What tokens must say.
    pub policy: Policy,
    /// Fetches the key set.
    pub fetcher: HttpFetcher,
    /// Where the key set is kept between two runs.
    pub warm_start: Option<WarmStart>,
    /// How many verified tokens are remembered.
    pub cache: CacheOptions,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// OAuth clients, if they may call.
    pub oauth: Option<OAuthConfig>,
}

impl ServeConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// For the first variable that is missing or does not parse.
    pub fn from_args(args: &ServeArgs) -> Result<Self, ConfigError> {
        let base = Variable::new(
            "BETTER_AUTH_URL",
            "https://app.example.com",
            &args.better_auth_url,
        );
        let base = base.required()?.parse_with(BetterAuthUrl::parse)?;
        let origin = base.origin();
        let listed = |variable: Variable<'_>| {
            variable
                .list()
                .map(|list| list.unwrap_or(vec![origin.clone()]))
        };

        let issuers = listed(Variable::new(
            "JWT_ISSUER",
            "https://app.example.com",
            &args.jwt_issuer,
        ))?;
        let audiences = listed(Variable::new(
            "JWT_AUDIENCE",
            "https://api.example.com",
            &args.jwt_audience,
        ))?;
        let algorithms = Variable::new("JWT_ALGORITHMS", "EdDSA,ES256", &args.jwt_algorithms);
        let leeway = Variable::new("JWT_LEEWAY_SECONDS", "30", &args.jwt_leeway_seconds);

        let mut policy =
            Policy::new(issuers.iter().map(String::as_str), audiences).map_err(|error| {
                ConfigError {
                    variable: "JWT_ISSUER",
                    problem: error.to_string(),
                    example: "https://app.example.com",
                }
            })?;
        let mut allowed = None;
        if let Some(names) = algorithms.list()? {
            let parse = |name: &String| {
                name.parse::<Algorithm>().map_err(|_| {
                    let known: Vec<_> = Algorithm::ALL.iter().map(|known| known.name()).collect();
                    algorithms.error(format!(
                        "names an algorithm that is none of {}",
                        known.join(", ")
                    ))
                })
            };
            allowed = Some(names.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        }
        let leeway = leeway.number(0..=MAX_LEEWAY_SECONDS, "seconds")?;
        // For whoever's tokens.
        let common = |mut policy: Policy| {
            if let Some(allowed) = &allowed {
                policy = policy
                    .algorithms(allowed.iter().copied())
                    .map_err(|error| algorithms.error(error.to_string()))?;
            }
            if let Some(seconds) = leeway {
                policy = policy.leeway(Duration::from_secs(seconds));
            }
            Ok(policy)
        };
        policy = common(policy)?;

        let insecure = Variable::new(
            "JWKS_ALLOW_INSECURE_HTTP",
            "false",
            &args.jwks_allow_insecure_http,
        );
        let insecure = match insecure.optional() {
            None => false,
            Some(value) => value.parse_with(|value| match value {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err("is neither true nor false"),
            })?,
        };
        let jwks = Variable::new(
            "JWKS_URL",
            "https://app.example.com/api/auth/jwks",
            &args.jwks_url,
        );
        let fetcher = match jwks.optional() {
            Some(url) => url.parse_with(|url| HttpFetcher::new(url, insecure))?,
            None => base.fetcher(insecure).map_err(|error| ConfigError {
                variable: "BETTER_AUTH_URL",
                problem: format!("cannot be fetched keys from: {error}"),
                example: "https://app.example.com",
            })?,
        };

        let directory = Variable::new("JWKS_CACHE_DIR", "/var/cache/keyward", &args.jwks_cache_dir);
        let cache_dir = match directory.optional() {
            // What depends on where it was started may be in a place that anybody can write.
            Some(directory) if !Path::new(directory.value).is_absolute() => {
                return Err(directory.error("is not an absolute path".to_owned()));
            }
            directory => directory.map(|directory| directory.value),
        };
        let warm_start = cache_dir.map(|directory| warm_start(directory, fetcher.url()));
        let mut oauth = args.oauth.read(&Beside {
            base: &base,
            issuers: &issuers,
            key_set: fetcher.url(),
            cache_dir,
            allow_insecure_http: insecure,
        })?;
        if let Some(oauth) = &mut oauth {
            oauth.policy = common(oauth.policy.clone())?;
        }

        let mut cache = CacheOptions::default();
        let entries = Variable::new("JWT_CACHE_ENTRIES", "16384", &args.jwt_cache_entries);
        if let Some(entries) = entries.number(0..=MAX_CACHE_ENTRIES, "tokens")? {
            cache.max_entries = usize::try_from(entries).unwrap_or(usize::MAX);
            cache.max_bytes = cache.max_entries * CACHE_BYTES_PER_ENTRY;
        }

        let cors = Variable::new(
            "CORS_ALLOWED_ORIGINS",
            "https://app.example.com",
            &args.cors_allowed_origins,
        );
        let cors_origins = listed(cors)?;
        if !cors_origins.iter().all(|origin| is_origin(origin)) {
            return Err(cors.error(
                "holds something that is not an origin: scheme, host and port, without a path or a trailing \
                 slash"
                    .to_owned(),
            ));
        }
        Ok(Self {
            auth_server: base,
            insecure_http: insecure,
            policy,
            fetcher,
            warm_start,
            cache,
            cors_origins,
            oauth,
        })
    }

    /// The verifier. It begins to fetch keys at once, and has those of an earlier run if they were
    /// kept.
    ///
    /// # Errors
    /// When an issuer is trusted twice, which reading the settings finds out before.
    pub async fn into_verifier(self, telemetry: &Telemetry) -> Result<Verifier, TrustError> {
        let keys = telemetry.key_set(self.fetcher, self.warm_start).await;
        let mut builder = Verifier::builder(self.policy, keys.clone()).cache(self.cache);
        if let Some(oauth) = self.oauth {
            let keys = oauth.keys.into_key_set(telemetry, &keys).await;
            builder = builder
                .trust(oauth.policy, keys)?
                .resource_metadata(oauth.api.resource.metadata_url());
        }
        Ok(telemetry.verifier(builder))
    }
}

impl DatabaseArgs {
    /// The database's URL.
    ///
    /// # Errors
    /// When it is neither `sqlite:` nor `postgres:`, or not a URL.
    pub fn parse(&self, default: &'static str) -> Result<DatabaseUrl, ConfigError> {
        let variable = Variable::new(
            "DATABASE_URL",
            "postgres://user:password@localhost/keyward",
            &self.database_url,
        );
        let url = variable
            .optional()
            .map_or(default, |variable| variable.value);
        DatabaseUrl::parse(url).map_err(|error| variable.error(error.to_string()))
    }
}

impl ListenArgs {
    /// The address to listen on.
    ///
    /// # Errors
    /// When it is not an IP address and a port.
    pub fn parse(&self) -> Result<SocketAddr, ConfigError> {
        let variable = Variable::new("LISTEN_ADDR", "127.0.0.1:8000", &self.listen_addr);
        let address = variable
            .optional()
            .map_or(variable.example, |variable| variable.value);
        parse_address(variable, address)
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogArgs {
    /// The filter and the format.
    ///
    /// # Errors
    /// When either does not parse.
    pub fn parse(&self, on_a_terminal: bool) -> Result<(EnvFilter, LogFormat), ConfigError> {
        let filter = Variable::new("RUST_LOG", "info,keyward=debug", &self.rust_log);
        let directives = filter.optional().map_or("info", |filter| filter.value);
        if directives.contains('[') {
            // A span is there only if its request is traced.
            let problem =
                "must not filter by spans, in brackets: lines are chosen by target and level";
            return Err(filter.error(problem.to_owned()));
        }
        let parsed = EnvFilter::builder()
            .parse(directives)
            .map_err(|_| filter.error("is not a list of filter directives".to_owned()))?;
        let format = match Variable::new("LOG_FORMAT", "json", &self.log_format).optional() {
            None if on_a_terminal => LogFormat::Text,
            None => LogFormat::Json,
            Some(format) => format.parse_with(|format| match format {
                "text" => Ok(LogFormat::Text),
                "json" => Ok(LogFormat::Json),
                _ => Err("is neither text nor json"),
            })?,
        };
        Ok((parsed, format))
    }
}

/// The file of one key set. Another one, of another source or of another service, has its own in the
/// same directory.
pub(super) fn warm_start(directory: &str, source: &str) -> WarmStart {
    let digest = digest::digest(&digest::SHA256, source.as_bytes());
    let name = digest.as_ref().iter().take(8);
    let name: String = name.map(|byte| format!("{byte:02x}")).collect();
    WarmStart::new(
        Path::new(directory).join(format!("jwks-{name}.json")),
        source,
    )
}

pub(super) fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ServeArgs {
        ServeArgs {
            better_auth_url: Some("https://App.example.com/".to_owned()),
            ..Default::default()
        }
    }

    fn error(change: impl FnOnce(&mut ServeArgs)) -> String {
        let mut args = args();
        change(&mut args);
        let error = ServeConfig::from_args(&args)
            .err()
            .map(|error| error.to_string());
        let error = error.expect("it is refused");
        assert!(!error.contains('\n'), "{error}");
        error
    }

    fn set(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn the_base_url_alone_is_enough() {
        let config = ServeConfig::from_args(&args()).unwrap();
        assert_eq!(config.cors_origins, ["https://app.example.com"]);
        let policy = format!("{:?}", config.policy);
        assert!(policy.contains(
            r#"issuers: ["https://app.example.com"], audiences: ["https://app.example.com"]"#
        ));
        assert!(format!("{:?}", config.fetcher).contains("https://app.example.com/api/auth/jwks"));
    }

    #[test]
    fn each_variable_that_does_not_parse_is_named_with_an_example() {
        for (error, variable, problem) in [
            (
                error(|a| a.better_auth_url = None),
                "BETTER_AUTH_URL",
                "is not set",
            ),
            (
                error(|a| a.better_auth_url = set(" ")),
                "BETTER_AUTH_URL",
                "is not set",
            ),
            (
                error(|a| a.better_auth_url = set("app.example.com")),
                "BETTER_AUTH_URL",
                "not an absolute",
            ),
            (
                error(|a| a.better_auth_url = set("http://app.example.com")),
                "BETTER_AUTH_URL",
                "must use https",
            ),
            (
                error(|a| a.jwks_url = set("ftp://x")),
                "JWKS_URL",
                "not an absolute",
            ),
            (
                error(|a| a.jwks_url = set("http://web:3000/jwks")),
                "JWKS_URL",
                "must use https",
            ),
            (
                error(|a| a.jwt_issuer = set("a,,b")),
                "JWT_ISSUER",
                "an empty entry",
            ),
            (
                error(|a| a.jwt_audience = set(",")),
                "JWT_AUDIENCE",
                "an empty entry",
            ),
            (
                error(|a| a.jwt_algorithms = set("EdDSA,HS256")),
                "JWT_ALGORITHMS",
                "none of EdDSA, ",
            ),
            (
                error(|a| a.jwt_leeway_seconds = set("-1")),
                "JWT_LEEWAY_SECONDS",
                "from 0 to 300",
            ),
            (
                error(|a| a.jwt_leeway_seconds = set("301")),
                "JWT_LEEWAY_SECONDS",
                "from 0 to 300",
            ),
            (
                error(|a| a.jwt_cache_entries = set("all")),
                "JWT_CACHE_ENTRIES",
                "from 0 to 10000000",
            ),
            (
                error(|a| a.jwks_cache_dir = set("cache")),
                "JWKS_CACHE_DIR",
                "not an absolute path",
            ),
            (
                error(|a| a.jwks_allow_insecure_http = set("yes")),
                "JWKS_ALLOW_INSECURE_HTTP",
                "neither true",
            ),
            (
                error(|a| a.cors_allowed_origins = set("*")),
                "CORS_ALLOWED_ORIGINS",
                "not an origin",
            ),
            (
                error(|a| a.cors_allowed_origins = set("https://a.example/")),
                "CORS_ALLOWED_ORIGINS",
                "not an origin",
            ),
        ] {
            let starts = error.starts_with(variable);
            assert!(
                starts
                    && error.contains(problem)
                    && error.contains(&format!("; for example {variable}=")),
                "{error}"
            );
        }
    }

    #[test]
    fn internal_and_public_urls_can_differ() {
        let mut args = args();
        args.jwks_url = set("http://web:3000/api/auth/jwks");
        args.jwks_allow_insecure_http = set("true");
        args.jwt_audience = set("https://api.example.com, https://two.example.com");
        let config = ServeConfig::from_args(&args).unwrap();
        assert!(format!("{:?}", config.fetcher).contains("http://web:3000/api/auth/jwks"));
        assert!(
            format!("{:?}", config.policy)
                .contains(r#"["https://api.example.com", "https://two.example.com"]"#)
        );
    }

    #[test]
    fn each_key_set_has_a_file_of_its_own_if_any() {
        assert_eq!(ServeConfig::from_args(&args()).unwrap().warm_start, None);
        let file = |change: fn(&mut ServeArgs)| {
            let mut args = args();
            args.jwks_cache_dir = set("/var/cache/keyward");
            change(&mut args);
            let warm_start = ServeConfig::from_args(&args).unwrap().warm_start.unwrap();
            warm_start.path().to_owned()
        };
        let derived = file(|_| {});
        assert!(derived.starts_with("/var/cache/keyward"), "{derived:?}");
        let same = file(|a| a.jwks_url = set("https://app.example.com/api/auth/jwks"));
        assert_eq!(derived, same);
        let other = file(|a| a.jwks_url = set("https://app.example.com/jwks"));
        assert_ne!(derived, other);
    }

    #[test]
    fn the_cache_is_as_large_as_it_is_told_to_be() {
        let defaults = ServeConfig::from_args(&args()).unwrap();
        assert_eq!(defaults.cache, CacheOptions::default());
        for entries in [0, 1, 16384, 1_000_000] {
            let mut args = args();
            args.jwt_cache_entries = set(&entries.to_string());
            let cache = ServeConfig::from_args(&args).unwrap().cache;
            assert_eq!(
                (cache.max_entries, cache.max_bytes),
                (entries, entries * CACHE_BYTES_PER_ENTRY)
            );
        }
    }

    #[test]
    fn the_examples_in_the_messages_are_correct() {
        let mut args = args();
        args.jwks_url = set("https://app.example.com/api/auth/jwks");
        args.jwks_cache_dir = set("/var/cache/keyward");
        args.jwt_issuer = set("https://app.example.com");
        args.jwt_algorithms = set("EdDSA,ES256");
        args.jwt_leeway_seconds = set("30");
        args.jwt_cache_entries = set("16384");
        args.cors_allowed_origins = set("https://app.example.com");
        assert!(ServeConfig::from_args(&args).is_ok());
        let log = LogArgs {
            rust_log: set("info,keyward=debug"),
            log_format: set("json"),
        };
        assert_eq!(log.parse(true).unwrap().1, LogFormat::Json);
    }

    #[test]
    fn logs_are_text_on_a_terminal_and_json_otherwise() {
        assert_eq!(LogArgs::default().parse(true).unwrap().1, LogFormat::Text);
        assert_eq!(LogArgs::default().parse(false).unwrap().1, LogFormat::Json);
        let bad = LogArgs {
            rust_log: set("info,a=b=c"),
            log_format: None,
        };
        assert!(
            bad.parse(true)
                .unwrap_err()
                .to_string()
                .starts_with("RUST_LOG ")
        );
        let bad = LogArgs {
            rust_log: None,
            log_format: set("xml"),
        };
        assert!(
            bad.parse(true)
                .unwrap_err()
                .to_string()
                .starts_with("LOG_FORMAT ")
        );
    }

    #[test]
    fn a_database_url_that_does_not_parse_is_not_repeated() {
        let args = DatabaseArgs {
            database_url: set("mysql://user:hunter2@host/db"),
        };
        let error = args.parse("sqlite://keyward.db").unwrap_err().to_string();
        assert!(
            error.starts_with("DATABASE_URL ") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
