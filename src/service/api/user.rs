//! The caller of an operation that is for users only.

use std::marker::PhantomData;

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::error::ApiError;
use super::oauth::Scopes;
use crate::Requirement;
use crate::claims::Principal;
use crate::poem::{BearerAuth, reject};
use crate::service::store::Owner;
use crate::service::telemetry::subject;
use crate::verifier::Verifier;

/// A user with a good token that allows `A`. An OAuth client that acts for itself has no account to
/// own anything with, and is refused with a 403; so is one that acts for a user without the scope.
#[derive(Clone, Debug)]
pub struct User<A = Known>(pub Principal, PhantomData<fn() -> A>);

impl<A> User<A> {
    /// The user as the owner of tasks.
    pub fn owner(&self) -> Owner<'_> {
        Owner::new(self.0.subject())
    }
}

/// What an operation does.
pub trait Action: Send + Sync + 'static {
    /// What it needs beside a user.
    fn requirement(scopes: &Scopes) -> Option<&Requirement>;
}

/// Says who calls.
#[derive(Clone, Copy, Debug)]
pub struct Known;

/// Reads tasks.
#[derive(Clone, Copy, Debug)]
pub struct Read;

/// Makes, changes or deletes tasks.
#[derive(Clone, Copy, Debug)]
pub struct Write;

impl Action for Known {
    fn requirement(_: &Scopes) -> Option<&Requirement> {
        None
    }
}

impl Action for Read {
    fn requirement(scopes: &Scopes) -> Option<&Requirement> {
        scopes.read.as_ref()
    }
}

impl Action for Write {
    fn requirement(scopes: &Scopes) -> Option<&Requirement> {
        scopes.write.as_ref()
    }
}

impl<'a, A: Action> ApiExtractor<'a> for User<A> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <BearerAuth as ApiExtractor>::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        <BearerAuth as ApiExtractor>::security_schemes()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let caller = <BearerAuth as ApiExtractor>::from_request(request, body, options).await?;
        let BearerAuth(principal) = caller;
        let (Some(verifier), Some(scopes)) = (request.data::<Verifier>(), request.data::<Scopes>())
        else {
            tracing::error!("an operation for users without the verifier or the scopes");
            return Err(ApiError::internal_error().into());
        };
        let allowed = principal.require(&Requirement::user());
        let allowed = allowed.and_then(|()| match A::requirement(scopes) {
            Some(requirement) => principal.require(requirement),
            None => Ok(()),
        });
        if let Err(lack) = allowed {
            return Err(reject(request, verifier.challenge(), lack.into()));
        }
        subject::record(principal.subject());
        Ok(Self(principal, PhantomData))
    }
}
