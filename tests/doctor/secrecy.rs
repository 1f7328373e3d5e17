//! What is neither printed nor sent: the token, and whom it is about.

use keyward::testing::TestServer;
use serde_json::json;

use crate::auth_server::BetterAuth;
use crate::cluster::Cluster;
use crate::command::{NO_DATABASE, Outcome, doctor};
use crate::raw_server::{RawServer, ok, response};

const EMAIL: &str = "ada.lovelace@example.com";
const NAME: &str = "Augusta Ada King";
const SUBJECT: &str = "koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8";
const SESSION: &str = "Pz0wLrTQbXk3nVd8sYcF5mAe7hGuJ2iK";

/// Long enough not to be there by chance, and short enough to find what was cut.
const PIECE_LEN: usize = 12;

/// The pieces of a token's parts, as it was given.
fn pieces(token: &str) -> impl Iterator<Item = &str> {
    let parts = token.split(['.', '"', ' ', ':']);
    parts.flat_map(|part| {
        (0..part.len().saturating_sub(PIECE_LEN - 1))
            .filter_map(move |at| part.get(at..at + PIECE_LEN))
    })
}

fn assert_silent(what: &str, outcome: &Outcome, token: &str) {
    for stream in [&outcome.stdout, &outcome.stderr] {
        for secret in [EMAIL, NAME, SUBJECT, SESSION, "ada.lovelace", "Augusta"] {
            assert!(!stream.contains(secret), "{what}: {secret} in {stream}");
        }
        for piece in pieces(token) {
            assert!(!stream.contains(piece), "{what}: {piece} in {stream}");
        }
        let printable = |char: char| char == '\n' || !char.is_control();
        assert!(stream.chars().all(printable), "{what}: {stream:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_personal_and_no_piece_of_a_token_is_printed() {
    let issuer = TestServer::start().unwrap();
    let user = || {
        let user = issuer
            .user(SUBJECT)
            .claim("email", EMAIL)
            .claim("name", NAME);
        user.claim("sid", SESSION).claim("role", "admin")
    };
    let tokens = [
        ("a good one", user().token()),
        ("an expired one", user().expired().token()),
        ("a forged one", user().forged().token()),
        ("an e-mail as its issuer", user().claim("iss", EMAIL).token()),
        ("the user as its audience", user().claim("aud", json!([SUBJECT, EMAIL, format!("user:{SUBJECT}")])).token()),
        ("the session as its audience", user().audience(SESSION).token()),
        ("the name as its issuer", user().claim("iss", NAME).token()),
        ("an e-mail as its type", user().typ(EMAIL).token()),
        ("the user as its type", user().typ(SUBJECT).token()),
        ("a terminal's commands", user().typ("\u{1b}[2J\u{9b}31m\r\n✓ token.verdict\u{202e}").claim("iss", "\u{1b}]0;x\u{7}\n\n").token()),
        ("a subject that is none", user().claim("sub", format!("{EMAIL}\n")).token()),
        ("claims of other types", user().claim("sub", json!([SUBJECT])).claim("iss", json!({EMAIL: NAME})).claim("aud", 7).token()),
        ("times of other types", user().claim("exp", EMAIL).claim("iat", NAME).token()),
        ("a session token", format!("{SESSION}.d0UvR1mKpXw3bqLz9sYcF5nAe7hGuJ2iKtQbXk3nVd8=")),
        ("an encoded session token", format!("{SESSION}.d0UvR1mKpXw3bqLz9sYcF5nAe7hGuJ2iKtQbXk3nVd8%3D")),
        ("an opaque token", SESSION.to_owned()),
        ("half a token", user().token()[..90].to_owned()),
        ("a JWE", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..Zm9yYmlkZGVuLWZydWl0.c2VjcmV0LWNpcGhlcnRleHQ.dGFnLXRhZy10YWctdGFn".to_owned()),
        ("white space", format!("{} {}", user().token(), SESSION)),
        ("no JSON", format!("{{\"token\":{}", user().token())),
        ("a token that is too long", user().claim("image", "A1b2C3d4E5f6".repeat(2000)).token()),
    ];
    let variables = [("BETTER_AUTH_URL", issuer.url()), NO_DATABASE];
    for (what, token) in &tokens {
        for arguments in [&[][..], &["--json"]] {
            let outcome = doctor(arguments, &variables, token).await;
            assert!(
                outcome.code == 0 || outcome.code == 3,
                "{what}: {}",
                outcome.stdout
            );
            assert_silent(what, &outcome, token);
        }
    }
    // Nor is one repeated that comes where it should not.
    let token = user().token();
    let flag = format!("--token={token}");
    for arguments in [
        &[token.as_str()][..],
        &["--json", &token],
        &["--origin", &token],
        &["--token", &token],
        &[&flag],
        &["-t", &token],
    ] {
        let outcome = doctor(arguments, &variables, "").await;
        assert_eq!(outcome.code, 2, "{}", outcome.stdout);
        assert_silent("an argument", &outcome, &token);
    }
    println!(
        "ran {} cases: tokens of which doctor prints nothing",
        tokens.len()
    );
}

mod better_auth {
    use super::*;

    /// Each server that doctor goes to writes down what it gets.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_server_is_ever_sent_the_token() {
        let auth = BetterAuth::start(json!({"baseURL": false})).await;
        let token = auth.token(&auth.sign_up(NAME, EMAIL).await).await;
        let collector = RawServer::start(|_| ok(b"")).await;
        let proxy = RawServer::start(|_| response("502 Bad Gateway", "", b"")).await;
        let lost = RawServer::start(|_| response("404 Not Found", "", b"")).await;
        let cluster = Cluster::shared();
        let database = cluster.create_database();
        let before = auth.requests().await.as_array().unwrap().len();

        let sound = token.clone();
        for (url, jwks, stdin) in [
            (auth.url(), None, sound.as_str()),
            (auth.url(), None, &format!("{{\"token\":\"{token}\"}}")),
            (auth.url(), Some(format!("{}/nowhere", auth.url())), &token),
            (&*lost.url, None, &token),
            ("https://auth.example.com", None, &token),
        ] {
            let mut variables = vec![
                ("BETTER_AUTH_URL", url),
                ("DATABASE_URL", &database),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
                ("HTTPS_PROXY", &proxy.url),
            ];
            if let Some(jwks) = &jwks {
                variables.push(("JWKS_URL", jwks));
            }
            let outcome = doctor(&["--origin=https://spa.example.com"], &variables, stdin).await;
            assert!(
                outcome.stdout.contains("token.issuer"),
                "{}",
                outcome.stdout
            );
        }

        let requests = auth.requests().await;
        let requests = &requests.as_array().unwrap()[before..];
        assert!(requests.len() >= 8, "it was asked: {requests:?}");
        let raw = [&collector, &proxy, &lost].map(|server| server.heads());
        assert!(raw.iter().all(|heads| !heads.is_empty()), "{raw:?}");
        let seen: Vec<String> = requests
            .iter()
            .map(ToString::to_string)
            .chain(raw.into_iter().flatten())
            .collect();
        // What is looked through is all of them: headers too.
        let has = |text: &str| seen.iter().any(|request| request.contains(text));
        assert!(has("\"host\":\"keyward-doctor.invalid\"") && has("connect auth.example.com:443"));
        // The raw servers' are in lower case.
        let lower = token.to_lowercase();
        for request in &seen {
            assert!(
                !request.to_lowercase().contains("authorization"),
                "{request}"
            );
            assert!(!request.contains("cookie"), "{request}");
            for piece in pieces(&token).chain(pieces(&lower)) {
                assert!(!request.contains(piece), "{piece} in {request}");
            }
        }
        for request in requests {
            assert_eq!(request["body"], "", "{request}");
        }
        println!("ran {} cases: requests without the token", seen.len());
    }
}
