//! The commands of the `keyward` binary.

use std::future::Future;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::api::{self, ApiState, OAuth};
use super::config::{DatabaseArgs, ListenArgs, LogArgs, ServeArgs, ServeConfig, TelemetryArgs};
use super::dev_issuer::DevIssuer;
use super::doctor::{self, DoctorArgs};
use super::error_chain::chain;
use super::http::{HttpOptions, PoemService, install_panic_hook, stack};
use super::limits::{LimitArgs, Limits};
use super::process::survive_full_files;
use super::server::{ServerLimits, serve, shutdown_signal};
use super::store::{StoreError, StoreOptions, TaskStore};
use super::telemetry::{DatabaseMetrics, Telemetry, metrics_app, observe_pool};
use super::variable::ConfigError;
use crate::{BetterAuthUrl, Policy, Verifier};

const DATABASE: &str = "sqlite://keyward.db";
/// Not the one of `serve`: what is tried out is not what is kept.
const DEV_DATABASE: &str = "sqlite://keyward-dev.db";
/// Where Next.js listens in development.
const DEV_ORIGINS: [&str; 2] = ["http://localhost:3000", "http://127.0.0.1:3000"];

/// For a scrape under way at shutdown.
const GRACE_BESIDE: Duration = Duration::from_secs(1);
/// Prometheus needs one.
const CONNECTIONS_BESIDE: usize = 16;

/// A database that does not answer is not waited for: what it has acknowledged it has.
const DATABASE_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Verifies Better Auth tokens in front of a typed task API.
#[derive(Parser)]
#[command(name = "keyward", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API.
    Serve(Box<ServeArgs>),
    /// Serve the API for development: on this machine only, with an issuer of its own that hands a
    /// token to whoever asks, and an embedded database.
    Dev(DevArgs),
    /// Write the API's OpenAPI document.
    Openapi(OpenapiArgs),
    /// Apply the database's migrations.
    Migrate(MigrateArgs),
    /// Ask a running service how it is; the exit code tells.
    Healthcheck(HealthcheckArgs),
    /// Find out why a set-up does not work or a token is refused, and what to change.
    Doctor(DoctorArgs),
}

#[derive(Args)]
struct DevArgs {
    /// Address and port of the issuer; a loopback address.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8001")]
    issuer_addr: SocketAddr,
    /// The database. Not taken from the environment: the issuer's tokens should open no database
    /// that matters.
    #[arg(long, value_name = "URL", default_value = DEV_DATABASE)]
    database_url: String,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[derive(Args)]
struct OpenapiArgs {
    /// The file to write, or - for standard output.
    #[arg(long, default_value = "openapi/openapi.json")]
    output: PathBuf,
}

#[derive(Args)]
struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Args)]
struct HealthcheckArgs {
    /// Ask whether it can serve requests (/readyz) instead of whether it lives (/healthz).
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    listen: ListenArgs,
}

