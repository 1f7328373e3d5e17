//! PostgreSQL that hangs, is locked, is stopped, killed or read-only while the service runs.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, address};
use crate::keyward_process::{Keyward, PATIENCE};
use crate::load::Load;
use crate::service::{Auth, Database, load_time, ran};

/// A second for a connection and one for a statement: a call ends after two.
const SHORT: &[(&str, &str)] = &[
    ("DATABASE_TIMEOUT_SECONDS", "1"),
    ("DATABASE_MAX_CONNECTIONS", "4"),
];
/// What a call may take, and as much again for whoever else uses the machine.
const BOUND: Duration = Duration::from_secs(5);

/// Clients that ask at once: each is told within the bound that the database is not available.
async fn is_unavailable_to_all(keyward: &Keyward, token: &str) {
    const CLIENTS: usize = 20;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (service, token) = (address(keyward), token.to_owned());
            tokio::spawn(async move {
                let mut connection = Connection::to(service).await.unwrap();
                let began = Instant::now();
                let task = json!({"title": "late"});
                let answer = match n % 2 {
                    0 => connection.call("GET", "/api/tasks", &token, None).await,
                    _ => {
                        connection
                            .call("POST", "/api/tasks", &token, Some(&task))
                            .await
                    }
                };
                let (answer, took) = (answer.unwrap(), began.elapsed());
                assert_eq!(
                    (answer.status, &*answer.code()),
                    (503, "database_unavailable")
                );
                assert_eq!(answer.header("retry-after"), Some("2"));
                assert!(took < BOUND, "after {took:?}");
            })
        })
        .collect();
    // Who needs no database is not held up, and readiness says what is lacking.
    let mut connection = Connection::open(keyward).await;
    for (path, status, limit) in [
        ("/healthz", 200, Duration::from_secs(1)),
        ("/api/me", 200, Duration::from_secs(1)),
        ("/readyz", 503, BOUND),
    ] {
        let began = Instant::now();
        let answer = connection.call("GET", path, token, None).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert!(
            began.elapsed() < limit,
            "{path} after {:?}",
            began.elapsed()
        );
    }
    for client in clients {
        client.await.unwrap();
    }
}

/// It serves again, by itself and soon.
async fn recovers(keyward: &Keyward, token: &str) {
    let mut connection = Connection::open(keyward).await;
    let began = Instant::now();
    loop {
        let list = connection.call("GET", "/api/tasks", token, None).await;
        if list.unwrap().status == 200 {
            break;
        }
        assert!(began.elapsed() < BOUND, "it does not recover");
        sleep(Duration::from_millis(50)).await;
    }
    let task = json!({"title": "after"});
    let made = connection
        .call("POST", "/api/tasks", token, Some(&task))
        .await;
    assert_eq!(made.unwrap().status, 201);
    let ready = connection.call("GET", "/readyz", token, None).await;
    assert_eq!(ready.unwrap().status, 200);
}

/// How many connections the service has, but for those in this state.
async fn connections_not(database: &Database, state: &'static str) -> usize {
    let count = database.on_cluster(move |cluster, url| {
        let query = format!(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'keyward' \
             AND datname = current_database() AND state <> '{state}'"
        );
        cluster.query(&url, &query)
    });
    count.await.parse().unwrap()
}

