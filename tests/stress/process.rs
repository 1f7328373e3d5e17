//! The process and what it takes: memory, file descriptors, processor time.

use std::process::Command;
use std::time::Duration;

use keyward::service::process::allow_connections;
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
    assert!(grown < 100 * 1024, "grown by {grown} KiB");
    ran(CLIENTS, "client that does not read");
}
