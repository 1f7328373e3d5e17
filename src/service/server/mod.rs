//! The accept loop: Poem's own server keeps slow headers open, spins when file descriptors run
//! out and has no cap on connections, so this one serves it.
//!
//! 1. A connection must send its first byte, and a whole request head once it has begun one, within
//!    [`ServerLimits::header_read_timeout`].
//! 2. One on which nothing is being answered and no request comes for
//!    [`ServerLimits::idle_timeout`] is closed, whatever it drips and whatever its protocol.
//! 3. There are never more than [`ServerLimits::max_connections`]. A further one takes the place of
//!    the one that has kept the server waiting the longest; while there is none, it waits.
//! 4. When accepting fails for want of resources, those make room as well, and it pauses instead of
//!    spinning.
//! 5. An answer is not lost because its request was not read to the end.
//! 6. On shutdown nothing new is accepted, but for what the kernel has accepted already; requests in
//!    flight have [`ServerLimits::shutdown_grace`] to end, and connections are told to close with
//!    their next answer.
//!
//! `connections` keeps count of them, `connection` serves one, `activity` says what it is up to,
//! `body` and `stream` are what hyper reads from, and tell.

mod activity;
mod body;
mod connection;
mod connections;
mod stream;

pub use body::RequestBody;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;
use tower::Service;

use connection::serve_connection;
use connections::Connections;

/// Bounds on what connections may use. `Default` gives the values named here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerLimits {
    /// For the first byte, and for each request's head from its first byte on: 10 s.
    pub header_read_timeout: Duration,
    /// Without a request, and without one being answered: 60 s.
    pub idle_timeout: Duration,
    /// At the same time: 512, half of the 1024 file descriptors that processes usually may open.
    /// The database and the auth server need some too.
    pub max_connections: usize,
    /// Of one request's head, in bytes: 64 KiB. A Better Auth token with a picture in it has over
    /// 50 KiB; it should be refused by the verifier, who says why, and not with a bare 431.
    pub max_head_len: usize,
    /// HTTP/2 requests at the same time on one connection: 100.
    pub max_streams: u32,
    /// For requests in flight at shutdown: 10 s.
    pub shutdown_grace: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            max_connections: 512,
            max_head_len: 64 * 1024,
            max_streams: 100,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// The pause after the first failure to accept; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked again for a connection that could make room.
const ROOM_INTERVAL: Duration = Duration::from_millis(100);

/// How many make room when the process has run out of file descriptors: the database and the auth
/// server's keys need some, and whoever comes next.
const ROOM_FOR_OTHERS: usize = 16;

/// Connections that the kernel may hold for a listener of Tokio's.
const BACKLOG: usize = 1024;

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Connections that ended by themselves after the signal.
    pub finished: usize,
    /// Connections cut off at the end of the grace period.
    pub aborted: usize,
}

/// Serves connections until `shutdown` completes, and then those that are left.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) -> ShutdownReport
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let (stopping, stop) = watch::channel(false);
    let mut connections = Connections::default();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut pause = FIRST_PAUSE;
    let start = |connections: &mut Connections, stream, permit: Option<OwnedSemaphorePermit>| {
        let (service, stop) = (service.clone(), stop.clone());
        connections.spawn(|activity| async move {
            serve_connection(stream, service, limits, activity, stop).await;
            drop(permit);
        });
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        connections.forget_ended();
        match accepted {
            Ok((stream, _)) => {
                pause = FIRST_PAUSE;
                let permit = tokio::select! {
                    biased;
                    permit = room(&permits, &mut connections) => Ok(permit),
                    () = &mut shutdown => Err(()),
                };
                match permit {
                    Ok(permit) => start(&mut connections, stream, permit),
                    // It is the last one.
                    Err(()) => {
                        start(&mut connections, stream, None);
                        break;
                    }
                }
            }
            // The peer gave up before it was its turn.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => {
                tracing::warn!(%error, pause = ?pause, "cannot accept connections");
                connections.make_room(ROOM_FOR_OTHERS);
                tokio::select! {
                    () = &mut shutdown => break,
                    () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                }
            }
        }
    }
    // To their peers these are accepted, and their requests may be on the way.
    for stream in accepted_by_kernel(listener) {
        start(&mut connections, stream, None);
    }
    stopping.send_replace(true);
    connections.drain(limits.shutdown_grace).await
}

/// A permit for one more connection, as soon as there is one. `None` would mean that nobody counts.
async fn room(
    permits: &Arc<Semaphore>,
    connections: &mut Connections,
) -> Option<OwnedSemaphorePermit> {
    loop {
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            return Some(permit);
        }
        connections.make_room(1);
        tokio::select! {
            permit = permits.clone().acquire_owned() => return permit.ok(),
            () = sleep(ROOM_INTERVAL) => {}
        }
    }
}

/// The connections that the kernel holds for a listener, which is then closed. The kernel is asked
/// itself: Tokio asks it only once it has heard that there is one.
fn accepted_by_kernel(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    let listener = listener.into_std();
    let mut left = BACKLOG;
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let (stream, _) = listener.as_ref().ok()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    })
}

/// Completes with the first SIGTERM or SIGINT.
///
/// # Errors
/// When the signals cannot be listened for.
pub fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
