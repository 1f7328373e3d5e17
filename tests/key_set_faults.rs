//! What an auth server can do wrong, and what users of a verifier notice of it.
//!
//! Each row is a test: a real server that misbehaves, the real HTTP fetcher, and a clock that is
//! simulated (`support/simulated.rs`), so that minutes pass in no time. A row says what the fault is
//! taken for; the same for all is what must follow from it. With keys at hand, tokens of known keys
//! are accepted without waiting, all others get an answer in bounded time, and none is called false
//! that may be genuine. Without keys, the answer is a 503. Fetches are bounded, and once the server is
//! well again, so is the service, by itself and in bounded time.
//!
//! `cargo test --test key_set_faults -- --nocapture` prints the table. The longest faults, a day
//! without the auth server for example, are in `key_set_life.rs`; what the HTTP fetcher alone makes of
//! an answer, in `http_fetch.rs`; TLS, in `key_set_tls.rs`; the real Better Auth, in `better_auth.rs`.

#[path = "support/raw_server.rs"]
mod raw_server;
#[path = "support/simulated.rs"]
mod simulated;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use keyward::testing::{SigningKey, TestIssuer};
use keyward::{
    Algorithm, BetterAuthUrl, Clock, FetchError, HttpFetcher, KeySetError, Policy, RefreshError,
    RefreshOptions, RemoteKeySet, Verifier,
};
use raw_server::{FOR_EVER, RawServer, Script, Step, ok, response};
use serde_json::{Value, json};
use simulated::{LATENCY, REAL_TIME, SimulatedFetcher, in_simulated_time};
use tokio::time::{Instant, sleep};

const ISSUER: &str = "https://app.example.com";
const SECOND: Duration = Duration::from_secs(1);

/// How long a fault lasts. It ends within a cooldown, not with one.
const FAULT: Duration = Duration::from_secs(175);

/// No request waits longer: a fetch may take 5 s, one that is under way for somebody else as much
/// again, and each wait has a margin.
const LONGEST_WAIT: Duration = Duration::from_secs(11);

/// What an unknown key waits for at most, once the server is well again: the cooldown.
const WARM_RECOVERY: Duration = Duration::from_secs(11);

/// Without keys it is the longest pause between two attempts, after one that was under way.
const COLD_RECOVERY: Duration = Duration::from_secs(66);

struct Row {
    name: &'static str,
    fault: Fault,
    taken_for: Outcome,
    /// How long the server asks to be left alone.
    retry_after: Duration,
}

enum Fault {
    /// To each request. The bytes are the key set as it should be.
    Answers(fn(&[u8]) -> Script),
    /// The same, looked at over `https`.
    AnswersTls(fn(&[u8]) -> Script),
    /// The same, with the key set searched for in three places.
    AnswersSearch(fn(&[u8]) -> Script),
    /// Nobody listens.
    Down,
}

enum Outcome {
    Fails(RefreshError),
    /// It is none: a set with so many usable keys is loaded.
    Serves(usize),
}

const fn fails(error: FetchError) -> Outcome {
    Outcome::Fails(RefreshError::Fetch(error))
}

const fn status(status: u16) -> Outcome {
    fails(FetchError::Status {
        status,
        retry_after: None,
    })
}

const fn left_alone(status: u16, seconds: u64) -> Outcome {
    fails(FetchError::Status {
        status,
        retry_after: Some(Duration::from_secs(seconds)),
    })
}

const fn document(error: KeySetError) -> Outcome {
    Outcome::Fails(RefreshError::Document(error))
}

fn send(bytes: impl Into<Vec<u8>>) -> Script {
    vec![Step::Send(bytes.into())]
}

/// A good answer with more headers.
fn with_headers(headers: &str, body: &[u8]) -> Script {
    send(response("200 OK", headers, body))
}

const TOO_LARGE: FetchError = FetchError::TooLarge(512 * 1024);

/// The head of an answer whose body comes in chunks.
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// What is wrong, in the order of what goes wrong in it.
macro_rules! rows {
    ($($name:ident: $fault:expr => $outcome:expr $(, left alone for $seconds:literal s)?;)*) => {
        $(
            #[test]
            fn $name() {
                use Fault::*;
                #[allow(unused_mut, unused_assignments)]
                let mut retry_after = Duration::ZERO;
                $(retry_after = Duration::from_secs($seconds);)?
                Row { name: stringify!($name), fault: $fault, taken_for: $outcome, retry_after }.test();
            }
        )*
        const ROWS: usize = [$(stringify!($name)),*].len();
    };
}

