//! What a verified token says: registered claims, the application's own, and the principal.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Deserializer};

#[allow(unused_imports, reason = "named in the documentation")]
use crate::Requirement;
use crate::algorithm::Algorithm;
use crate::authorization::{Forbidden, Guard};
use crate::keys::key::VerifyingKey;
use crate::policy::Times;
use crate::trust::TrustId;

/// The registered claims of a verified token.
///
/// `Debug` prints no value: `sub` may be an e-mail address.
#[derive(Clone)]
#[non_exhaustive]
pub struct Claims {
    /// The allowed issuer that the token's `iss` equals.
    pub issuer: Arc<str>,
    /// The allowed audience found in the token's `aud`.
    pub audience: Arc<str>,
    /// `sub`: the user's id, or the client's. Never empty.
    pub subject: Box<str>,
    /// `exp`.
    pub expires_at: SystemTime,
    /// `nbf`.
    pub not_before: Option<SystemTime>,
    /// `iat`.
    pub issued_at: Option<SystemTime>,
    /// `client_id` (RFC 9068 §2.2), or else `azp`: the OAuth client that asked for the token.
    pub client_id: Option<Box<str>>,
    /// `scope`, split at spaces.
    pub scopes: Box<[Box<str>]>,
    /// `role`, split at commas as Better Auth joins them.
    pub roles: Box<[Box<str>]>,
    /// `activeOrganizationId`, where `definePayload` adds it: the organization that the user acts
    /// in, by Better Auth's organization plugin.
    pub organization: Option<Box<str>>,
    /// `activeOrganizationRole`, split as [`roles`](Self::roles): the user's roles in
    /// [`organization`](Self::organization), and in no other.
    pub organization_roles: Box<[Box<str>]>,
    pub(crate) is_client: bool,
}

impl Claims {
    /// Whether the subject is an OAuth client acting for itself instead of a user.
    pub fn is_client(&self) -> bool {
        self.is_client
    }

    pub(crate) fn times(&self) -> Times {
        Times {
            expires_at: self.expires_at,
            not_before: self.not_before,
            issued_at: self.issued_at,
        }
    }

    /// Whether `scope` was granted.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| **granted == *scope)
    }

    /// Whether the user has the role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| **held == *role)
    }

    /// Whether the user has the role in the organization they act in. Without one, no.
    pub fn has_organization_role(&self, role: &str) -> bool {
        self.organization.is_some() && self.organization_roles.iter().any(|held| **held == *role)
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// A token that passed every check, with the application's claims read into `C`.
///
/// There is no other way to get one than a [`Verifier`](crate::Verifier).
pub struct Verified<C = BetterAuthUser> {
    pub(crate) claims: Claims,
    pub(crate) user: Option<C>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: Arc<VerifyingKey>,
    /// The trust it was verified under.
    pub(crate) trust: TrustId,
}

impl<C> Verified<C> {
    /// `sub`: the user's id, or, for a client, the client's.
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// The registered claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The user's claims; `None` for a client that acts for itself (OAuth client credentials).
    pub fn user(&self) -> Option<&C> {
        self.user.as_ref()
    }

    /// The user's claims, or the refusal to answer a client with.
    ///
    /// # Errors
    /// [`Forbidden::UserRequired`] for a client that acts for itself.
    pub fn require_user(&self) -> Result<&C, Forbidden> {
        self.user().ok_or(Forbidden::UserRequired)
    }

    /// Checks a role, a scope, or another [`Requirement`]; or a rule of the application's own,
    /// see [`Guard`].
    ///
    /// # Errors
    /// What is lacking.
    pub fn require(&self, guard: &(impl Guard<C> + ?Sized)) -> Result<(), Forbidden> {
        guard.check(self)
    }

    /// The algorithm of the signature.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` of the key that proved it.
    pub fn key_id(&self) -> Option<&str> {
        self.key.id()
    }
}

impl<C> fmt::Debug for Verified<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("claims", &self.claims)
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}

/// Who makes a request: what a handler gets. Cheap to clone; dereferences to [`Verified`].
pub struct Principal<C = BetterAuthUser>(Arc<Verified<C>>);

impl<C> Principal<C> {
    pub(crate) fn new(verified: Verified<C>) -> Self {
        Self(Arc::new(verified))
    }
}

impl<C> Clone for Principal<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> Deref for Principal<C> {
    type Target = Verified<C>;

    fn deref(&self) -> &Verified<C> {
        &self.0
    }
}

impl<C> fmt::Debug for Principal<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Principal").field(&self.0).finish()
    }
}

