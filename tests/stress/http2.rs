//! What HTTP/2 lets a client do to a server: each known flood, frame by frame. hyper and h2 bound
//! most of them; here is seen that the bounds are there, and that nobody else notices.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::client::address;
use crate::keyward_process::{Keyward, PATIENCE};
use crate::process::{resident, ticks};
use crate::service::{Service, ran};

// RFC 9113 §6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

// RFC 9113 §7.
const PROTOCOL_ERROR: u32 = 1;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

#[derive(Debug)]
struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header field as HPACK writes it without its tables (RFC 7541 §6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        // RFC 7541 §5.1.
        match text.len() {
            len @ 0..127 => field.push(u8::try_from(len).unwrap()),
            len => {
                field.push(127);
                let mut rest = len - 127;
                while rest >= 128 {
                    field.push(u8::try_from(rest % 128 + 128).unwrap());
                    rest /= 128;
                }
                field.push(u8::try_from(rest).unwrap());
            }
        }
        field.extend(text.as_bytes());
    }
    field
}

/// The head of a request for a path.
fn head(method: &str, path: &str, token: Option<&str>) -> Vec<u8> {
    let mut head = [
        field(":method", method),
        field(":scheme", "http"),
        field(":path", path),
        field(":authority", "x"),
    ]
    .concat();
    if let Some(token) = token {
        head.extend(field("authorization", &format!("Bearer {token}")));
        head.extend(field("content-type", "application/json"));
    }
    head
}

/// A head in one HEADERS frame and as many CONTINUATION frames as it takes.
fn head_frames(stream: u32, head: &[u8]) -> Vec<u8> {
    let pieces: Vec<_> = head.chunks(16_384).collect();
    let frames = pieces.iter().enumerate().map(|(n, piece)| {
        let kind = if n == 0 { HEADERS } else { CONTINUATION };
        let end_stream = if n == 0 { END_STREAM } else { 0 };
        let is_last = n + 1 == pieces.len();
        let end_headers = if is_last { END_HEADERS } else { 0 };
        frame(kind, end_stream | end_headers, stream, piece)
    });
    frames.collect::<Vec<_>>().concat()
}

fn odd(n: u32) -> u32 {
    2 * n + 1
}

struct Client(TcpStream);

impl Client {
    async fn connect(service: &Service) -> Self {
        Self::open(&service.keyward).await
    }

    async fn open(keyward: &Keyward) -> Self {
        let mut stream = TcpStream::connect(address(keyward)).await.unwrap();
        let preface = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, 0, b""),
        ];
        stream.write_all(&preface.concat()).await.unwrap();
        Self(stream)
    }

    /// Sends all, while it reads so that nothing gets stuck: the frames that come until these are
    /// enough, or until the service closes the connection.
    async fn send(self, bytes: Vec<u8>, enough: impl Fn(&[Frame]) -> bool) -> Vec<Frame> {
        let (mut reader, mut writer) = self.0.into_split();
        let sending = tokio::spawn(async move {
            // It may close the connection in the middle.
            let _ = writer.write_all(&bytes).await;
            writer
        });
        let mut received = Vec::new();
        let receive = async {
            while reader
                .read_buf(&mut received)
                .await
                .is_ok_and(|len| len > 0)
            {
                if enough(&frames(&received)) {
                    break;
                }
            }
        };
        timeout(PATIENCE, receive)
            .await
            .expect("an answer, or an end");
        sending.abort();
        frames(&received)
    }
}

fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while bytes.len() >= 9 {
        let len = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        if bytes.len() < 9 + len {
            break;
        }
        frames.push(Frame {
            kind: bytes[3],
            stream: u32::from_be_bytes(bytes[5..9].try_into().unwrap()),
            payload: bytes[9..9 + len].to_vec(),
        });
        bytes = &bytes[9 + len..];
    }
    frames
}

