//! A socket that tells what comes in, and that is not closed over what it has sent.
//!
//! A peer whose request is answered before it was read to the end, one with too large a body for
//! example, may still be sending. To close then makes the kernel reset the connection, and the peer
//! meets the reset instead of the answer. So the side that sends is closed first, and for a while
//! the rest is read and forgotten (RFC 9112 §9.6).

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// How long is read what nobody wants. Enough for a peer to notice the answer.
const LINGER: Duration = Duration::from_secs(2);

const SCRATCH_LEN: usize = 8 * 1024;

pub(super) struct Stream {
    socket: TcpStream,
    activity: Arc<Activity>,
    lingers: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, activity: Arc<Activity>) -> Self {
        Self {
            socket,
            activity,
            lingers: None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
            self.lingers = Some(Box::pin(sleep(LINGER)));
        }
        let Self {
            socket, lingers, ..
        } = &mut *self;
        if lingers
            .as_mut()
            .is_none_or(|time| time.as_mut().poll(context).is_ready())
        {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [std::mem::MaybeUninit::uninit(); SCRATCH_LEN];
        loop {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut *socket).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // It has closed its side as well, or is gone.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
