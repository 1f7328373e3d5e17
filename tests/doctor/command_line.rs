//! The command as scripts and people meet it: exit codes, JSON, terminals, standard input.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use keyward::testing::TestServer;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::command::{NO_DATABASE, doctor};
use crate::raw_server::RawServer;
use crate::service::{PATIENCE, command};

fn root(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema() -> Value {
    serde_json::from_str(&root("docs/doctor.schema.json")).unwrap()
}

fn check<'j>(json: &'j Value, id: &str) -> &'j Value {
    let checks = json["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["id"] == id)
        .unwrap_or_else(|| panic!("no {id} in {json}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_is_as_its_schema_says_and_the_exit_code_tells() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let issuer = TestServer::start().unwrap();
    let stranger = TestServer::start().unwrap();
    let (good, expired) = (
        issuer.user("ada").token(),
        issuer.user("ada").expired().token(),
    );
    let foreign = stranger.user("ada").token();
    let url = ("BETTER_AUTH_URL", issuer.url());
    let nobody = ("BETTER_AUTH_URL", "http://127.0.0.1:1");
    let origin = format!("--origin={}", issuer.url());
    for (variables, arguments, stdin, code, id, status, cause) in [
        (
            &[url, NO_DATABASE][..],
            &["--json", &origin][..],
            good.as_str(),
            0,
            "token.verdict",
            "ok",
            json!(null),
        ),
        (
            &[url, NO_DATABASE],
            &["--json"],
            "",
            0,
            "token.input",
            "skipped",
            json!(null),
        ),
        (
            &[url, NO_DATABASE],
            &["--json"],
            &expired,
            3,
            "token.times",
            "wrong",
            json!("token_expired"),
        ),
        (
            &[url, NO_DATABASE],
            &["--json"],
            &foreign,
            3,
            "token.issuer",
            "wrong",
            json!("token_issuer_mismatch"),
        ),
        (
            &[url, NO_DATABASE],
            &["--json"],
            "x",
            3,
            "token.input",
            "wrong",
            json!("token_malformed"),
        ),
        (
            &[url],
            &["--json"],
            "",
            0,
            "database.connection",
            "warning",
            json!("no_file"),
        ),
        (
            &[nobody, NO_DATABASE],
            &["--json"],
            &good,
            1,
            "auth_server.connection",
            "wrong",
            json!("refused"),
        ),
        (
            &[nobody, NO_DATABASE],
            &["--json"],
            &expired,
            1,
            "token.signature",
            "skipped",
            json!(null),
        ),
        (
            &[],
            &["--json"],
            "",
            2,
            "configuration",
            "wrong",
            json!("variable"),
        ),
        (
            &[url],
            &["--json", "--database-url", "mysql://root:hunter2@h/d"],
            "",
            2,
            "configuration",
            "wrong",
            json!("variable"),
        ),
        (
            &[url],
            &["--json", "token"],
            "",
            2,
            "configuration",
            "wrong",
            json!("argument"),
        ),
    ] {
        let outcome = doctor(arguments, variables, stdin).await;
        let json = outcome.json();
        if let Err(error) = schema.validate(&json) {
            panic!("{error}: {json}");
        }
        assert_eq!(
            (outcome.code, &json["exitCode"]),
            (code, &json!(code)),
            "{json}"
        );
        assert_eq!(json["ok"], code == 0);
        let check = check(&json, id);
        assert_eq!(
            (&check["status"], &check["code"]),
            (&json!(status), &cause),
            "{json}"
        );
        assert!(!outcome.stdout.contains("hunter2"), "{json}");
        assert_eq!(outcome.stderr, "");
    }
}

/// The ids in the code, in the schema and in the manual are the same.
#[test]
fn every_id_is_documented() {
    let schema = schema();
    let ids = &schema["properties"]["checks"]["items"]["properties"]["id"]["enum"];
    let ids: BTreeSet<&str> = ids
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mut in_code = BTreeSet::from(["configuration".to_owned()]);
    for entry in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service/doctor")).unwrap()
    {
        let code = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        let is_id = |text: &&str| {
            let parts = text.split_once('.');
            parts.is_some_and(|(part, name)| {
                [
                    "auth_server",
                    "key_set",
                    "oauth",
                    "token",
                    "cors",
                    "database",
                    "telemetry",
                ]
                .contains(&part)
                    && !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            })
        };
        in_code.extend(code.split('"').filter(is_id).map(str::to_owned));
    }
    in_code.remove("token.txt");
    assert_eq!(
        in_code.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        ids
    );
    let manual = root("docs/doctor.md");
    for id in ids {
        assert!(
            manual.contains(&format!("`{id}`")),
            "docs/doctor.md lacks {id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_help_has_the_exit_codes_and_no_place_for_a_token() {
    let outcome = doctor(
        &["--help"],
        &[("BETTER_AUTH_URL", "https://hidden.example")],
        "",
    )
    .await;
    for text in [
        "Exit codes:",
        "3  the set-up is right, and the token is refused",
        "--origin",
        "--json",
        "[env: JWKS_URL]",
    ] {
        assert!(outcome.stdout.contains(text), "{text}: {}", outcome.stdout);
    }
    assert!(
        outcome.stdout.contains("Usage: keyward doctor [OPTIONS]\n"),
        "{}",
        outcome.stdout
    );
    assert!(
        !outcome.stdout.contains("hidden.example"),
        "{}",
        outcome.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_with_a_path_is_no_origin() {
    let url = ("BETTER_AUTH_URL", "https://app.example.com");
    for origin in [
        "https://spa.example.com/",
        "https://spa.example.com/x",
        "spa.example.com",
        "*",
    ] {
        let outcome = doctor(&["--origin", origin], &[url], "").await;
        assert_eq!(outcome.code, 2, "{origin}");
        let entry = outcome.entry("✗ configuration").unwrap();
        assert!(entry.contains("--origin is not an origin"), "{entry}");
    }
}

/// Runs it on a terminal of its own, on which nobody types anything.
async fn on_a_terminal(command: &mut Command) -> String {
    let mut terminal = open_terminal();
    let side = || Stdio::from(terminal.1.try_clone().unwrap());
    let mut child = command
        .stdin(side())
        .stdout(side())
        .stderr(side())
        .spawn()
        .unwrap();
    // The command's are closed with it: then there is nothing left to read.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let reading = tokio::task::spawn_blocking(move || {
        drop(terminal.1);
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = terminal.0.read(&mut buffer) {
            text.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8(text).unwrap()
    });
    timeout(PATIENCE, child.wait())
        .await
        .expect("it ends")
        .unwrap();
    timeout(PATIENCE, reading)
        .await
        .expect("the terminal is closed")
        .unwrap()
}

/// Both sides of a new one.
fn open_terminal() -> (File, File) {
    let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&own).unwrap();
    unlockpt(&own).unwrap();
    let name = ptsname(&own, Vec::new()).unwrap();
    let path = std::ffi::OsStr::from_bytes(name.to_bytes());
    let other = File::options().read(true).write(true).open(path).unwrap();
    (File::from(own), other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_is_not_read_from_and_gets_colours_unless_unwanted() {
    let issuer = TestServer::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (no_color, coloured) in [(None, true), (Some(""), true), (Some("1"), false)] {
        let mut command = command(&directory, &["doctor"]);
        command.env("BETTER_AUTH_URL", issuer.url());
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        let began = Instant::now();
        let text = on_a_terminal(&mut command).await;
        assert!(text.contains("no token on standard input"), "{text}");
        assert_eq!(
            text.contains("\x1b["),
            coloured,
            "NO_COLOR={no_color:?}: {text}"
        );
        // Far less than a pipe would be waited for.
        assert!(
            began.elapsed() < Duration::from_secs(9),
            "{:?}",
            began.elapsed()
        );
    }
}

/// All of it at once: a pipe that nobody writes to, an auth server, a database and a collector that take
/// connections and say nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_nothing_is_not_waited_for_for_long() {
    let silent = RawServer::start(|_| Vec::new()).await;
    let database = format!("postgres://keyward@{}/tasks", silent.address());
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(&directory, &["doctor", "--origin=https://spa.example.com"]);
    let began = Instant::now();
    let mut child = command
        .env("BETTER_AUTH_URL", &silent.url)
        .env("DATABASE_URL", database)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &silent.url)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = child.stdin.take();
    let output = timeout(PATIENCE, child.wait_with_output())
        .await
        .expect("it ends")
        .unwrap();
    drop(pipe);
    let text = String::from_utf8(output.stdout).unwrap();
    for said in [
        "standard input is open, and nothing came in time",
        "the auth server did not answer in time",
        "cors.auth_server        not asked: the auth server gave no answer",
        "the database is not available",
        "does not speak OTLP over HTTP",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(output.status.code(), Some(1));
    // Half a minute, and what a machine with other things to do adds to it.
    assert!(
        began.elapsed() < Duration::from_secs(50),
        "{:?}",
        began.elapsed()
    );
}