/// How the service answers an abuse.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The connection is ended, for this reason.
    Ended(u32),
    /// The stream is ended, for this reason.
    Reset(u32),
    /// With a 431.
    TooLarge,
    /// It is borne: the connection serves another request afterwards.
    Borne,
}

/// An abuse: its name, its bytes, and what is made of them.
fn abuses(token: &str) -> Vec<(&'static str, Vec<u8>, Verdict)> {
    let get = head("GET", "/healthz", None);
    let post = head("POST", "/api/tasks", Some(token));
    let with = |fields: &[(&str, &str)]| {
        let mut head = get.clone();
        for (name, value) in fields {
            head.extend(field(name, value));
        }
        head_frames(1, &head)
    };
    let reset = |n| frame(RST_STREAM, 0, odd(n), &CANCEL.to_be_bytes());
    let repeat = |count: u32, frame: &dyn Fn(u32) -> Vec<u8>| {
        (0..count).map(frame).collect::<Vec<_>>().concat()
    };
    let long = "y".repeat(1000);
    let many_fields: Vec<(String, &str)> = (0..80).map(|n| (format!("x{n}"), &*long)).collect();
    let many_fields: Vec<(&str, &str)> = many_fields.iter().map(|(n, v)| (&**n, *v)).collect();
    // One field that is put into HPACK's table, and then named again and again by one byte.
    let mut bomb = get.clone();
    bomb.push(0x40);
    bomb.extend(&field("x", &"y".repeat(3900))[1..]);
    bomb.extend(vec![0xbe; 20_000]);
    let unfinished = frame(HEADERS, END_STREAM, 1, &get);
    use Verdict::{Borne, Ended, Reset, TooLarge};
    vec![
        // CVE-2023-44487.
        (
            "rapid reset",
            repeat(5000, &|n| [head_frames(odd(n), &get), reset(n)].concat()),
            Ended(ENHANCE_YOUR_CALM),
        ),
        // CVE-2024-27316 and its like.
        (
            "a flood of CONTINUATION",
            [
                unfinished.clone(),
                repeat(2000, &|n| {
                    frame(CONTINUATION, 0, 1, &field(&format!("x{n}"), &long))
                }),
            ]
            .concat(),
            Ended(ENHANCE_YOUR_CALM),
        ),
        (
            "a flood of empty CONTINUATION",
            [
                unfinished,
                repeat(50_000, &|_| frame(CONTINUATION, 0, 1, b"")),
            ]
            .concat(),
            Ended(ENHANCE_YOUR_CALM),
        ),
        ("fields of 80 KiB", with(&many_fields), TooLarge),
        (
            "fields of 80 MB in 20 KB",
            head_frames(1, &bomb),
            Ended(ENHANCE_YOUR_CALM),
        ),
        // CVE-2019-9518.
        (
            "a flood of empty DATA",
            [
                frame(HEADERS, END_HEADERS, 1, &post),
                repeat(50_000, &|_| frame(DATA, 0, 1, b"")),
            ]
            .concat(),
            Ended(ENHANCE_YOUR_CALM),
        ),
        // CVE-2019-9512, -9515, -9513 and the like: each costs as much to send as to read.
        (
            "a flood of PING",
            repeat(50_000, &|_| frame(PING, 0, 0, b"12345678")),
            Borne,
        ),
        (
            "a flood of SETTINGS",
            repeat(50_000, &|_| frame(SETTINGS, 0, 0, b"")),
            Borne,
        ),
        (
            "a flood of PRIORITY",
            repeat(50_000, &|_| frame(PRIORITY, 0, 99, b"\0\0\0\0\x01")),
            Borne,
        ),
        (
            "a flood of WINDOW_UPDATE",
            repeat(50_000, &|_| {
                frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())
            }),
            Borne,
        ),
        (
            "a window beyond its bounds",
            repeat(2, &|_| {
                frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes())
            }),
            Ended(3),
        ),
        (
            "a frame of a mebibyte",
            frame(DATA, 0, 1, &vec![0; 1024 * 1024]),
            Ended(FRAME_SIZE_ERROR),
        ),
        (
            "DATA for a stream that never was",
            frame(DATA, 0, 1, b"x"),
            Ended(PROTOCOL_ERROR),
        ),
        (
            "a stream of the server's",
            head_frames(2, &get),
            Ended(PROTOCOL_ERROR),
        ),
        (
            "a field of HTTP/1.1",
            with(&[("transfer-encoding", "chunked")]),
            Reset(PROTOCOL_ERROR),
        ),
        (
            "a connection to close",
            with(&[("connection", "close")]),
            Reset(PROTOCOL_ERROR),
        ),
        (
            "a length that is not so",
            with(&[("content-length", "5")]),
            Reset(PROTOCOL_ERROR),
        ),
        (
            "a name in capitals",
            with(&[("Upper", "x")]),
            Ended(PROTOCOL_ERROR),
        ),
        (
            "a line end in a value",
            with(&[("x", "a\r\nb: c")]),
            Ended(PROTOCOL_ERROR),
        ),
        (
            "no path, which is a path that is not there",
            head_frames(
                1,
                &[field(":method", "GET"), field(":scheme", "http")].concat(),
            ),
            Borne,
        ),
    ]
}

