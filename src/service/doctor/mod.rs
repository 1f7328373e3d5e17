//! `keyward doctor`: why a set-up does not work, or a token is refused, and the one thing to change.
//!
//! 1. `input`: a token, from standard input alone. `shown`: what may be shown of it.
//! 2. `auth_server`: the way there (`network`), its keys (`key_set`), its clock, its base URL.
//! 3. `oauth`: the keys of OAuth clients' tokens, if such may call.
//! 4. `token`: the token taken apart, by the verifier's own checks.
//! 5. `cors`, `database`, `telemetry`: what else the service depends on.
//! 6. `report`: what was found, for people or for programs.
//!
//! It changes nothing, and the token goes nowhere: no request carries it. It ends in bounded time,
//! whatever it meets.
//!
//! It ends with 0 if nothing is wrong, 1 if something in the set-up is, 2 if the configuration cannot be
//! read, and 3 if all that is wrong is the token.

mod auth_server;
mod cors;
mod database;
mod input;
mod key_set;
mod network;
mod oauth;
mod report;
mod shown;
mod telemetry;
mod token;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use tokio::time::timeout;

use self::input::Input;
use self::report::{Check, Report};
use self::token::Trusted;
use super::config::{ServeArgs, ServeConfig, is_origin};
use super::store::DatabaseUrl;
use super::telemetry::{Destination, destinations};
use super::variable::ConfigError;
use crate::Policy;

/// The check that all others depend on.
const CONFIGURATION: &str = "configuration";

/// For each of the parts, which are looked at side by side.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The settings of `doctor`: those of `serve`, and its own.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub struct DoctorArgs {
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// The origin of pages whose calls browsers should let through: `https://app.example.com`, for example.
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// A token belongs on standard input. Taken here to be refused without being repeated.
    #[arg(hide = true)]
    argument: Vec<std::ffi::OsString>,
    #[command(flatten)]
    serve: Box<ServeArgs>,
}

const EXIT_CODES: &str = "\
A token to look at is read from standard input: alone, behind \"Bearer\", or in the JSON that
/api/auth/token answers. It is neither shown nor sent anywhere.

Exit codes:
  0  nothing is wrong; there may be warnings
  1  something in the set-up is wrong
  2  the command line or the configuration cannot be read
  3  the set-up is right, and the token is refused";

/// The configuration, read as `serve` reads it.
struct Configuration {
    serve: ServeConfig,
    database: DatabaseUrl,
    destinations: Vec<Destination>,
}

impl Configuration {
    fn read(args: &ServeArgs, default_database: &'static str) -> Result<Self, ConfigError> {
        args.listen.parse()?;
        args.limits.parse()?;
        args.log.parse(false)?;
        args.telemetry.parse_metrics_addr()?;
        args.telemetry.parse_subject_key()?;
        Ok(Self {
            serve: ServeConfig::from_args(args)?,
            database: args.database.parse(default_database)?,
            destinations: destinations()?,
        })
    }
}

/// Looks into everything, prints what it found to standard output, and says what to end with.
pub async fn run(args: &DoctorArgs, default_database: &'static str) -> i32 {
    let report = examine(args, default_database).await;
    let text = match args.json {
        true => report.to_json(),
        false => report.to_text(may_colour()),
    };
    super::commands::say(&text);
    report.exit_code()
}

/// <https://no-color.org>
fn may_colour() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && io::stdout().is_terminal()
}

async fn examine(args: &DoctorArgs, default_database: &'static str) -> Report {
    let mut report = Report::default();
    if !args.argument.is_empty() {
        let summary = "an argument was given, and a token must not be one: everybody on the machine can read it";
        let check = Check::wrong(CONFIGURATION, "argument", summary);
        report.add([check.fix("pipe the token in: keyward doctor < token.txt")]);
        return report;
    }
    let configuration = match Configuration::read(&args.serve, default_database) {
        Ok(configuration) => configuration,
        Err(error) => {
            let summary = format!("{} {}", error.variable, error.problem);
            let check = Check::wrong(CONFIGURATION, "variable", summary);
            report.add([check.fix(format!("for example {}={}", error.variable, error.example))]);
            return report;
        }
    };
    // What is none is not repeated: it may be a token that was misplaced.
    if args.origin.as_deref().is_some_and(|it| !is_origin(it)) {
        let summary = "--origin is not an origin: scheme, host and port, without a path or a slash at the end";
        let check = Check::wrong(CONFIGURATION, "origin", summary);
        report.add([check.fix("for example --origin=https://app.example.com")]);
        return report;
    }
    let config = &configuration.serve;
    report.add([
        Check::ok(CONFIGURATION, format!("keys from {}", config.fetcher.url()))
            .details(configured(config)),
    ]);

    let of_auth_server = async {
        let mut checks = Vec::new();
        let looking = auth_server::examine(config, &mut checks);
        let keys = match timeout(TIMEOUT, looking).await {
            Ok(keys) => keys,
            Err(_) => {
                checks.push(unfinished("auth_server.time"));
                None
            }
        };
        let mut trusts = vec![Trusted {
            policy: &config.policy,
            keys,
        }];
        if let Some(oauth) = &config.oauth {
            let (check, keys) = oauth::examine(oauth, trusts.first()).await;
            checks.push(check);
            trusts.push(Trusted {
                policy: &oauth.policy,
                keys,
            });
        }
        (checks, trusts)
    };
    let of_cors = async {
        match &args.origin {
            Some(origin) => cors::examine(origin, config).await.to_vec(),
            None => Vec::new(),
        }
    };
    let of_telemetry = async {
        let mut checks = Vec::new();
        for destination in &configuration.destinations {
            checks.push(telemetry::examine(destination).await);
        }
        checks
    };
    let ((checks, trusts), input, cors, database, telemetry) = tokio::join!(
        of_auth_server,
        input::read(),
        bounded("cors.time", of_cors),
        bounded("database.time", database::examine(&configuration.database)),
        bounded("telemetry.time", of_telemetry),
    );
    report.add(checks);
    report.add(look_at(input, trusts).await);
    report.add(cors);
    report.add(database);
    report.add(telemetry);
    report
}

/// What tokens are compared with.
fn configured(config: &ServeConfig) -> Vec<String> {
    let lines = |names: [&str; 2], policy: &Policy| {
        let list = |values: &[Arc<str>]| values.join(", ");
        [
            format!("{}  {}", names[0], list(policy.issuers())),
            format!("{}  {}", names[1], list(policy.audiences())),
        ]
    };
    let mut all = lines(["issuers  ", "audiences"], &config.policy).to_vec();
    if let Some(oauth) = &config.oauth {
        all.extend(lines(["OAuth issuer   ", "OAuth audiences"], &oauth.policy));
    }
    all
}

async fn look_at(input: Input, trusts: Vec<Trusted<'_>>) -> Vec<Check> {
    let token = match input {
        Input::Token(token) => token,
        Input::Nothing(check) => return vec![check],
    };
    let mut checks = Vec::new();
    token::dissect(&token, &trusts, SystemTime::now(), &mut checks).await;
    checks
}

async fn bounded(id: &'static str, part: impl Future<Output = Vec<Check>>) -> Vec<Check> {
    let checks = timeout(TIMEOUT, part).await;
    checks.unwrap_or_else(|_| vec![unfinished(id)])
}

fn unfinished(id: &'static str) -> Check {
    let summary = format!("not finished within {} s", TIMEOUT.as_secs());
    Check::wrong(id, "too_slow", summary).fix("see what of the above is slow, and why")
}
