//! What a principal must hold beyond a valid token: roles, scopes, being a user.

use crate::claims::Claims;

/// A right that a principal needs.
///
/// ```
/// use keyward::Requirement;
///
/// let read = Requirement::scope("tasks:read");
/// let admin = Requirement::any_role(["admin", "owner"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    User,
    AnyRole(Box<[Box<str>]>),
    Scope(Box<str>),
}

impl Requirement {
    /// A user, not an OAuth client that acts for itself.
    pub fn user() -> Self {
        Self(Kind::User)
    }

    /// A role, as one of Better Auth's comma-separated roles.
    pub fn role(role: impl Into<Box<str>>) -> Self {
        Self(Kind::AnyRole([role.into()].into()))
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

    pub(crate) fn check(&self, claims: &Claims) -> Result<(), Forbidden> {
        match &self.0 {
            Kind::User if claims.is_client() => Err(Forbidden::UserRequired),
            Kind::User => Ok(()),
            // A client has no role: `role` describes the user it might act for.
            Kind::AnyRole(_) if claims.is_client() => Err(Forbidden::UserRequired),
            Kind::AnyRole(roles) if roles.iter().any(|role| claims.has_role(role)) => Ok(()),
            Kind::AnyRole(_) => Err(Forbidden::RoleRequired),
            Kind::Scope(scope) if claims.has_scope(scope) => Ok(()),
            Kind::Scope(scope) => Err(Forbidden::ScopeRequired(scope.clone())),
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
}

impl Forbidden {
    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UserRequired => "user_required",
            Self::RoleRequired => "role_required",
            Self::ScopeRequired(_) => "scope_required",
        }
    }
}