/// Begins to make so many tasks, and says of each, while the database is at it, that nobody waits.
pub async fn cancel(keyward: &Keyward, token: &str, count: usize) {
    let post = head("POST", "/api/tasks", Some(token));
    let body = br#"{"title":"nobody waits"}"#;
    let mut client = Client::open(keyward).await;
    let streams = 0..u32::try_from(count).unwrap();
    let requests = streams.clone().map(|n| {
        let head = frame(HEADERS, END_HEADERS, odd(n), &post);
        [head, frame(DATA, END_STREAM, odd(n), body)].concat()
    });
    let resets = streams.map(|n| frame(RST_STREAM, 0, odd(n), &CANCEL.to_be_bytes()));
    client
        .0
        .write_all(&requests.collect::<Vec<_>>().concat())
        .await
        .unwrap();
    // A ping is answered once what came before it was read.
    client
        .0
        .write_all(&frame(PING, 0, 0, b"12345678"))
        .await
        .unwrap();
    let mut received = Vec::new();
    while !frames(&received).iter().any(|frame| frame.kind == PING) {
        let read = timeout(PATIENCE, client.0.read_buf(&mut received)).await;
        assert_ne!(read.unwrap().unwrap(), 0);
    }
    client
        .0
        .write_all(&resets.collect::<Vec<_>>().concat())
        .await
        .unwrap();
    client
        .0
        .write_all(&frame(PING, 0, 0, b"12345678"))
        .await
        .unwrap();
    let pings = |received: &[u8]| {
        let frames = frames(received);
        frames.iter().filter(|frame| frame.kind == PING).count()
    };
    while pings(&received) < 2 {
        let read = timeout(PATIENCE, client.0.read_buf(&mut received)).await;
        assert_ne!(read.unwrap().unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_abuse_is_ended_or_borne_and_nobody_else_notices() {
    let service = Service::start(&[]).await;
    let before = resident(&service.keyward);
    let mut wrong = Vec::new();
    let abuses = abuses(&service.token);
    let cases = abuses.len();
    for (name, bytes, expected) in abuses {
        let client = Client::connect(&service).await;
        // A request at the end, of a stream of its own, tells whether the connection still serves.
        let last = 1_000_001;
        let probe = head_frames(last, &head("GET", "/healthz", None));
        let processor = ticks(&service.keyward);
        let is_answered = move |frames: &[Frame]| {
            let mut heads = frames.iter().filter(|frame| frame.kind == HEADERS);
            heads.any(|head| head.stream == last)
        };
        let abuse = tokio::spawn(client.send([bytes, probe].concat(), is_answered));
        let mut slowest = Duration::ZERO;
        loop {
            let began = Instant::now();
            let mut other = service.connect().await;
            let me = other.call("GET", "/api/me", &service.token, None);
            assert_eq!(me.await.unwrap().status, 200, "{name}");
            slowest = slowest.max(began.elapsed());
            if abuse.is_finished() {
                break;
            }
        }
        let frames = abuse.await.unwrap();
        let of = |kind, stream| {
            frames
                .iter()
                .find(move |frame| frame.kind == kind && frame.stream == stream)
        };
        let goaway = of(GOAWAY, 0).map(|frame| frame.number(4));
        let verdict = match (goaway, of(RST_STREAM, 1), of(HEADERS, 1), of(HEADERS, last)) {
            (Some(reason), ..) => Some(Verdict::Ended(reason)),
            (None, Some(reset), ..) => Some(Verdict::Reset(reset.number(0))),
            // `:status: 431`, a literal value in Huffman's code.
            (None, None, Some(answer), _) if answer.payload.ends_with(b"\x83\x69\x90\xff") => {
                Some(Verdict::TooLarge)
            }
            (None, None, _, Some(_)) => Some(Verdict::Borne),
            _ => None,
        };
        if verdict.as_ref() != Some(&expected) {
            wrong.push(format!("{name}: {verdict:?} instead of {expected:?}"));
        }
        let processor = ticks(&service.keyward) - processor;
        println!("{name}: {verdict:?}, others waited {slowest:?}, {processor} ticks");
        assert!(
            slowest < Duration::from_secs(5),
            "{name}: others waited {slowest:?}"
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let grown = resident(&service.keyward).saturating_sub(before);
    println!("grown by {grown} KiB");
    assert!(grown < 64 * 1024, "grown by {grown} KiB");
    ran(cases, "abuse of HTTP/2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_has_a_hundred_streams_and_the_rest_is_refused() {
    let service = Service::start(&[]).await;
    // Bodies that never come keep them open.
    let post = head("POST", "/api/tasks", Some(&service.token));
    let open = (0..1000).map(|n| frame(HEADERS, END_HEADERS, odd(n), &post));
    let client = Client::connect(&service).await;
    let refused = |frames: &[Frame]| {
        let resets = frames.iter().filter(|frame| frame.kind == RST_STREAM);
        resets
            .filter(|reset| reset.number(0) == REFUSED_STREAM)
            .count()
    };
    let all = |frames: &[Frame]| refused(frames) == 900;
    let frames = client.send(open.collect::<Vec<_>>().concat(), all).await;
    assert_eq!(refused(&frames), 900);
    ran(1000, "stream on one connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_a_window_of_zero_holds_back_take_little_memory() {
    let service = Service::start(&[]).await;
    let before = resident(&service.keyward);
    let docs = head("GET", "/docs", None);
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address(&service.keyward)).await.unwrap();
        // SETTINGS_INITIAL_WINDOW_SIZE of 0: not a byte of a body may be sent.
        let settings = frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0");
        let requests = (0..100).map(|n| head_frames(odd(n), &docs));
        let bytes = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            settings,
            frame(SETTINGS, ACK, 0, b""),
            requests.collect::<Vec<_>>().concat(),
        ];
        stream.write_all(&bytes.concat()).await.unwrap();
        clients.push(stream);
    }
    for stream in &mut clients {
        let mut received = Vec::new();
        let is_head = |frame: &Frame| frame.kind == HEADERS;
        while frames(&received).into_iter().filter(is_head).count() < 100 {
            let read = timeout(PATIENCE, stream.read_buf(&mut received)).await;
            assert_ne!(read.unwrap().unwrap(), 0);
        }
    }
    let grown = resident(&service.keyward).saturating_sub(before);
    println!("grown by {grown} KiB");
    assert!(grown < 64 * 1024, "grown by {grown} KiB");
    ran(2000, "answer of 1.6 MB held back");
}
