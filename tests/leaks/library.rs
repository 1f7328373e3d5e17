//! The library alone: what its types print of themselves. Whoever logs one with `{:?}` gives nothing
//! away by it. What they may say is whose key it was, by which algorithm, from which issuer, for which
//! audience.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::sync::{Arc, Mutex};

use ::poem::{EndpointExt, IntoResponse, Middleware};
use ::tower::{Layer, ServiceExt, service_fn};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use keyward::testing::TestIssuer;
use keyward::*;
use poem_openapi::payload::PlainText;
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::json;

use super::search::Secrets;

const ISSUER: &str = "https://app.example.com";

fn printed(value: &(impl Debug + ?Sized)) -> String {
    format!("{value:?} {value:#?}")
}

fn spoken(value: &(impl Debug + Display + ?Sized)) -> String {
    format!("{} {value}", printed(value))
}

/// With all of its causes.
fn error(error: &(dyn Error + 'static)) -> String {
    let mut text = spoken(error);
    let mut source = error.source();
    while let Some(cause) = source {
        text += &spoken(cause);
        source = cause.source();
    }
    text
}

/// What has no form in text: traits, aliases, constants, a future.
const NOTHING_TO_PRINT: [&str; 8] = [
    "Access",
    "Clock",
    "FetchFuture",
    "FetchKeySet",
    "Guard",
    "PROBLEM_JSON",
    "ResponseFuture",
    "VerificationObserver",
];

/// The names that a source file exports with `pub use`.
fn exported(source: &str) -> Vec<&str> {
    source
        .split("pub use ")
        .skip(1)
        .flat_map(|rest| rest.split(';').next().unwrap().rsplit("::").next())
        .flat_map(|names| names.split(['{', '}', ',', ' ', '\n']))
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect()
}

/// An endpoint that prints nothing of itself.
#[derive(Debug)]
struct Silent;

impl ::poem::Endpoint for Silent {
    type Output = ();

    async fn call(&self, _request: ::poem::Request) -> ::poem::Result<()> {
        Ok(())
    }
}

/// Everybody.
struct Anybody;

impl keyward::poem::Access for Anybody {
    type Claims = BetterAuthUser;

    fn check(_: &Verified) -> Result<(), Forbidden> {
        Ok(())
    }
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/", method = "get")]
    async fn guarded(&self, caller: keyward::poem::Guarded<Anybody>) -> PlainText<String> {
        PlainText(printed(&caller))
    }
}

/// Keeps what it is shown, as text.
#[derive(Clone, Debug, Default)]
struct Observed(Arc<Mutex<Vec<String>>>);

impl VerificationObserver for Observed {
    fn observe(&self, verification: &Observation<'_>) {
        self.0.lock().unwrap().push(printed(verification));
    }
}

#[tokio::test]
async fn no_public_type_prints_a_token_a_key_or_a_personal_claim() {
    let mut secrets = Secrets::default();
    for secret in [
        "leak-sub-93f",
        "leak-mail-7c1",
        "leak-name-d44",
        "leak-claim-610",
        "leak-role-2d7",
        "leak-scope-f03",
        "leak-private-1a1",
        "leak-symmetric-2b2",
        "leak-document-8e8",
        "leak-kid-c58",
        "leak-password-4e0",
    ] {
        secrets.add(secret);
    }
    let issuer = TestIssuer::new(ISSUER);
    let mut claims = issuer.claims("leak-sub-93f");
    claims["email"] = json!("leak-mail-7c1@example.com");
    claims["name"] = json!("leak-name-d44");
    claims["role"] = json!("admin,leak-role-2d7");
    claims["scope"] = json!("read leak-scope-f03");
    claims["jti"] = json!("leak-claim-610");
    claims["sid"] = json!("leak-claim-610");
    claims["extra"] = json!({"leak-claim-610": "leak-claim-610"});
    let token = issuer.sign(&claims);
    secrets.add_token(&token);
    // The key's own material, as it is published.
    let jwk = issuer.key().public_jwk();
    secrets.add_token(jwk["x"].as_str().unwrap());
    let document = json!({"keys": [
        jwk,
        {"kty": "OKP", "crv": "Ed25519", "kid": "private", "x": jwk["x"], "d": "leak-private-1a1"},
        {"kty": "oct", "kid": "symmetric", "k": "leak-symmetric-2b2"},
        {"kty": "leak-document-8e8", "crv": "leak-document-8e8", "alg": "leak-document-8e8"},
    ]});
    let document = document.to_string().into_bytes();
    let keys = KeySet::from_json(&document).unwrap();
    let policy = || Policy::new([ISSUER], [ISSUER]).unwrap();

    let server = super::raw_server::RawServer::start({
        let document = document.clone();
        move |_| super::raw_server::ok(&document)
    })
    .await;
    let fetched = server.fetcher().fetch(None).await.unwrap();
    let refusing = super::raw_server::RawServer::start(|_| {
        super::raw_server::response(
            "500 leak-document-8e8",
            "x: leak-document-8e8\r\n",
            b"leak-document-8e8",
        )
    })
    .await;
    let remote = RemoteKeySet::new(server.fetcher(), RefreshOptions::default());
    let observed = Observed::default();
    let verifier: Verifier = Verifier::builder(policy(), remote.clone())
        .observer(observed.clone())
        .build();
    let principal = verifier.verify(&token).await.unwrap();
    verifier.verify(&token).await.unwrap(); // remembered by now
    let user = principal.require_user().unwrap();
    let mut tampered = token.clone();
    let at = token.len() - 60;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    tampered.replace_range(at..=at, other);
    let mut errors = vec![verifier.verify(&tampered).await.unwrap_err()];
    for (name, value) in [
        ("exp", json!("leak-claim-610")),
        ("iss", json!("leak-claim-610")),
        ("aud", json!(["leak-claim-610"])),
        ("sub", json!({"leak-claim-610": 1})),
        ("nbf", json!("leak-claim-610")),
        ("cnf", json!("leak-claim-610")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        let token = issuer.sign(&claims);
        secrets.add_token(&token);
        errors.push(verifier.verify(&token).await.unwrap_err());
    }
    let header = json!({"alg": "EdDSA", "kid": "leak-kid-c58"}).to_string();
    let unknown = issuer.key().sign(header, claims.to_string());
    secrets.add_token(&unknown);
    errors.push(verifier.verify(&unknown).await.unwrap_err());
    let bearer = |token: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        headers
    };
    let rejection = verifier.authenticate(&bearer(&tampered)).await;
    let rejection = rejection.unwrap_err();
    let trace = TraceId::from_hex(&"7".repeat(32)).unwrap();
    let problem = rejection.problem(Some(&trace));
    let forbidden = principal.require(&Requirement::role("owner"));
    let layer = keyward::tower::BearerAuthLayer::new(verifier.clone());
    let middleware = keyward::poem::BearerAuthMiddleware::new(verifier.clone());
    let with_password = "https://u:leak-password-4e0@app.example.com";
    let with_query = "https://app.example.com/?token=leak-password-4e0";

    // What a handler is given, and what becomes of a refused request.
    let given = service_fn(async |request: Request<()>| {
        assert!(request.extensions().get::<Principal>().is_some());
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(printed(&request)))))
    });
    let ask = async |token: &str| {
        let mut request = Request::new(());
        *request.headers_mut() = bearer(token);
        layer.layer(given).oneshot(request).await.unwrap()
    };
    let (accepted, refused) = (ask(&token).await, ask(&tampered).await);
    let statuses = [&accepted, &refused].map(|answer| answer.status().as_u16());
    assert_eq!(statuses, [200, 401]);
    let accepted = accepted.into_body().collect().await.unwrap().to_bytes();
    let accepted = String::from_utf8(accepted.to_vec()).unwrap();
    let poem_given = ::poem::endpoint::make_sync(|request| printed(&request));
    let guarded = middleware.transform(poem_given);
    let request = ::poem::Request::builder().header("authorization", format!("Bearer {token}"));
    let poem_request = ::poem::Endpoint::call(&guarded, request.finish())
        .await
        .unwrap();

    let api = OpenApiService::new(Api, "", "").data(verifier.clone());
    let request = ::poem::Request::builder().header("authorization", format!("Bearer {token}"));
    let guarded = ::poem::Endpoint::call(&api, request.finish())
        .await
        .unwrap();
    let guarded = guarded.into_response().into_body().into_string().await;

    // Metadata that are another's, and say more than is asked.
    let foreign = super::raw_server::RawServer::start(|_| {
        super::raw_server::ok(br#"{"issuer":"leak-document-8e8","jwks_uri":"leak-document-8e8"}"#)
    })
    .await;
    let discovery = DiscoveryFetcher::new(&foreign.url, false).unwrap();
    let metadata_error = match discovery.fetch(None).await.unwrap_err() {
        FetchError::Metadata(error) => error,
        other => panic!("{other:?}"),
    };
    let resource = |url: &str| ProtectedResource::new(url, [ISSUER]);

    let table = BTreeMap::from([
        ("Algorithm", spoken(&Algorithm::EdDsa)),
        (
            "AlgorithmSet",
            spoken(&keys.keys().next().unwrap().algorithms()),
        ),
        (
            "BearerAuth",
            printed(&keyward::poem::BearerAuth(principal.clone())),
        ),
        ("BearerAuthEndpoint", printed(&middleware.transform(Silent))),
        ("BearerAuthLayer", printed(&layer)),
        ("BearerAuthMiddleware", printed(&middleware)),
        ("BearerAuthService", printed(&layer.layer(()))),
        (
            "BetterAuthUrl",
            printed(&BetterAuthUrl::parse(ISSUER).unwrap()),
        ),
        ("BetterAuthUser", printed(user)),
        ("CacheOptions", printed(&CacheOptions::default())),
        ("CacheStatus", printed(&verifier.cache_status())),
        ("Challenge", printed(&verifier.challenge())),
        ("Claim", spoken(&Claim::Subject)),
        ("Claims", printed(principal.claims())),
        ("DiscoveryFetcher", printed(&discovery)),
        ("Documented", printed(&keyward::poem::Documented(Silent))),
        (
            "FetchError",
            error(&refusing.fetcher().fetch(None).await.unwrap_err()),
        ),
        ("Fetched", printed(&fetched)),
        ("Forbidden", error(&forbidden.unwrap_err())),
        ("Guarded", guarded.unwrap()),
        ("HttpFetcher", printed(&server.fetcher())),
        ("KeyOutcome", printed(keys.outcomes())),
        ("KeySet", printed(&keys)),
        (
            "KeySetError",
            error(&KeySet::from_json(b"leak-document-8e8").unwrap_err()),
        ),
        ("KeySetStatus", printed(&remote.status())),
        ("KeySource", printed(&KeySource::from(remote.clone()))),
        ("MetadataError", error(&metadata_error)),
        ("Observation", observed.0.lock().unwrap().join(" ")),
        (
            "OptionalBearerAuth",
            printed(&keyward::poem::OptionalBearerAuth(Some(principal.clone()))),
        ),
        ("Policy", printed(&policy())),
        (
            "PolicyError",
            error(&Policy::new([ISSUER], [""]).unwrap_err()),
        ),
        ("Principal", printed(&principal)),
        (
            "Problem",
            format!(
                "{} {}",
                printed(&problem),
                String::from_utf8(problem.to_json()).unwrap()
            ),
        ),
        ("ProtectedResource", printed(&resource(ISSUER).unwrap())),
        ("Public", printed(&keyward::poem::Public)),
        (
            "RefreshError",
            error(&RefreshError::from(KeySetError::Malformed)),
        ),
        ("RefreshOptions", printed(&RefreshOptions::default())),
        (
            "Rejection",
            format!(
                "{} {:?}",
                error(&rejection),
                rejection.www_authenticate("realm")
            ),
        ),
        ("RemoteKeySet", printed(&remote)),
        ("Requirement", printed(&Requirement::user())),
        ("a request in a Tower service", accepted),
        ("a request in a Poem endpoint", poem_request),
        (
            "ResourceError",
            error(&resource(with_password).unwrap_err()),
        ),
        ("ResponseBody", printed(&refused)),
        ("SigningKey", printed(&issuer.key())),
        (
            "SkipReason",
            keys.outcomes()
                .iter()
                .filter_map(|it| it.result.as_ref().err())
                .map(|it| error(it))
                .collect(),
        ),
        ("SystemClock", printed(&SystemClock)),
        ("TestIssuer", printed(&issuer)),
        ("TraceId", spoken(&trace)),
        (
            "TrustError",
            error(
                &Verifier::builder(policy(), remote.clone())
                    .trust(policy(), remote.clone())
                    .unwrap_err(),
            ),
        ),
        ("TrustedKeySet", printed(&verifier.key_sets())),
        (
            "UnknownAlgorithm",
            error(&"leak-claim-610".parse::<Algorithm>().unwrap_err()),
        ),
        (
            "UrlError",
            [with_password, with_query]
                .map(|url| error(&BetterAuthUrl::parse(url).unwrap_err()))
                .concat(),
        ),
        ("Verified", printed(&*principal)),
        ("Verifier", printed(&verifier)),
        (
            "VerifierBuilder",
            printed(&Verifier::builder(policy(), remote.clone())),
        ),
        ("VerifyError", errors.iter().map(|it| error(it)).collect()),
        ("VerifyingKey", keys.keys().map(printed).collect()),
        (
            "WarmStart",
            printed(&WarmStart::new(
                "/var/cache/keyward/keys.json",
                server.fetcher().url(),
            )),
        ),
        (
            "Violation",
            printed(&Violation::in_body("/title", "must be a string")),
        ),
    ]);
    for (name, text) in &table {
        secrets.assert_absent(name, text);
    }

    // Who adds a type adds a row.
    let sources = [
        include_str!("../../src/lib.rs"),
        include_str!("../../src/poem/mod.rs"),
        include_str!("../../src/tower/mod.rs"),
    ];
    let mut missing: Vec<&str> = sources.iter().flat_map(|source| exported(source)).collect();
    assert!(missing.len() > 40, "{missing:?}");
    missing.retain(|name| !table.contains_key(name) && !NOTHING_TO_PRINT.contains(name));
    assert!(missing.is_empty(), "without a row: {missing:?}");
    println!("ran {} cases: public types printed", table.len());
}
