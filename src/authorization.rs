//! What a principal must hold beyond a valid token: roles, scopes, an organization, being a user.
//!
//! A [`Requirement`] is about the claims that Keyward knows, and two can be put together with `or`
//! and `and`. A rule about the application's own claims, or about the request's path, is a function
//! of the principal: see [`Guard`]. There is no language for rules; Rust is one.

use crate::claims::{Claims, Verified};

/// Decides whether a principal may do something: a [`Requirement`], or a function.
///
/// ```
/// use keyward::{Forbidden, Requirement, Verified};
/// # use keyward::testing::TestIssuer;
///
/// #[derive(serde::Deserialize)]
/// struct Account {
///     plan: String,
/// }
///
/// fn on_plan_pro(principal: &Verified<Account>) -> Result<(), Forbidden> {
///     match principal.require_user()?.plan.as_str() {
///         "pro" => Ok(()),
///         _ => Err(Forbidden::rule("plan_required", "this needs the plan pro")),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = TestIssuer::new("https://app.example.com");
/// # let verifier = issuer.verifier::<Account>();
/// # let token = issuer.user("ada").claim("plan", "free").token();
/// let principal = verifier.verify(&token).await?;
/// assert!(principal.require(&Requirement::user()).is_ok());
/// assert_eq!(principal.require(&on_plan_pro).unwrap_err().code(), "plan_required");
/// # Ok(())
/// # }
/// ```
///
/// The middlewares take the same: `BearerAuthLayer::new(verifier).require(on_plan_pro)`. A closure
/// must name its argument's type: `|principal: &Verified<Account>| …`.
pub trait Guard<C>: Send + Sync + 'static {
    /// Lets the principal pass, or says what is lacking.
    ///
    /// # Errors
    /// What is lacking.
    fn check(&self, principal: &Verified<C>) -> Result<(), Forbidden>;
}

impl<C, F> Guard<C> for F
where
    F: Fn(&Verified<C>) -> Result<(), Forbidden> + Send + Sync + 'static,
{
    fn check(&self, principal: &Verified<C>) -> Result<(), Forbidden> {
        self(principal)
    }
}

impl<C> Guard<C> for Requirement {
    fn check(&self, principal: &Verified<C>) -> Result<(), Forbidden> {
        self.is_met_by(principal.claims())
    }
}

/// A right that a principal needs.
///
/// ```
/// use keyward::Requirement;
///
/// let read = Requirement::scope("tasks:read");
/// let admin = Requirement::any_role(["admin", "owner"]);
/// // Users of the web app may read; OAuth clients need the scope for it.
/// let read = Requirement::issuer("https://app.example.com").or(read);
/// let change = Requirement::user().and(Requirement::organization_role("editor"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    User,
    AnyRole(Box<[Box<str>]>),
    Scope(Box<str>),
    Issuer(Box<str>),
    /// One organization, or any.
    Organization(Option<Box<str>>),
    AnyOrganizationRole(Box<[Box<str>]>),
    Or(Box<[Requirement; 2]>),
    And(Box<[Requirement; 2]>),
}

impl Requirement {
    /// A user, not an OAuth client that acts for itself.
    pub fn user() -> Self {
        Self(Kind::User)
    }

    /// A role, as one of Better Auth's comma-separated roles.
    pub fn role(role: impl Into<Box<str>>) -> Self {
        Self::any_role([role])
    }

    /// At least one of several roles. An empty list is met by nobody.
    pub fn any_role<R: Into<Box<str>>>(roles: impl IntoIterator<Item = R>) -> Self {
        Self(Kind::AnyRole(roles.into_iter().map(Into::into).collect()))
    }

    /// An OAuth scope.
    ///
    /// The scope is named in the challenge (RFC 6750 §3), so it must be one that RFC 6749 §3.3
    /// allows; one with other characters is met by nobody who got it from an OAuth server.
    pub fn scope(scope: impl Into<Box<str>>) -> Self {
        Self(Kind::Scope(scope.into()))
    }

    /// A token of this issuer, for verifiers that trust several.
    pub fn issuer(issuer: impl Into<Box<str>>) -> Self {
        Self(Kind::Issuer(issuer.into()))
    }

