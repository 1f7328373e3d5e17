//! Replicas behind a proxy, on one PostgreSQL and with a real Better Auth: started at once, with keys
//! that are rotated, stopped in order and killed.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::better_auth_server::BetterAuth;
use crate::client::{Connection, address};
use crate::keyward_process::{Keyward, PATIENCE, client};
use crate::load::Load;
use crate::proxy::Proxy;
use crate::service::{Database, load_time, ran};

const CLIENTS: usize = 8;
const ROTATIONS: usize = 3;

struct Replica {
    keyward: Keyward,
    /// From the start of the process until `/readyz` said so.
    ready_after: Duration,
}

impl Replica {
    async fn start(auth: &BetterAuth, database: &str) -> Self {
        let began = Instant::now();
        let keyward = Keyward::serve(&[
            ("BETTER_AUTH_URL", auth.url()),
            ("DATABASE_URL", database),
            ("METRICS_ADDR", "127.0.0.1:0"),
        ])
        .await;
        let mut connection = Connection::open(&keyward).await;
        loop {
            let ready = connection.call("GET", "/readyz", "", None).await.unwrap();
            if ready.status == 200 {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{}", ready.code());
            sleep(Duration::from_millis(5)).await;
        }
        Self {
            keyward,
            ready_after: began.elapsed(),
        }
    }

    fn address(&self) -> SocketAddr {
        address(&self.keyward)
    }

    /// How often it has fetched the key set.
    async fn fetches(&self) -> u64 {
        let url = self.keyward.greeting.split_once("metrics at ").unwrap().1;
        let request = client().get(url.lines().next().unwrap().trim());
        let metrics = request.send().await.unwrap().text().await.unwrap();
        let counts = metrics.lines().filter_map(|line| {
            let (series, count) = line.rsplit_once(' ')?;
            let counted = series.starts_with("keyward_key_set_refreshes_total{");
            counted.then(|| count.parse::<f64>().unwrap() as u64)
        });
        counts.sum()
    }
}

/// "Accepted" is a request that was sent to a replica. Of a replica that is stopped none is lost; of
/// one that is killed those are that were sent to it and not answered. What was acknowledged is there
/// in both cases, once; what was lost has happened once or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_come_and_go_and_nothing_acknowledged_is_lost_or_doubled() {
    let auth = BetterAuth::start(json!({})).await;
    let ada = auth.sign_up("Ada", "ada@example.com").await;
    let token = auth.token(&ada).await;
    let database = Database::postgres_alone().await;
    let url = database.url();

    // The database is empty: whoever comes first migrates, and the others wait.
    let (one, two, three) = tokio::join!(
        Replica::start(&auth, &url),
        Replica::start(&auth, &url),
        Replica::start(&auth, &url),
    );
    let starts = [&one, &two, &three].map(|replica| replica.ready_after);
    let migrations = database.on_cluster(|cluster, url| {
        cluster.query(&url, "SELECT count(*) FROM _sqlx_migrations WHERE success")
    });
    let known = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres"));
    assert_eq!(migrations.await, known.unwrap().count().to_string());
    assert!(three.keyward.stop().await.0.success());

    let before = auth.jwks_requests().await;
    let proxy = Proxy::start(vec![one.address(), two.address()]).await;
    let load = Load::start(proxy.address, &token, CLIENTS);
    load.acknowledges(50).await;

    // Keys are rotated under load: each token reaches both replicas, which have not seen its key.
    let mut oldest = token.clone();
    for _ in 0..ROTATIONS {
        auth.rotate().await;
        oldest = auth.token(&ada).await;
        load.continues_with(&oldest);
        load.acknowledges(50).await;
        sleep(load_time() / 10).await;
    }
    let fetches = [one.fetches().await, two.fetches().await];
    let asked = auth.jwks_requests().await - before;
    assert_eq!(asked as usize, 2 * ROTATIONS, "one each, for each new key");
    assert_eq!(fetches, [1 + ROTATIONS as u64; 2]);

    // Stopped as for an upgrade, and replaced.
    let stopping = Instant::now();
    let (status, log) = one.keyward.stop().await;
    let stopped_after = stopping.elapsed();
    assert!(status.success() && log.contains(r#""aborted":0"#), "{log}");
    load.acknowledges(50).await;
    let one = Replica::start(&auth, &url).await;
    proxy.replicas(vec![one.address(), two.address()]);
    load.acknowledges(50).await;
    let stopped = load.stop().await;
    assert!(stopped.failed.is_empty(), "{:?}", stopped.failed);
    assert!(stopped.wrong.is_empty(), "{:?}", stopped.wrong);
    assert_eq!((stopped.unavailable, proxy.lost()), (0, 0));

    // Killed, and not replaced.
    let load = Load::start(proxy.address, &oldest, CLIENTS);
    load.acknowledges(100).await;
    two.keyward.signal("KILL");
    let killed = Instant::now();
    load.acknowledges(50).await;
    let recovered_after = killed.elapsed();
    two.keyward.ended().await;
    sleep(load_time() / 5).await;
    let crashed = load.stop().await;
    assert!(crashed.wrong.is_empty(), "{:?}", crashed.wrong);
    assert_eq!(crashed.unavailable, 0);
    let lost = crashed.failed.len();
    // One for each connection that the proxy kept to it: those in flight, and those that were used
    // again before the kernel had closed them.
    assert!(lost <= 2 * CLIENTS, "{:?}", crashed.failed);
    assert_eq!(lost, proxy.lost());

    let acknowledged = stopped.acknowledged + crashed.acknowledged;
    let mut kept = stopped.ledger;
    kept.merge(crashed.ledger);
    kept.is_kept_by(one.address(), &oldest).await;
    println!(
        "started at once: ready after {:?} ms; one more: {} ms",
        starts.map(|start| start.as_millis()),
        one.ready_after.as_millis()
    );
    println!(
        "{} requests, {acknowledged} acknowledged; {ROTATIONS} rotations, fetches of each replica: {fetches:?}",
        proxy.requests()
    );
    println!(
        "SIGTERM: gone after {} ms, 0 lost, passed over {} times",
        stopped_after.as_millis(),
        proxy.passed_over()
    );
    println!(
        "SIGKILL: {lost} requests of {CLIENTS} clients lost, 50 writes later after {} ms; acknowledged and missing: 0, \
         doubled: 0, of {} tasks",
        recovered_after.as_millis(),
        kept.tasks()
    );
    drop(one);
    database.close().await;
    ran(
        acknowledged,
        "write acknowledged by replicas behind a proxy",
    );
}
