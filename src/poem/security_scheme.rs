//! Security schemes for poem-openapi, written by hand.
//!
//! The derive macro's own answer to a missing token is `text/plain` without a challenge, and its
//! fallback takes a bad token for an anonymous caller.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::DeserializeOwned;

use super::{reject, verifier};
use crate::claims::{BetterAuthUser, Principal};

/// The scheme's name in `components.securitySchemes`.
pub(super) const NAME: &str = "BearerAuth";

/// An operation's caller, who has a good token. See the [module](super) for an example. Make it the
/// first argument: those before it are read, and may be refused, for callers without a token too.
#[derive(Clone, Debug)]
pub struct BearerAuth<C = BetterAuthUser>(pub Principal<C>);

/// An operation's caller, or `None` for a request *without credentials*. Bad credentials are
/// refused, never taken for none.
#[derive(Clone, Debug)]
pub struct OptionalBearerAuth<C = BetterAuthUser>(pub Option<Principal<C>>);

/// Marks an operation as public: the document says `security: [{}]`, which is more than silence.
#[derive(Clone, Copy, Debug)]
pub struct Public;

impl<'a, C: DeserializeOwned + Send + Sync + 'static> ApiExtractor<'a> for BearerAuth<C> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![NAME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let verifier = verifier::<C>(request)?;
        match verifier.authenticate(request.headers()).await {
            Ok(principal) => Ok(Self(principal)),
            Err(rejection) => Err(reject(request, verifier.challenge(), rejection)),
        }
    }
}

impl<'a, C: DeserializeOwned + Send + Sync + 'static> ApiExtractor<'a> for OptionalBearerAuth<C> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![NAME]
    }

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let verifier = verifier::<C>(request)?;
        match verifier.authenticate_optional(request.headers()).await {
            Ok(principal) => Ok(Self(principal)),
            Err(rejection) => Err(reject(request, verifier.challenge(), rejection)),
        }
    }
}

impl<'a> ApiExtractor<'a> for Public {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        _request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(Self)
    }
}

fn register(registry: &mut Registry) {
    registry.create_security_scheme(
        NAME,
        MetaSecurityScheme {
            ty: "http",
            description: Some(
                "A JWT from the Better Auth server's `/api/auth/token`, sent as `Authorization: Bearer <token>`.",
            ),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("JWT"),
            flows: None,
            openid_connect_url: None,
        },
    );
}
