//! The caller.

use serde_json::{Value, json};

use super::Api;

async fn me(api: &Api, claims: &Value) -> super::Answer {
    let authorization = format!("Bearer {}", api.issuer.sign(claims));
    api.get("/api/me")
        .header("authorization", &authorization)
        .send()
        .await
}

#[tokio::test]
async fn a_token_says_who_calls_and_what_it_leaves_out_is_null() {
    let api = Api::new().await;
    let mut claims = api.issuer.claims("u1");
    claims["role"] = json!("admin, user");
    assert_eq!(
        me(&api, &claims).await.json(),
        json!({
            "id": "u1",
            "email": "ada@example.com",
            "emailVerified": true,
            "name": "Ada Lovelace",
            "image": null,
            "roles": ["admin", "user"],
        })
    );
    for left_out in ["email", "emailVerified", "name", "image", "role", "id"] {
        claims.as_object_mut().unwrap().remove(left_out);
    }
    assert_eq!(
        me(&api, &claims).await.json(),
        json!({
            "id": "u1",
            "email": null,
            "emailVerified": null,
            "name": null,
            "image": null,
            "roles": [],
        })
    );
}

#[tokio::test]
async fn the_id_is_the_one_that_owns_the_tasks() {
    let api = Api::new().await;
    let mut claims = api.issuer.claims("u1");
    claims["id"] = json!("another");
    assert_eq!(me(&api, &claims).await.json()["id"], "u1");
}
