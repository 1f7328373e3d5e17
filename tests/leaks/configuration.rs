//! Secrets of the configuration: where they are wanted, and where they were put by mistake.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::process::Command;

use super::cluster::Cluster;
use super::process::{self, Keyward, client};
use super::raw_server::{RawServer, response};
use super::search::Secrets;

const SECRET: &str = "leak-secret-9d9";

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add(SECRET);
    secrets
}

/// A command in an environment where nothing but what is given is wrong.
fn command(directory: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = process::command(directory, arguments);
    command
        .env("BETTER_AUTH_URL", "https://app.example.com")
        .env("RUST_LOG", "trace")
        .envs(variables.iter().copied());
    command
}

/// Every variable that a command says it reads.
async fn variables() -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let (_, help, _) = process::run(process::command(&directory, &["serve", "--help"])).await;
    let names = help.split("[env: ").skip(1);
    let names = names.filter_map(|rest| rest.split(['=', ']']).next());
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() >= 15, "{names:?}");
    names
}

#[tokio::test]
async fn help_shows_no_value_of_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let variables = variables().await;
    let mut cases = 0;
    for arguments in [
        &["--help"][..],
        &["help"],
        &["help", "serve"],
        &["serve", "--help"],
        &["serve", "-h"],
        &["dev", "--help"],
        &["migrate", "--help"],
        &["openapi", "--help"],
        &["healthcheck", "--help"],
    ] {
        let mut help = process::command(&directory, arguments);
        for variable in &variables {
            help.env(variable, format!("https://user:{SECRET}@example.com"));
        }
        let (_, stdout, stderr) = process::run(help).await;
        assert!(stdout.contains("Usage"), "{arguments:?}: {stderr}");
        secrets().assert_absent(&format!("{arguments:?}"), &format!("{stdout}{stderr}"));
        cases += 1;
    }
    println!("ran {cases} cases: help with secrets in the environment");
}

#[tokio::test]
async fn a_value_that_cannot_be_used_is_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let mut table: Vec<(String, String)> = Vec::new();
    for variable in variables().await {
        // These are names of anything, and a secret like any other.
        if ![
            "JWT_ISSUER",
            "JWT_AUDIENCE",
            "TRACE_SUBJECT_KEY",
            "RUST_LOG",
        ]
        .contains(&&*variable)
        {
            table.push((variable, SECRET.to_owned()));
        }
    }
    let urls = |variable: &str, urls: &[&str]| {
        let with = |url: &&str| (variable.to_owned(), url.replace("SECRET", SECRET));
        urls.iter().map(with).collect::<Vec<_>>()
    };
    let auth = [
        "https://user:SECRET@app.example.com",
        "https://SECRET@app.example.com",
        "https://app.example.com?token=SECRET",
        "https://app.example.com#SECRET",
        "ftp://user:SECRET@app.example.com",
        "https://user:SECRET@",
        "user:SECRET@app.example.com",
    ];
    table.extend(urls("BETTER_AUTH_URL", &auth));
    table.extend(urls("JWKS_URL", &auth));
    table.extend(urls("CORS_ALLOWED_ORIGINS", &auth));
    table.extend(urls(
        "DATABASE_URL",
        &[
            "mysql://user:SECRET@localhost/keyward",
            "postgres://user:SECRET@localhost:port/keyward",
            "postgres://user:SECRET@[::1/keyward",
            "postgres://user:SECRET@localhost/keyward?sslmode=SECRET",
            "postgres://user:SECRET@127.0.0.1:9/keyward",
            "postgres://127.0.0.1:9/keyward?user=u&password=SECRET",
            "postgres://127.0.0.1:9/keyward?user=u&pasword=SECRET",
            "postgres://user:SECRET@nowhere.invalid/keyward",
            "postgres://user:SECRET@127.0.0.1:9/keyward?sslmode=verify-full&sslrootcert=/SECRET",
            "sqlite://keyward.db?mode=SECRET",
            "sqlite://user:SECRET@localhost/keyward.db?mode=ro",
            "SECRET",
        ],
    ));
    table.extend(urls(
        "RUST_LOG",
        &["info,keyward=SECRET=SECRET", "[{SECRET}]=info"],
    ));
    table.extend(urls("JWT_LEEWAY_SECONDS", &["SECRET"]));
    for variable in [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    ] {
        let with_password = [
            "http://user:SECRET@127.0.0.1:9",
            "http://SECRET@127.0.0.1:9",
        ];
        table.extend(urls(variable, &with_password));
    }
    table.extend(urls("OTEL_EXPORTER_OTLP_PROTOCOL", &["SECRET"]));
    table.extend(urls("OTEL_TRACES_EXPORTER", &["SECRET"]));
    let cases = table.len();
    for (variable, value) in table {
        let mut variables = Vec::new();
        if variable.starts_with("OTEL") {
            variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"));
        }
        variables.push((&*variable, &*value));
        let (success, stdout, stderr) =
            process::run(command(&directory, &["serve"], &variables)).await;
        assert!(!success, "{variable}={value}: {stdout}");
        let last = stderr.lines().last().unwrap();
        assert!(
            last.starts_with("keyward: "),
            "{variable}={value}: {stderr}"
        );
        secrets().assert_absent(&format!("{variable}={value}"), &format!("{stdout}{stderr}"));
        if variable == "DATABASE_URL" {
            // The filter that would let the library's own warning through.
            variables.push(("RUST_LOG", "sqlx_postgres::options::parse=trace"));
            for arguments in [&["serve"][..], &["migrate"]] {
                let command = command(&directory, arguments, &variables);
                let (_, stdout, stderr) = process::run(command).await;
                secrets().assert_absent(&value, &format!("{stdout}{stderr}"));
            }
        }
    }
    println!("ran {cases} cases: values that cannot be used");
}

