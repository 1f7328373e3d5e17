//! The process and what it takes: memory, file descriptors, processor time.

use std::time::Duration;

use keyward::service::process::allow_connections;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, address, request};
use crate::keyward_process::Keyward;
use crate::service::{Service, ran};

/// Resident memory of a process, in KiB.
pub fn resident(keyward: &Keyward) -> u64 {
    status(keyward, "VmRSS:")
}

fn status(keyward: &Keyward, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", keyward.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

pub fn open_files(keyward: &Keyward) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", keyward.id()));
    files.unwrap().count()
}

/// Hundredths of a second on a processor.
pub fn ticks(keyward: &Keyward) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", keyward.id())).unwrap();
    // The name, in parentheses, may hold anything. utime and stime are fields 14 and 15 of proc(5).
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum()
}

/// A connection whose client reads next to nothing: its buffer for what comes is as small as can be.
async fn unread(keyward: &Keyward) -> Connection {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    Connection::from(socket.connect(address(keyward)).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_take_little_memory() {
    const CLIENTS: usize = 400;
    allow_connections(2000);
    let service = Service::start(&[]).await;
    let before = resident(&service.keyward);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = unread(&service.keyward).await;
        // The largest answer that there is, of 1.6 MB, and without a token.
        client
            .send("GET /docs HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        clients.push(client);
    }
    let mut connection = service.connect().await;
    let me = connection.call("GET", "/api/me", &service.token, None);
    assert_eq!(me.await.unwrap().status, 200);
    // What the last of them asked for is being written by now.
    sleep(Duration::from_secs(1)).await;
    let grown = resident(&service.keyward).saturating_sub(before);
    println!("grown by {grown} KiB");
    assert!(grown < 100 * 1024, "grown by {grown} KiB");
    ran(CLIENTS, "client that does not read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_large_bodies_takes_little_memory() {
    const HELD: usize = 200;
    const FLOODS: usize = 40;
    let service = Service::start(&[]).await;
    let before = resident(&service.keyward);
    // Whole bodies but for their last byte, of somebody who may send them.
    let body = json!({"title": "x".repeat(65_000)});
    let whole = request("POST", "/api/tasks", &service.token, Some(&body));
    let mut held = Vec::new();
    for _ in 0..HELD {
        let mut connection = service.connect().await;
        connection.send(&whole[..whole.len() - 1]).await.unwrap();
        held.push(connection);
    }
    // And bodies without end, of anybody and of somebody.
    let floods: Vec<_> = (0..FLOODS)
        .map(|n| {
            let token = if n % 2 == 0 {
                "nobody"
            } else {
                &*service.token
            };
            let head = format!(
                "POST /api/tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
            let service_address = address(&service.keyward);
            tokio::spawn(async move {
                let mut connection = Connection::to(service_address).await.unwrap();
                connection.send(head).await.unwrap();
                // 10 MB, unless the service has had enough.
                for _ in 0..640 {
                    if connection.send(&chunk).await.is_err() {
                        break;
                    }
                }
                connection.answer().await.map(|answer| answer.status)
            })
        })
        .collect();
    for (n, flood) in floods.into_iter().enumerate() {
        // The service reads on for a while, and then the rest meets a reset.
        if let Ok(status) = flood.await.unwrap() {
            assert_eq!(status, if n % 2 == 0 { 401 } else { 413 });
        }
    }
    let grown = resident(&service.keyward).saturating_sub(before);
    println!("grown by {grown} KiB");
    // What is held is 13 MB, and no more than as much again and again.
    assert!(grown < 64 * 1024, "grown by {grown} KiB");
    for connection in &mut held {
        connection.send(&whole[whole.len() - 1..]).await.unwrap();
        let answer = connection.answer().await.unwrap();
        assert_eq!((answer.status, &*answer.code()), (400, "body_invalid"));
    }
    ran(HELD + FLOODS, "large body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_distinct_tokens_takes_little_memory() {
    const TOKENS: usize = 1200;
    let service = Service::start(&[("JWT_CACHE_ENTRIES", "500")]).await;
    let before = resident(&service.keyward);
    let mut connection = service.connect().await;
    let issuer = &service.auth.issuer;
    for n in 0..TOKENS {
        let mut claims = issuer.claims(&format!("user {n}"));
        // A picture, as some have. With what is kept of them, these would be 27 MB.
        claims["image"] = "x".repeat(10_000).into();
        let valid = issuer.sign(&claims);
        // Names of keys that there are none of are remembered too, but not all of them.
        let unknown = json!({"alg": "EdDSA", "kid": format!("{n}{}", "k".repeat(1000))});
        let unknown = issuer.key().sign(unknown.to_string(), claims.to_string());
        for (token, status) in [(&valid, 200), (&unknown, 401)] {
            let me = connection
                .call("GET", "/api/me", token, None)
                .await
                .unwrap();
            assert_eq!(me.status, status);
        }
    }
    let grown = resident(&service.keyward).saturating_sub(before);
    println!("grown by {grown} KiB");
    assert!(grown < 12 * 1024, "grown by {grown} KiB");
    ran(2 * TOKENS, "distinct token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_file_descriptors_it_neither_spins_nor_stays_away() {
    const SPARE: usize = 8;
    let service = Service::start(&[("HEADER_READ_TIMEOUT_SECONDS", "60")]).await;
    let limit = |files: &str| {
        let id = service.keyward.id().to_string();
        let done = std::process::Command::new("prlimit")
            .args(["--pid", &id, &format!("--nofile={files}:")])
            .status();
        assert!(done.expect("prlimit runs").success());
    };
    limit(&(open_files(&service.keyward) + SPARE).to_string());
    let mut idle = Vec::new();
    for _ in 0..3 * SPARE {
        idle.push(service.connect().await);
    }
    let before = ticks(&service.keyward);
    sleep(Duration::from_secs(1)).await;
    let spent = ticks(&service.keyward) - before;
    // A loop that spins takes nearly all of a hundred.
    assert!(spent < 30, "{spent} ticks in a second");
    // The idle ones make room, those before this one in the queue too.
    let began = Instant::now();
    let mut connection = service.connect().await;
    let tasks = connection
        .call("GET", "/api/tasks", &service.token, None)
        .await;
    assert_eq!(tasks.unwrap().status, 200);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "after {:?}",
        began.elapsed()
    );
    assert!(idle.iter().any(Connection::is_closed));

    limit("1024");
    for _ in 0..5 {
        let mut connection = service.connect().await;
        let began = Instant::now();
        let me = connection
            .call("GET", "/api/me", &service.token, None)
            .await;
        assert_eq!(me.unwrap().status, 200);
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "it does not recover"
        );
    }
    ran(3 * SPARE, "connection beyond the files that may be open");
}
