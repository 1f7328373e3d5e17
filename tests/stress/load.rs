//! Clients that write without a pause and remember what they were told, to ask for it afterwards.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::{Answer, Connection};

/// How a task may be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Is {
        title: String,
        completed: bool,
        revision: i64,
    },
    Gone,
}

impl State {
    fn of(task: &Value) -> Self {
        Self::Is {
            title: task["title"].as_str().unwrap().to_owned(),
            completed: task["completed"].as_bool().unwrap(),
            revision: task["revision"].as_i64().unwrap(),
        }
    }
}

/// What clients know of the tasks they have written.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By id: how each may be. The first is what was acknowledged; a second is what was asked for and
    /// never answered.
    tasks: HashMap<String, Vec<State>>,
    /// The titles of tasks that may or may not have been made.
    doubtful: Vec<String>,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Report {
    pub ledger: Ledger,
    pub acknowledged: usize,
    /// Answered with a 503 that names the database.
    pub unavailable: usize,
    /// Connections that were not accepted.
    pub refused: usize,
    /// Requests that were sent and not answered.
    pub failed: Vec<String>,
    /// Answers that should not have been.
    pub wrong: Vec<String>,
    pub slowest: Duration,
}

impl Report {
    fn merge(&mut self, other: Self) {
        self.ledger.merge(other.ledger);
        self.acknowledged += other.acknowledged;
        self.unavailable += other.unavailable;
        self.refused += other.refused;
        self.failed.extend(other.failed);
        self.wrong.extend(other.wrong);
        self.slowest = self.slowest.max(other.slowest);
    }
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    token: Arc<Mutex<String>>,
    acknowledged: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Report>>,
}

impl Load {
    /// Starts clients. Each ends when it is refused a connection.
    pub fn start(service: SocketAddr, token: &str, clients: usize) -> Self {
        let (stop, acknowledged) = (Arc::default(), Arc::default());
        let token = Arc::new(Mutex::new(token.to_owned()));
        let clients = (0..clients).map(|name| {
            let client = Client {
                name,
                service,
                token: Arc::clone(&token),
                stop: Arc::clone(&stop),
                acknowledged: Arc::clone(&acknowledged),
                connection: None,
                report: Report::default(),
            };
            tokio::spawn(client.work())
        });
        let clients = clients.collect();
        Self {
            stop,
            token,
            acknowledged,
            clients,
        }
    }

    /// Sends this token from now on.
    pub fn continues_with(&self, token: &str) {
        *self.token.lock().unwrap() = token.to_owned();
    }

