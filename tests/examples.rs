//! Each program in `examples/`, started as its user would start it, against an auth server.

#[path = "support/keyward.rs"]
mod keyward_process;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use keyward::testing::TestServer;
use keyward_process::{PATIENCE, client};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The examples' programs by name. Cargo tells where they are, and builds what is not current: it
/// does so by itself for a whole `cargo test`, but not for `cargo test --test examples`.
fn programs() -> &'static BTreeMap<String, PathBuf> {
    static PROGRAMS: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo
            .args(["build", "--locked", "--examples", "--message-format=json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let is_example = |message: &Value| message["target"]["kind"] == json!(["example"]);
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|message| message["reason"] == "compiler-artifact" && is_example(message))
            .map(|message| {
                let name = message["target"]["name"].as_str().unwrap().to_owned();
                let path = message["executable"]
                    .as_str()
                    .expect("an example is a program");
                (name, path.into())
            })
            .collect()
    })
}

/// A running example.
struct Example {
    name: &'static str,
    url: String,
    child: Child,
}

impl Example {
    async fn start(name: &'static str, auth_server: &TestServer) -> Self {
        let program = tokio::task::spawn_blocking(programs).await.unwrap();
        let program = program.get(name).expect("an example of that name");
        let mut child = command(program)
            .env("BETTER_AUTH_URL", auth_server.url())
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("a line in time").unwrap();
        let line = line.unwrap_or_else(|| panic!("{name} ended before it listened"));
        let url = line.strip_prefix("listening on ").expect("an address");
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Self {
            name,
            url: url.to_owned(),
            child,
        }
    }

    async fn get(&self, path: &str, authorization: Option<String>) -> Response {
        let mut request = client().get(format!("{}{path}", self.url));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        request.send().await.unwrap()
    }

    /// The body of a 200.
    async fn text(&self, path: &str, authorization: Option<String>) -> String {
        let response = self.get(path, authorization).await;
        assert_eq!(response.status(), 200, "{} {path}", self.name);
        response.text().await.unwrap()
    }