    /// A user who acts in an organization, whichever it is: the claim `activeOrganizationId`.
    ///
    /// Better Auth's organization plugin has the organization in the session, and `definePayload`
    /// puts it into the token; the role comes from its `member` table:
    ///
    /// ```ts
    /// definePayload: async ({ user, session }) => ({
    ///   activeOrganizationId: session.activeOrganizationId,
    ///   activeOrganizationRole: await roleOf(user.id, session.activeOrganizationId),
    /// })
    /// ```
    ///
    /// Which rows are an organization's is the application's to say: it filters by
    /// [`Claims::organization`].
    pub fn any_organization() -> Self {
        Self(Kind::Organization(None))
    }

    /// A user who acts in this organization.
    pub fn organization(id: impl Into<Box<str>>) -> Self {
        Self(Kind::Organization(Some(id.into())))
    }

    /// A role in the organization that the user acts in: the claim `activeOrganizationRole`, one
    /// of Better Auth's comma-separated roles.
    pub fn organization_role(role: impl Into<Box<str>>) -> Self {
        Self::any_organization_role([role])
    }

    /// At least one of several roles in the organization that the user acts in. An empty list is
    /// met by nobody.
    pub fn any_organization_role<R: Into<Box<str>>>(roles: impl IntoIterator<Item = R>) -> Self {
        let roles = roles.into_iter().map(Into::into).collect();
        Self(Kind::AnyOrganizationRole(roles))
    }

    /// This one or the other. Where neither is met, what is said to be lacking is what the other
    /// lacks: name last what a caller can do something about.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Kind::Or(Box::new([self, other])))
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Kind::And(Box::new([self, other])))
    }

    fn is_met_by(&self, claims: &Claims) -> Result<(), Forbidden> {
        let unless = |met: bool, lack: Forbidden| if met { Ok(()) } else { Err(lack) };
        // A client has no role and acts in no organization: such claims describe the user it
        // might act for.
        let user = || unless(!claims.is_client(), Forbidden::UserRequired);
        match &self.0 {
            Kind::User => user(),
            Kind::AnyRole(roles) => user().and_then(|()| {
                let held = roles.iter().any(|role| claims.has_role(role));
                unless(held, Forbidden::RoleRequired)
            }),
            Kind::Scope(scope) => unless(
                claims.has_scope(scope),
                Forbidden::ScopeRequired(scope.clone()),
            ),
            Kind::Issuer(issuer) => unless(*claims.issuer == **issuer, Forbidden::IssuerRequired),
            Kind::Organization(id) => user().and_then(|()| {
                let active = claims.organization.as_ref();
                let acts = match id {
                    Some(id) => active == Some(id),
                    None => active.is_some(),
                };
                unless(acts, Forbidden::OrganizationRequired)
            }),
            Kind::AnyOrganizationRole(roles) => user().and_then(|()| {
                let mut roles = roles.iter();
                let held = roles.any(|role| claims.has_organization_role(role));
                unless(held, Forbidden::OrganizationRoleRequired)
            }),
            Kind::Or(both) => {
                let [one, other] = &**both;
                one.is_met_by(claims).or_else(|_| other.is_met_by(claims))
            }
            Kind::And(both) => both.iter().try_for_each(|each| each.is_met_by(claims)),
        }
    }
}

/// Why a principal with a valid token may not do this. HTTP 403.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Forbidden {
    /// `user_required`: the token is a client's own.
    #[error("this needs a user, and the token was issued to a client acting for itself")]
    UserRequired,
    /// `role_required`: none of the roles that may do this.
    #[error("the user's roles do not allow this")]
    RoleRequired,
    /// `scope_required`: the scope was not granted.
    #[error("the token lacks a scope that this needs")]
    ScopeRequired(Box<str>),
    /// `issuer_required`: the token is of an issuer whose tokens do not allow this.
    #[error("tokens of this issuer do not allow this")]
    IssuerRequired,
    /// `organization_required`: the user acts in no organization, or in another one.
    #[error("the user does not act in an organization that may do this")]
    OrganizationRequired,
    /// `organization_role_required`: none of the roles in the organization that may do this.
    #[error("the user's roles in the organization do not allow this")]
    OrganizationRoleRequired,
    /// A rule of the application's own, under a code of its own: see [`rule`](Self::rule).
    #[error("{detail}")]
    Rule {
        /// The stable machine code.
        code: &'static str,
        /// What is lacking, in words.
        detail: &'static str,
    },
}

