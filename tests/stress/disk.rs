//! SQLite on a disk that is full, or may not be written to.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::client::{Connection, address};
use crate::keyward_process::Keyward;
use crate::load::Load;
use crate::service::{Auth, Database, ran};

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
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
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
