//! `keyward doctor`, run as an operator runs it.

use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::service::{PATIENCE, command};

/// What a run has printed, and how it ended.
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// The line of a check, with what stands below it up to the next, and single spaces.
    pub fn entry(&self, line: &str) -> Option<String> {
        let (mark, id) = line.split_once(' ').expect("a mark and an id");
        let is_entry = |text: &str| {
            let mut words = text.split_whitespace();
            !text.starts_with(' ') && words.next() == Some(mark) && words.next() == Some(id)
        };
        let mut lines = self.stdout.lines().skip_while(|text| !is_entry(text));
        let first = lines.next()?;
        let below = lines.take_while(|text| text.starts_with(' '));
        let entry: Vec<&str> = std::iter::once(first)
            .chain(below)
            .flat_map(str::split_whitespace)
            .collect();
        Some(entry.join(" "))
    }
}

/// Variables for a run that has nothing to do with a database: one in memory.
pub const NO_DATABASE: (&str, &str) = ("DATABASE_URL", "sqlite::memory:");

/// Runs it, with a token or whatever else on standard input.
pub async fn doctor(arguments: &[&str], variables: &[(&str, &str)], stdin: &str) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    doctor_in(&directory, arguments, variables, stdin).await
}

pub async fn doctor_in(
    directory: &TempDir,
    arguments: &[&str],
    variables: &[(&str, &str)],
    stdin: &str,
) -> Outcome {
    let arguments = [&["doctor"], arguments].concat();
    let mut command = command(directory, &arguments);
    command
        .env_remove("LISTEN_ADDR")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped());
    let run = async {
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // One that does not read has ended by then.
        let _ = pipe.write_all(stdin.as_bytes()).await;
        drop(pipe);
        child.wait_with_output().await.unwrap()
    };
    let output = timeout(PATIENCE, run).await.expect("it ends");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome {
        code: output.status.code().expect("it ends by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A set-up, and how its cause is named.
pub struct Row {
    setup: &'static str,
    variables: Vec<(&'static str, String)>,
    arguments: Vec<String>,
    stdin: String,
    code: i32,
    /// A mark and the id of a check, and what its lines say.
    expected: Vec<(&'static str, String)>,
}

impl Row {
    /// A set-up with this auth server, which doctor ends with this code for.
    pub fn new(setup: &'static str, auth_server: &str, code: i32) -> Self {
        let (name, database) = NO_DATABASE;
        Self {
            setup,
            variables: vec![
                ("BETTER_AUTH_URL", auth_server.to_owned()),
                (name, database.to_owned()),
            ],
            arguments: Vec::new(),
            stdin: String::new(),
            code,
            expected: Vec::new(),
        }
    }

    pub fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.to_owned()));
        self
    }

    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn token(mut self, token: &str) -> Self {
        self.stdin = token.to_owned();
        self
    }

    pub fn code(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// What is said at `line`, a mark and the id of a check, white space aside.
    pub fn says(mut self, line: &'static str, text: impl Into<String>) -> Self {
        self.expected.push((line, text.into()));
        self
    }

    async fn run(&self) -> Outcome {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<_> = variables.collect();
        doctor(&arguments, &variables, &self.stdin).await
    }
}

/// Runs a few rows at a time; all that are not as expected are told of.
pub async fn run_rows(what: &str, rows: Vec<Row>) {
    let count = rows.len();
    let mut wrong = Vec::new();
    for few in rows.chunks(4) {
        let runs = few.iter().map(Row::run);
        for (row, outcome) in few.iter().zip(join_all(runs).await) {
            if let Err(why) = compare(row, &outcome) {
                wrong.push(format!(
                    "{}: {why}\n{}{}",
                    row.setup, outcome.stdout, outcome.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
    println!("ran {count} cases: {what}");
}

async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

fn compare(row: &Row, outcome: &Outcome) -> Result<(), String> {
    for (line, says) in &row.expected {
        match outcome.entry(line) {
            None => return Err(format!("there is no {line}")),
            Some(entry) if !entry.contains(says.as_str()) => {
                return Err(format!("{line} does not say {says:?}: {entry}"));
            }
            Some(_) => {}
        }
    }
    match outcome.code == row.code {
        true => Ok(()),
        false => Err(format!("it ended with {}, not {}", outcome.code, row.code)),
    }
}