/// The user as Better Auth's jwt plugin describes it by default.
///
/// All but the id may be missing, since `definePayload` chooses what goes into a token. `Debug`
/// prints no value.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BetterAuthUser {
    /// The user's id: the claim `id`, or `sub` where `definePayload` leaves `id` out.
    pub id: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether the address was proven.
    pub email_verified: Option<bool>,
    /// Display name.
    pub name: Option<String>,
    /// URL of the picture, or a `data:` URL with the picture itself.
    pub image: Option<String>,
    /// The roles as one comma-separated string, as the admin plugin stores them. To check one,
    /// use [`Claims::has_role`].
    pub role: Option<String>,
    /// When the user signed up, RFC 3339.
    pub created_at: Option<String>,
    /// When the row last changed, RFC 3339.
    pub updated_at: Option<String>,
}

impl fmt::Debug for BetterAuthUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BetterAuthUser").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BetterAuthPayload<'p> {
    #[serde(borrow)]
    sub: Cow<'p, str>,
    id: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    name: Option<String>,
    image: Option<String>,
    #[serde(default, deserialize_with = "roles_as_text")]
    role: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl<'de> Deserialize<'de> for BetterAuthUser {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let payload = BetterAuthPayload::deserialize(deserializer)?;
        Ok(Self {
            id: payload.id.unwrap_or_else(|| payload.sub.into_owned()),
            email: payload.email,
            email_verified: payload.email_verified,
            name: payload.name,
            image: payload.image,
            role: payload.role,
            created_at: payload.created_at,
            updated_at: payload.updated_at,
        })
    }
}

fn roles_as_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Roles {
        Text(String),
        List(Vec<String>),
    }
    Ok(
        Option::<Roles>::deserialize(deserializer)?.map(|roles| match roles {
            Roles::Text(text) => text,
            Roles::List(list) => list.join(","),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::key_set::KeySet;

    #[test]
    fn a_default_payload_and_the_barest_one_are_read() {
        let user: BetterAuthUser = serde_json::from_str(
            r#"{"iat":1795450322,"name":"Ada Lovelace","email":"ada@example.com","emailVerified":false,"image":null,
                "createdAt":"2026-11-23T16:12:02.423Z","updatedAt":"2026-11-23T16:12:02.423Z","role":"admin,user",
                "banned":false,"id":"u1","sub":"u1","exp":1795451222,"iss":"http://a","aud":"http://a"}"#,
        )
        .unwrap();
        assert_eq!(
            (&*user.id, user.email.as_deref()),
            ("u1", Some("ada@example.com"))
        );
        assert_eq!(
            (user.email_verified, user.image, user.role.as_deref()),
            (Some(false), None, Some("admin,user"))
        );
        assert_eq!(user.created_at.as_deref(), Some("2026-11-23T16:12:02.423Z"));

        let bare: BetterAuthUser = serde_json::from_str(r#"{"sub":"u2"}"#).unwrap();
        assert_eq!((&*bare.id, bare.email, bare.role), ("u2", None, None));
        let listed: BetterAuthUser =
            serde_json::from_str(r#"{"sub":"u2","role":["a","b"]}"#).unwrap();
        assert_eq!(listed.role.as_deref(), Some("a,b"));
        assert!(serde_json::from_str::<BetterAuthUser>(r#"{"sub":"u2","email":7}"#).is_err());
    }

    #[test]
    fn debug_prints_no_personal_data() {
        let user: BetterAuthUser =
            serde_json::from_str(r#"{"sub":"secret-id","email":"ada@example.com","name":"Ada"}"#)
                .unwrap();
        let claims = Claims {
            issuer: "i".into(),
            audience: "a".into(),
            subject: "secret-id".into(),
            expires_at: SystemTime::UNIX_EPOCH,
            not_before: None,
            issued_at: None,
            client_id: None,
            scopes: Box::default(),
            roles: Box::default(),
            organization: None,
            organization_roles: Box::default(),
            is_client: false,
        };
        let keys = KeySet::from_json(
            br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"}]}"#,
        )
        .unwrap();
        let principal = Principal::new(Verified {
            claims,
            user: Some(user.clone()),
            algorithm: Algorithm::EdDsa,
            key: keys.select(Some("k"), Algorithm::EdDsa).unwrap().clone(),
            trust: TrustId::default(),
        });
        for text in [
            format!("{user:?}"),
            format!("{principal:?}"),
            format!("{:?}", principal.claims()),
        ] {
            assert!(
                !text.contains("secret") && !text.contains("Ada") && !text.contains("example.com"),
                "{text}"
            );
        }
    }
}