impl Forbidden {
    /// What a [`Guard`] of the application's own refuses with: a stable code, and what is lacking
    /// in words, which the caller gets to read. Both are fixed texts, so that neither can hold a
    /// claim.
    pub const fn rule(code: &'static str, detail: &'static str) -> Self {
        Self::Rule { code, detail }
    }

    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UserRequired => "user_required",
            Self::RoleRequired => "role_required",
            Self::ScopeRequired(_) => "scope_required",
            Self::IssuerRequired => "issuer_required",
            Self::OrganizationRequired => "organization_required",
            Self::OrganizationRoleRequired => "organization_role_required",
            Self::Rule { code, .. } => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn list(words: &str) -> Box<[Box<str>]> {
        words.split_whitespace().map(Box::from).collect()
    }

    /// A user of `https://app.example` with the role `user`, an editor in `org-1`.
    fn claims() -> Claims {
        Claims {
            issuer: "https://app.example".into(),
            audience: "https://api.example".into(),
            subject: "ada".into(),
            expires_at: SystemTime::UNIX_EPOCH,
            not_before: None,
            issued_at: None,
            client_id: None,
            scopes: list("tasks:read"),
            roles: list("user"),
            organization: Some("org-1".into()),
            organization_roles: list("editor"),
            is_client: false,
        }
    }

    #[test]
    fn each_requirement_is_met_by_what_it_names_and_lacks_what_it_says() {
        use Forbidden::*;
        let scope = |scope: &str| ScopeRequired(scope.into());
        let (user, client) = (
            claims(),
            Claims {
                is_client: true,
                ..claims()
            },
        );
        let table = [
            (Requirement::user(), Ok(()), Err(UserRequired)),
            (Requirement::role("user"), Ok(()), Err(UserRequired)),
            (
                Requirement::role("admin"),
                Err(RoleRequired),
                Err(UserRequired),
            ),
            (
                Requirement::role("editor"),
                Err(RoleRequired),
                Err(UserRequired),
            ),
            (Requirement::scope("tasks:read"), Ok(()), Ok(())),
            (
                Requirement::scope("tasks"),
                Err(scope("tasks")),
                Err(scope("tasks")),
            ),
            (Requirement::issuer("https://app.example"), Ok(()), Ok(())),
            (
                Requirement::issuer("https://app.example/"),
                Err(IssuerRequired),
                Err(IssuerRequired),
            ),
            (Requirement::any_organization(), Ok(()), Err(UserRequired)),
            (
                Requirement::organization("org-1"),
                Ok(()),
                Err(UserRequired),
            ),
            (
                Requirement::organization("org-2"),
                Err(OrganizationRequired),
                Err(UserRequired),
            ),
            (
                Requirement::organization_role("editor"),
                Ok(()),
                Err(UserRequired),
            ),
            (
                Requirement::organization_role("user"),
                Err(OrganizationRoleRequired),
                Err(UserRequired),
            ),
            (
                Requirement::any_organization_role::<&str>([]),
                Err(OrganizationRoleRequired),
                Err(UserRequired),
            ),
        ];
        for (requirement, of_user, of_client) in table {
            assert_eq!(requirement.is_met_by(&user), of_user, "{requirement:?}");
            assert_eq!(requirement.is_met_by(&client), of_client, "{requirement:?}");
        }
    }

    #[test]
    fn without_an_organization_nothing_about_one_is_met() {
        let alone = Claims {
            organization: None,
            ..claims()
        };
        for requirement in [
            Requirement::any_organization(),
            Requirement::organization("org-1"),
            Requirement::organization(""),
            Requirement::organization_role("editor"),
        ] {
            assert!(requirement.is_met_by(&alone).is_err(), "{requirement:?}");
        }
    }

    #[test]
    fn requirements_are_put_together() {
        let (read, write) = (
            || Requirement::scope("tasks:read"),
            || Requirement::scope("tasks:write"),
        );
        let admin = || Requirement::role("admin");
        let claims = claims();
        let lacks = |requirement: Requirement| requirement.is_met_by(&claims).err();
        let no_write = Some(Forbidden::ScopeRequired("tasks:write".into()));
        assert_eq!(lacks(read().or(write())), None);
        assert_eq!(lacks(write().or(read())), None);
        assert_eq!(lacks(admin().or(write())), no_write);
        assert_eq!(lacks(write().or(admin())), Some(Forbidden::RoleRequired));
        assert_eq!(lacks(read().and(Requirement::user())), None);
        assert_eq!(lacks(read().and(write())), no_write);
        assert_eq!(lacks(write().and(admin())), no_write);
        assert_eq!(lacks(admin().and(read()).or(read())), None);
        assert_eq!(lacks(read().or(admin()).and(write())), no_write);
    }
}
