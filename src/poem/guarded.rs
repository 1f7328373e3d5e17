//! An operation's caller who has more than a good token.

use std::fmt;
use std::marker::PhantomData;

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::DeserializeOwned;

use super::security_scheme::BearerAuth;
use super::{reject, verifier};
use crate::authorization::Forbidden;
use crate::claims::{Principal, Verified};

/// What an operation demands of its caller, as a type: see [`Guarded`].
pub trait Access: Send + Sync + 'static {
    /// The claims that the application's verifier reads.
    type Claims: DeserializeOwned + Send + Sync + 'static;

    /// Lets the caller pass, or says what is lacking.
    ///
    /// # Errors
    /// What is lacking. The answer is a 403.
    fn check(principal: &Verified<Self::Claims>) -> std::result::Result<(), Forbidden>;
}

/// An operation's caller, who has a good token and what `A` demands. Everybody else is refused, and
/// the operation is not called. Make it the first argument, as
/// [`BearerAuth`](super::BearerAuth).
///
/// ```
/// use keyward::poem::{Access, Documented, Guarded};
/// use keyward::{BetterAuthUser, Forbidden, Requirement, Verified};
/// use poem_openapi::{OpenApi, OpenApiService, payload::PlainText};
///
/// struct Admin;
///
/// impl Access for Admin {
///     type Claims = BetterAuthUser;
///
///     fn check(principal: &Verified) -> Result<(), Forbidden> {
///         principal.require(&Requirement::role("admin"))
///     }
/// }
///
/// struct Api;
///
/// #[OpenApi]
/// impl Api {
///     #[oai(path = "/reports", method = "get")]
///     async fn reports(&self, admin: Guarded<Admin>) -> PlainText<String> {
///         PlainText(format!("reports for {}", admin.subject()))
///     }
/// }
///
/// // The document has the 401, the 403 and the 503.
/// let document = OpenApiService::new(Documented(Api), "Reports", "1.0").spec();
/// # let document: serde_json::Value = serde_json::from_str(&document).unwrap();
/// assert!(document["paths"]["/reports"]["get"]["responses"]["403"].is_object());
/// ```
pub struct Guarded<A: Access> {
    principal: Principal<A::Claims>,
    access: PhantomData<fn() -> A>,
}

impl<A: Access> Guarded<A> {
    /// The caller.
    pub fn principal(&self) -> &Principal<A::Claims> {
        &self.principal
    }
}

impl<A: Access> std::ops::Deref for Guarded<A> {
    type Target = Principal<A::Claims>;

    fn deref(&self) -> &Self::Target {
        &self.principal
    }
}

impl<'a, A: Access> ApiExtractor<'a> for Guarded<A> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <BearerAuth<A::Claims> as ApiExtractor>::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        <BearerAuth<A::Claims> as ApiExtractor>::security_schemes()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let BearerAuth(principal) =
            <BearerAuth<A::Claims> as ApiExtractor>::from_request(request, body, options).await?;
        match A::check(&principal) {
            Ok(()) => Ok(Self {
                principal,
                access: PhantomData,
            }),
            Err(lack) => {
                let verifier = verifier::<A::Claims>(request)?;
                Err(reject(request, verifier.challenge(), lack.into()))
            }
        }
    }
}

impl<A: Access> Clone for Guarded<A> {
    fn clone(&self) -> Self {
        Self {
            principal: self.principal.clone(),
            access: PhantomData,
        }
    }
}

impl<A: Access> fmt::Debug for Guarded<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guarded").field(&self.principal).finish()
    }
}
