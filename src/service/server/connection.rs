//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tower::Service;

use super::activity::Activity;
use super::stream::Stream;
use super::{RequestBody, ServerLimits};

/// At shutdown, a connection on which nothing is being answered has this long for what it has
/// begun to send, or is about to; but no more than half of what those in flight have.
const IDLE_GRACE: Duration = Duration::from_secs(1);

/// What a peer may send over HTTP/2 before it has to wait for it to be read: on one stream the
/// longest body there is, and four of these on all together. hyper's default is a mebibyte each.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

pub(super) async fn serve_connection<S, B>(
    stream: TcpStream,
    service: S,
    limits: ServerLimits,
    activity: Arc<Activity>,
    mut stop: watch::Receiver<bool>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let idle_grace = IDLE_GRACE.min(limits.shutdown_grace / 2);
    // Small answers should not wait for more to send. A socket that cannot is served all the same.
    let _ = stream.set_nodelay(true);
    // One that has said nothing need not be served to be waited for.
    let mut byte = [0];
    let first_byte = tokio::select! {
        first_byte = timeout(limits.header_read_timeout, stream.peek(&mut byte)) => first_byte,
        () = activity.told_to_leave() => return,
        () = stopped_for(&mut stop, idle_grace) => return,
    };
    if !matches!(first_byte, Ok(Ok(1))) {
        return;
    }

    let seen = activity.clone();
    // One clone serves the connection: to clone a whole stack for each request costs more than to
    // take a lock that only the streams of this connection share, for as long as a call begins.
    let service = Arc::new(Mutex::new(service));
    let service = service_fn(move |request: Request<Incoming>| {
        let activity = seen.clone();
        let version = request.version();
        let in_flight = activity.begin(version);
        let service = service.clone();
        async move {
            let mut request = Some(request.map(|body| RequestBody::new(body, activity.clone())));
            let call = poll_fn(|context| {
                let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
                ready!(service.poll_ready(context))?;
                match request.take() {
                    Some(request) => Poll::Ready(Ok::<_, Infallible>(service.call(request))),
                    None => Poll::Pending,
                }
            });
            let mut response = call.await?.await?;
            // RFC 9112 §9.6: a peer that reads this sends no request that nobody would answer.
            if activity.is_closing() && version < Version::HTTP_2 {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            drop(in_flight);
            Ok::<_, Infallible>(response)
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
        // The watchman has a clock for heads, which runs only while one is coming.
        .header_read_timeout(None)
        .max_buf_size(limits.max_head_len);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_head_len).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(limits.idle_timeout)
        .keep_alive_timeout(limits.header_read_timeout);
    let stream = TokioIo::new(Stream::new(stream, activity.clone()));
    let mut connection = pin!(builder.serve_connection(stream, service));

    // A task of its own watches, so that its timer is not asked with every step of the connection.
    let (ends, mut watched) = oneshot::channel();
    tokio::spawn(watch_over(activity.clone(), limits, stop, ends));
    let end = tokio::select! {
        biased;
        // An error is the peer's: it went away or did not speak HTTP.
        _ = &mut connection => return,
        end = &mut watched => end.unwrap_or(End::Overdue),
    };
    match end {
        End::Overdue => return,
        End::MakeRoom => {
            connection.as_mut().graceful_shutdown();
            let step = poll_fn(|context| Poll::Ready(connection.as_mut().poll(context)));
            // Whoever has just sent the rest of a request gets the answer.
            if step.await.is_ready() || activity.waits_for_peer() {
                return;
            }
        }
        // A peer of HTTP/2 is told at once, and which of its requests will be answered. One of
        // HTTP/1 learns it with an answer; to close while it sends would lose its request.
        End::Shutdown if activity.is_http2() => connection.as_mut().graceful_shutdown(),
        End::Shutdown => {}
    }
    loop {
        let requests = activity.requests();
        tokio::select! {
            _ = &mut connection => return,
            () = sleep(idle_grace) => {
                if activity.is_idle() && requests == activity.requests() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Completes when the server has been stopping for so long.
async fn stopped_for(stop: &mut watch::Receiver<bool>, grace: Duration) {
    let _ = stop.wait_for(|stopping| *stopping).await;
    sleep(grace).await;
}

/// Why a connection should end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Its peer has kept the server waiting for too long.
    Overdue,
    /// Another one needs its place.
    MakeRoom,
    Shutdown,
}

/// Says when a connection should end, unless it has ended by itself.
async fn watch_over(
    activity: Arc<Activity>,
    limits: ServerLimits,
    mut stop: watch::Receiver<bool>,
    mut ends: oneshot::Sender<End>,
) {
    let end = tokio::select! {
        () = ends.closed() => return,
        _ = stop.wait_for(|stopping| *stopping) => End::Shutdown,
        () = activity.told_to_leave() => End::MakeRoom,
        () = overdue(&activity, limits) => End::Overdue,
    };
    activity.close_with_next_answer();
    let _ = ends.send(end);
}

/// Completes when a head is not there in time, or when nothing has happened for too long.
async fn overdue(activity: &Activity, limits: ServerLimits) {
    loop {
        // What may begin meanwhile is not overdue before that time either.
        let mut left = limits.header_read_timeout.min(limits.idle_timeout);
        if activity.is_idle() {
            let head = activity.since_head_began();
            let head_left = head.map(|since| limits.header_read_timeout.saturating_sub(since));
            let idle_left = limits.idle_timeout.saturating_sub(activity.since_event());
            left = left.min(idle_left).min(head_left.unwrap_or(idle_left));
            if left.is_zero() {
                return;
            }
        }
        sleep(left).await;
    }
}
