//! The accept loop: Poem's own server keeps slow headers open, spins when file descriptors run
//! out and has no cap on connections, so this one serves it.
//!
//! 1. A connection must send its first byte, and a whole request head, within
//!    [`ServerLimits::header_read_timeout`].
//! 2. One on which nothing is being answered and no request comes for
//!    [`ServerLimits::idle_timeout`] is closed, whatever it drips and whatever its protocol.
//! 3. Above [`ServerLimits::max_connections`], new ones wait in the kernel's queue.
//! 4. When accepting fails for want of resources, it pauses instead of spinning.
//! 5. On shutdown nothing new is accepted; requests in flight have
//!    [`ServerLimits::shutdown_grace`] to end.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::Service;

/// Bounds on what connections may use. `Default` gives the values named here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerLimits {
    /// For the first byte, and for each request's head: 10 s.
    pub header_read_timeout: Duration,
    /// Without a request, and without one being answered: 60 s. Over HTTP/1 an idle connection is
    /// closed after [`header_read_timeout`](Self::header_read_timeout) already, since hyper counts
    /// the wait for the next head.
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

/// At shutdown, a connection on which nothing is being answered has this long for what it has
/// begun to send.
const IDLE_GRACE: Duration = Duration::from_secs(1);

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
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
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
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut pause = FIRST_PAUSE;
    loop {
        // A permit before the connection: one that cannot be served stays in the kernel's queue.
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, permit)) => {
                pause = FIRST_PAUSE;
                let connection = serve_connection(stream, service.clone(), limits, stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
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
                tokio::select! {
                    () = &mut shutdown => break,
                    () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                }
            }
        }
    }
    drop(listener);
    stopping.send_replace(true);
    drain(connections, limits.shutdown_grace).await
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = permits
        .clone()
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn drain(mut connections: JoinSet<()>, grace: Duration) -> ShutdownReport {
    while connections.try_join_next().is_some() {}
    let open = connections.len();
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(grace, all).await;
    let aborted = connections.len();
    connections.shutdown().await;
    ShutdownReport {
        finished: open - aborted,
        aborted,
    }
}

/// What happens on a connection, for its watchman to see.
#[derive(Default)]
struct Activity {
    requests: AtomicU64,
    in_flight: AtomicUsize,
}

impl Activity {
    fn begin(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }
}

struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve_connection<S, B>(
    stream: TcpStream,
    service: S,
    limits: ServerLimits,
    mut stop: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Small answers should not wait for more to send. A socket that cannot is served all the same.
    let _ = stream.set_nodelay(true);
    // hyper-util finds out the protocol without a timer.
    let mut byte = [0];
    let first_byte = tokio::select! {
        first_byte = timeout(limits.header_read_timeout, stream.peek(&mut byte)) => first_byte,
        _ = stop.wait_for(|stopping| *stopping) => return,
    };
    if !matches!(first_byte, Ok(Ok(1))) {
        return;
    }

    let activity = Arc::new(Activity::default());
    let seen = activity.clone();
    // One clone serves the connection: to clone a whole stack for each request costs more than to
    // take a lock that only the streams of this connection share, for as long as a call begins.
    let service = Arc::new(Mutex::new(service));
    let service = service_fn(move |request: Request<Incoming>| {
        let in_flight = seen.begin();
        let service = service.clone();
        async move {
            let mut request = Some(request);
            let call = poll_fn(|context| {
                let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
                ready!(service.poll_ready(context))?;
                match request.take() {
                    Some(request) => Poll::Ready(Ok::<_, Infallible>(service.call(request))),
                    None => Poll::Pending,
                }
            });
            let response = call.await?.await;
            drop(in_flight);
            response
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // A client that has said all it has to say still wants its answer.
        .half_close(true)
        // Answers are small: copied into one buffer they cost the kernel less than as a vector.
        .writev(false)
        .header_read_timeout(limits.header_read_timeout)
        .max_buf_size(limits.max_head_len);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_head_len).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.max_streams)
        .keep_alive_interval(limits.idle_timeout)
        .keep_alive_timeout(limits.header_read_timeout);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));

    // A task of its own watches, so that its timer is not asked with every step of the connection.
    let (ends, mut watched) = oneshot::channel();
    tokio::spawn(watch_over(
        activity.clone(),
        limits.idle_timeout,
        stop,
        ends,
    ));
    tokio::select! {
        biased;
        // An error is the peer's: it went away or did not speak HTTP.
        _ = &mut connection => return,
        end = &mut watched => if end == Ok(End::Idle) { return },
    }
    connection.as_mut().graceful_shutdown();
    loop {
        let requests = activity.requests();
        tokio::select! {
            _ = &mut connection => return,
            () = sleep(IDLE_GRACE) => {
                if activity.is_idle() && requests == activity.requests() {
                    return;
                }
            }
        }
    }
}

/// Why a connection should end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Idle,
    Shutdown,
}

/// Says when a connection should end, unless it has ended by itself.
async fn watch_over(
    activity: Arc<Activity>,
    idle_timeout: Duration,
    mut stop: watch::Receiver<bool>,
    mut ends: oneshot::Sender<End>,
) {
    let idle = async {
        let mut requests = activity.requests();
        loop {
            sleep(idle_timeout).await;
            if activity.is_idle() && requests == activity.requests() {
                return;
            }
            requests = activity.requests();
        }
    };
    let end = tokio::select! {
        () = ends.closed() => return,
        _ = stop.wait_for(|stopping| *stopping) => End::Shutdown,
        () = idle => End::Idle,
    };
    let _ = ends.send(end);
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