    /// Asks with bad credentials of several kinds, and without any unless those are optional.
    async fn refuses(&self, path: &str, auth_server: &TestServer, optional: bool) {
        let elsewhere = TestServer::start().unwrap();
        let user = || auth_server.user("ada").role("admin");
        let mut table = vec![
            (
                user().audience("https://other.example"),
                "token_audience_mismatch",
            ),
            (
                user().issuer("https://other.example"),
                "token_issuer_mismatch",
            ),
            (user().expired(), "token_expired"),
            (user().forged(), "token_signature_invalid"),
            (
                // Somebody else's auth server, whose key has the same name.
                elsewhere
                    .user("ada")
                    .issuer(auth_server.url())
                    .audience(auth_server.url()),
                "token_signature_invalid",
            ),
        ]
        .into_iter()
        .map(|(token, code)| (Some(token.bearer()), code))
        .chain([(Some("Bearer garbage".to_owned()), "token_malformed")])
        .collect::<Vec<_>>();
        if !optional {
            table.push((None, "credentials_missing"));
        }
        for (authorization, code) in table {
            let response = self.get(path, authorization).await;
            assert_eq!(response.status(), 401, "{} {path} {code}", self.name);
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer realm="), "{challenge}");
            let names_an_error = challenge.contains(r#"error="invalid_token""#);
            assert_eq!(names_an_error, code != "credentials_missing", "{challenge}");
            let problem: Value = response.json().await.unwrap();
            assert_eq!(problem["code"], code, "{} {path}", self.name);
        }
    }

    /// Ctrl-C: it ends by itself, in time and without an error.
    async fn stops(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", "INT", &id])
            .status();
        assert!(sent.unwrap().success());
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("it ends").unwrap();
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut log).await.unwrap();
        assert!(status.success(), "{} {status}: {log}", self.name);
        assert_eq!(log, "", "{}", self.name);
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

#[tokio::test]
async fn axum() {
    let server = TestServer::start().unwrap();
    let example = Example::start("axum", &server).await;
    let user = || Some(server.user("ada").bearer());
    assert_eq!(example.text("/", None).await, "for everybody");
    let me: Value = serde_json::from_str(&example.text("/me", user()).await).unwrap();
    assert_eq!(me, json!({ "id": "ada", "name": "Ada Lovelace" }));
    let client = Some(server.client("cron").issuer(server.url()).bearer());
    let me: Value = serde_json::from_str(&example.text("/me", client).await).unwrap();
    assert_eq!(me, json!({ "id": "cron", "name": null }));

    let admin = Some(server.user("ada").role("admin,user").bearer());
    assert_eq!(example.text("/reports", admin).await, "for administrators");
    let refused = example.get("/reports", user()).await;
    assert_eq!(refused.status(), 403);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "role_required");
    assert_eq!(example.get("/elsewhere", None).await.status(), 404);

    example.refuses("/me", &server, false).await;
    example.refuses("/reports", &server, false).await;
    example.stops().await;
}

#[tokio::test]
async fn custom_claims() {
    let server = TestServer::start().unwrap();
    let example = Example::start("custom_claims", &server).await;
    let member = || server.user("ada").claim("plan", "pro");
    let paid = member().claim("organizationId", "acme").bearer();
    assert_eq!(
        example.text("/plan", Some(paid)).await,
        "ada is of acme organization, on the plan Pro"
    );
    let alone = member().claim("organizationId", Value::Null).bearer();
    assert_eq!(
        example.text("/plan", Some(alone)).await,
        "ada is of no organization, on the plan Pro"
    );
    for unfit in [
        server.user("ada"),
        member().claim("plan", "platinum"),
        member().claim("organizationId", 7),
    ] {
        let refused = example.get("/plan", Some(unfit.bearer())).await;
        assert_eq!(refused.status(), 401);
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "token_claims_rejected");
    }
    let client = server.client("cron").issuer(server.url()).bearer();
    let refused = example.get("/plan", Some(client)).await;
    assert_eq!(refused.status(), 403);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains(r#"realm="example""#), "{challenge}");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "user_required");
    example.refuses("/plan", &server, false).await;
    example.stops().await;
}

#[tokio::test]
async fn hyper() {
    let server = TestServer::start().unwrap();
    let example = Example::start("hyper", &server).await;
    let user = Some(server.user("ada").bearer());
    assert_eq!(example.text("/", user).await, "hello ada");
    example.refuses("/", &server, false).await;
    example.stops().await;
}

#[tokio::test]
async fn optional_auth() {
    let server = TestServer::start().unwrap();
    let example = Example::start("optional_auth", &server).await;
    let user = Some(server.user("ada").bearer());
    assert_eq!(example.text("/", user).await, "welcome back, ada");
    assert_eq!(example.text("/", None).await, "welcome, whoever you are");
    example.refuses("/", &server, true).await;
    example.stops().await;
}

#[tokio::test]
async fn poem() {
    let server = TestServer::start().unwrap();
    let example = Example::start("poem", &server).await;
    assert_eq!(example.text("/", None).await, "for everybody");
    let user = Some(server.user("ada").bearer());
    assert_eq!(example.text("/api/me", user).await, "hello ada");
    example.refuses("/api/me", &server, false).await;
    example.stops().await;
}

#[tokio::test]
async fn poem_openapi() {
    let server = TestServer::start().unwrap();
    let example = Example::start("poem_openapi", &server).await;
    let document = example.text("/openapi.json", None).await;
    let document: Value = serde_json::from_str(&document).unwrap();
    let security = |path: &str| document["paths"][path]["get"]["security"].clone();
    let bearer = json!({ "BearerAuth": [] });
    assert_eq!(security("/me"), json!([bearer]));
    assert_eq!(security("/greeting"), json!([bearer, {}]));
    assert_eq!(security("/version"), json!([{}]));

    let user = || Some(server.user("ada").bearer());
    let me: Value = serde_json::from_str(&example.text("/api/me", user()).await).unwrap();
    assert_eq!(me, json!({ "id": "ada", "name": "Ada Lovelace" }));
    assert_eq!(example.text("/api/greeting", user()).await, "hello ada");
    assert_eq!(example.text("/api/greeting", None).await, "hello stranger");
    assert_eq!(example.text("/api/version", None).await, "1.0");
    let reports = &document["paths"]["/reports"]["get"]["responses"];
    for status in ["401", "403", "503"] {
        assert!(reports[status].is_object(), "{status}");
    }
    let admin = server.user("grace").role("admin").bearer();
    let answer = example.text("/api/reports", Some(admin)).await;
    assert_eq!(answer, "for administrators");
    let refused = example.get("/api/reports", user()).await;
    assert_eq!(refused.status(), 403);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "role_required");
    example.refuses("/api/me", &server, false).await;
    example.refuses("/api/reports", &server, false).await;
    example.refuses("/api/greeting", &server, true).await;
    example.stops().await;
}

