//! The binary as an operator meets it: starting, refusing to start, stopping, on both databases.

#[path = "support/postgres.rs"]
mod cluster;
#[path = "support/keyward.rs"]
mod service;

use std::time::Duration;

use serde_json::{Value, json};
use service::{Keyward, PATIENCE, client, command, run};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

const ELSEWHERE: &[(&str, &str)] = &[("BETTER_AUTH_URL", "http://127.0.0.1:9")];

/// `keyward dev`, with its issuer on a free port as well.
async fn dev(variables: &[(&str, &str)]) -> (Keyward, String) {
    dev_on("sqlite://keyward-dev.db", variables).await
}

async fn dev_on(database: &str, variables: &[(&str, &str)]) -> (Keyward, String) {
    let keyward = Keyward::start(
        &[
            "dev",
            "--issuer-addr",
            "127.0.0.1:0",
            "--database-url",
            database,
        ],
        variables,
        "  API         ",
    )
    .await;
    let issuer = keyward.greeting.split("Issuer      ").nth(1).unwrap();
    let issuer = issuer.split_whitespace().next().unwrap().to_owned();
    (keyward, issuer)
}

async fn token(issuer: &str, user: &str) -> String {
    let response = client()
        .get(format!("{issuer}/api/auth/token?user={user}"))
        .send()
        .await
        .unwrap();
    let body: Value = response.json().await.unwrap();
    body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn dev_serves_at_once_and_its_printed_curl_works() {
    let (keyward, _) = dev(&[]).await;
    let curl = keyward
        .greeting
        .lines()
        .find(|line| line.trim_start().starts_with("curl "))
        .unwrap();
    let output = tokio::process::Command::new("sh")
        .args(["-c", curl])
        .output()
        .await
        .unwrap();
    let me: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&me["id"], &me["email"]),
        (&json!("dev-user"), &json!("ada@example.com"))
    );
    let docs = client()
        .get(format!("{}/docs", keyward.url))
        .send()
        .await
        .unwrap();
    assert_eq!(docs.status(), 200);
    assert!(docs.text().await.unwrap().contains("SwaggerUIBundle"));
    let (status, log) = keyward.stop().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn dev_is_reachable_from_this_machine_only() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["dev", "--listen-addr", "0.0.0.0:0"][..],
        &["dev", "--issuer-addr", "0.0.0.0:0"],
    ] {
        let (success, stdout, stderr) = run(command(&directory, arguments)).await;
        assert!(
            !success && stdout.is_empty() && stderr.contains("loopback"),
            "{stderr}"
        );
    }
    let (_, help, _) = run(command(&directory, &["serve", "--help"])).await;
    assert!(!help.contains("issuer-addr"), "serve has no issuer");
}

#[tokio::test]
async fn tasks_outlive_a_restart_and_belong_to_their_user() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("tasks.db").display());
    let (keyward, issuer) = dev_on(&url, &[]).await;
    let create = client()
        .post(format!("{}/api/tasks", keyward.url))
        .json(&json!({"title": "Buy milk"}));
    let created = create
        .bearer_auth(token(&issuer, "ada").await)
        .send()
        .await
        .unwrap();
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    keyward.stop().await;

    let (keyward, issuer) = dev_on(&url, &[]).await;
    let get = client().get(format!("{}{location}", keyward.url));
    let task = get
        .try_clone()
        .unwrap()
        .bearer_auth(token(&issuer, "ada").await)
        .send()
        .await
        .unwrap();
    assert_eq!(task.json::<Value>().await.unwrap()["title"], "Buy milk");
    let others = get
        .bearer_auth(token(&issuer, "eve").await)
        .send()
        .await
        .unwrap();
    assert_eq!(others.status(), 404);
}

