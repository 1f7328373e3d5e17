//! Clients that keep the service waiting, that are too many, or that go away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keyward::service::process::allow_connections;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Connection, address, request};
use crate::keyward_process::PATIENCE;
use crate::process::{open_files, resident};
use crate::service::{Service, load_time, ran};

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// How clients keep a service waiting: what they send first, and whether they then drip.
fn slow_clients(token: &str) -> Vec<(&'static str, Vec<u8>, bool)> {
    let half_body = format!(
        "POST /api/tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 60000\r\n\r\n{{"
    );
    let chunks = half_body.replace("content-length: 60000", "transfer-encoding: chunked");
    vec![
        ("nothing", vec![], false),
        (
            "half a head",
            b"GET /healthz HTTP/1.1\r\nx: ".to_vec(),
            true,
        ),
        ("half a preface", b"PRI * HTTP/2".to_vec(), false),
        ("one request", HEALTHZ.into(), false),
        ("HTTP/2 without a request", H2_PREFACE.into(), false),
        ("half a body", half_body.into(), true),
        (
            "no end of chunks",
            chunks.trim_end_matches('{').into(),
            false,
        ),
        (
            "an answer that it does not read",
            HEALTHZ.replace("healthz", "docs").into(),
            false,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_that_keep_it_waiting_keep_nobody_out() {
    const CLIENTS: usize = 1000;
    allow_connections(2 * CLIENTS);
    let service = Service::start(&[]).await;
    let (before, files) = (resident(&service.keyward), open_files(&service.keyward));
    let kinds = slow_clients(&service.token);
    let (stop, opened) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let service_address = address(&service.keyward);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (_, start, drips) = kinds[n % kinds.len()].clone();
            let (stop, opened) = (stop.clone(), opened.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let Ok(mut connection) = Connection::to(service_address).await else {
                        continue;
                    };
                    opened.fetch_add(1, Ordering::Relaxed);
                    let mut open = connection.send(&start).await.is_ok();
                    while open && !stop.load(Ordering::Relaxed) {
                        sleep(Duration::from_millis(500)).await;
                        // Whoever was closed comes again.
                        open = !connection.is_closed();
                        if drips {
                            open &= connection.send(b"x").await.is_ok();
                        }
                    }
                }
            })
        })
        .collect();
    while opened.load(Ordering::Relaxed) < CLIENTS {
        sleep(Duration::from_millis(20)).await;
    }

    // Who asks is answered: on connections of its own, and on one that it keeps busy.
    let keeper = tokio::spawn(keep_asking(
        service_address,
        service.token.clone(),
        stop.clone(),
    ));
    let (mut slowest, beginning) = (Duration::ZERO, Instant::now());
    // For as long as it takes the slow ones to be closed, to come again, and to be closed again.
    while beginning.elapsed() < 2 * load_time() {
        let began = Instant::now();
        let mut connection = service.connect().await;
        let me = connection.call("GET", "/api/me", &service.token, None);
        assert_eq!(me.await.unwrap().status, 200);
        slowest = slowest.max(began.elapsed());
    }
    // Less than any of them would have to wait for a limit in time.
    assert!(slowest < Duration::from_secs(5), "waited {slowest:?}");
    // The test's own connections are open on this side only, so these are the service's.
    let open = open_files(&service.keyward) - files;
    assert!(open <= 512 + 16, "{open} files");
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let kept = keeper.await.unwrap();
    let grown = resident(&service.keyward).saturating_sub(before);
    println!("grown by {grown} KiB");
    assert!(grown < 150 * 1024, "grown by {grown} KiB");
    // SQLite's readers may all be open by now.
    returns_to(&service, files + 16).await;
    let opened = opened.load(Ordering::Relaxed);
    println!("slowest among slow clients: {slowest:?}; {kept} kept, {opened} opened");
    ran(CLIENTS, "client that keeps the service waiting");
}

/// Asks again and again on one connection: how often. It may be closed only where this test was too
/// slow to use it, for then it looks like any other that waits.
async fn keep_asking(service: SocketAddr, token: String, stop: Arc<AtomicBool>) -> usize {
    let mut connection = Connection::to(service).await.unwrap();
    let mut answers = 0;
    let mut last = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        match connection.call("GET", "/api/tasks", &token, None).await {
            Ok(list) => {
                assert_eq!(list.status, 200);
                answers += 1;
            }
            Err(error) => {
                let waited = last.elapsed();
                assert!(
                    waited > Duration::from_millis(900),
                    "{error} after {waited:?}"
                );
                connection = Connection::to(service).await.unwrap();
            }
        }
        last = Instant::now();
        sleep(Duration::from_millis(20)).await;
    }
    answers
}

