//! Auth servers that cannot be reached, or answer with something else than keys.

use std::time::{Duration, SystemTime};

use keyward::testing::TestIssuer;

use crate::command::{Row, run_rows};
use crate::raw_server::{RawServer, ok, response};
use crate::tls_server::{Shows, TlsServer, file};

/// RFC 8037, appendix A.1.
const PRIVATE_KEY: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A server that answers every request the same.
async fn answers(status: &'static str, headers: &str, body: &[u8]) -> RawServer {
    let answer = response(status, headers, body);
    RawServer::start(move |_| answer.clone()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_get_no_keys_is_named() {
    let keys = TestIssuer::new("http://issuer.example").key_set_json();
    let json = "content-type: application/json\r\n";
    let down = RawServer::down(|_| Vec::new());
    let page = answers(
        "200 OK",
        "content-type: text/html; charset=utf-8\r\n",
        b"<!DOCTYPE html>",
    )
    .await;
    let garbage = answers("200 OK", json, b"{\"keys\":").await;
    let empty = answers("200 OK", json, b"{\"keys\":[]}").await;
    let symmetric = answers(
        "200 OK",
        json,
        br#"{"keys":[{"kty":"oct","kid":"s","k":"c2VjcmV0"}]}"#,
    )
    .await;
    let private = answers("200 OK", json, PRIVATE_KEY.as_bytes()).await;
    let moved = answers(
        "308 Permanent Redirect",
        "location: https://www.example.com/api/auth/jwks\r\n",
        b"",
    )
    .await;
    let failing = answers("500 Internal Server Error", "", b"").await;
    let refusing = answers("403 Forbidden", "", b"").await;
    let limited = answers("429 Too Many Requests", "retry-after: 75\r\n", b"").await;
    let elsewhere = answers("404 Not Found", "", b"nothing here").await;
    let many = |count: usize| {
        let key =
            r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        let keys = (0..count).map(|at| format!(r#"{{"kid":"{at}",{key}}}"#));
        format!(r#"{{"keys":[{}]}}"#, keys.collect::<Vec<_>>().join(","))
    };
    let nearly = answers("200 OK", json, many(95).as_bytes()).await;
    let too_many = answers("200 OK", json, many(257).as_bytes()).await;
    let date = |offset: i64| {
        let now = SystemTime::now();
        let time = match offset {
            0.. => now + Duration::from_secs(offset.unsigned_abs()),
            _ => now - Duration::from_secs(offset.unsigned_abs()),
        };
        format!("date: {}\r\n", httpdate::fmt_http_date(time))
    };
    let ahead = answers("200 OK", &date(600), &keys).await;
    let behind = answers("200 OK", &date(-600), &keys).await;
    let page_origin = "access-control-allow-origin: https://spa.example.com\r\n";
    let cors = format!("{page_origin}access-control-allow-credentials: true\r\n");
    let cors = answers("200 OK", &cors, &keys).await;
    let anonymous = answers("200 OK", page_origin, &keys).await;
    let anybody = answers("200 OK", "access-control-allow-origin: *\r\n", &keys).await;
    let good = RawServer::start(move |_| ok(&keys)).await;
    let everywhere = good.url.replace("127.0.0.1", "0.0.0.0");

    let at = |setup, server: &RawServer, code| Row::new(setup, &server.url, code);
    let rows =
        vec![
        at("nobody listens", &down, 1)
            .says(
                "✗ auth_server.connection",
                "nothing listens there → start the server, or correct the port",
            )
            .says("- key_set.found", "not asked for"),
        Row::new("a name that is nobody's", "https://keyward-test.invalid", 1)
            .says("✗ auth_server.name", "the name keyward-test.invalid")
            .says(
                "✗ auth_server.name",
                "→ correct the host in the URL, or the DNS entry",
            ),
        Row::new("a proxy that is not there", "https://auth.example.com", 1)
            .with(
                "HTTPS_PROXY",
                &format!("http://user:hunter2@{}", down.address()),
            )
            .says(
                "✓ auth_server.proxy",
                format!(
                    "auth.example.com:443 is asked through the proxy {}",
                    down.address()
                ),
            )
            .says("✗ auth_server.connection", "nothing listens there"),
        at("a web app that answers everything with its page", &page, 1)
            .says("✗ key_set.found", "a web page where the key set should be")
            .says(
                "✗ key_set.found",
                "→ let the web app pass /api/auth/* on to Better Auth",
            ),
        at("half an answer", &garbage, 1).says("✗ key_set.found", "not a JSON Web Key Set"),
        at("an empty key set", &empty, 1)
            .says("✗ key_set.found", "all keys are past their grace period"),
        at("symmetric keys", &symmetric, 1)
            .says("✗ key_set.found", "no key in the set can verify tokens")
            .says(
                "✗ key_set.keys",
                "kid \"s\": this type of key (kty) cannot verify tokens",
            ),
        at("a private key", &private, 1).says(
            "✗ key_set.keys",
            "the set publishes a private key: whoever reads it can sign tokens",
        ),
        at("a redirect", &moved, 1)
            .says(
                "✗ key_set.found",
                "status 308), and none is followed, to \"https://www.example.com/api/auth/jwks\"",
            )
            .says(
                "✗ key_set.found",
                "→ set BETTER_AUTH_URL (or JWKS_URL) to where it leads",
            ),
        at("a server that fails", &failing, 1).says("✗ key_set.found", "status 500 "),
        at("a server that wants credentials", &refusing, 1).says(
            "✗ key_set.found",
            "→ let the key set be read without credentials",
        ),
        at("a server that wants to be left alone", &limited, 1).says(
            "✗ key_set.found",
            "(429); it asks to be left alone for 1 min 15 s",
        ),
        at("another server than Better Auth", &elsewhere, 1)
            .says("✗ key_set.found", "there is no key set")
            .says(
                "✗ key_set.found",
                "→ set BETTER_AUTH_URL to the auth server's origin, with its basePath",
            ),
        at("more keys than are read", &too_many, 1)
            .says("✗ key_set.found", "the key set holds 257 keys, which is over the limit"),
        at("nearly a hundred keys", &nearly, 0).says(
            "! key_set.size",
            "95 published: from 100 on, Better Auth publishes no new ones",
        ),
        at("a clock that is fast", &ahead, 1)
            .says("✗ auth_server.clock", "is 9 min")
            .says(
                "✗ auth_server.clock",
                "ahead of this machine's; 30 s are allowed",
            ),
        at("a clock that is slow", &behind, 1)
            .says(
                "✗ auth_server.clock",
                "behind this machine's; 30 s are allowed",
            )
            .says("✗ auth_server.clock", "→ set both clocks by NTP"),
        Row::new("plain http to another machine", &everywhere, 0)
            .with("JWKS_ALLOW_INSECURE_HTTP", "true")
            .says("! auth_server.tls", "the keys come over plain http"),
    ];
    let page = |setup, server, code| {
        at(setup, server, code)
            .argument("--origin=https://spa.example.com")
            .with(
                "CORS_ALLOWED_ORIGINS",
                "https://two.example, https://spa.example.com",
            )
            .says(
                "✓ cors.service",
                "pages of \"https://spa.example.com\" may call",
            )
    };
    let rows = rows.into_iter().chain([
        page("an auth server behind CORS", &cors, 0).says(
            "✓ cors.auth_server",
            "pages of \"https://spa.example.com\" may get a token",
        ),
        page("CORS without the cookie", &anonymous, 1)
            .says("✗ cors.auth_server", "no Access-Control-Allow-Credentials"),
        page(
            "CORS for everybody, which is without the cookie",
            &anybody,
            1,
        )
        .says("✗ cors.auth_server", "status 200, for \"*\""),
    ]);
    run_rows("auth servers without keys", rows.collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_certificate_that_is_not_believed_is_named() {
    let authority = file("authority.pem");
    let authority = authority.to_str().unwrap();
    let mut rows = Vec::new();
    let mut servers = Vec::new();
    for (setup, shows, code, line, says) in [
        (
            "a good certificate",
            Shows::Certificate("good.pem"),
            0,
            "✓ auth_server.tls",
            "TLS 1.3 (",
        ),
        (
            "an expired certificate",
            Shows::Certificate("expired.pem"),
            1,
            "✗ auth_server.tls",
            "the certificate has expired → renew",
        ),
        (
            "a certificate for another host",
            Shows::Certificate("other-host.pem"),
            1,
            "✗ auth_server.tls",
            "the certificate is not for localhost → use the name",
        ),
        (
            "a certificate that nobody has signed",
            Shows::Certificate("self-signed.pem"),
            1,
            "✗ auth_server.tls",
            "the certificate",
        ),
        (
            "a port without TLS",
            Shows::Plain,
            1,
            "✗ auth_server.tls",
            "the port does not speak TLS → use the port that does",
        ),
    ] {
        let server = TlsServer::start(shows).await;
        rows.push(
            Row::new(setup, server.issuer.url(), code)
                .with("SSL_CERT_FILE", authority)
                .says(line, says),
        );
        servers.push(server);
    }
    let unknown = TlsServer::start(Shows::Certificate("good.pem")).await;
    rows.push(
        Row::new("an authority that nobody trusts", unknown.issuer.url(), 1).says(
            "✗ auth_server.tls",
            "nobody whom this machine trusts has signed the certificate → let the server send its intermediate",
        ),
    );
    run_rows("auth servers over TLS", rows).await;
}
