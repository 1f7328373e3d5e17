//! SQLite on a disk that is full, a file that may not be written to or is locked, and a process that
//! is killed.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, address};
use crate::keyward_process::Keyward;
use crate::load::{Ledger, Load};
use crate::service::{Auth, Database, load_time, ran};

/// Lets no file of the process grow beyond so many bytes, from now on. Only the soft limit, which
/// can be taken back.
fn limit_files(keyward: &Keyward, bytes: &str) {
    let id = keyward.id().to_string();
    let done = Command::new("prlimit")
        .args(["--pid", &id, &format!("--fsize={bytes}:")])
        .status();
    assert!(done.expect("prlimit runs").success());
}

fn wal_of(file: &Path) -> u64 {
    let wal = file.with_extension("db-wal");
    std::fs::metadata(wal).map_or(0, |wal| wal.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_what_is_acknowledged_is_kept_and_the_rest_is_a_503() {
    let (auth, database) = (Auth::start().await, Database::sqlite());
    let keyward = auth.serve(&database.url(), &[]).await;
    let token = auth.issuer.token("ada");
    let load = Load::start(address(&keyward), &token, 4);
    load.acknowledges(50).await;
    limit_files(&keyward, &(wal_of(&database.file()) + 100_000).to_string());
    // Some more fit in, and then none.
    sleep(load_time()).await;
    let mut reader = Connection::open(&keyward).await;
    let list = reader.call("GET", "/api/tasks", &token, None).await;
    assert_eq!(list.unwrap().status, 200, "what is there can be read");
    let late = json!({"title": "late"});
    let write = reader.call("POST", "/api/tasks", &token, Some(&late)).await;
    let write = write.unwrap();
    assert_eq!(
        (write.status, &*write.code()),
        (503, "database_unavailable")
    );
    assert_eq!(write.header("retry-after"), Some("2"));

    // Space is back, and with it the service, without a restart.
    limit_files(&keyward, "unlimited");
    load.acknowledges(50).await;
    let report = load.stop().await;
    assert!(report.unavailable > 0, "the disk was never full");
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert!(report.wrong.is_empty(), "{:?}", report.wrong);
    report.ledger.is_kept_by(address(&keyward), &token).await;
    let (status, log) = keyward.stop().await;
    assert!(status.success(), "{log}");

    let again = auth.serve(&database.url(), &[]).await;
    report.ledger.is_kept_by(address(&again), &token).await;
    database.is_intact().await;
    ran(report.acknowledged, "write acknowledged around a full disk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_only_be_read_is_read() {
    let (auth, database) = (Auth::start().await, Database::sqlite());
    let keyward = auth.serve(&database.url(), &[]).await;
    let token = auth.issuer.token("ada");
    let task = json!({"title": "task"});
    let mut connection = Connection::open(&keyward).await;
    let made = connection
        .call("POST", "/api/tasks", &token, Some(&task))
        .await;
    let path = made.unwrap().header("location").unwrap().to_owned();
    let (status, log) = keyward.stop().await;
    assert!(status.success(), "{log}");

    let keyward = auth
        .serve(&format!("{}?mode=ro", database.url()), &[])
        .await;
    let mut connection = Connection::open(&keyward).await;
    for (method, path, body, status) in [
        ("GET", "/api/tasks", None, 200),
        ("GET", &*path, None, 200),
        ("GET", "/readyz", None, 200),
        ("POST", "/api/tasks", Some(&task), 503),
        ("PATCH", &*path, Some(&task), 503),
        ("DELETE", &*path, None, 503),
        ("GET", &*path, None, 200),
    ] {
        let answer = connection.call(method, path, &token, body).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
        if status == 503 {
            assert_eq!(answer.code(), "database_unavailable");
        }
    }
    ran(7, "request to a read-only file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_has_locked_is_read_and_writes_are_a_503_in_bounded_time() {
    let (auth, database) = (Auth::start().await, Database::sqlite());
    let keyward = auth
        .serve(&database.url(), &[("DATABASE_TIMEOUT_SECONDS", "1")])
        .await;
    let token = auth.issuer.token("ada");
    let mut other = database.open_file().await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let writes: Vec<_> = (0..10)
        .map(|_| {
            let (service, token) = (address(&keyward), token.clone());
            tokio::spawn(async move {
                let mut connection = Connection::to(service).await.unwrap();
                let began = Instant::now();
                let task = json!({"title": "late"});
                let write = connection
                    .call("POST", "/api/tasks", &token, Some(&task))
                    .await;
                let (write, took) = (write.unwrap(), began.elapsed());
                assert_eq!(
                    (write.status, &*write.code()),
                    (503, "database_unavailable")
                );
                assert!(took < Duration::from_secs(5), "after {took:?}");
            })
        })
        .collect();
    let mut reader = Connection::open(&keyward).await;
    while !writes.iter().all(tokio::task::JoinHandle::is_finished) {
        let began = Instant::now();
        let list = reader.call("GET", "/api/tasks", &token, None).await;
        assert_eq!(list.unwrap().status, 200);
        assert!(
            began.elapsed() < Duration::from_millis(700),
            "a read waited"
        );
        sleep(Duration::from_millis(20)).await;
    }
    for write in writes {
        write.await.unwrap();
    }
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    let task = json!({"title": "after"});
    let write = reader.call("POST", "/api/tasks", &token, Some(&task)).await;
    assert_eq!(write.unwrap().status, 201);
    ran(10, "write to a locked file");
}

/// Starts the service and kills it under load, again and again on one database: how many writes
/// were acknowledged.
pub async fn is_kept_over_kills(database: &Database) -> usize {
    let auth = Auth::start().await;
    let mut acknowledged = 0;
    let mut kept = Ledger::default();
    let token = auth.issuer.token("ada");
    for _ in 0..3 {
        let keyward = auth.serve(&database.url(), &[]).await;
        kept.is_kept_by(address(&keyward), &token).await;
        let load = Load::start(address(&keyward), &token, 8);
        load.acknowledges(50).await;
        sleep(load_time() / 3).await;
        keyward.signal("KILL");
        let (status, _) = keyward.ended().await;
        assert_eq!(status.signal(), Some(9));
        let report = load.ended().await;
        assert!(report.wrong.is_empty(), "{:?}", report.wrong);
        assert!(report.ledger.tasks() > 0);
        acknowledged += report.acknowledged;
        kept.merge(report.ledger);
        if let Database::Sqlite(_) = database {
            database.is_intact().await;
        }
    }
    let keyward = auth.serve(&database.url(), &[]).await;
    kept.is_kept_by(address(&keyward), &token).await;
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_killed_under_load_loses_nothing_that_was_acknowledged() {
    let acknowledged = is_kept_over_kills(&Database::sqlite()).await;
    ran(acknowledged, "write acknowledged before kill -9, SQLite");
}
