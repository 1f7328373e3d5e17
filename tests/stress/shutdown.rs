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
                    let (mut answered, mut unseen) = (0, 0);
                    // Refused: that was no request yet.
                    while let Ok(mut connection) = Connection::to(service).await {
                        let _ = connection.send(&me).await;
                        match connection.answer().await {
                            Ok(answer) => {
                                assert_eq!(answer.status, 200);
                                answered += 1;
                            }
                            Err(_) => unseen += 1,
                        }
                    }
                    (answered, unseen)
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
        let mut unseen = 0;
        for passer in passers {
            let passed: (usize, usize) = timeout(PATIENCE, passer).await.unwrap().unwrap();
            answered += passed.0;
            unseen += passed.1;
        }
        // The kernel may accept one between the service's last look and the end of listening, some
        // microseconds later. Nothing can be done about that, and it should hardly ever happen.
        assert!(unseen <= 1, "{unseen} accepted requests were not answered");
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
