//! Tokens that a real Better Auth issues to real clients, and that are not for this service. All
//! are genuine, most are signed with the very key that signs the service's own.

use std::collections::BTreeMap;

use keyward::service::store::{DatabaseUrl, TaskStore};
use keyward::{BetterAuthUrl, Policy, RefreshOptions, RemoteKeySet, Verifier};
use serde_json::{Value, json};

use crate::auth_server::{BetterAuth, Session};
use crate::faces::{self, Service, Tower};

const RESOURCE: &str = "https://api.example.com";

/// A token, and what it gets.
struct Row {
    name: &'static str,
    token: String,
    expected: &'static str,
    /// Where it differs.
    in_service: &'static str,
}

fn row(name: &'static str, token: &str, expected: &'static str) -> Row {
    Row {
        name,
        token: token.to_owned(),
        expected,
        in_service: expected,
    }
}

/// Rows through all three faces, with the keys that the auth server publishes.
async fn check(auth: &BetterAuth, issuer: &str, audience: &str, rows: Vec<Row>) {
    let verifier = || -> Verifier {
        let fetcher = BetterAuthUrl::parse(auth.url()).unwrap().fetcher(false);
        let keys = RemoteKeySet::new(fetcher.unwrap(), RefreshOptions::default());
        let policy = Policy::new([issuer], [audience]).unwrap();
        Verifier::builder(policy, keys).build()
    };
    let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
    let store = TaskStore::connect(&url).await.unwrap();
    let (library, tower) = (verifier(), Tower::new(verifier()));
    let service = Service::start(verifier(), store).await;
    for row in &rows {
        let Row { name, token, .. } = row;
        assert_eq!(
            faces::code(&library, token).await,
            row.expected,
            "{name} in the library"
        );
        let headers = faces::bearer(token);
        let map = faces::header_map(&headers).unwrap();
        let behind_the_layer = tower.call(map).await.code(name);
        assert_eq!(
            behind_the_layer, row.expected,
            "{name} behind the Tower layer"
        );
        let in_service = service.call("", &headers).await.code(name);
        assert_eq!(in_service, row.in_service, "{name} in the service");
    }
    println!(
        "ran {} cases: other tokens of a real Better Auth",
        rows.len()
    );
}

/// The claims of a token, to see that it is what it is said to be.
fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&crate::lab::decode(payload)).unwrap()
}

fn header_of(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&crate::lab::decode(header)).unwrap()
}

fn percent_decoded(text: &str) -> String {
    text.replace("%2B", "+")
        .replace("%2F", "/")
        .replace("%3D", "=")
}

#[tokio::test]
async fn what_an_oauth_provider_issues() {
    let auth = BetterAuth::start(json!({"oauth": true})).await;
    let ada: Session = auth.sign_up("Ada", "ada@example.com").await;
    let jwt = auth.token(&ada).await;
    let tokens = auth.oauth_tokens(RESOURCE).await;
    let token = |name: &str| tokens[name].as_str().unwrap();
    // They are what they should be.
    let client = token("clientId");
    assert_eq!(claims_of(token("idToken"))["aud"], client);
    assert_eq!(claims_of(token("clientAccessToken"))["sub"], client);
    assert!(claims_of(token("dpopAccessToken"))["cnf"]["jkt"].is_string());
    assert_eq!(tokens["dpopTokenType"], "DPoP");
    assert_eq!(header_of(token("logoutToken"))["typ"], "logout+jwt");
    let one_key: BTreeMap<_, _> = ["accessToken", "idToken", "logoutToken", "dpopAccessToken"]
        .iter()
        .map(|name| (header_of(token(name))["kid"].to_string(), name))
        .collect();
    assert_eq!(one_key.len(), 1, "signed with one key: {one_key:?}");

    let never_accepted = |rows: &mut Vec<Row>| {
        rows.extend([
            row(
                "opaque access token",
                token("opaqueAccessToken"),
                "session_token",
            ),
            row("refresh token", token("refreshToken"), "session_token"),
            row(
                "logout token",
                token("logoutToken"),
                "token_type_not_accepted",
            ),
            row("DPoP proof", token("dpopProof"), "token_type_not_accepted"),
            row(
                "DPoP-bound access token",
                token("dpopAccessToken"),
                "token_sender_constrained",
            ),
        ]);
    };

    // An API that takes what /api/auth/token gives.
    let mut rows = vec![
        row("JWT of /api/auth/token", &jwt, "accepted"),
        row(
            "access token",
            token("accessToken"),
            "token_issuer_mismatch",
        ),
        row("id_token", token("idToken"), "token_issuer_mismatch"),
        row(
            "client-credentials token",
            token("clientAccessToken"),
            "token_issuer_mismatch",
        ),
    ];
    never_accepted(&mut rows);
    check(&auth, auth.url(), auth.url(), rows).await;

    // One that is an OAuth resource.
    let issuer = format!("{}/api/auth", auth.url());
    let mut rows = vec![
        row("access token", token("accessToken"), "accepted"),
        row("JWT of /api/auth/token", &jwt, "token_issuer_mismatch"),
        row("id_token", token("idToken"), "token_audience_mismatch"),
        Row {
            in_service: "user_required",
            ..row(
                "client-credentials token",
                token("clientAccessToken"),
                "accepted",
            )
        },
    ];
    never_accepted(&mut rows);
    check(&auth, &issuer, RESOURCE, rows).await;

    // One that takes everything for an issuer and an audience that it has heard of: what is left
    // to refuse is told by `typ`, and by `cnf`.
    let rows = vec![
        row("id_token", token("idToken"), "accepted"),
        row(
            "logout token",
            token("logoutToken"),
            "token_type_not_accepted",
        ),
    ];
    check(&auth, &issuer, client, rows).await;
}

#[tokio::test]
async fn what_a_browser_keeps() {
    let start = |cache: &'static str| BetterAuth::start(json!({"sessionCache": cache}));
    let (compact, jwt, jwe, jwks) =
        tokio::join!(start("compact"), start("jwt"), start("jwe"), start("jwks"));
    for (auth, form, expected) in [
        (&compact, "compact", "token_malformed"),
        (&jwt, "JWT with HS256", "token_algorithm_not_allowed"),
        (&jwe, "JWE", "token_encrypted"),
        (
            &jwks,
            "JWT with the service's key",
            "token_type_not_accepted",
        ),
    ] {
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let data = percent_decoded(ada.cookie("better-auth.session_data"));
        let session = percent_decoded(ada.cookie("better-auth.session_token"));
        let id = session.split('.').next().unwrap();
        match form {
            "JWT with HS256" => assert_eq!(header_of(&data)["alg"], "HS256"),
            "JWE" => assert_eq!(data.split('.').count(), 5),
            "JWT with the service's key" => {
                let jwt = auth.token(&ada).await;
                assert_eq!(header_of(&data)["kid"], header_of(&jwt)["kid"]);
                assert_eq!(claims_of(&data)["sub"], claims_of(&jwt)["sub"]);
                assert_eq!(claims_of(&data)["iss"], claims_of(&jwt)["iss"]);
            }
            _ => assert!(!data.contains('.')),
        }
        let rows = || {
            vec![
                row("session-data cookie", &data, expected),
                row("session-token cookie", &session, "session_token"),
                row("session token", id, "session_token"),
            ]
        };
        check(auth, auth.url(), auth.url(), rows()).await;
        // With its own audience allowed as well, `typ` is what is left to tell it by.
        check(auth, auth.url(), "better-auth:session-cache", rows()).await;
    }
}