#[tokio::test]
async fn a_value_that_does_not_parse_stops_the_start_with_one_line() {
    let directory = tempfile::tempdir().unwrap();
    for (variable, value, expected) in [
        (
            "BETTER_AUTH_URL",
            "",
            "BETTER_AUTH_URL is not set; for example BETTER_AUTH_URL=https://app.example.com",
        ),
        (
            "BETTER_AUTH_URL",
            "http://app.example.com",
            "must use https",
        ),
        ("JWKS_URL", "nonsense", "JWKS_URL is unusable: "),
        (
            "JWT_ALGORITHMS",
            "HS256",
            "JWT_ALGORITHMS names an algorithm that is none of EdDSA",
        ),
        (
            "JWT_LEEWAY_SECONDS",
            "a lot",
            "JWT_LEEWAY_SECONDS is not a whole number of seconds",
        ),
        (
            "DATABASE_URL",
            "mysql://root:hunter2@h/d",
            "DATABASE_URL is neither a sqlite: nor a postgres: URL",
        ),
        (
            "LISTEN_ADDR",
            "localhost",
            "LISTEN_ADDR is not an IP address and a port",
        ),
        (
            "CORS_ALLOWED_ORIGINS",
            "*",
            "CORS_ALLOWED_ORIGINS holds something that is not an origin",
        ),
        (
            "MAX_CONNECTIONS",
            "0",
            "MAX_CONNECTIONS is not a whole number of connections from 1 to 100000",
        ),
        (
            "DATABASE_TIMEOUT_SECONDS",
            "soon",
            "DATABASE_TIMEOUT_SECONDS is not a whole number of seconds from 1 to 60",
        ),
        (
            "RUST_LOG",
            "a=b=c",
            "RUST_LOG is not a list of filter directives",
        ),
        ("LOG_FORMAT", "xml", "LOG_FORMAT is neither text nor json"),
    ] {
        let mut serve = command(&directory, &["serve"]);
        serve
            .env("BETTER_AUTH_URL", "https://app.example.com")
            .env(variable, value);
        let (success, stdout, stderr) = run(serve).await;
        assert!(!success && stdout.is_empty(), "{variable}={value}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.starts_with("keyward: ") && stderr.contains(expected),
            "{stderr}"
        );
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

#[tokio::test]
async fn more_connections_than_files_may_be_open_stop_the_start_if_they_were_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "ulimit -n 100; exec {} serve",
        env!("CARGO_BIN_EXE_keyward")
    );
    let mut shell = tokio::process::Command::new("sh");
    shell
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("BETTER_AUTH_URL", "http://127.0.0.1:9")
        .env("MAX_CONNECTIONS", "51")
        .current_dir(directory.path());
    let (success, stdout, stderr) = run(shell).await;
    assert!(!success && stdout.is_empty());
    assert_eq!(
        stderr,
        "keyward: MAX_CONNECTIONS is more than the 50 for which the process may open files \
         (ulimit -n); for example MAX_CONNECTIONS=512\n"
    );
}

#[tokio::test]
async fn a_variable_that_is_not_unicode_is_named_too() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let mut serve = command(&directory, &["serve"]);
    serve.env("JWT_ISSUER", std::ffi::OsStr::from_bytes(b"\xff"));
    let (success, _, stderr) = run(serve).await;
    assert!(!success);
    assert_eq!(stderr, "keyward: JWT_ISSUER is not valid UTF-8\n");
}

#[tokio::test]
async fn dev_leaves_the_database_of_the_environment_alone() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("real.db").display());
    let (keyward, _) = dev(&[("DATABASE_URL", &url)]).await;
    assert!(keyward.directory.path().join("keyward-dev.db").exists());
    assert!(!directory.path().join("real.db").exists());
}

#[tokio::test]
async fn flags_do_what_variables_do() {
    let directory = tempfile::tempdir().unwrap();
    let (success, _, stderr) = run(command(
        &directory,
        &["serve", "--better-auth-url", "nonsense"],
    ))
    .await;
    assert!(
        !success && stderr.contains("BETTER_AUTH_URL is unusable"),
        "{stderr}"
    );
}

#[tokio::test]
async fn an_address_in_use_and_a_database_that_cannot_be_opened_are_one_line_each() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    for (variable, value, expected) in [
        ("LISTEN_ADDR", &*address, "cannot listen on 127.0.0.1:"),
        (
            "DATABASE_URL",
            "sqlite:///nowhere/at/all.db",
            "the database is not available: ",
        ),
        (
            "DATABASE_URL",
            "postgres://u:hunter2@127.0.0.1:9/d",
            "the database is not available: ",
        ),
    ] {
        let mut serve = command(&directory, &["serve"]);
        serve
            .env("BETTER_AUTH_URL", "https://app.example.com")
            .env(variable, value);
        let (success, _, stderr) = run(serve).await;
        let last = stderr.lines().last().unwrap();
        assert!(
            !success && last.contains(expected) && !stderr.contains("hunter2"),
            "{stderr}"
        );
    }
}

#[tokio::test]
async fn healthcheck_tells_by_its_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let (success, _, stderr) = run(command(
        &directory,
        &["healthcheck", "--listen-addr", "127.0.0.1:9"],
    ))
    .await;
    assert!(
        !success && stderr.contains("http://127.0.0.1:9/healthz"),
        "{stderr}"
    );

    let keyward = Keyward::serve(ELSEWHERE).await;
    let address = keyward.url.trim_start_matches("http://").to_owned();
    let (success, ..) = run(command(
        &directory,
        &["healthcheck", "--listen-addr", &address],
    ))
    .await;
    assert!(success, "it lives");
    let ready = command(
        &directory,
        &["healthcheck", "--ready", "--listen-addr", &address],
    );
    let (success, _, stderr) = run(ready).await;
    assert!(
        !success && stderr.contains("status 503"),
        "it has no keys: {stderr}"
    );
}

#[tokio::test]
async fn openapi_writes_the_checked_in_document_and_starts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (success, stdout, stderr) = run(command(&directory, &["openapi", "--output", "-"])).await;
    assert!(success && stderr.is_empty(), "{stderr}");
    let checked_in =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json"))
            .unwrap();
    assert!(
        stdout == checked_in,
        "openapi/openapi.json is out of date; run: cargo run -- openapi"
    );
    let (success, ..) = run(command(&directory, &["openapi"])).await;
    assert!(success);
    let written = std::fs::read_to_string(directory.path().join("openapi/openapi.json")).unwrap();
    assert_eq!(written, checked_in);
}