    /// Waits until so many more writes were acknowledged.
    pub async fn acknowledges(&self, more: usize) {
        let enough = self.acknowledged.load(Ordering::Relaxed) + more;
        let began = Instant::now();
        while self.acknowledged.load(Ordering::Relaxed) < enough {
            assert!(
                began.elapsed() < crate::keyward_process::PATIENCE,
                "the load is stuck"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until all clients have ended by themselves.
    pub async fn ended(self) -> Report {
        let mut report = Report::default();
        for client in self.clients {
            report.merge(client.await.unwrap());
        }
        report
    }

    pub async fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.ended().await
    }
}

struct Client {
    name: usize,
    service: SocketAddr,
    token: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    connection: Option<Connection>,
    report: Report,
}

/// What a client was told.
enum Told {
    Done(Answer),
    /// Nothing, or that the database is away: it may have happened all the same.
    Nothing,
    Refused,
}

impl Client {
    async fn work(mut self) -> Report {
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            number += 1;
            if self.task(number).await.is_none() {
                break;
            }
        }
        self.report
    }

    /// The life of a task, or as much of it as there are answers to. `None` if there is no service.
    async fn task(&mut self, number: usize) -> Option<()> {
        let write = |version: usize| {
            // A write that happened in half would show: each has a title and a state of its own.
            let completed = (number + version).is_multiple_of(2);
            let title = format!(
                "client {} task {number} version {version} {completed}",
                self.name
            );
            json!({"title": title, "completed": completed})
        };
        let (first, second) = (write(1), write(2));
        let made = match self.ask("POST", "/api/tasks", Some(&first)).await {
            Told::Done(answer) => answer.json(),
            Told::Nothing => {
                let title = first["title"].as_str().unwrap().to_owned();
                self.report.ledger.doubtful.push(title);
                return Some(());
            }
            Told::Refused => return None,
        };
        let id = made["id"].as_str().unwrap().to_owned();
        let path = format!("/api/tasks/{id}");
        self.knows(&id, vec![State::of(&made)]);
        let changed = State::Is {
            title: second["title"].as_str().unwrap().to_owned(),
            completed: second["completed"].as_bool().unwrap(),
            revision: 2,
        };
        match self.ask("PATCH", &path, Some(&second)).await {
            Told::Done(answer) => {
                let told = State::of(&answer.json());
                if told != changed {
                    self.report
                        .wrong
                        .push(format!("{told:?} instead of {changed:?}"));
                }
                self.knows(&id, vec![changed]);
            }
            Told::Nothing => {
                self.knows(&id, vec![State::of(&made), changed]);
                return Some(());
            }
            Told::Refused => return None,
        }
        if number.is_multiple_of(3) {
            match self.ask("DELETE", &path, None).await {
                Told::Done(_) => self.knows(&id, vec![State::Gone]),
                Told::Nothing => self.may_be(&id, State::Gone),
                Told::Refused => return None,
            }
        }
        Some(())
    }

    fn knows(&mut self, id: &str, states: Vec<State>) {
        self.report.ledger.tasks.insert(id.to_owned(), states);
    }

    fn may_be(&mut self, id: &str, state: State) {
        let states = self.report.ledger.tasks.get_mut(id);
        states.unwrap().push(state);
    }

    async fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Told {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Connection::to(self.service).await {
                Ok(connection) => connection,
                Err(_) => {
                    self.report.refused += 1;
                    return Told::Refused;
                }
            },
        };
        let began = Instant::now();
        let token = self.token.lock().unwrap().clone();
        let answer = connection.call(method, path, &token, body).await;
        self.report.slowest = self.report.slowest.max(began.elapsed());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.report.failed.push(format!("{method}: {error}"));
                return Told::Nothing;
            }
        };
        if !answer.is_last() {
            self.connection = Some(connection);
        }
        match answer.status {
            200 | 201 | 204 => {
                self.report.acknowledged += 1;
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                Told::Done(answer)
            }
            503 if answer.code() == "database_unavailable" => {
                self.report.unavailable += 1;
                // As `Retry-After` asks, but for how long.
                tokio::time::sleep(Duration::from_millis(50)).await;
                Told::Nothing
            }
            // A proxy whose replica went away in the middle.
            502 => {
                self.report.failed.push(format!("{method}: 502"));
                Told::Nothing
            }
            status => {
                let body = String::from_utf8_lossy(&answer.body);
                self.report.wrong.push(format!("{method}: {status} {body}"));
                Told::Nothing
            }
        }
    }
}

impl Ledger {
    pub fn merge(&mut self, other: Self) {
        self.tasks.extend(other.tasks);
        self.doubtful.extend(other.doubtful);
    }

    /// The same, and perhaps tasks that others have made.
    #[must_use]
    pub fn and_perhaps(mut self, title: &str) -> Self {
        self.doubtful.push(title.to_owned());
        self
    }

    /// Asks the service for everything, and compares.
    pub async fn is_kept_by(&self, service: SocketAddr, token: &str) {
        let mut connection = Connection::to(service).await.unwrap();
        let mut found = HashMap::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/tasks?limit=100{cursor}");
            let page = connection.call("GET", &path, token, None).await.unwrap();
            assert_eq!(page.status, 200);
            let page = page.json();
            for task in page["items"].as_array().unwrap() {
                found.insert(task["id"].as_str().unwrap().to_owned(), State::of(task));
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        for (id, possible) in &self.tasks {
            let state = found.remove(id).unwrap_or(State::Gone);
            assert!(
                possible.contains(&state),
                "{id} is {state:?} and may be {possible:?}"
            );
        }
        // Each request may have made one task, and no more.
        let mut doubtful = self.doubtful.clone();
        for (id, state) in found {
            let State::Is {
                title, revision, ..
            } = &state
            else {
                continue;
            };
            let request = doubtful.iter().position(|asked| asked == title);
            let is_known = request.is_some() && *revision == 1;
            assert!(is_known, "{id} is {state:?}, and nobody made it");
            request.map(|request| doubtful.swap_remove(request));
        }
    }

    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }
}