/// Why a command failed, in one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// A variable is missing or does not parse.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database failed.
    #[error("{}", chain(.0))]
    Store(#[from] StoreError),
    /// A variable is not UTF-8.
    #[error("{0} is not valid UTF-8")]
    NotUnicode(String),
    /// An address could not be bound.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// A file could not be written.
    #[error("cannot write {}: {}", .0.display(), .1)]
    Write(PathBuf, io::Error),
    /// The service is not well, or not there.
    #[error("{0}")]
    Unhealthy(String),
    /// `dev` was to listen where others could reach it.
    #[error(
        "dev listens on loopback addresses only, and {0} is none: its issuer hands out tokens to anybody"
    )]
    NotLoopback(SocketAddr),
    /// Something of the operating system's.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The key set's URL, or the HTTP client.
    #[error(transparent)]
    Url(#[from] crate::UrlError),
    /// The policy.
    #[error(transparent)]
    Policy(#[from] crate::PolicyError),
    /// What is trusted.
    #[error(transparent)]
    Trust(#[from] crate::TrustError),
}

impl Cli {
    /// Reads the command line and the environment. Help, and a command line that cannot be
    /// understood, end the process here.
    ///
    /// # Errors
    /// For a variable that is not UTF-8.
    pub fn read() -> Result<Self, CommandError> {
        // What is in the environment is shown in no help: a secret may be in any variable by mistake.
        let command = Self::command()
            .mut_subcommands(|command| command.mut_args(|argument| argument.hide_env_values(true)));
        for variable in command
            .get_subcommands()
            .flat_map(clap::Command::get_arguments)
            .filter_map(clap::Arg::get_env)
        {
            if std::env::var_os(variable).is_some_and(|value| value.to_str().is_none()) {
                return Err(CommandError::NotUnicode(
                    variable.to_string_lossy().into_owned(),
                ));
            }
        }
        let matches = command.get_matches();
        Ok(Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
    }

    /// Runs the command until it is done.
    ///
    /// # Errors
    /// For the one line to print.
    pub async fn run(self) -> Result<(), CommandError> {
        match self.command {
            Command::Serve(args) => run_serve(&args).await,
            Command::Dev(args) => run_dev(&args).await,
            Command::Openapi(args) => run_openapi(&args),
            Command::Migrate(args) => run_migrate(&args).await,
            Command::Healthcheck(args) => run_healthcheck(&args).await,
            // At once: a name that is still being looked up would hold the runtime, and so the process.
            Command::Doctor(args) => std::process::exit(doctor::run(&args, DATABASE).await),
        }
    }
}

async fn run_serve(args: &ServeArgs) -> Result<(), CommandError> {
    let config = ServeConfig::from_args(args)?;
    let address = args.listen.parse()?;
    let limits = args.limits.apply()?;
    let telemetry = Telemetry::init(&args.log, &args.telemetry)?;
    let mut shutdown = prepare_process()?;
    let opening = open(&args.database, limits.store);
    let Some(store) = unless(&mut shutdown, opening).await? else {
        return Ok(());
    };
    let metrics = bind_metrics(&args.telemetry).await?;
    let listener = bind(address).await?;
    say(&format!("listening on http://{}\n", listener.local_addr()?));
    let cors_origins = config.cors_origins.clone();
    let oauth = config.oauth.as_ref().map(|oauth| oauth.api.clone());
    let api = ApiServer {
        listener,
        metrics,
        verifier: config.into_verifier(&telemetry).await?,
        store,
        oauth,
        cors_origins,
        limits,
        telemetry,
    };
    api.serve(shutdown).await;
    Ok(())
}

async fn run_dev(args: &DevArgs) -> Result<(), CommandError> {
    let address = args.listen.parse()?;
    for address in [address, args.issuer_addr] {
        if !address.ip().is_loopback() {
            return Err(CommandError::NotLoopback(address));
        }
    }
    let telemetry = Telemetry::init(&args.log, &args.telemetry)?;
    let database = DatabaseArgs {
        database_url: Some(args.database_url.clone()),
    };
    let limits = LimitArgs::default().apply()?;
    let mut shutdown = prepare_process()?;
    let opening = open(&database, limits.store);
    let Some(store) = unless(&mut shutdown, opening).await? else {
        return Ok(());
    };
    let issuer = DevIssuer::bind(args.issuer_addr)
        .await
        .map_err(|error| CommandError::Listen(args.issuer_addr, error))?;
    let metrics = bind_metrics(&args.telemetry).await?;
    let listener = bind(address).await?;
    say(&dev_greeting(listener.local_addr()?, issuer.url()));

    let policy = Policy::new([issuer.url()], [issuer.url()])?;
    let fetcher = BetterAuthUrl::parse(issuer.url())?.fetcher(false)?;
    let keys = telemetry.key_set(fetcher, None).await;
    let api = ApiServer {
        listener,
        metrics,
        verifier: telemetry.verifier(Verifier::builder(policy, keys)),
        store,
        oauth: None,
        cors_origins: DEV_ORIGINS.map(str::to_owned).to_vec(),
        limits,
        telemetry,
    };

    let (stop, stopped) = watch::channel(());
    let (issuer_listener, issuer_app) = issuer.into_parts();
    let issuer_server = serve(
        issuer_listener,
        PoemService::new(issuer_app),
        beside(&limits.server),
        until_stopped(stopped.clone()),
    );
    let api_server = api.serve(until_stopped(stopped));
    let signal = async move {
        shutdown.await;
        drop(stop);
    };
    tokio::join!(issuer_server, api_server, signal);
    Ok(())
}

fn dev_greeting(api: SocketAddr, issuer: &str) -> String {
    format!(
        r#"Keyward runs for development, reachable from this machine only.

  API         http://{api}
  Swagger UI  http://{api}/docs
  Issuer      {issuer} (a token for whoever asks; ?user=NAME for another user)

Get a token and call the API with it:

  curl -s http://{api}/api/me -H "Authorization: Bearer $(curl -s {issuer}/api/auth/token | cut -d'"' -f4)"

"#
    )
}

async fn run_migrate(args: &MigrateArgs) -> Result<(), CommandError> {
    Telemetry::log_only(&args.log)?;
    let store = open(&args.database, StoreOptions::default()).await?;
    store.close().await;
    say("the database has all migrations\n");
    Ok(())
}

fn run_openapi(args: &OpenapiArgs) -> Result<(), CommandError> {
    let document = api::to_text(&api::document());
    if args.output.as_os_str() == "-" {
        say(&document);
        return Ok(());
    }
    let write = || {
        if let Some(directory) = args.output.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&args.output, document)
    };
    write().map_err(|error| CommandError::Write(args.output.clone(), error))
}

async fn run_healthcheck(args: &HealthcheckArgs) -> Result<(), CommandError> {
    let mut address = args.listen.parse()?;
    // "Every address" is one to listen on, not one to call.
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let path = if args.ready { "readyz" } else { "healthz" };
    let url = format!("http://{address}/{path}");
    let unhealthy = |reason: String| CommandError::Unhealthy(format!("{url}: {reason}"));
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(HEALTHCHECK_TIMEOUT)
        .build()
        .map_err(|error| unhealthy(chain(&error)))?;
    let response = client
        .get(&url)
        .send()
        .await
        .map_err(|error| unhealthy(chain(&error.without_url())))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(unhealthy(format!("status {status}"))),
    }
}

/// What every server needs of the process: panics and full files that end no more than a request,
/// and to be told when to stop.
fn prepare_process() -> io::Result<impl Future<Output = ()> + Unpin> {
    install_panic_hook();
    survive_full_files()?;
    Ok(Box::pin(shutdown_signal()?))
}

/// The limits of a server that nobody's request depends on.
fn beside(limits: &ServerLimits) -> ServerLimits {
    let mut limits = *limits;
    limits.max_connections = limits.max_connections.min(CONNECTIONS_BESIDE);
    limits.shutdown_grace = GRACE_BESIDE;
    limits
}

/// Opens the database and brings it up to date.
async fn open(args: &DatabaseArgs, options: StoreOptions) -> Result<TaskStore, CommandError> {
    let store = TaskStore::connect_with(&args.parse(DATABASE)?, options).await?;
    store.migrate().await?;
    Ok(store)
}

/// What is opened, or `None` if it is told to stop meanwhile: migrations may wait for others.
async fn unless(
    shutdown: &mut (impl Future<Output = ()> + Unpin),
    opening: impl Future<Output = Result<TaskStore, CommandError>>,
) -> Result<Option<TaskStore>, CommandError> {
    tokio::select! {
        store = opening => store.map(Some),
        () = shutdown => Ok(None),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| CommandError::Listen(address, error))
}

/// Where `/metrics` is to be, if anywhere; it is said where.
async fn bind_metrics(args: &TelemetryArgs) -> Result<Option<TcpListener>, CommandError> {
    let Some(address) = args.parse_metrics_addr()? else {
        return Ok(None);
    };
    let listener = bind(address).await?;
    say(&format!(
        "metrics at http://{}/metrics\n",
        listener.local_addr()?
    ));
    Ok(Some(listener))
}

/// All that serves the API.
struct ApiServer {
    listener: TcpListener,
    metrics: Option<TcpListener>,
    verifier: Verifier,
    store: TaskStore,
    oauth: Option<OAuth>,
    cors_origins: Vec<String>,
    limits: Limits,
    telemetry: Telemetry,
}

impl ApiServer {
    /// Serves until `shutdown` completes; then what is under way ends, and what is still held of
    /// traces and metrics is handed over.
    async fn serve(self, shutdown: impl Future<Output = ()>) {
        let mut store = self.store;
        if self.telemetry.measures() {
            let meter = Telemetry::meter();
            observe_pool(&meter, &store);
            store = store.measured(DatabaseMetrics::new(&meter));
        }
        let options = HttpOptions {
            cors_origins: self.cors_origins,
            request_timeout: self.limits.request_timeout,
            telemetry: self.telemetry.of_requests(),
            ..HttpOptions::default()
        };
        let app = api::app(ApiState {
            verifier: self.verifier,
            store: store.clone(),
            oauth: self.oauth,
        });
        let limits = self.limits.server;
        let (stop, stopped) = watch::channel(());
        let api = async {
            let report = serve(self.listener, stack(app, &options), limits, shutdown).await;
            tracing::info!(
                finished = report.finished,
                aborted = report.aborted,
                "stopped"
            );
            drop(stop);
        };
        let metrics = async {
            if let Some((listener, registry)) = self.metrics.zip(self.telemetry.registry()) {
                let app = PoemService::new(metrics_app(registry));
                serve(listener, app, beside(&limits), until_stopped(stopped)).await;
            }
        };
        tokio::join!(api, metrics);
        if timeout(DATABASE_CLOSE_TIMEOUT, store.close())
            .await
            .is_err()
        {
            tracing::warn!("the database's connections could not be closed in time");
        }
        self.telemetry.shutdown().await;
    }
}

/// Completes when the sender is dropped.
async fn until_stopped(mut stopped: watch::Receiver<()>) {
    let _ = stopped.changed().await;
}

/// Prints to standard output. A reader that has gone away is no reason to stop.
pub(super) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_greeting_has_a_curl_that_can_be_pasted() {
        let greeting = dev_greeting("127.0.0.1:8000".parse().unwrap(), "http://127.0.0.1:8001");
        assert!(greeting.contains("http://127.0.0.1:8000/docs"));
        assert!(greeting.contains("curl -s http://127.0.0.1:8000/api/me -H \"Authorization: Bearer $(curl -s http://127.0.0.1:8001/api/auth/token"));
    }
}