/// No connection is lost or left in the middle of something.
async fn pool_is_whole(database: &Database) {
    assert!(
        connections_not(database, "").await <= 4,
        "more than there may be"
    );
    let began = Instant::now();
    while connections_not(database, "idle").await > 0 {
        assert!(began.elapsed() < BOUND, "a connection is not idle again");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_a_503_in_bounded_time_and_recovers_without_a_restart() {
    let (auth, database) = (Auth::start().await, Database::postgres_alone().await);
    let keyward = auth.serve(&database.url(), SHORT).await;
    let token = auth.issuer.token("ada");
    let load = Load::start(address(&keyward), &token, 4);
    load.acknowledges(20).await;
    for _ in 0..2 {
        let frozen = database.on_cluster(|cluster, _| cluster.freeze()).await;
        is_unavailable_to_all(&keyward, &token).await;
        drop(frozen);
        recovers(&keyward, &token).await;
        load.acknowledges(20).await;
    }
    let report = load.stop().await;
    assert!(report.unavailable > 0);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert!(report.wrong.is_empty(), "{:?}", report.wrong);
    assert!(report.slowest < BOUND, "{:?}", report.slowest);
    pool_is_whole(&database).await;

    // Nor does it keep the service from stopping.
    let frozen = database.on_cluster(|cluster, _| cluster.freeze()).await;
    is_unavailable_to_all(&keyward, &token).await;
    let began = Instant::now();
    let (status, log) = keyward.stop().await;
    assert!(status.success(), "{log}");
    assert!(
        began.elapsed() < 2 * BOUND,
        "it took {:?} to stop",
        began.elapsed()
    );
    drop(frozen);
    ran(3, "PostgreSQL that hangs");
    database.close().await;
}

/// A way to a server that can be lost: what went this way goes nowhere any more, and nobody is told.
struct Way {
    port: u16,
    silence: watch::Sender<usize>,
}

impl Way {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silence, silenced) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut silenced = silenced.clone();
                tokio::spawn(async move {
                    silenced.borrow_and_update();
                    let mut far = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        // Both stay open, and nothing comes through.
                        _ = silenced.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, silence }
    }

    /// Loses all that goes this way now. New connections get through.
    fn lose(&self) {
        self.silence.send_modify(|times| *times += 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_have_gone_silent_are_given_up_for_new_ones() {
    let (auth, database) = (Auth::start().await, Database::postgres().await);
    let url = database.url();
    let server = url.split(['@', '/']).nth(3).unwrap().parse().unwrap();
    let way = Way::to(server).await;
    let through = url.replace(&server.to_string(), &format!("127.0.0.1:{}", way.port));
    let keyward = auth.serve(&through, SHORT).await;
    let token = auth.issuer.token("ada");
    // As many clients as connections, and more: all connections are at work when they are lost.
    let load = Load::start(address(&keyward), &token, 8);
    load.acknowledges(50).await;
    way.lose();
    // Each loses a statement, and then they go on.
    load.acknowledges(50).await;
    recovers(&keyward, &token).await;
    let report = load.stop().await;
    assert!(report.unavailable >= 4, "{} were lost", report.unavailable);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert!(report.wrong.is_empty(), "{:?}", report.wrong);
    assert!(report.slowest < BOUND, "{:?}", report.slowest);
    report
        .ledger
        .and_perhaps("after")
        .is_kept_by(address(&keyward), &token)
        .await;
    // Nor does it keep the service from stopping.
    way.lose();
    let began = Instant::now();
    let (status, log) = keyward.stop().await;
    assert!(status.success(), "{log}");
    assert!(
        began.elapsed() < 2 * BOUND,
        "it took {:?} to stop",
        began.elapsed()
    );
    ran(2, "PostgreSQL that has gone without a word");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_holds_is_a_503_in_bounded_time() {
    let (auth, database) = (Auth::start().await, Database::postgres().await);
    let keyward = auth.serve(&database.url(), SHORT).await;
    let token = auth.issuer.token("ada");
    let mut holder = database
        .on_cluster(|cluster, url| {
            let hold = "BEGIN; LOCK TABLE tasks; SELECT pg_sleep(60)";
            cluster
                .psql(&url, hold)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .await;
    let began = Instant::now();
    let is_held = "SELECT COUNT(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
                   AND relation = 'tasks'::regclass";
    while database
        .on_cluster(move |cluster, url| cluster.query(&url, is_held))
        .await
        != "1"
    {
        assert!(began.elapsed() < PATIENCE, "the lock is not held");
    }
    // `readyz` asks another table.
    let mut connection = Connection::open(&keyward).await;
    for _ in 0..2 {
        let began = Instant::now();
        let list = connection
            .call("GET", "/api/tasks", &token, None)
            .await
            .unwrap();
        assert_eq!((list.status, &*list.code()), (503, "database_unavailable"));
        assert!(began.elapsed() < BOUND, "after {:?}", began.elapsed());
    }
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' \
               AND pid <> pg_backend_pid() AND datname = current_database()";
    database
        .on_cluster(move |cluster, url| cluster.query(&url, end))
        .await;
    recovers(&keyward, &token).await;
    pool_is_whole(&database).await;
    tokio::task::spawn_blocking(move || holder.wait())
        .await
        .unwrap()
        .unwrap();
    ran(1, "lock on PostgreSQL");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_restarted_under_load_loses_nothing_that_was_acknowledged() {
    let (auth, database) = (Auth::start().await, Database::postgres_alone().await);
    let keyward = auth.serve(&database.url(), SHORT).await;
    let token = auth.issuer.token("ada");
    let load = Load::start(address(&keyward), &token, 6);
    // As an operator does, and as a crash does.
    for signal in ["INT", "QUIT"] {
        load.acknowledges(30).await;
        database
            .on_cluster(move |cluster, _| cluster.restart(signal))
            .await;
        recovers(&keyward, &token).await;
        load.acknowledges(30).await;
    }
    sleep(load_time()).await;
    let report = load.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert!(report.wrong.is_empty(), "{:?}", report.wrong);
    assert!(report.slowest < BOUND, "{:?}", report.slowest);
    // `recovers` makes a task of ada's each time.
    report
        .ledger
        .and_perhaps("after")
        .and_perhaps("after")
        .is_kept_by(address(&keyward), &token)
        .await;
    pool_is_whole(&database).await;
    ran(
        report.acknowledged,
        "write acknowledged around PostgreSQL's restarts",
    );
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ends_are_replaced_and_a_read_only_server_still_reads() {
    let (auth, database) = (Auth::start().await, Database::postgres().await);
    let keyward = auth.serve(&database.url(), SHORT).await;
    let token = auth.issuer.token("ada");
    let end = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE \
               application_name = 'keyward' AND datname = current_database()";
    let mut connection = Connection::open(&keyward).await;
    let task = json!({"title": "task"});
    for (is_read_only, expected) in [(false, 201), (true, 503), (false, 201)] {
        // As after a failover: connections end, and new ones meet another state.
        database
            .on_cluster(move |cluster, url| {
                let name = url.rsplit('/').next().unwrap();
                let set = format!(
                    "ALTER DATABASE {name} SET default_transaction_read_only = {is_read_only}"
                );
                // This statement's own session is not to have the setting of before.
                let writable = "?options=-c%20default_transaction_read_only%3Doff";
                cluster.execute(&format!("{url}{writable}"), &set);
                assert_ne!(cluster.query(&url, end), "0");
            })
            .await;
        let list = connection.call("GET", "/api/tasks", &token, None).await;
        assert_eq!(
            list.unwrap().status,
            200,
            "an idle connection that was ended is noticed"
        );
        let made = connection
            .call("POST", "/api/tasks", &token, Some(&task))
            .await
            .unwrap();
        assert_eq!(made.status, expected, "read-only: {is_read_only}");
        assert_eq!(
            made.status == 503,
            is_read_only && made.code() == "database_unavailable"
        );
    }
    pool_is_whole(&database).await;
    ran(3, "PostgreSQL that ends connections");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_cancelled_in_the_middle_of_a_statement_give_their_connections_back() {
    const EACH: usize = 20;
    let (auth, database) = (Auth::start().await, Database::postgres().await);
    let keyward = auth.serve(&database.url(), SHORT).await;
    let token = auth.issuer.token("ada");
    // Statements take their time: each write sleeps.
    database
        .on_cluster(|cluster, url| {
            cluster.execute(
                &url,
                "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END $$; \
                 CREATE TRIGGER slow BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION slow()",
            );
        })
        .await;
    for _ in 0..3 {
        // HTTP/2 tells the service that nobody waits any more; HTTP/1 only when it answers.
        crate::http2::cancel(&keyward, &token, EACH).await;
        for _ in 0..EACH {
            let mut connection = Connection::open(&keyward).await;
            let task = json!({"title": "nobody waits"});
            let request = crate::client::request("POST", "/api/tasks", &token, Some(&task));
            connection.send(request).await.unwrap();
            connection.reset();
        }
    }
    let drop = "DROP TRIGGER slow ON tasks";
    database
        .on_cluster(move |cluster, url| cluster.execute(&url, drop))
        .await;
    recovers(&keyward, &token).await;
    pool_is_whole(&database).await;
    ran(6 * EACH, "request cancelled in a statement");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_killed_under_load_loses_nothing_that_was_acknowledged() {
    let database = Database::postgres().await;
    let acknowledged = crate::sqlite::is_kept_over_kills(&database).await;
    ran(
        acknowledged,
        "write acknowledged before kill -9, PostgreSQL",
    );
    database.close().await;
}