/// Waits until no more than so many files are open.
async fn returns_to(service: &Service, files: usize) {
    let began = Instant::now();
    loop {
        let open = open_files(&service.keyward);
        if open <= files {
            return;
        }
        assert!(began.elapsed() < PATIENCE / 2, "{open} files stay open");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_limit_in_time_is_what_its_variable_says() {
    let service = Service::start(&[
        ("HEADER_READ_TIMEOUT_SECONDS", "1"),
        ("IDLE_TIMEOUT_SECONDS", "2"),
        ("REQUEST_TIMEOUT_SECONDS", "3"),
    ])
    .await;
    let slow = slow_clients(&service.token);
    let rows = slow.into_iter().filter_map(|(what, start, _)| {
        let (seconds, answer) = match what {
            // Until its first request, HTTP/2 has sent no whole head either.
            "nothing" | "half a head" | "half a preface" | "HTTP/2 without a request" => (1, ""),
            "one request" => (2, "HTTP/1.1 200"),
            "half a body" | "no end of chunks" => (3, "HTTP/1.1 503"),
            _ => return None,
        };
        let service_address = address(&service.keyward);
        Some(async move {
            let mut connection = Connection::to(service_address).await.unwrap();
            let began = Instant::now();
            connection.send(&start).await.unwrap();
            let received = connection.until_closed(PATIENCE).await;
            let took = began.elapsed();
            let text = String::from_utf8_lossy(&received).into_owned();
            assert!(text.starts_with(answer), "{what}: {text}");
            assert_eq!(text.contains("timed_out"), seconds == 3, "{what}: {text}");
            // Half a second for whoever else uses the machine, beside what the server lingers.
            let (least, most) = (seconds * 1000 - 50, seconds * 1000 + 3500);
            let took = took.as_millis();
            assert!((least..most).contains(&took), "{what}: {took} ms");
        })
    });
    let rows: Vec<_> = rows.map(tokio::spawn).collect();
    let cases = rows.len();
    for row in rows {
        row.await.unwrap();
    }
    ran(cases, "limit in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_goes_away_in_the_middle_leaves_nothing_behind() {
    const EACH: usize = 60;
    let service = Service::start(&[("MAX_CONNECTIONS", "50")]).await;
    let (before, files) = (resident(&service.keyward), open_files(&service.keyward));
    let body = json!({"title": "made or not", "completed": true});
    let whole = request("POST", "/api/tasks", &service.token, Some(&body));
    // As far as it gets, and whether it is reset instead of closed.
    let ends = [
        1,
        40,
        whole.len() - body.to_string().len(),
        whole.len() - 1,
        whole.len(),
    ];
    for _ in 0..EACH {
        for (end, is_reset) in ends.iter().flat_map(|end| [(*end, false), (*end, true)]) {
            let mut connection = service.connect().await;
            connection.send(&whole[..end]).await.unwrap();
            if is_reset {
                connection.reset();
            }
        }
    }
    // As many at once as there may be: no place is lost.
    let mut connections = Vec::new();
    for _ in 0..50 {
        connections.push(service.connect().await);
    }
    let asked = connections.iter_mut().map(|connection| async {
        let me = connection.call("GET", "/api/me", &service.token, None);
        let me = timeout(PATIENCE, me).await.expect("a place").unwrap();
        assert_eq!(me.status, 200);
    });
    for me in asked {
        me.await;
    }
    let mut made = 0;
    let mut cursor = String::new();
    loop {
        let path = format!("/api/tasks?limit=100{cursor}");
        let page = connections[0]
            .call("GET", &path, &service.token, None)
            .await;
        let page = page.unwrap().json();
        for task in page["items"].as_array().unwrap() {
            assert_eq!(
                (&task["title"], &task["completed"]),
                (&body["title"], &body["completed"])
            );
            made += 1;
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(
        made >= EACH,
        "{made} tasks of those that were asked for to the end and not reset"
    );
    assert!(
        made <= 2 * EACH,
        "{made} tasks of {} whole requests",
        2 * EACH
    );
    drop(connections);
    // SQLite's readers may all be open by now.
    returns_to(&service, files + 16).await;
    let grown = resident(&service.keyward).saturating_sub(before);
    println!("grown by {grown} KiB");
    assert!(grown < 50 * 1024, "grown by {grown} KiB");
    ran(EACH * ends.len() * 2, "client that goes away");
}
