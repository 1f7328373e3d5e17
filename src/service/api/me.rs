//! `/api/me`: the caller.

use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::answer::Json;
use super::tags::Tag;
use super::user::User;
use crate::claims::Principal;

/// The operations about the caller.
pub struct MeApi;

/// The caller, as the token describes them.
///
/// The application that issues the tokens decides what they say: what a token leaves out is null.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(rename_all = "camelCase", example)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The user's id, which is the token's subject.
    pub id: String,
    /// The e-mail address.
    #[oai(nullable)]
    pub email: Option<String>,
    /// Whether the address was proven.
    #[oai(nullable)]
    pub email_verified: Option<bool>,
    /// The display name.
    #[oai(nullable)]
    pub name: Option<String>,
    /// The picture: a URL, or a `data:` URL with the picture itself.
    #[oai(nullable)]
    pub image: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
}

impl Me {
    fn new(principal: &Principal) -> Self {
        let claims = principal.user();
        let roles = &principal.claims().roles;
        Self {
            id: principal.subject().to_owned(),
            email: claims.and_then(|claims| claims.email.clone()),
            email_verified: claims.and_then(|claims| claims.email_verified),
            name: claims.and_then(|claims| claims.name.clone()),
            image: claims.and_then(|claims| claims.image.clone()),
            roles: roles.iter().map(|role| String::from(&**role)).collect(),
        }
    }
}

impl Example for Me {
    fn example() -> Self {
        Self {
            id: "3yCJcQmVFkJPlcJZpHZLgVEq4wFZKfUK".to_owned(),
            email: Some("ada@example.com".to_owned()),
            email_verified: Some(true),
            name: Some("Ada Lovelace".to_owned()),
            image: None,
            roles: vec!["user".to_owned()],
        }
    }
}

#[OpenApi]
impl MeApi {
    /// The caller
    ///
    /// What the token says about its user. Nothing is looked up.
    #[oai(
        path = "/api/me",
        method = "get",
        operation_id = "getMe",
        tag = "Tag::Account"
    )]
    async fn get_me(&self, user: User) -> Json<Me> {
        Json(Me::new(&user.0))
    }
}
