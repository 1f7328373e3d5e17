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
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, RequestParts};
use tower::Service;

use super::ResponseBody;

/// Calls a Poem app, with nothing around it.
pub struct PoemService<E>(Arc<E>);

impl<E: Endpoint> PoemService<E> {
    /// The app as a service.
    pub fn new(app: E) -> Self {
        Self(Arc::new(app))
    }
}

impl<E> Clone for PoemService<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E, B> Service<Request<B>> for PoemService<E>
where
    E: Endpoint + 'static,
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let app = self.0.clone();
        let request = poem_request(request);
        Box::pin(async move { Ok(app.get_response(request).await.into()) })
    }
}

/// A request as Poem has it. Nothing asks who the peer is, behind a proxy as likely as not.
pub(super) fn poem_request<B>(request: Request<B>) -> poem::Request
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let (local, remote) = (LocalAddr::default(), RemoteAddr::default());
    let parts = RequestParts::from((parts, local, remote, Scheme::HTTP));
    let body: BoxBody<Bytes, io::Error> = BoxBody::new(body.map_err(io::Error::other));
    poem::Request::from_parts(parts, body.into())
}
