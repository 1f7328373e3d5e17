//! Set-ups of a real Better Auth, and the tokens it gives.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::auth_server::BetterAuth;
use crate::command::{Row, run_rows};
use crate::service::client;

const EMAIL: &str = "ada.lovelace@example.com";
const NAME: &str = "Augusta Ada King";

fn seconds_from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_auth_server_is_named() {
    let servers = BetterAuth::start_all(json!([
        {},
        {"baseURL": false},
        {"alg": "EdDSA", "jwks": {"remoteUrl": "https://keys.example/jwks.json"}},
        {"jwt": false},
        {"disabledPaths": ["/jwks"]},
        {"rateLimit": 1},
        {"jwks": {"jwksPath": "/.well-known/jwks.json"}},
        {"baseURL": "https://app.example.com"},
        {},
        {"alg": "RS256"},
    ]));
    let servers = servers.await.try_into().ok().unwrap();
    let [
        good,
        no_base_url,
        remote,
        no_plugin,
        disabled,
        limited,
        other_path,
        public,
        hundred,
        rsa,
    ]: [BetterAuth; 10] = servers;
    let token = good.token(&good.sign_up(NAME, EMAIL).await).await;
    let eve = no_base_url.sign_up("Eve", "eve@example.com").await;
    let elsewhere = no_base_url.token(&eve).await;
    let unpublished = hundred.exceed_hundred_keys().await;
    rsa.sign(json!({})).await;
    rsa.mislabel_a_key().await;
    let jwks = |auth: &BetterAuth| format!("{}/api/auth/jwks", auth.url());
    let seeds_jwks = format!("{}/.well-known/jwks.json", good.url());
    // Its one answer in ten seconds.
    let first = client().get(jwks(&limited)).send().await.unwrap();
    assert_eq!(first.status(), 200);

    let rows = vec![
        Row::new("Better Auth refuses for its rate limit", limited.url(), 1)
            .says(
                "✗ key_set.found",
                "(429); it asks to be left alone for",
            )
            .says("✗ key_set.found", "→ raise Better Auth's rateLimit for /jwks"),
        Row::new("nothing is wrong", good.url(), 0)
            .token(&token)
            .says("✓ key_set.found", "/api/auth/jwks (")
            .says("✓ key_set.keys", "1 of 1 can be used: EdDSA, Ed25519")
            .says("✓ auth_server.clock", "the clocks agree; 30 s are allowed")
            .says(
                "✓ auth_server.base_url",
                format!("takes \"{}\" for its own", good.url()),
            )
            .says("✓ token.key", "is in the key set")
            .says("✓ token.signature", "the auth server's")
            .says("✓ token.times", "exp in 1")
            .says("✓ token.verdict", "accepted, as a user's"),
        Row::new("baseURL is not set", no_base_url.url(), 1)
            .says(
                "✗ auth_server.base_url",
                "the auth server has no baseURL: issuer and audience of its tokens are what the Host header of \
                 the request says",
            )
            .says("✗ auth_server.base_url", "→ set baseURL on the auth server"),
        Row::new("a token made under another Host", "http://localhost:1", 1)
            .with("JWKS_URL", &jwks(&no_base_url))
            .token(&elsewhere)
            .says(
                "✗ token.issuer",
                "differ in their host: the auth server's baseURL is another or not set",
            )
            .says(
                "✗ token.issuer",
                format!("token \"{}\" allowed \"http://localhost:1\"", no_base_url.url()),
            ),
        Row::new("keys at a remoteUrl", remote.url(), 1)
            .says(
                "✗ key_set.found",
                "Better Auth signs tokens there, and serves no keys: its jwks.remoteUrl names another",
            )
            .says("✗ key_set.found", "/api/auth/jwks: status 404")
            .says("✗ key_set.found", "/.well-known/jwks.json: status 404")
            .says("✗ key_set.found", "→ set JWKS_URL to that URL"),
        Row::new("no jwt plugin", no_plugin.url(), 1)
            .says("✗ key_set.found", "Better Auth is there, without its jwt plugin")
            .says("✗ key_set.found", "→ add jwt() to the auth server's plugins"),
        Row::new("/jwks among disabledPaths", disabled.url(), 1)
            .says("✗ key_set.found", "/jwks is switched off")
            .says("✗ key_set.found", "→ take /jwks out of its disabledPaths"),
        Row::new("another jwksPath", other_path.url(), 0)
            .says("✓ key_set.found", "/api/auth/.well-known/jwks.json (")
            .says("✓ key_set.found", "/api/auth/jwks: status 404"),
        Row::new("the key set's URL that the copied snippet has", good.url(), 1)
            .with("JWKS_URL", &seeds_jwks)
            .says("✗ key_set.found", format!("{seeds_jwks}: status 404"))
            .says(
                "✗ key_set.found",
                format!("→ JWKS_URL={}, or leave it unset", jwks(&good)),
            ),
        Row::new("a base URL with another path", &format!("{}/auth", good.url()), 1).says(
            "✗ key_set.found",
            format!("→ BETTER_AUTH_URL={}: the keys are at its usual path", good.url()),
        ),
        Row::new("the auth server's baseURL is another", "http://localhost:1", 0)
            .with("JWKS_URL", &jwks(&public))
            .says(
                "! auth_server.base_url",
                "its baseURL \"https://app.example.com\" allowed \"http://localhost:1\"",
            )
            .says(
                "! auth_server.base_url",
                "or here JWT_ISSUER=https://app.example.com",
            ),
        Row::new("more than a hundred rows of keys", hundred.url(), 3)
            .token(&unpublished)
            .says(
                "! key_set.size",
                "100 published: Better Auth publishes no more than 100",
            )
            .says(
                "! key_set.size",
                "→ delete the oldest rows of the auth server's table jwks",
            )
            .says(
                "✗ token.key",
                "the auth server signs with a key that it does not publish",
            )
            .says(
                "- token.signature",
                "what follows is what the token says of itself, unproven",
            )
            .says(
                "✗ token.verdict",
                "the token's key is not in the auth server's key set",
            ),
        Row::new("a key under another's algorithm", rsa.url(), 0)
            .says("! key_set.keys", "1 of 2 can be used: RS256")
            .says(
                "! key_set.keys",
                "its algorithm (alg) contradicts its type (kty, crv)",
            )
            .says("! key_set.keys", "(their alg, often)"),
        Row::new("RS256 alone, as the copied snippet has it", good.url(), 1)
            .with("JWT_ALGORITHMS", "RS256")
            .token(&token)
            .says(
                "✗ key_set.keys",
                "keys EdDSA, Ed25519 allowed RS256 → JWT_ALGORITHMS=EdDSA,Ed25519",
            )
            .says(
                "✗ token.algorithm",
                "token \"EdDSA\" allowed RS256 → add EdDSA to JWT_ALGORITHMS",
            ),
        Row::new("a slash at the end of the issuer", good.url(), 3)
            .with("JWT_ISSUER", &format!("{}/", good.url()))
            .token(&token)
            .says("✗ token.issuer", "differ in a slash at the end")
            .says(
                "✗ token.issuer",
                format!(
                    "token \"{url}\" allowed \"{url}/\" → JWT_ISSUER={url}",
                    url = good.url()
                ),
            ),
        Row::new("pages of another origin", good.url(), 1)
            .argument("--origin=https://spa.example.com")
            .says(
                "✗ cors.service",
                "browsers will not let pages of this origin call the service origin \
                 \"https://spa.example.com\" allowed",
            )
            .says(
                "✗ cors.service",
                "→ add https://spa.example.com to CORS_ALLOWED_ORIGINS",
            )
            .says("✗ cors.auth_server", "status 404, no Access-Control-Allow-Origin")
            .says(
                "✗ cors.auth_server",
                "→ serve these pages and Better Auth from one origin",
            ),
        Row::new("pages of the auth server's own origin", good.url(), 0)
            .argument(&format!("--origin={}", good.url()))
            .says("✓ cors.service", "may call")
            .says("✓ cors.auth_server", "need no permission"),
    ];
    run_rows("set-ups of a real Better Auth", rows).await;
}