rows! {
    // The connection.
    down: Down => fails(FetchError::Connect);
    reset_at_once: Answers(|_| vec![Step::Reset]) => fails(FetchError::Transport);
    closes_without_a_word: Answers(|_| vec![]) => fails(FetchError::Transport);
    reset_midway: Answers(|good| vec![
        Step::Send(ok(good)[..good.len() / 2].to_vec()),
        Step::Reset,
    ]) => fails(FetchError::Transport);
    plain_where_tls_is_expected: AnswersTls(|good| send(ok(good))) => fails(FetchError::Connect);
    // What a TLS server answers to a request in plain text: an alert (RFC 8446 §6), unexpected_message.
    tls_where_plain_is_expected: Answers(|_| send([21, 3, 3, 0, 2, 2, 10])) => fails(FetchError::Transport);

    // Time.
    slow_for_thirty_seconds: Answers(|good| vec![
        Step::Pause(30 * SECOND),
        Step::Send(ok(good)),
    ]) => fails(FetchError::Timeout);
    hanging: Answers(|_| vec![Step::Pause(FOR_EVER)]) => fails(FetchError::Timeout);
    hanging_midway: Answers(|good| vec![
        Step::Send(ok(good)[..good.len() / 2].to_vec()),
        Step::Pause(FOR_EVER),
    ]) => fails(FetchError::Timeout);
    one_byte_a_second_of_the_head: Answers(|_| vec![
        Step::Send(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        Step::Drip(b"x".to_vec(), SECOND),
    ]) => fails(FetchError::Timeout);
    one_byte_a_second_of_the_body: Answers(|_| vec![
        Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        Step::Drip(b" ".to_vec(), SECOND),
    ]) => fails(FetchError::Timeout);

    // The status.
    not_found: Answers(|_| send(response("404 Not Found", "", b""))) => status(404);
    not_found_anywhere: AnswersSearch(|_| send(response("404 Not Found", "", b""))) => status(404);
    unauthorized: Answers(|good| send(response("401 Unauthorized", "", good))) => status(401);
    too_many_requests: Answers(|_| send(response("429 Too Many", "", b""))) => status(429);
    too_many_requests_with_retry_after:
        Answers(|_| send(response("429 Too Many", "retry-after: 50\r\n", b"")))
        => left_alone(429, 50), left alone for 50 s;
    too_many_requests_with_x_retry_after:
        Answers(|_| send(response("429 Too Many", "x-retry-after: 45\r\n", b"{\"message\":\"Too many requests.\"}")))
        => left_alone(429, 45), left alone for 45 s;
    too_many_requests_with_both:
        Answers(|_| send(response("429 Too Many", "retry-after: 40\r\nx-retry-after: 300\r\n", b"")))
        => left_alone(429, 300), left alone for 300 s;
    too_many_requests_for_a_year_is_an_hour:
        Answers(|_| send(response("429 Too Many", "retry-after: 31536000\r\n", b"")))
        => left_alone(429, 31_536_000), left alone for 3600 s;
    // None of these says when to come back (RFC 9110 §10.2.3).
    retry_after_that_says_nothing: Answers(|_| send(response(
        "503 Down",
        "retry-after: soon\r\nx-retry-after: -1\r\n",
        b"",
    ))) => status(503);
    retry_after_a_date_that_has_passed: Answers(|_| send(response(
        "503 Down",
        "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        b"",
    ))) => status(503);
    internal_error: Answers(|_| send(response("500 Oops", "", b""))) => status(500);
    // The body of an error is no key set, whatever it holds.
    internal_error_with_a_key_set: Answers(|good| send(response("500 Oops", "", good))) => status(500);
    redirect_to_the_same_origin:
        Answers(|_| send(response("302 Found", "location: /elsewhere\r\n", b"")))
        => fails(FetchError::Redirect(302));
    redirect_to_another_origin:
        Answers(|_| send(response("307 Moved", "location: https://evil.example/jwks\r\n", b"")))
        => fails(FetchError::Redirect(307));
    no_content: Answers(|_| send("HTTP/1.1 204 No Content\r\n\r\n")) => status(204);
    partial_content: Answers(|good| send(response("206 Partial", "", good))) => status(206);
    // "Transformed by a proxy" (RFC 9110 §15.3.4) is not what the auth server has said.
    non_authoritative: Answers(|good| send(response("203 Transformed", "", good))) => status(203);
    not_modified_since_nothing: Answers(|_| send("HTTP/1.1 304 Not Modified\r\n\r\n")) => status(304);
    switching_protocols:
        Answers(|_| send("HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"))
        => status(101);
    endless_early_hints: Answers(|_| vec![
        Step::Repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
    ]) => fails(FetchError::Timeout);

    // Heads that are too much or none.
    headers_of_a_megabyte: Answers(|good| vec![
        Step::Send(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        Step::Send(vec![b'x'; 1024 * 1024]),
        Step::Send(b"\r\n\r\n".to_vec()),
        Step::Send(good.to_vec()),
    ]) => fails(FetchError::Transport);
    a_thousand_headers:
        Answers(|good| with_headers(&"x: y\r\n".repeat(1000), good)) => fails(FetchError::Transport);
    two_lengths: Answers(|good| with_headers("content-length: 1\r\n", good)) => fails(FetchError::Transport);
    garbage_for_http: Answers(|_| send([0, 159, 146, 150, 13, 10, 13, 10])) => fails(FetchError::Transport);

    // Bodies that are too much.
    ten_megabytes: Answers(|_| vec![
        Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n".to_vec()),
        Step::Repeat(vec![b' '; 8192]),
    ]) => fails(TOO_LARGE);
    endless: Answers(|_| vec![
        Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        Step::Repeat(vec![b' '; 8192]),
    ]) => fails(TOO_LARGE);
    endless_in_chunks: Answers(|_| vec![
        Step::Send(CHUNKED.to_vec()),
        Step::Repeat([b"2000\r\n", &[b' '; 0x2000][..], b"\r\n"].concat()),
    ]) => fails(TOO_LARGE);
    a_thousand_keys: Answers(|good| send(ok(&padded(good, 1000 - keys_in(good)))))
        => document(KeySetError::TooManyKeys(1000));

    // Bodies that end too early.
    truncated: Answers(|good| send(ok(good)[..good.len()].to_vec())) => fails(FetchError::Transport);
    truncated_in_chunks: Answers(|good| send([
        CHUNKED,
        format!("{:x}\r\n", good.len()).as_bytes(),
        &good[..good.len() / 2],
    ].concat())) => fails(FetchError::Transport);
    truncated_without_a_length: Answers(|good| send([
        b"HTTP/1.1 200 OK\r\n\r\n",
        &good[..good.len() / 2],
    ].concat())) => document(KeySetError::Malformed);
    empty: Answers(|_| send(ok(b""))) => document(KeySetError::Malformed);

    // Bodies that are something else.
    html: Answers(|_| with_headers("content-type: text/html\r\n", b"<!doctype html><title>Sign in</title>"))
        => document(KeySetError::Malformed);
    garbage: Answers(|_| send(ok(&[0, 159, 146, 150]))) => document(KeySetError::Malformed);
    an_object_without_keys: Answers(|_| send(ok(b"{}"))) => document(KeySetError::Malformed);
    an_array: Answers(|good| send(ok(&[b"[", good, b"]"].concat()))) => document(KeySetError::Malformed);
    a_null: Answers(|_| send(ok(b"null"))) => document(KeySetError::Malformed);
    no_keys: Answers(|_| send(ok(br#"{"keys":[]}"#))) => document(KeySetError::Empty);
    no_usable_key: Answers(|_| send(ok(br#"{"keys":[{"kty":"oct","k":"AA","kid":"key-1"}]}"#)))
        => document(KeySetError::NoUsableKey(1));
    compressed: Answers(|good| with_headers("content-encoding: gzip\r\n", &gzip(good)))
        => document(KeySetError::Malformed);
    // RFC 8259 §8.1: not to be sent. A parser may ignore it; this one does not.
    a_byte_order_mark: Answers(|good| send(ok(&["\u{feff}".as_bytes(), good].concat())))
        => document(KeySetError::Malformed);
    utf_16: Answers(|good| send(ok(&good.iter().flat_map(|byte| [*byte, 0]).collect::<Vec<_>>())))
        => document(KeySetError::Malformed);
    two_documents: Answers(|good| send(ok(&good.repeat(2)))) => document(KeySetError::Malformed);
    keys_twice: Answers(|good| {
        let keys = std::str::from_utf8(good).unwrap().trim_start_matches('{');
        send(ok(format!(r#"{{"keys":[],{keys}"#).as_bytes()))
    }) => document(KeySetError::Malformed);
    keys_nested_deeply: Answers(|_| send(ok(&nested(200_000, b"")))) => document(KeySetError::Malformed);

    // No faults, however odd.
    half_unknown_keys: Answers(|good| send(ok(&padded(good, 4)))) => Outcome::Serves(2);
    as_many_keys_as_may_be: Answers(|good| send(ok(&padded(good, 256 - keys_in(good)))))
        => Outcome::Serves(2);
    an_ed25519_key_labelled_rs256: Answers(|good| send(ok(&beside(good, {
        let mut key = SigningKey::generate("mislabelled", Algorithm::EdDsa).public_jwk();
        key["alg"] = json!("RS256");
        key
    })))) => Outcome::Serves(2);
    a_kid_that_is_a_number: Answers(|good| send(ok(&beside(good, {
        let mut key = SigningKey::generate("numeric", Algorithm::EdDsa).public_jwk();
        key["kid"] = json!(1);
        key
    })))) => Outcome::Serves(2);
    a_kid_used_twice: Answers(|good| send(ok(&beside(
        good,
        SigningKey::generate("key-2", Algorithm::EdDsa).public_jwk(),
    )))) => Outcome::Serves(2);
    a_kid_of_sixty_four_kibibytes: Answers(|good| send(ok(&beside(
        good,
        SigningKey::generate("k".repeat(65536), Algorithm::EdDsa).public_jwk(),
    )))) => Outcome::Serves(3);
    a_key_with_a_member_twice: Answers(|good| {
        let good = std::str::from_utf8(good).unwrap();
        send(ok(good.replacen("[", r#"[{"kty":"OKP","kty":"OKP"},"#, 1).as_bytes()))
    }) => Outcome::Serves(2);
    a_key_nested_deeply: Answers(|good| {
        let key = [b"[{\"kty\":".to_vec(), nested(100_000, b"]"), b"},".to_vec()].concat();
        let (before, rest) = std::str::from_utf8(good).unwrap().split_once('[').unwrap();
        send(ok(&[before.as_bytes(), &key, rest.as_bytes()].concat()))
    }) => Outcome::Serves(2);
    early_hints_first: Answers(|good| send([
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n",
        &*ok(good),
    ].concat())) => Outcome::Serves(2);
    another_content_type: Answers(|good| with_headers("content-type: text/html\r\n", good)) => Outcome::Serves(2);
    http_1_0_without_a_length: Answers(|good| send([b"HTTP/1.0 200 OK\r\n\r\n", good].concat()))
        => Outcome::Serves(2);
    chunks_of_a_byte: Answers(|good| send([
        CHUNKED.to_vec(),
        good.iter().flat_map(|byte| [b"1\r\n", &[*byte][..], b"\r\n"].concat()).collect(),
        b"0\r\n\r\n".to_vec(),
    ].concat())) => Outcome::Serves(2);
    more_than_the_length_says: Answers(|good| send([&*ok(good), b"HTTP/1.1 200 OK\r\n\r\n{}"].concat()))
        => Outcome::Serves(2);
}

fn keys_in(good: &[u8]) -> usize {
    let document: Value = serde_json::from_slice(good).unwrap();
    document["keys"].as_array().unwrap().len()
}

/// A document with `more` keys before those that are there, each unusable in its own way.
fn padded(good: &[u8], more: usize) -> Vec<u8> {
    let odd = [
        json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "post-quantum"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
        json!(7),
    ];
    let mut document: Value = serde_json::from_slice(good).unwrap();
    let keys = document["keys"].as_array_mut().unwrap();
    keys.splice(0..0, odd.into_iter().cycle().take(more));
    document.to_string().into_bytes()
}

/// A document with one key more, at its end.
fn beside(good: &[u8], key: Value) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(good).unwrap();
    document["keys"].as_array_mut().unwrap().push(key);
    document.to_string().into_bytes()
}

fn nested(depth: usize, close: &[u8]) -> Vec<u8> {
    [b"[".repeat(depth), close.repeat(depth)].concat()
}

/// In blocks that are stored (RFC 1951 §3.2.4), in a gzip member (RFC 1952).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    let len = u16::try_from(bytes.len()).unwrap();
    [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1][..],
        &len.to_le_bytes(),
        &(!len).to_le_bytes(),
        bytes,
        &(!crc).to_le_bytes(),
        &u32::from(len).to_le_bytes(),
    ]
    .concat()
}

/// Tokens whose lifetime is not what these tests are about.
fn token(issuer: &TestIssuer) -> String {
    let mut claims = issuer.claims("ada");
    claims["exp"] = json!(99_999_999_999_u64);
    issuer.sign(&claims)
}

/// Nobody publishes it.
static OTHER: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate("other", Algorithm::EdDsa));

/// Another key signed it than the one it names.
fn forged(issuer: &TestIssuer) -> String {
    let claims = issuer.claims("eve").to_string();
    OTHER.sign(issuer.key().header().to_string(), claims)
}

/// With a `kid` of nobody's.
fn made_up() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let kid = format!("made-up-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
    OTHER.sign(header, r#"{"sub":"eve"}"#)
}

async fn code(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token).await {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

/// What is ready without waiting.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Lets something happen in real time while the simulated clock stands still.
async fn really<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let work = move || REAL_TIME.block_on(work);
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// What one kind of request has got as answers.
#[derive(Default)]
struct Answers {
    codes: BTreeSet<&'static str>,
    longest_wait: Duration,
}

impl Answers {
    async fn ask(&mut self, verifier: &Verifier, token: &str) -> &'static str {
        let asked = Instant::now();
        let code = code(verifier, token).await;
        self.longest_wait = self.longest_wait.max(asked.elapsed());
        self.codes.insert(code);
        code
    }

    fn expect(&self, row: &str, who: &str, expected: &[&str]) {
        let found: Vec<&str> = self.codes.iter().copied().collect();
        assert_eq!(found, expected, "{row}: {who}");
        assert!(
            self.longest_wait <= LONGEST_WAIT,
            "{row}: {who} waited {:?}",
            self.longest_wait
        );
    }
}

/// An auth server, and a verifier with its keys.
struct World {
    server: Arc<RawServer>,
    issuer: TestIssuer,
    keys: RemoteKeySet,
    verifier: Verifier,
}

impl World {
    /// Inside a simulated time.
    async fn new(fault: &Fault, well: bool) -> Self {
        let issuer = TestIssuer::new(ISSUER);
        let good = issuer.key_set_json();
        let server = really(async { Arc::new(RawServer::down(move |_| send(ok(&good)))) }).await;
        let plain = format!("{}/jwks", server.url);
        let fetcher = match fault {
            Fault::AnswersTls(_) => HttpFetcher::new(&plain.replace("http:", "https:"), false),
            Fault::AnswersSearch(_) => BetterAuthUrl::parse(&server.url).unwrap().fetcher(false),
            _ => HttpFetcher::new(&plain, false),
        };
        let fetcher = SimulatedFetcher::new(fetcher.unwrap(), server.stalls());
        let keys = RemoteKeySet::new(fetcher, RefreshOptions::default());
        let policy = Policy::new([ISSUER], [ISSUER]).unwrap();
        let verifier = Verifier::builder(policy, keys.clone())
            .without_cache()
            .build();
        let world = Self {
            server,
            issuer,
            keys,
            verifier,
        };
        match well {
            true => world.is_well().await,
            false => world.has(fault).await,
        }
        world
    }

    /// The server answers as it should.
    async fn is_well(&self) {
        let good = self.issuer.key_set_json();
        self.server.answers(move |_| send(ok(&good)));
        let server = self.server.clone();
        really(async move { server.listen() }).await;
    }

    /// The server misbehaves.
    async fn has(&self, fault: &Fault) {
        let server = self.server.clone();
        let script = match fault {
            Fault::Down => return really(async move { server.go_down().await }).await,
            Fault::Answers(script) | Fault::AnswersTls(script) | Fault::AnswersSearch(script) => {
                script(&self.issuer.key_set_json())
            }
        };
        server.answers(move |_| script.clone());
        really(async move { server.listen() }).await;
    }

    /// How long until a token is accepted, and what it is told before that.
    async fn recovers(&self, row: &str, limit: Duration) -> Duration {
        let began = Instant::now();
        let token = token(&self.issuer);
        loop {
            match code(&self.verifier, &token).await {
                "accepted" => return began.elapsed(),
                code => assert_eq!(code, "keys_unavailable", "{row}"),
            }
            assert!(
                began.elapsed() <= limit,
                "{row}: not well after {:?}",
                began.elapsed()
            );
            sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Row {
    fn test(&self) {
        let (warm, cold) = match (&self.taken_for, &self.fault) {
            // Nothing but TLS makes it well again, which `key_set_tls.rs` has.
            (Outcome::Fails(_), Fault::AnswersTls(_)) => (None, in_simulated_time(self.cold())),
            (Outcome::Fails(_), _) => (
                Some(in_simulated_time(self.warm())),
                in_simulated_time(self.cold()),
            ),
            (Outcome::Serves(keys), _) => {
                in_simulated_time(self.serves(*keys));
                (None, None)
            }
        };
        finished(&match (warm, cold) {
            (None, None) => format!("{:42} no fault: every good token accepted", self.name),
            (warm, cold) => format!(
                "{:42} {:28} {} {}",
                self.name,
                self.taken_for.name(),
                warm.unwrap_or_else(|| "-".to_owned()),
                cold.unwrap_or_else(|| "-".to_owned())
            ),
        });
    }

    /// The most fetches that there may be while the fault lasts.
    fn most_fetches(&self) -> usize {
        let requests = match self.fault {
            Fault::AnswersSearch(_) => 3,
            _ => 1,
        };
        let attempts = match self.retry_after.as_secs() {
            // One for unknown keys each 10 s, one for bad signatures each minute, and a few before
            // the pauses between retries have grown beyond those.
            0 => FAULT.as_secs() / 10 + FAULT.as_secs() / 60 + 6,
            seconds => FAULT.as_secs() / seconds + 1,
        };
        attempts as usize * requests
    }

    /// The fault comes while there are keys.
    async fn warm(&self) -> String {
        let world = World::new(&self.fault, true).await;
        let (known, forged) = (token(&world.issuer), forged(&world.issuer));
        assert_eq!(
            code(&world.verifier, &known).await,
            "accepted",
            "{}",
            self.name
        );
        world.issuer.rotate(Algorithm::EdDsa);
        let new = token(&world.issuer);
        world.has(&self.fault).await;
        let before = world.server.connections();

        let [mut of_new, mut of_made_up, mut of_forged, mut of_garbage] =
            std::array::from_fn(|_| Answers::default());
        let began = Instant::now();
        let others = async {
            while began.elapsed() < FAULT {
                of_new.ask(&world.verifier, &new).await;
                of_made_up.ask(&world.verifier, &made_up()).await;
                of_forged.ask(&world.verifier, &forged).await;
                of_garbage.ask(&world.verifier, "garbage").await;
                sleep(3 * SECOND).await;
            }
        };
        let mut asked = 0;
        let users = async {
            while began.elapsed() < FAULT {
                // Whatever is under way for others, they do not wait.
                let result = at_once(world.verifier.verify(&known));
                assert!(matches!(result, Some(Ok(_))), "{}: {result:?}", self.name);
                asked += 1;
                sleep(SECOND).await;
            }
        };
        tokio::join!(users, others);
        assert!(asked > 150);
        of_new.expect(self.name, "a token of a new key", &["keys_unavailable"]);
        of_made_up.expect(self.name, "a token of no key", &["keys_unavailable"]);
        of_forged.expect(self.name, "a forged token", &["token_signature_invalid"]);
        of_garbage.expect(self.name, "garbage", &["token_malformed"]);
        assert_eq!(of_forged.longest_wait, Duration::ZERO);
        assert_eq!(of_garbage.longest_wait, Duration::ZERO);
        self.taken_for.expect(self.name, &world.keys);
        let fetches = match self.fault {
            Fault::Down => world.keys.status().failed as usize,
            _ => world.server.connections() - before,
        };
        assert!(
            (1..=self.most_fetches()).contains(&fetches),
            "{}: {fetches} fetches",
            self.name
        );

        let failed = world.keys.status().failed;
        world.is_well().await;
        let limit = WARM_RECOVERY.max(self.retry_after + SECOND);
        let recovery = world.recovers(self.name, limit).await;
        assert_eq!(world.keys.status().failed, failed, "{}", self.name);
        assert_eq!(
            code(&world.verifier, &known).await,
            "accepted",
            "{}",
            self.name
        );
        assert_eq!(
            code(&world.verifier, &forged).await,
            "token_signature_invalid"
        );
        assert_eq!(code(&world.verifier, &made_up()).await, "key_unknown");
        format!(
            "known: accepted at once; new: 503, {:.1} s at most; bad: 401; {fetches} fetches in {} s; well after {:.1} s",
            of_new.longest_wait.as_secs_f64(),
            FAULT.as_secs(),
            recovery.as_secs_f64()
        )
    }

    /// The fault is there from the start.
    async fn cold(&self) -> Option<String> {
        let world = World::new(&self.fault, false).await;
        let token = token(&world.issuer);
        let [mut of_good, mut of_forged, mut of_garbage] =
            std::array::from_fn(|_| Answers::default());
        let forged = forged(&world.issuer);
        let began = Instant::now();
        while began.elapsed() < FAULT {
            of_good.ask(&world.verifier, &token).await;
            of_forged.ask(&world.verifier, &forged).await;
            of_garbage.ask(&world.verifier, "garbage").await;
            sleep(3 * SECOND).await;
        }
        of_good.expect(self.name, "a good token", &["keys_unavailable"]);
        of_forged.expect(self.name, "a forged token", &["keys_unavailable"]);
        of_garbage.expect(self.name, "garbage", &["token_malformed"]);
        self.taken_for.expect(self.name, &world.keys);
        let fetches = match self.fault {
            Fault::Down => world.keys.status().failed as usize,
            _ => world.server.connections(),
        };
        assert!(
            (1..=self.most_fetches()).contains(&fetches),
            "{}: {fetches} fetches",
            self.name
        );
        if matches!(self.fault, Fault::AnswersTls(_)) {
            return Some(format!(
                "without keys: 503; {fetches} fetches in {} s",
                FAULT.as_secs()
            ));
        }
        world.is_well().await;
        let limit = COLD_RECOVERY.max(self.retry_after + SECOND);
        let recovery = world.recovers(self.name, limit).await;
        Some(format!(
            "| without keys: 503; {fetches} fetches; well after {:.1} s",
            recovery.as_secs_f64()
        ))
    }

    /// What looks like a fault is none.
    async fn serves(&self, keys: usize) {
        let world = World::new(&self.fault, true).await;
        let known = token(&world.issuer);
        assert_eq!(
            code(&world.verifier, &known).await,
            "accepted",
            "{}",
            self.name
        );
        world.issuer.rotate(Algorithm::EdDsa);
        world.has(&self.fault).await;
        let mut of_new = Answers::default();
        of_new.ask(&world.verifier, &token(&world.issuer)).await;
        of_new.expect(self.name, "a token of a new key", &["accepted"]);
        assert!(of_new.longest_wait <= 2 * LATENCY, "{}", self.name);
        let old = at_once(world.verifier.verify(&known));
        assert!(matches!(old, Some(Ok(_))), "{}: {old:?}", self.name);
        let status = world.keys.status();
        assert_eq!(
            (status.keys, status.last_error),
            (keys, None),
            "{}",
            self.name
        );
        assert_eq!(world.server.connections(), 2, "{}", self.name);

        let world = World::new(&self.fault, false).await;
        let first = code(&world.verifier, &token(&world.issuer)).await;
        assert_eq!(first, "accepted", "{}", self.name);
    }
}

impl Outcome {
    fn expect(&self, row: &str, keys: &RemoteKeySet) {
        let Self::Fails(error) = self else { return };
        assert_eq!(keys.status().last_error.as_ref(), Some(error), "{row}");
    }

    fn name(&self) -> String {
        match self {
            Self::Fails(error) => error.code().into_owned(),
            Self::Serves(_) => "none".to_owned(),
        }
    }
}

/// Prints a row, and, after the last, how many there were.
fn finished(line: &str) {
    static FINISHED: AtomicUsize = AtomicUsize::new(0);
    println!("{line}");
    if FINISHED.fetch_add(1, Ordering::Relaxed) + 1 == ROWS + OTHER_ROWS {
        println!("ran {} cases: key-set faults", ROWS + OTHER_ROWS);
    }
}

/// Rows that are no answer to each request, but a course of events.
const OTHER_ROWS: usize = 7;

/// A wall clock that is set by hand, in seconds from now.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        let seconds = self.0.load(Ordering::Relaxed);
        let by = Duration::from_secs(seconds.unsigned_abs());
        match seconds < 0 {
            true => SystemTime::now() - by,
            false => SystemTime::now() + by,
        }
    }
}

#[test]
fn rotation_every_second_under_load() {
    const ROTATIONS: usize = 60;
    let (fetches, longest) = in_simulated_time(async {
        let world = World::new(&Fault::Down, true).await;
        let mut tokens = vec![token(&world.issuer)];
        let mut answers = Answers::default();
        answers.ask(&world.verifier, &tokens[0]).await;
        for _ in 0..ROTATIONS {
            world.issuer.rotate(Algorithm::EdDsa);
            world.is_well().await;
            tokens.push(token(&world.issuer));
            let until = Instant::now() + SECOND;
            while Instant::now() < until {
                // The newest key, with many at once, and those before it.
                let newest = tokens.last().unwrap();
                let requests: Vec<_> = (0..5)
                    .map(|_| {
                        let (verifier, newest) = (world.verifier.clone(), newest.clone());
                        tokio::spawn(async move { code(&verifier, &newest).await })
                    })
                    .collect();
                for token in tokens.iter().rev().take(3) {
                    answers.ask(&world.verifier, token).await;
                }
                for request in requests {
                    answers.codes.insert(request.await.unwrap());
                }
                sleep(SECOND / 4).await;
            }
        }
        answers.expect("rotation", "a token of a published key", &["accepted"]);
        assert!(
            answers.longest_wait <= 2 * LATENCY,
            "{:?}",
            answers.longest_wait
        );
        let fetches = world.server.connections();
        assert!(fetches <= ROTATIONS + 2, "{fetches}");
        (fetches, answers.longest_wait)
    });
    finished(&format!(
        "{:42} every good token accepted, after {} ms at most; {fetches} fetches for {ROTATIONS} rotations",
        "rotation_every_second_under_load",
        longest.as_millis()
    ));
}

#[test]
fn rotation_every_second_under_a_flood_of_made_up_kids() {
    const ROTATIONS: usize = 60;
    let (fetches, longest) = in_simulated_time(async {
        let world = World::new(&Fault::Down, true).await;
        let known = token(&world.issuer);
        assert_eq!(code(&world.verifier, &known).await, "accepted");
        let mut waiting = Vec::new();
        let mut longest = Duration::ZERO;
        for second in 0..ROTATIONS + 11 {
            if second < ROTATIONS {
                world.issuer.rotate(Algorithm::EdDsa);
                world.is_well().await;
                waiting.push((token(&world.issuer), Instant::now()));
            }
            for _ in 0..10 {
                assert_eq!(code(&world.verifier, &made_up()).await, "key_unknown");
                assert!(matches!(
                    at_once(world.verifier.verify(&known)),
                    Some(Ok(_))
                ));
                let mut refused = Vec::new();
                for (token, since) in waiting.drain(..) {
                    match code(&world.verifier, &token).await {
                        "accepted" => longest = longest.max(since.elapsed()),
                        code => {
                            assert_eq!(code, "key_unknown");
                            refused.push((token, since));
                        }
                    }
                }
                waiting = refused;
                sleep(SECOND / 10).await;
            }
        }
        assert!(waiting.is_empty(), "{} keys never found", waiting.len());
        assert!(longest <= 10 * SECOND + 2 * LATENCY, "{longest:?}");
        let fetches = world.server.connections();
        // One a cooldown for those that are not there, and no more for those that are.
        assert!(
            fetches <= 2 + (ROTATIONS + 11) / 10 + ROTATIONS,
            "{fetches}"
        );
        (fetches, longest)
    });
    finished(&format!(
        "{:42} a new key is known after {:.1} s at most; {fetches} fetches for {ROTATIONS} rotations",
        "rotation_every_second_under_a_flood",
        longest.as_secs_f64()
    ));
}

#[test]
fn a_removed_key_is_refused_from_the_refresh_that_removed_it() {
    let after = in_simulated_time(async {
        let world = World::new(&Fault::Down, true).await;
        let old = token(&world.issuer);
        assert_eq!(code(&world.verifier, &old).await, "accepted");
        world.issuer.rotate(Algorithm::EdDsa);
        world.issuer.drop_old_keys();
        world.is_well().await;
        // Nobody asks for the new key: the schedule finds out.
        let began = Instant::now();
        while code(&world.verifier, &old).await == "accepted" {
            sleep(SECOND).await;
        }
        let after = began.elapsed();
        assert!(after <= Duration::from_secs(331), "{after:?}");
        // Asked for, the new key brings the removal of the old one with it.
        sleep(10 * SECOND).await; // the token of the old key has just asked for a fetch
        let old = token(&world.issuer);
        assert_eq!(code(&world.verifier, &old).await, "accepted");
        world.issuer.rotate(Algorithm::EdDsa);
        world.issuer.drop_old_keys();
        world.is_well().await;
        assert_eq!(
            code(&world.verifier, &token(&world.issuer)).await,
            "accepted"
        );
        assert_eq!(code(&world.verifier, &old).await, "key_unknown");
        assert_eq!(world.server.connections(), 5);
        after
    });
    finished(&format!(
        "{:42} refused after {:.0} s by schedule, at once with a token of the new key",
        "a_removed_key",
        after.as_secs_f64()
    ));
}

#[test]
fn a_reused_kid_is_found_out_and_the_old_key_is_gone() {
    let after = in_simulated_time(async {
        let mut world = World::new(&Fault::Down, true).await;
        let old = token(&world.issuer);
        assert_eq!(code(&world.verifier, &old).await, "accepted");
        // The auth server's database was rebuilt, and numbers its keys from 1 again.
        world.issuer = TestIssuer::new(ISSUER);
        world.is_well().await;
        let new = token(&world.issuer);
        let began = Instant::now();
        let first = code(&world.verifier, &new).await;
        assert_eq!(
            (first, began.elapsed()),
            ("token_signature_invalid", Duration::ZERO)
        );
        while code(&world.verifier, &new).await != "accepted" {
            sleep(LATENCY / 5).await;
        }
        let after = began.elapsed();
        assert!(after <= 2 * LATENCY, "{after:?}");
        assert_eq!(code(&world.verifier, &old).await, "token_signature_invalid");
        assert_eq!(world.server.connections(), 2);
        after
    });
    finished(&format!(
        "{:42} the first token is refused, others accepted after {} ms",
        "a_reused_kid",
        after.as_millis()
    ));
}

/// By one verifier, with the tokens that it remembers.
#[test]
fn the_clock_jumps_forward_and_back() {
    in_simulated_time(async {
        const HOUR: i64 = 60 * 60;
        let world = World::new(&Fault::Down, true).await;
        let clock = Hand::default();
        let policy = Policy::new([ISSUER], [ISSUER]).unwrap();
        let verifier = Verifier::builder(policy, world.keys.clone())
            .clock(clock.clone())
            .build();
        let token = world.issuer.token("ada");
        for (seconds, expected) in [
            (0, "accepted"),
            (HOUR, "token_expired"),
            (0, "accepted"),
            (-HOUR, "token_issued_in_future"),
            (0, "accepted"),
            (30 * 365 * 24 * HOUR, "token_expired"),
            (-60 * 365 * 24 * HOUR, "token_issued_in_future"), // before 1970
            (0, "accepted"),
        ] {
            clock.0.store(seconds, Ordering::Relaxed);
            assert_eq!(code(&verifier, &token).await, expected, "{seconds}");
        }
        let status = world.keys.status();
        assert!(status.usable && status.age.unwrap() < SECOND, "{status:?}");
        assert_eq!(world.server.connections(), 1);
    });
    finished(&format!(
        "{:42} only what has expired changes; no fetch",
        "the_clock_jumps"
    ));
}

/// A connection kept for the next fetch may be closed at the moment of that fetch, which then fails
/// for nothing. So none is kept.
#[test]
fn a_server_that_closes_idle_connections_as_we_send_fails_no_fetch() {
    in_simulated_time(async {
        let world = World::new(&Fault::Down, false).await;
        for round in 0..3 {
            let good = world.issuer.key_set_json();
            let once = move |_: &str| vec![Step::Send(ok(&good)), Step::Ignore];
            world.server.answers(once);
            let server = world.server.clone();
            really(async move { server.listen() }).await;
            assert_eq!(
                code(&world.verifier, &token(&world.issuer)).await,
                "accepted",
                "{round}"
            );
            world.issuer.rotate(Algorithm::EdDsa);
            sleep(10 * SECOND).await;
        }
        let status = world.keys.status();
        assert_eq!((status.failed, status.succeeded), (0, 3), "{status:?}");
    });
    finished(&format!("{:42} no fetch fails", "closes_idle_connections"));
}

#[test]
fn a_redirect_leads_nowhere() {
    let elsewhere = REAL_TIME.block_on(RawServer::start(|_| ok(b"{}")));
    let location = elsewhere.url.clone();
    in_simulated_time(async {
        let world = World::new(&Fault::Down, false).await;
        let next = AtomicUsize::new(0);
        world.server.answers(move |_| {
            let statuses = ["301 a", "302 b", "303 c", "307 d", "308 e"];
            let status = statuses[next.fetch_add(1, Ordering::Relaxed) % statuses.len()];
            let headers = format!("location: {location}/jwks\r\n");
            send(response(status, &headers, b""))
        });
        let server = world.server.clone();
        really(async move { server.listen() }).await;
        let began = Instant::now();
        while began.elapsed() < FAULT {
            assert_eq!(
                code(&world.verifier, &token(&world.issuer)).await,
                "keys_unavailable"
            );
            sleep(SECOND).await;
        }
        assert!(world.server.connections() >= 5);
    });
    assert_eq!(elsewhere.connections(), 0);
    finished(&format!(
        "{:42} nothing is asked of its target",
        "a_redirect"
    ));
}
