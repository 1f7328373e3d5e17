//! What every adapter does with an authenticated request: let it through with its principal, or
//! say why not.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap};

use crate::authorization::Guard;
use crate::bearer::Rejection;
use crate::claims::Principal;
use crate::verifier::Verifier;

/// A verifier, whether anonymous requests may pass, and what principals must hold.
pub(crate) struct Gate<C> {
    pub(crate) verifier: Verifier<C>,
    optional: bool,
    guards: Arc<[Arc<dyn Guard<C>>]>,
}

impl<C> Gate<C> {
    pub(crate) fn new(verifier: Verifier<C>) -> Self {
        Self {
            verifier,
            optional: false,
            guards: Arc::new([]),
        }
    }

    pub(crate) fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    pub(crate) fn require(mut self, guard: impl Guard<C>) -> Self {
        let guard: Arc<dyn Guard<C>> = Arc::new(guard);
        self.guards = self.guards.iter().cloned().chain([guard]).collect();
        self
    }
}

impl<C: Send + Sync + 'static> Gate<C> {
    /// Puts the principal into the request's extensions if it may pass.
    pub(crate) fn admit(
        &self,
        authenticated: Result<Principal<C>, Rejection>,
        extensions: &mut Extensions,
    ) -> Result<(), Rejection> {
        let principal = match authenticated {
            Ok(principal) => principal,
            Err(Rejection::CredentialsMissing) if self.optional => return Ok(()),
            Err(rejection) => return Err(rejection),
        };
        for guard in &*self.guards {
            principal.require(&**guard)?;
        }
        extensions.insert(principal);
        Ok(())
    }
}

/// Whoever prints the request from here on does not print the token. Of several headers the request
/// is refused.
pub(crate) fn conceal_credentials(headers: &mut HeaderMap) {
    if let Some(credentials) = headers.get_mut(AUTHORIZATION) {
        credentials.set_sensitive(true);
    }
}

impl<C> Clone for Gate<C> {
    fn clone(&self) -> Self {
        Self {
            verifier: self.verifier.clone(),
            optional: self.optional,
            guards: self.guards.clone(),
        }
    }
}

impl<C> fmt::Debug for Gate<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("verifier", &self.verifier)
            .field("optional", &self.optional)
            .field("guards", &self.guards.len())
            .finish()
    }
}