/// What a token may be wrong with, and what is sent in place of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refused_token_is_named() {
    const RESOURCE: &str = "https://api.example.com";
    let servers = BetterAuth::start_all(json!([
        {},
        {"issuer": "https://app.example.com/", "audience": ["https://api.example.com/", "https://two.example"]},
        {"expirationTime": 3600},
        {"sessionCache": "jwt"},
        {"sessionCache": "jwe"},
        {"sessionCache": "jwks"},
        {"sessionCache": "compact"},
        {"oauth": true},
    ]));
    let servers = servers.await.try_into().ok().unwrap();
    let [good, with_slash, absolute, jwt, jwe, jwks, compact, oauth]: [BetterAuth; 8] = servers;
    let session = good.sign_up(NAME, EMAIL).await;
    let token = good.token(&session).await;
    let encoded_session_token = session.cookie("better-auth.session_token");
    let session_token = encoded_session_token
        .replace("%2B", "+")
        .replace("%2F", "/")
        .replace("%3D", "=");
    let expired = good.sign(json!({"exp": seconds_from_now(-7205)})).await;
    let future = good.sign(json!({"iat": seconds_from_now(3600)})).await;
    let too_early = good.sign(json!({"nbf": seconds_from_now(3600)})).await;
    let milliseconds = good
        .sign(json!({"exp": seconds_from_now(900) * 1000}))
        .await;
    let nobody = good.sign(json!({"sub": null})).await;
    let large = good
        .sign(json!({"image": format!("data:{}", "A".repeat(20_000))}))
        .await;
    let odd = good.sign(json!({"email": 7})).await;
    let with_nonce = good.sign(json!({"nonce": "1"})).await;
    let slashed = with_slash.sign(json!({})).await;
    let since_1970 = absolute.token(&absolute.sign_up(NAME, EMAIL).await).await;
    let cookie = async |auth: &BetterAuth| {
        let session = auth.sign_up(NAME, EMAIL).await;
        session.cookie("better-auth.session_data").to_owned()
    };
    let (cookie_jwt, cookie_jwe) = (cookie(&jwt).await, cookie(&jwe).await);
    let (cookie_jwks, cookie_compact) = (cookie(&jwks).await, cookie(&compact).await);
    let of_user = oauth.token(&oauth.sign_up(NAME, EMAIL).await).await;
    let oauth_tokens = oauth.oauth_tokens(RESOURCE).await;
    let of_oauth = |name: &str| oauth_tokens[name].as_str().unwrap().to_owned();
    let provider = format!("{}/api/auth", oauth.url());
    let [before, after] = [token.len() - 20, token.len() - 19];
    let altered_byte = if &token[before..after] == "A" {
        "B"
    } else {
        "A"
    };
    let altered = format!("{}{altered_byte}{}", &token[..before], &token[after..]);
    let gone = token.clone();

    let at = |setup, auth: &BetterAuth| Row::new(setup, auth.url(), 3);
    let api = |setup| {
        at(setup, &oauth)
            .with("JWT_AUDIENCE", RESOURCE)
            .with("JWT_ISSUER", &provider)
    };
    let beside = |setup, code| {
        Row::new(setup, oauth.url(), code)
            .with("OAUTH_ISSUER", &provider)
            .with("OAUTH_AUDIENCE", RESOURCE)
    };
    let rows = vec![
        at("a token of Better Auth's answer", &good)
            .token(&json!({"token": token}).to_string())
            .code(0)
            .says("✓ token.verdict", "accepted, as a user's"),
        at("a token behind its scheme", &good)
            .token(&format!("Bearer {token}\n"))
            .code(0)
            .says("✓ token.verdict", "accepted, as a user's"),
        at("the auth server's refusal instead of a token", &good)
            .token(r#"{"message":"Unauthorized","code":"UNAUTHORIZED"}"#)
            .says("✗ token.input", "JSON without a token, as /api/auth/token answers whoever is not signed in"),
        at("a session token", &good)
            .token(&session_token)
            .says("✗ token.input", "a Better Auth session token (set-auth-token, or the session cookie's)")
            .says("✗ token.input", "→ send the token that /api/auth/token answers"),
        at("an encoded session token", &good)
            .token(encoded_session_token)
            .says("✗ token.input", "a Better Auth session token, percent-encoded, and no JWT"),
        at("the id of a session", &good)
            .token(session_token.split('.').next().unwrap())
            .says("✗ token.input", "an opaque token, and no JWT: a Better Auth session token, or an OAuth access"),
        at("an expired token", &good)
            .token(&expired)
            .says("✗ token.times", "ago, exp 2 h")
            .says("✗ token.verdict", "refused: the token has expired"),
        at("a token from the future", &good)
            .token(&future)
            .says("✗ token.times", "the clocks of auth server and service differ: iat in "),
        at("a token for later", &good)
            .token(&too_early)
            .says("✗ token.times", "the token is not valid yet: iat"),
        at("times in milliseconds", &good)
            .token(&milliseconds)
            .says("✗ token.times", "it seems to be in milliseconds instead of seconds → let definePayload"),
        at("a lifetime that is a number", &absolute)
            .token(&since_1970)
            .says("✗ token.times", "years")
            .says("✗ token.times", "→ give expirationTime of the auth server's jwt plugin as a span, \"15m\""),
        at("a token of nobody", &good)
            .token(&nobody)
            .says("✗ token.subject", "the token lacks a claim: sub"),
        at("a token with an avatar in it", &good)
            .token(&large)
            .says("✗ token.input", "bytes, where 16384 are allowed → choose what goes into the token with definePayload"),
        at("an e-mail that is none", &good)
            .token(&odd)
            .says("✗ token.verdict", "the token's claims are not those that this service needs → let definePayload"),
        at("a nonce in a token for this API", &good)
            .token(&with_nonce)
            .code(0)
            .says("✓ token.verdict", "accepted, as a user's"),
        at("an altered token", &good)
            .token(&altered)
            .says("✗ token.signature", "does not match; what follows is what the token says of itself, unproven")
            .says("✗ token.verdict", "refused: the token's signature does not match"),
        at("half a token", &good)
            .token(&token[..token.len() / 3])
            .says("✗ token.input", "it begins as a JWT, and does not have its three parts"),
        at("a token of another auth server", &absolute)
            .token(&token)
            .says("✗ token.key", "it is another auth server's, see token.issuer")
            .says("✗ token.issuer", "differ in their host"),
        at("an issuer and an audience with a slash", &with_slash)
            .with("JWT_ISSUER", "https://app.example.com")
            .with("JWT_AUDIENCE", "https://api.example.com")
            .token(&slashed)
            .says(
                "✗ token.issuer",
                "token \"https://app.example.com/\" allowed \"https://app.example.com\" → \
                 JWT_ISSUER=https://app.example.com/",
            )
            .says(
                "✗ token.audience",
                "token \"https://api.example.com/\", \"https://two.example\" allowed \"https://api.example.com\" → \
                 give JWT_AUDIENCE exactly as the token has it",
            ),
        at("an API with an audience that no token is for", &good)
            .with("JWT_AUDIENCE", "https://api.example.com")
            .token(&token)
            .says("✗ token.audience", "allowed \"https://api.example.com\" → set audience: \"https://api.example.com\""),
        at("a session cookie that is a JWT", &jwt)
            .token(&cookie_jwt)
            .says("✗ token.input", "Better Auth's session cookie, and no access token")
            .says("✗ token.algorithm", "token \"HS256\"")
            .says("✗ token.verdict", "the token's algorithm is not allowed"),
        at("an encrypted session cookie", &jwe)
            .token(&cookie_jwe)
            .says("✗ token.input", "an encrypted token (JWE), as Better Auth's session cookie is")
            .says("✗ token.input", "alg \"dir\", enc \"A256CBC-HS512\""),
        at("a session cookie signed with the key set's key", &jwks)
            .token(&cookie_jwks)
            .says("✗ token.input", "Better Auth's session cookie, and no access token")
            .says("✗ token.type", "token \"better-auth.session-cache+jwt\" allowed none, \"JWT\", \"at+jwt\"")
            .says("✗ token.audience", "token \"better-auth:session-cache\""),
        at("a session cookie of the usual kind", &compact)
            .token(&cookie_compact)
            .says("✗ token.input", "the value of Better Auth's session_data cookie, and no JWT"),
        api("an OAuth access token").token(&of_oauth("accessToken")).code(0)
            .says("✓ token.input", "an OAuth access token")
            .says("✓ token.type", "typ \"at+jwt\"")
            .says("✓ token.verdict", "accepted, as a user's"),
        api("an OAuth client's own token").token(&of_oauth("clientAccessToken")).code(0)
            .says("✓ token.verdict", "accepted, as a client's of its own, and no user's"),
        at("the OAuth provider's issuer", &oauth)
            .with("JWT_AUDIENCE", RESOURCE)
            .token(&of_oauth("accessToken"))
            .says("✗ token.issuer", format!("signs as another issuer than its jwt plugin; for its clients: OAUTH_ISSUER={provider}, and")),
        beside("an OAuth access token beside users'", 0)
            .token(&of_oauth("accessToken"))
            .says("✓ configuration", format!("OAuth issuer {provider} OAuth audiences {RESOURCE}"))
            .says("✓ oauth.key_set", "1 of 1 can be used: EdDSA, Ed25519 where the metadata of")
            .says("✓ token.issuer", format!("\"{provider}\""))
            .says("✓ token.verdict", "accepted, as a user's"),
        beside("a user's token beside OAuth clients'", 0)
            .token(&of_user)
            .says("✓ token.issuer", format!("\"{}\"", oauth.url()))
            .says("✓ token.verdict", "accepted, as a user's"),
        beside("an id_token beside access tokens", 3)
            .token(&of_oauth("idToken"))
            .says("✗ token.type", "token none allowed \"at+jwt\"")
            .says("✗ token.input", "an id_token, which tells the client who has signed in"),
        beside("a token of another server beside OAuth clients'", 3)
            .token(&token)
            .says("✗ token.issuer", format!("allowed \"{}\", \"{provider}\"", oauth.url()))
            .says("✗ token.verdict", "refused: the token comes from another issuer"),
        Row::new("OAuth clients of a server without a provider", good.url(), 1)
            .with("OAUTH_ISSUER", &format!("{}/api/auth", good.url()))
            .with("OAUTH_AUDIENCE", RESOURCE)
            .says("✗ oauth.key_set", "serves no metadata at any of the well-known places")
            .says("✗ oauth.key_set", "→ add oauthProvider() to the auth server's plugins"),
        Row::new("an OAuth issuer with a slash", oauth.url(), 1)
            .with("OAUTH_ISSUER", &format!("{provider}/"))
            .with("OAUTH_AUDIENCE", RESOURCE)
            .says("✗ oauth.key_set", "the metadata are another issuer's")
            .says("✗ oauth.key_set", "→ give OAUTH_ISSUER exactly as the metadata's issuer has it"),
        beside("keys at one URL", 0)
            .with("OAUTH_JWKS_URL", &format!("{provider}/jwks"))
            .token(&of_oauth("clientAccessToken"))
            .says("✓ oauth.key_set", "that of the other tokens")
            .says("✓ token.verdict", "accepted, as a client's of its own, and no user's"),
        api("an id_token").token(&of_oauth("idToken"))
            .says("✗ token.input", "an id_token, which tells the client who has signed in")
            .says("✗ token.audience", "token \""),
        api("an opaque OAuth token").token(&of_oauth("opaqueAccessToken"))
            .says("✗ token.input", "an OAuth access token that was asked for without a resource"),
        api("a token bound to a key").token(&of_oauth("dpopAccessToken"))
            .says("✗ token.input", "is bound to a key (cnf)"),
        api("a proof of a key").token(&of_oauth("dpopProof"))
            .says("✗ token.input", "a DPoP proof, and no access token"),
        api("a logout token").token(&of_oauth("logoutToken"))
            .says("✗ token.input", "a logout token, and no access token"),
    ];
    run_rows("tokens of a real Better Auth", rows).await;

    good.drop_keys().await;
    let row = at("a token of a key that was deleted", &good)
        .token(&gone)
        .says("✗ token.key", "is not in the key set → get a new token");
    run_rows("tokens of deleted keys", vec![row]).await;
}
