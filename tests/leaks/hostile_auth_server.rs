//! An auth server that answers with what should not be seen: none of it gets into a log or a span.

use keyward::testing::TestIssuer;
use serde_json::json;

use super::otlp_receiver::OtlpReceiver;
use super::process::{Keyward, client};
use super::raw_server::{RawServer, Script, Step, ok, response};
use super::search::Secrets;

const SECRETS: [&str; 8] = [
    "leak-private-1a1",
    "leak-symmetric-2b2",
    "leak-page-3c3",
    "leak-location-4d4",
    "leak-etag-5e5",
    "leak-reason-6f6",
    "leak-cookie-7a7",
    "leak-member-8b8",
];

/// How it answers, whether it is a key set for all that, and the reason that the log must give if it is
/// not.
fn answers(issuer: &TestIssuer) -> Vec<(&'static str, Script, Option<&'static str>)> {
    let good = issuer.key().public_jwk();
    let with_secrets = json!({"leak-member-8b8": "leak-member-8b8", "keys": [
        good,
        {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": good["x"], "d": "leak-private-1a1"},
        {"kty": "RSA", "kid": "b", "n": "leak-private-1a1", "e": "AQAB", "p": "leak-private-1a1"},
        {"kty": "oct", "kid": "c", "k": "leak-symmetric-2b2"},
        {"kty": "leak-member-8b8", "kid": "d"},
        {"kty": "EC", "crv": "leak-member-8b8", "kid": "e", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "kid": "f", "alg": "leak-member-8b8", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "g", "x": "leak-private-1a1"},
        {"kty": "OKP", "use": "leak-member-8b8", "key_ops": ["leak-member-8b8"], "kid": "h"},
        "leak-symmetric-2b2",
    ]});
    let only_secrets = json!({"keys": [{"kty": "oct", "k": "leak-symmetric-2b2"}]});
    let headers = "set-cookie: session=leak-cookie-7a7\r\nwww-authenticate: Basic realm=\"leak-cookie-7a7\"\r\n\
                   etag: \"leak-etag-5e5\"\r\ncontent-type: text/leak-member-8b8\r\n";
    let page = b"<html>leak-page-3c3</html>";
    let with_headers = |status, body: &[u8]| vec![Step::Send(response(status, headers, body))];
    let location = "location: https://u:leak-location-4d4@example.com/leak-location-4d4\r\n\
                    retry-after: leak-location-4d4\r\n";
    vec![
        (
            "keys",
            with_headers("200 leak-reason-6f6", with_secrets.to_string().as_bytes()),
            None,
        ),
        (
            "no usable key",
            vec![Step::Send(ok(only_secrets.to_string().as_bytes()))],
            Some("none of the 1 keys"),
        ),
        (
            "a page",
            with_headers("200 leak-reason-6f6", page),
            Some("not a JSON Web Key Set"),
        ),
        (
            "broken JSON",
            vec![Step::Send(ok(
                br#"{"keys":[{"d":"leak-private-1a1",leak-page-3c3"#,
            ))],
            Some("not a JSON Web Key Set"),
        ),
        (
            "an error page",
            with_headers("500 leak-reason-6f6", page),
            Some("status 500"),
        ),
        (
            "a redirect",
            vec![Step::Send(response("302 leak-reason-6f6", location, page))],
            Some("redirect"),
        ),
        (
            "truncated",
            vec![Step::Send(
                b"HTTP/1.1 200 leak-reason-6f6\r\ncontent-length: 99\r\n\r\nleak-page-3c3".to_vec(),
            )],
            Some("the exchange"),
        ),
        (
            "no HTTP",
            vec![Step::Send(b"leak-page-3c3\r\n\r\n".to_vec())],
            Some("the exchange"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_an_auth_server_says_beside_its_keys_is_repeated() {
    let receiver = OtlpReceiver::start().await;
    let mut secrets = Secrets::default();
    for secret in SECRETS {
        secrets.add(secret);
    }
    let issuer = TestIssuer::new("https://app.example.com");
    let answers = answers(&issuer);
    let cases = answers.len();
    for (name, script, reason) in answers {
        let server = RawServer::scripted(move |_| script.clone()).await;
        let url = format!("{}/jwks", server.url);
        let keyward = Keyward::serve(&[
            ("BETTER_AUTH_URL", issuer.url()),
            ("JWKS_URL", &url),
            ("RUST_LOG", "trace"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_endpoint()),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ])
        .await;
        let mut answered = String::new();
        for path in ["/api/me", "/readyz"] {
            let request = client().get(format!("{}{path}", keyward.url));
            let response = request
                .bearer_auth(issuer.token("ada"))
                .send()
                .await
                .unwrap();
            let status = response.status().as_u16();
            assert_eq!(status, if reason.is_some() { 503 } else { 200 }, "{name}");
            answered += &format!("{:?}", response.headers());
            answered += &response.text().await.unwrap();
        }
        let (_, log) = keyward.stop().await;
        match reason {
            Some(reason) => assert!(log.contains(reason), "{name}: {log}"),
            None => assert_eq!(log.matches("key skipped").count(), 9, "{name}: {log}"),
        }
        secrets.assert_absent(&format!("{name}: the log"), &log);
        secrets.assert_absent(&format!("{name}: an answer"), &answered);
    }
    let spans = receiver.spans();
    assert!(spans.iter().filter(|span| span.name == "GET").count() >= cases);
    secrets.assert_absent("spans", &format!("{spans:#?}"));
    println!("ran {cases} cases: answers of a hostile auth server");
}
