//! A Poem app as a Tower service, which Poem itself does not offer.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use poem::endpoint::{BoxEndpoint, EndpointExt};
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, RequestParts};
use tower::Service;

use crate::service::server::PeerAddr;

/// Calls a Poem app.
#[derive(Clone)]
pub struct PoemService(Arc<BoxEndpoint<'static>>);

impl PoemService {
    /// The app as a service.
    pub fn new(app: impl Endpoint + 'static) -> Self {
        Self(Arc::new(app.map_to_response().boxed()))
    }
}

impl<B> Service<Request<B>> for PoemService
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<BoxBody<Bytes, io::Error>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let app = self.0.clone();
        let (parts, body) = request.into_parts();
        let peer = parts.extensions.get::<PeerAddr>();
        let remote = peer.map_or_else(RemoteAddr::default, |peer| {
            RemoteAddr(Addr::SocketAddr(peer.0))
        });
        let parts = RequestParts::from((parts, LocalAddr::default(), remote, Scheme::HTTP));
        let body: BoxBody<Bytes, io::Error> = BoxBody::new(body.map_err(io::Error::other));
        let request = poem::Request::from_parts(parts, body.into());
        Box::pin(async move { Ok(app.get_response(request).await.into()) })
    }
}