#[tokio::test]
async fn migrate_makes_the_database_ready() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (success, _, stderr) = run(command(&directory, &["migrate"])).await;
        assert!(success, "{stderr}");
    }
    assert!(directory.path().join("keyward.db").exists());
}

#[tokio::test]
async fn both_signals_end_it_cleanly_and_a_half_sent_request_does_not_hold_it_up() {
    for signal in ["TERM", "INT"] {
        let keyward = Keyward::serve(ELSEWHERE).await;
        let address = keyward.url.trim_start_matches("http://").to_owned();
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        sleep(Duration::from_millis(200)).await;
        keyward.signal(signal);
        let (status, log) = keyward.ended().await;
        assert!(status.success(), "{signal}: {status} {log}");
    }
}

#[tokio::test]
async fn logs_are_json_off_a_terminal_and_hold_no_token() {
    let (keyward, issuer) = dev(&[("RUST_LOG", "trace")]).await;
    let token = token(&issuer, "ada").await;
    for bearer in [&*token, &token[1..], "koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8"] {
        client()
            .get(format!("{}/api/me", keyward.url))
            .bearer_auth(bearer)
            .send()
            .await
            .unwrap();
    }
    let (_, log) = keyward.stop().await;
    assert!(log.lines().count() > 5);
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    }
    assert!(
        log.contains("token_malformed") || log.contains("token_header_invalid"),
        "a refusal is in the log: {log}"
    );
    for secret in [
        "ada@example.com",
        "Ada Lovelace",
        "koHxfvpE7L2p",
        &token[token.len() - 12..],
        &token[..60],
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn without_file_descriptors_it_pauses_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("ulimit -n 40; exec {} serve", env!("CARGO_BIN_EXE_keyward"));
    let mut shell = tokio::process::Command::new("sh");
    let mut child = shell
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("BETTER_AUTH_URL", "http://127.0.0.1:9")
        .current_dir(directory.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let line = tokio::time::timeout(PATIENCE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let url = line.split_once("listening on ").unwrap().1.to_owned();
    let address = url.trim_start_matches("http://");

    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    sleep(Duration::from_millis(500)).await;
    let ticks = |id: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let fields: Vec<u64> = stat
            .split_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        // utime and stime: fields 14 and 15 of proc(5), of which the name and the state, not
        // being numbers, are gone.
        fields[11] + fields[12]
    };
    let id = child.id().unwrap();
    let before = ticks(id);
    sleep(Duration::from_secs(1)).await;
    // 100 ticks a second: a loop that spins takes nearly all of them.
    assert!(
        ticks(id) - before < 30,
        "it spins: {} ticks",
        ticks(id) - before
    );
    drop(held);
    let response = client().get(format!("{url}/healthz")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    child.kill().await.unwrap();
}

mod postgres {
    use super::cluster::Cluster;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_failure_of_the_database_is_a_500_whose_cause_is_in_the_log_and_nowhere_else() {
        let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
        let url = cluster.create_database();
        let (keyward, issuer) = dev_on(&url, &[]).await;
        cluster.execute(&url, "ALTER TABLE tasks RENAME TO elsewhere");
        let list = client().get(format!("{}/api/tasks", keyward.url));
        let response = list
            .bearer_auth(token(&issuer, "ada").await)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 500);
        let body = response.text().await.unwrap();
        assert!(
            body.contains("internal_error") && !body.contains("relation"),
            "{body}"
        );
        let (_, log) = keyward.stop().await;
        assert!(
            log.contains(r#"relation \"tasks\" does not exist"#),
            "{log}"
        );
        tokio::task::spawn_blocking(move || drop(cluster))
            .await
            .unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_binary_migrates_and_serves() {
        let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
        let url = cluster.create_database();
        // Two at once: migrations are applied under a lock.
        let ((one, issuer), (two, other_issuer)) =
            tokio::join!(dev_on(&url, &[]), dev_on(&url, &[]));
        let create = client()
            .post(format!("{}/api/tasks", one.url))
            .json(&json!({"title": "Buy milk"}));
        let created = create
            .bearer_auth(token(&issuer, "ada").await)
            .send()
            .await
            .unwrap();
        assert_eq!(created.status(), 201);
        let location = created.headers()["location"].to_str().unwrap().to_owned();
        let get = client().get(format!("{}{location}", two.url));
        let task = get
            .bearer_auth(token(&other_issuer, "ada").await)
            .send()
            .await
            .unwrap();
        assert_eq!(task.json::<Value>().await.unwrap()["title"], "Buy milk");
        for keyward in [one, two] {
            let (status, log) = keyward.stop().await;
            assert!(status.success(), "{log}");
        }
        tokio::task::spawn_blocking(move || drop(cluster))
            .await
            .unwrap();
    }
}