/// As a flag, where a mistyped name makes the command line an error.
#[tokio::test]
async fn a_flag_that_does_not_exist_is_named_without_its_value() {
    let directory = tempfile::tempdir().unwrap();
    for flag in ["database_url", "databaseurl", "trace-subject-keys", "token"] {
        let flag = format!("--{flag}=postgres://user:{SECRET}@localhost/keyward");
        let command = command(&directory, &["serve", &flag], &[]);
        let (success, stdout, stderr) = process::run(command).await;
        assert!(
            !success && stderr.contains("unexpected argument"),
            "{stderr}"
        );
        secrets().assert_absent(&flag, &format!("{stdout}{stderr}"));
    }
    println!("ran 4 cases: flags that do not exist");
}

/// The key that the collector wants, with a collector that quotes it and with none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_collector_is_sent_is_not_logged_when_that_fails() {
    let quoting = RawServer::start(|_| {
        let body = format!("no such key: {SECRET}");
        response(
            "401 Unauthorized",
            &format!("x: {SECRET}\r\n"),
            body.as_bytes(),
        )
    })
    .await;
    let nobody = "http://127.0.0.1:9".to_owned();
    let mut cases = 0;
    for endpoint in [&quoting.url, &nobody] {
        for protocol in ["http/protobuf", "grpc"] {
            let keyward = Keyward::serve(&[
                ("BETTER_AUTH_URL", "http://127.0.0.1:9"),
                ("RUST_LOG", "trace"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                (
                    "OTEL_EXPORTER_OTLP_HEADERS",
                    &format!("authorization=Basic {SECRET}"),
                ),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
                ("OTEL_BSP_SCHEDULE_DELAY", "50"),
                ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
            ])
            .await;
            let me = client().get(format!("{}/api/me", keyward.url)).send().await;
            assert_eq!(me.unwrap().status(), 401);
            let (status, log) = keyward.stop().await;
            assert!(status.success(), "{log}");
            assert!(log.contains("opentelemetry"), "{log}");
            secrets().assert_absent(&format!("{endpoint} {protocol}"), &log);
            cases += 1;
        }
    }
    println!("ran {cases} cases: collectors that fail");
}

mod postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_wrong_password_is_not_repeated() {
        let start = || {
            let cluster = Arc::new(Cluster::start());
            let url = cluster.create_database();
            cluster.execute(&url, "CREATE ROLE guarded LOGIN PASSWORD 'right'");
            cluster.demand_passwords(&url);
            (cluster, url)
        };
        let (cluster, url) = tokio::task::spawn_blocking(start).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let url = url.replace("keyward@", &format!("guarded:{SECRET}@"));
        for arguments in [&["serve"][..], &["migrate"]] {
            let command = command(&directory, arguments, &[("DATABASE_URL", &url)]);
            let (success, stdout, stderr) = process::run(command).await;
            assert!(
                !success && stderr.contains("password authentication failed"),
                "{stderr}"
            );
            secrets().assert_absent(&format!("{arguments:?}"), &format!("{stdout}{stderr}"));
        }
        tokio::task::spawn_blocking(move || drop(cluster))
            .await
            .unwrap();
        println!("ran 2 cases: wrong database passwords");
    }
}
