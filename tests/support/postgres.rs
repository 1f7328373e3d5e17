//! A real PostgreSQL in a throw-away cluster.
//!
//! It runs as an unprivileged user, listens on loopback only, and is stopped and removed when the
//! last handle is dropped. The server is this process's own child: it is stopped by its id.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A running server.
pub struct Cluster {
    server: Mutex<Child>,
    port: u16,
    databases: AtomicUsize,
    data: TempDir,
    binaries: PathBuf,
}

impl Cluster {
    /// The one cluster of this process, started if it is not running.
    pub fn shared() -> Arc<Self> {
        static CLUSTER: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = CLUSTER
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// Starts a cluster of its own, for a test that stops it.
    pub fn start() -> Self {
        let binaries = find_binaries();
        let data = tempfile::Builder::new()
            .prefix("keyward-postgres-")
            .tempdir()
            .unwrap();
        let user = unprivileged_user();
        if let Some((uid, gid)) = user {
            chown(data.path(), Some(uid), Some(gid)).unwrap();
        }
        let directory = data.path().join("data");
        let mut initdb = command(&binaries.join("initdb"), user);
        initdb.args([
            "--auth=trust",
            "--username=keyward",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-D",
        ]);
        let made = initdb.arg(&directory).output().expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );

        let port = free_port();
        let server = Self {
            server: Mutex::new(spawn(&binaries, &directory, port, user)),
            port,
            databases: AtomicUsize::new(0),
            data,
            binaries,
        };
        server.wait_until_ready();
        server
    }

    /// The URL of a new, empty database.
    pub fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let created = Command::new(self.binaries.join("createdb"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "keyward",
                &name,
            ])
            .output()
            .expect("createdb runs");
        assert!(
            created.status.success(),
            "createdb: {}",
            String::from_utf8_lossy(&created.stderr)
        );
        format!("postgres://keyward@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs a statement behind the service's back.
    pub fn execute(&self, url: &str, statement: &str) {
        let done = self.psql(url, statement).output().expect("psql runs");
        assert!(
            done.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// A `psql` that will run a statement.
    pub fn psql(&self, url: &str, statement: &str) -> Command {
        let mut psql = Command::new(self.binaries.join("psql"));
        psql.args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]);
        psql
    }

    /// From now on nobody gets in without a password.
    pub fn demand_passwords(&self, url: &str) {
        let rule = "host all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(self.data.path().join("data/pg_hba.conf"), rule).unwrap();
        self.execute(url, "SELECT pg_reload_conf()");
    }

    /// Kills the server, as a crash does.
    pub fn kill(&self) {
        let mut server = self.server.lock().unwrap();
        let _ = server.kill();
        let _ = server.wait();
    }

    /// Stops the server as an operator does, `INT`, or in the middle of its work, `QUIT`, and
    /// starts it again on the same data and the same port.
    pub fn restart(&self, signal: &str) {
        let mut server = self.server.lock().unwrap();
        send(signal, server.id());
        let began = Instant::now();
        while server.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < STOP_LIMIT, "PostgreSQL does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        let directory = self.data.path().join("data");
        *server = spawn(&self.binaries, &directory, self.port, unprivileged_user());
        drop(server);
        self.wait_until_ready();
    }

    /// Stops the server and all its processes where they are, for as long as the guard is held.
    pub fn freeze(self: &Arc<Self>) -> Frozen {
        let server = self.server.lock().unwrap().id();
        // The server first: it makes no new ones then.
        send("STOP", server);
        let mut processes = children_of(server);
        for process in &processes {
            send("STOP", *process);
        }
        processes.push(server);
        Frozen {
            processes,
            _cluster: self.clone(),
        }
    }

    /// What a query gives, as text.
    pub fn query(&self, url: &str, query: &str) -> String {
        let mut psql = self.psql(url, query);
        let done = psql
            .arg("-At")
            .stdout(Stdio::piped())
            .output()
            .expect("psql runs");
        assert!(
            done.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn wait_until_ready(&self) {
        let began = Instant::now();
        loop {
            let ready = Command::new(self.binaries.join("pg_isready"))
                .args([
                    "-q",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &self.port.to_string(),
                    "-U",
                    "keyward",
                ])
                .status();
            if ready.is_ok_and(|status| status.success()) {
                return;
            }
            let ended = self.server.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {ended:?}");
            assert!(
                began.elapsed() < START_LIMIT,
                "PostgreSQL did not start in time"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let server = self
            .server
            .get_mut()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if server.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // SIGINT is a "fast" shutdown: sessions end, nothing is left in shared memory.
        let _ = Command::new("kill")
            .args(["-INT", &server.id().to_string()])
            .status();
        let began = Instant::now();
        while server.try_wait().is_ok_and(|ended| ended.is_none()) {
            if began.elapsed() > STOP_LIMIT {
                let _ = server.kill();
                let _ = server.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A server that does nothing until this is dropped.
pub struct Frozen {
    processes: Vec<u32>,
    _cluster: Arc<Cluster>,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in &self.processes {
            send("CONT", *process);
        }
    }
}

/// Sends a signal to one process, by its id.
fn send(signal: &str, process: u32) {
    let _ = Command::new("kill")
        .args(["-s", signal, &process.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// The processes that a process has started, from proc(5).
fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // The name, in parentheses, may hold anything; behind it are the state and the parent.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
        let found = fields.and_then(|fields| fields.split_whitespace().nth(1));
        found == Some(&*parent.to_string())
    })
    .collect()
}

fn spawn(binaries: &Path, directory: &Path, port: u16, user: Option<(u32, u32)>) -> Child {
    let mut server = command(&binaries.join("postgres"), user);
    server
        .arg("-D")
        .arg(directory)
        .args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        // Nothing here outlives the machine. What is committed outlives the server:
        // synchronous_commit stays on.
        "fsync=off",
        "full_page_writes=off",
    ] {
        server.args(["-c", setting]);
    }
    server.spawn().expect("postgres runs")
}

fn command(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .current_dir("/");
    if program.ends_with("postgres") {
        command.stderr(Stdio::null());
    }
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// PostgreSQL refuses to run as root. `None`: this process is not root.
fn unprivileged_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout)
            .ok()?
            .trim()
            .parse::<u32>()
            .ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)))
}

/// The directory with the newest server's programs.
fn find_binaries() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, path)| path.join("initdb").exists())
        .collect();
    versions.sort();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|directory| directory.join("initdb").exists())
    };
    match versions.pop() {
        Some((_, path)) => path,
        None => {
            on_path().expect("PostgreSQL's server programs are not installed: run tests/run.sh")
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
