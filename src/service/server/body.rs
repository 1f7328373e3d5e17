//! A request's body that says when it keeps the server waiting.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::{Activity, Receiving};

/// The body of a request as it comes from the connection.
pub struct RequestBody {
    incoming: Incoming,
    receiving: Receiving,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, activity: Arc<Activity>) -> Self {
        Self {
            incoming,
            receiving: Receiving::new(activity),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let poll = Pin::new(&mut self.incoming).poll_frame(context);
        self.receiving.set(poll.is_pending());
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
