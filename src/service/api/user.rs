//! The caller of an operation that is for users only.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::claims::Principal;
use crate::poem::{BearerAuth, reject};
use crate::service::store::Owner;
use crate::service::telemetry::subject;
use crate::verifier::Verifier;

/// A user with a good token. An OAuth client that acts for itself has no account to own anything
/// with, and is refused with a 403.
#[derive(Clone, Debug)]
pub struct User(pub Principal);

impl User {
    /// The user as the owner of tasks.
    pub fn owner(&self) -> Owner<'_> {
        Owner::new(self.0.subject())
    }
}

impl<'a> ApiExtractor<'a> for User {
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
        if let Err(lack) = principal.require_user() {
            let verifier = request.data::<Verifier>();
            let challenge = verifier.map_or("".into(), Verifier::challenge);
            return Err(reject(request, challenge, lack.into()));
        }
        subject::record(principal.subject());
        Ok(Self(principal))
    }
}
