//! The service's HTTP API: typed operations, their OpenAPI document, and one shape of error.
//!
//! A request comes through the files in this order:
//! - `problems`: whatever fails further in leaves here as a problem document.
//! - `router`: path and method; `query`: the query string, which must be as documented.
//! - `user`: the caller, by their token, and with the scopes of `oauth`; `parameter`, `precondition`, `body`: the rest of the
//!   request, typed and checked.
//! - `tasks`, `me`, `health`: what is done about it; `answer`: the JSON that goes back.
//!
//! `document` and `docs` describe all that.

mod answer;
mod body;
mod cursor;
mod docs;
mod document;
mod error;
mod health;
mod me;
mod oauth;
mod parameter;
mod precondition;
mod problems;
mod query;
mod router;
mod tags;
mod tasks;
mod text;
mod user;

pub use body::MAX_BODY_BYTES;
pub use document::{document, to_text};
pub use error::{ApiError, KINDS, Kind};
pub use oauth::{OAuth, READ, WRITE};
pub use router::MatchedRoute;

use poem::{Endpoint, EndpointExt, Response};

use crate::service::store::TaskStore;
use crate::verifier::Verifier;

/// What the API rests on.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// Tells who calls.
    pub verifier: Verifier,
    /// Where the tasks are.
    pub store: TaskStore,
    /// OAuth clients, if there may be any.
    pub oauth: Option<OAuth>,
}

type Api = (health::HealthApi, me::MeApi, tasks::TasksApi);

const API: Api = (health::HealthApi, me::MeApi, tasks::TasksApi);

/// The API as an endpoint. It answers every request, with a problem document if need be; a
/// [`TraceId`](crate::TraceId) in a request's extensions is named there.
pub fn app(state: ApiState) -> impl Endpoint<Output = Response> + 'static {
    let oauth = state.oauth.as_ref();
    let mut others = docs::routes(&document());
    others.extend(oauth::routes(oauth));
    let scopes = oauth::Scopes::of(oauth);
    let routes = router::router(API, others);
    problems::Problems(routes.data(state.verifier).data(state.store).data(scopes))
}