#[tokio::test]
async fn tonic() {
    use ::tonic::Code;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    let server = TestServer::start().unwrap();
    let example = Example::start("tonic", &server).await;
    let endpoint = ::tonic::transport::Endpoint::from_shared(example.url.clone()).unwrap();
    let channel = endpoint.timeout(PATIENCE).connect().await.unwrap();
    let check = async |of: &str, authorization: Option<String>| {
        let mut request = ::tonic::Request::new(HealthCheckRequest { service: of.into() });
        if let Some(authorization) = authorization {
            let authorization = authorization.parse().unwrap();
            request
                .metadata_mut()
                .insert("authorization", authorization);
        }
        let answer = HealthClient::new(channel.clone()).check(request).await;
        answer
            .map(|answer| answer.into_inner().status)
            .map_err(|status| {
                let reason = status.message().split(':').next().unwrap().to_owned();
                (status.code(), reason)
            })
    };
    let refused = |code, reason: &str| Err((code, reason.to_owned()));
    let user = || server.user("ada").role("user");
    assert_eq!(check("ada", Some(user().bearer())).await, Ok(1));
    assert_eq!(
        check("eve", Some(user().bearer())).await,
        refused(Code::PermissionDenied, "the user's roles do not allow this")
    );
    assert_eq!(
        check("eve", Some(user().role("admin").bearer())).await,
        Ok(1)
    );
    for (authorization, reason) in [
        (None, "credentials_missing"),
        (
            Some(user().audience("https://other.example").bearer()),
            "token_audience_mismatch",
        ),
        (Some(user().forged().bearer()), "token_signature_invalid"),
    ] {
        assert_eq!(
            check("ada", authorization).await,
            refused(Code::Unauthenticated, reason)
        );
    }
    drop(channel);
    example.stops().await;
}

#[tokio::test]
async fn two_issuers() {
    let server = TestServer::start().unwrap();
    let example = Example::start("two_issuers", &server).await;
    let user = Some(server.user("ada").bearer());
    assert_eq!(
        example.text("/tasks", user).await,
        "the tasks of ada, read by themselves"
    );
    // The program's default for its own URL.
    let api = "http://127.0.0.1:8000";
    let access = || server.access_token("app", "ada").audience(api);
    assert_eq!(
        example
            .text("/tasks", Some(access().scope("tasks:read").bearer()))
            .await,
        "the tasks of ada, read by the client app"
    );
    for (token, code) in [
        (access(), "scope_required"),
        (
            server.client("cron").audience(api).scope("tasks:read"),
            "user_required",
        ),
    ] {
        let refused = example.get("/tasks", Some(token.bearer())).await;
        assert_eq!(refused.status(), 403, "{code}");
        let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("resource_metadata=\""), "{challenge}");
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], code);
    }
    // Each issuer's tokens have an audience of their own.
    for mixed in [
        server.user("ada").audience(api),
        access().audience(server.url()),
    ] {
        let refused = example.get("/tasks", Some(mixed.bearer())).await;
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "token_audience_mismatch");
    }
    let document = example
        .text("/.well-known/oauth-protected-resource", None)
        .await;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["resource"], api);
    let issuer = format!("{}/api/auth", server.url());
    assert_eq!(document["authorization_servers"], json!([issuer]));
    example.refuses("/tasks", &server, false).await;
    example.stops().await;
}

/// What somebody who has read nothing sees first.
#[tokio::test]
async fn without_a_good_url_of_the_auth_server_each_says_so() {
    for (name, program) in tokio::task::spawn_blocking(programs).await.unwrap() {
        for url in [None, Some("nonsense"), Some("http://auth.example.com")] {
            let mut command = command(program);
            command.envs(url.map(|url| ("BETTER_AUTH_URL", url)));
            let output = timeout(PATIENCE, command.output()).await;
            let output = output.expect("it ends").unwrap();
            assert!(!output.status.success(), "{name} {url:?}");
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(text.contains("BETTER_AUTH_URL"), "{name} {url:?}: {text}");
        }
    }
}

#[test]
fn each_example_has_a_test_here() {
    let tests = include_str!("examples.rs");
    let started: BTreeSet<&str> = tests
        .split("Example::start(\"")
        .skip(1)
        .filter_map(|rest| rest.split_once("\", &").map(|(name, _)| name))
        .collect();
    let programs: BTreeSet<&str> = programs().keys().map(String::as_str).collect();
    assert_eq!(started, programs);
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"));
    assert_eq!(files.unwrap().count(), programs.len());
}
