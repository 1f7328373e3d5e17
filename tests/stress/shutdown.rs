//! SIGTERM under load: no request that was accepted fails.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::client::{Connection, address, request};
use crate::keyward_process::PATIENCE;
use crate::load::Load;
use crate::service::{Auth, Database, load_time, ran};

/// Clients that keep their connections, and clients that make a new one for each request.
async fn fails_no_request(database: &Database) {
    let auth = Auth::start().await;
    let token = auth.issuer.token("ada");
    let (mut answered, mut refused) = (0, 0);
    let mut kept = crate::load::Ledger::default();
    for _ in 0..2 {
        let keyward = auth.serve(&database.url(), &[]).await;
        let service = address(&keyward);
        let load = Load::start(service, &token, 8);
        let passers: Vec<_> = (0..4)
            .map(|_| {
                let me = request("GET", "/api/tasks?limit=1", &token, None);
                tokio::spawn(async move {
                    let mut answered = 0;
                    // Refused: that was no request yet.
                    while let Ok(mut connection) = Connection::to(service).await {
                        connection
                            .send(&me)
                            .await
                            .expect("an accepted connection takes it");
                        let answer = connection.answer().await;
                        assert_eq!(answer.expect("an accepted request is answered").status, 200);
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        load.acknowledges(50).await;
        sleep(load_time() / 3).await;
        let began = Instant::now();
        keyward.signal("TERM");
        let (status, log) = keyward.ended().await;
        assert!(status.success(), "{log}");
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "it took {:?}",
            began.elapsed()
        );
        assert!(log.contains(r#""aborted":0"#), "{log}");
        for passer in passers {
            answered += timeout(PATIENCE, passer).await.unwrap().unwrap();
        }
        let report = load.ended().await;
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        assert!(report.wrong.is_empty(), "{:?}", report.wrong);
        assert_eq!((report.unavailable, report.refused), (0, 8));
        answered += report.acknowledged;
        refused += report.refused;
        kept.merge(report.ledger);
    }
    let keyward = auth.serve(&database.url(), &[]).await;
    kept.is_kept_by(address(&keyward), &token).await;
    println!("{refused} clients were refused afterwards");
    ran(answered, "request answered around SIGTERM");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_accepted_request_fails_on_sqlite() {
    fails_no_request(&Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_accepted_request_fails_on_postgresql() {
    let database = Database::postgres().await;
    fails_no_request(&database).await;
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_not_finished_after_the_grace_period_is_cut_off() {
    let (auth, database) = (Auth::start().await, Database::sqlite());
    let keyward = auth
        .serve(&database.url(), &[("SHUTDOWN_GRACE_SECONDS", "1")])
        .await;
    let token = auth.issuer.token("ada");
    let mut slow = Connection::open(&keyward).await;
    let whole = request(
        "POST",
        "/api/tasks",
        &token,
        Some(&serde_json::json!({"title": "x"})),
    );
    slow.send(&whole[..whole.len() - 1]).await.unwrap();
    // Its head was read, for the next one is answered.
    let mut other = Connection::open(&keyward).await;
    let me = other.call("GET", "/api/me", &token, None).await;
    assert_eq!(me.unwrap().status, 200);
    let began = Instant::now();
    let (status, log) = keyward.stop().await;
    assert!(status.success(), "{log}");
    let took = began.elapsed();
    assert!((1.0..6.0).contains(&took.as_secs_f64()), "it took {took:?}");
    assert!(log.contains(r#""aborted":1"#), "{log}");
    ran(1, "request cut off at shutdown");
}
