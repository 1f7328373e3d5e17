//! OAuth clients: what the API says of itself to them, and what their tokens must hold here.

use std::sync::Arc;

use poem::Response;
use poem::endpoint::make_sync;
use poem::http::Method;
use poem::{Body, EndpointExt};

use super::router::Table;
use crate::{ProtectedResource, Requirement};

/// Lets a client list and read tasks.
pub const READ: &str = "tasks:read";

/// Lets a client make, change and delete tasks.
pub const WRITE: &str = "tasks:write";

/// OAuth access tokens beside the tokens of the web app's own users.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The API as clients know it.
    pub resource: ProtectedResource,
    /// The issuers whose tokens need no scopes. Every other issuer's do.
    pub first_party: Vec<Arc<str>>,
}

/// What a token needs for the operations on tasks, beside being a user's; nothing where there are
/// no OAuth clients.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    pub read: Option<Requirement>,
    pub write: Option<Requirement>,
}

impl Scopes {
    pub fn of(oauth: Option<&OAuth>) -> Self {
        let scope = |scope: &str| {
            let issuers = &oauth?.first_party;
            let scope = Requirement::scope(scope);
            // The scope last, so that it is what a client is told to ask for.
            Some(issuers.iter().fold(scope, |other, issuer| {
                Requirement::issuer(&**issuer).or(other)
            }))
        };
        Self {
            read: scope(READ),
            write: scope(WRITE),
        }
    }
}

/// The route of the document that tells clients where to get a token (RFC 9728 §3).
pub fn routes(oauth: Option<&OAuth>) -> Table {
    let route = |oauth: &OAuth| {
        let document = oauth.resource.to_json();
        let endpoint = make_sync(move |_| {
            Response::builder()
                .content_type("application/json")
                .header("cache-control", "public, max-age=300")
                .body(Body::from(document.clone()))
        });
        let methods = [(Method::GET, endpoint.boxed())];
        (oauth.resource.metadata_path(), methods.into())
    };
    oauth.map(route).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_oauth_nothing_is_needed_and_with_it_a_scope_or_a_first_party_issuer() {
        let none = Scopes::of(None);
        assert_eq!((none.read, none.write), (None, None));
        let resource = ProtectedResource::new("https://api.example", ["https://a.example"]);
        let oauth = OAuth {
            resource: resource.unwrap(),
            first_party: vec!["https://a.example".into(), "https://b.example".into()],
        };
        let read = Requirement::issuer("https://b.example")
            .or(Requirement::issuer("https://a.example").or(Requirement::scope(READ)));
        assert_eq!(Scopes::of(Some(&oauth)).read, Some(read));
        let nobody = OAuth {
            first_party: Vec::new(),
            ..oauth
        };
        let scopes = Scopes::of(Some(&nobody));
        assert_eq!(scopes.write, Some(Requirement::scope(WRITE)));
    }
}
