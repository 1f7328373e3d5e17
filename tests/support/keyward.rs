//! The real `keyward` binary, as an operator starts it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far beyond what a start, a request or a stop takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A `keyward` command in an environment of its own: none of the variables that it reads, an
/// empty directory, a free loopback port.
pub fn command(directory: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command
        .args(arguments)
        .env_clear()
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end: whether it succeeded, its standard output and its standard error.
pub async fn run(mut command: Command) -> (bool, String, String) {
    let output = timeout(PATIENCE, command.output())
        .await
        .expect("the command ends")
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A running service.
pub struct Keyward {
    pub url: String,
    /// What it printed until it was ready.
    pub greeting: String,
    pub directory: TempDir,
    child: Child,
    log: JoinHandle<String>,
}

impl Keyward {
    /// Starts `keyward serve` with these variables.
    pub async fn serve(variables: &[(&str, &str)]) -> Self {
        Self::start(&["serve"], variables, "listening on ").await
    }

    /// Starts a command that serves, and waits for the line that names the URL behind `marker`.
    pub async fn start(arguments: &[&str], variables: &[(&str, &str)], marker: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command(&directory, arguments);
        command.envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            let _ = stderr.read_to_string(&mut log).await;
            log
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = String::new();
        let mut url = None;
        while url.is_none() {
            let line = timeout(PATIENCE, lines.next_line())
                .await
                .expect("a line in time")
                .unwrap();
            let Some(line) = line else {
                let log = log.await.unwrap();
                panic!("keyward ended before it was ready: {log}");
            };
            url = line
                .split_once(marker)
                .map(|(_, url)| url.trim().to_owned());
            greeting += &format!("{line}\n");
        }
        // The rest of a greeting that goes on behind the URL.
        while let Ok(Ok(Some(line))) = timeout(Duration::from_millis(200), lines.next_line()).await
        {
            greeting += &format!("{line}\n");
        }
        Self {
            url: url.unwrap(),
            greeting,
            directory,
            child,
            log,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends a signal, by the process's id.
    pub fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended: how, and its log.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends")
            .unwrap();
        (status, self.log.await.unwrap())
    }

    /// Stops it as an operator does: how it ended, and its log.
    pub async fn stop(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.ended().await
    }
}

/// A client that goes to no proxy and does not wait for ever.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap()
}
