//! Restarts while the auth server is away: the last good key set comes from a file.

#[path = "support/auth_server.rs"]
mod auth_server;
#[path = "support/better_auth.rs"]
mod better_auth_server;
#[path = "support/keyward.rs"]
mod keyward_process;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth_server::{AuthServer, Reply};
use keyward::testing::{SigningKey, TestIssuer};
use keyward::{
    Algorithm, FetchError, Fetched, Policy, RefreshOptions, RemoteKeySet, Verifier, VerifyError,
    WarmStart,
};
use keyward_process::PATIENCE;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

const ISSUER: &str = "https://app.example.com";
const SOURCE: &str = "https://app.example.com/api/auth/jwks";

/// Looks again and again until there is something.
async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, looking).await.expect("it comes in time")
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn content(path: &Path) -> Option<Value> {
    let content = std::fs::read(path).ok()?;
    Some(serde_json::from_slice(&content).unwrap())
}

/// Says that the auth server answered so many seconds ago.
fn age(path: &Path, seconds: u64) {
    let mut content = content(path).unwrap();
    content["answered_at"] = json!(now() - seconds);
    std::fs::write(path, content.to_string()).unwrap();
}

/// The library, with an auth server that answers what it is told to.
struct Run {
    keys: RemoteKeySet,
    verifier: Verifier,
}

impl Run {
    async fn of(server: &AuthServer, path: &Path, options: RefreshOptions) -> Self {
        let warm_start = WarmStart::new(path, SOURCE);
        let keys = RemoteKeySet::with_warm_start(server.clone(), options, warm_start).await;
        let policy = Policy::new([ISSUER], [ISSUER]).unwrap();
        let verifier = Verifier::builder(policy, keys.clone()).build();
        Self { keys, verifier }
    }

    async fn start(server: &AuthServer, path: &Path) -> Self {
        Self::of(server, path, RefreshOptions::default()).await
    }

    async fn fetched(&self) {
        until(|| (self.keys.status().succeeded > 0).then_some(())).await;
    }

    async fn code(&self, token: &str) -> &'static str {
        match self.verifier.verify(token).await {
            Ok(_) => "accepted",
            Err(error) => error.code(),
        }
    }
}

/// A file with the keys of an issuer, as an earlier run left it.
async fn left_behind(issuer: &TestIssuer) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let run = Run::start(&AuthServer::new(issuer.key_set_json()), &path).await;
    until(|| content(&path)).await;
    drop(run);
    (directory, path)
}

fn unreachable() -> AuthServer {
    let server = AuthServer::new(Vec::new());
    server.replies(Reply::Fail(FetchError::Connect));
    server
}

#[tokio::test]
async fn the_keys_of_an_earlier_run_are_there_before_the_first_answer_and_as_old_as_they_are() {
    let issuer = TestIssuer::new(ISSUER);
    let (_directory, path) = left_behind(&issuer).await;
    age(&path, 3600);
    let server = AuthServer::new(Vec::new());
    server.replies(Reply::Hang);
    let run = Run::start(&server, &path).await;
    let token = issuer.token("ada");
    let accepted = timeout(Duration::from_secs(1), run.code(&token)).await;
    assert_eq!(accepted, Ok("accepted"), "nobody waits for the auth server");
    let status = run.keys.status();
    let expected = Duration::from_secs(3600)..Duration::from_secs(3610);
    assert!(expected.contains(&status.age.unwrap()), "{status:?}");
    assert!(status.usable && status.succeeded == 0);
    // A fetch is made all the same.
    until(|| (server.fetches() == 1).then_some(())).await;
    assert_eq!(server.validators(), [None]);
}

#[tokio::test]
async fn what_the_auth_server_says_replaces_the_file_and_takes_removed_keys_away() {
    let issuer = TestIssuer::new(ISSUER);
    let old = issuer.token("ada");
    let (_directory, path) = left_behind(&issuer).await;
    age(&path, 3600);
    issuer.rotate(Algorithm::Es256);
    issuer.drop_old_keys();
    let server = AuthServer::new(issuer.key_set_json());
    let run = Run::start(&server, &path).await;
    assert_eq!(run.code(&old).await, "accepted");
    run.fetched().await;
    assert_eq!(run.code(&old).await, "key_unknown");
    assert_eq!(run.code(&issuer.token("ada")).await, "accepted");
    let id = issuer.key().id().to_owned();
    let kept = until(|| content(&path).filter(|content| content["keys"][0]["kid"] == *id)).await;
    assert_eq!(kept["keys"].as_array().unwrap().len(), 1);
    assert!(now() - kept["answered_at"].as_u64().unwrap() < 60, "{kept}");
    assert!(run.keys.status().age.unwrap() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_key_that_is_newer_than_the_file_is_not_called_false_while_the_auth_server_is_away() {
    let issuer = TestIssuer::new(ISSUER);
    let (_directory, path) = left_behind(&issuer).await;
    issuer.rotate(Algorithm::EdDsa);
    let run = Run::start(&unreachable(), &path).await;
    for _ in 0..3 {
        let refused = run.verifier.verify(&issuer.token("ada")).await;
        let refused = refused.err().unwrap();
        let unavailable = matches!(refused, VerifyError::KeysUnavailable { .. });
        assert!(unavailable, "{refused:?}");
    }
}

#[tokio::test]
async fn keys_that_become_too_old_while_it_runs_are_trusted_no_longer() {
    let issuer = TestIssuer::new(ISSUER);
    let (_directory, path) = left_behind(&issuer).await;
    let mut options = RefreshOptions::default();
    options.max_staleness = Duration::from_secs(100);
    age(&path, 98);
    let run = Run::of(&unreachable(), &path, options).await;
    assert_eq!(run.code(&issuer.token("ada")).await, "accepted");
    until(|| (!run.keys.status().usable).then_some(())).await;
    assert_eq!(run.code(&issuer.token("ada")).await, "keys_unavailable");

    // And from the start.
    age(&path, 101);
    let run = Run::of(&unreachable(), &path, options).await;
    assert_eq!(run.keys.status().age, None);
    assert_eq!(run.code(&issuer.token("ada")).await, "keys_unavailable");
}

#[tokio::test]
async fn an_answer_that_nothing_has_changed_makes_the_file_younger() {
    let issuer = TestIssuer::new(ISSUER);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let server = AuthServer::new(Vec::new());
    server.replies(Reply::Fetched(Fetched::Document {
        body: issuer.key_set_json(),
        max_age: None,
        etag: Some("\"1\"".to_owned()),
    }));
    server.answers_at_once();
    let mut options = RefreshOptions::default();
    options.interval = Duration::from_millis(100);
    let _run = Run::of(&server, &path, options).await;
    let first = until(|| content(&path)).await;
    server.replies(Reply::Fetched(Fetched::NotModified { max_age: None }));
    let answered_at = |content: &Value| content["answered_at"].as_u64().unwrap();
    let later =
        until(|| content(&path).filter(|later| answered_at(later) > answered_at(&first))).await;
    assert_eq!(later["keys"], first["keys"]);
    let validators = server.validators();
    assert_eq!(validators.last().unwrap().as_deref(), Some("\"1\""));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_or_written_costs_nothing_but_the_warm_start() {
    let issuer = TestIssuer::new(ISSUER);
    let server = AuthServer::new(issuer.key_set_json());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let read_only = directory.path().join("read-only");
    std::fs::create_dir(&read_only).unwrap();
    let mut permissions = std::fs::metadata(&read_only).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&read_only, permissions).unwrap();
    for place in [
        directory.path().join("missing/keys.json"),
        file.join("keys.json"),
        // Root may write where nobody may, but not here.
        PathBuf::from("/proc/keys.json"),
        read_only.join("keys.json"),
        directory.path().to_owned(),
        PathBuf::from("/"),
        PathBuf::new(),
    ] {
        let run = Run::start(&server, &place).await;
        assert_eq!(
            run.code(&issuer.token("ada")).await,
            "accepted",
            "{place:?}"
        );
    }
}

/// Not a test of its own: the process that the next tests start and kill. Writes keys of one `kid`
/// prefix to a file, again and again.
#[tokio::test]
async fn a_process_that_writes() {
    let Some(path) = std::env::var_os("KEYWARD_TEST_WRITES_TO") else {
        return;
    };
    let prefix = std::env::var("KEYWARD_TEST_PREFIX").unwrap();
    let key = SigningKey::generate("", Algorithm::Es512);
    let keys: Vec<Value> = (0..200)
        .map(|number| {
            let mut jwk = key.public_jwk();
            jwk["kid"] = json!(format!("{prefix}-{number}"));
            jwk
        })
        .collect();
    let server = AuthServer::new(json!({"keys": keys}).to_string().into_bytes());
    server.answers_at_once();
    let mut options = RefreshOptions::default();
    options.interval = Duration::from_millis(100);
    // Several at once: each rests for its interval.
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(Run::of(&server, path.as_ref(), options).await);
        sleep(Duration::from_millis(5)).await;
    }
    // It is killed long before, unless its parent was.
    sleep(PATIENCE).await;
}

fn writer(path: &Path, prefix: &str) -> tokio::process::Child {
    tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_writes"])
        .env("KEYWARD_TEST_WRITES_TO", path)
        .env("KEYWARD_TEST_PREFIX", prefix)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Whose keys a file holds, which must be whole: all of them, and nobody else's.
async fn whose(path: &Path) -> String {
    let run = Run::start(&unreachable(), path).await;
    let keys = run.keys.keys().expect("the file is whole");
    let ids: Vec<&str> = keys.keys().filter_map(|key| key.id()).collect();
    assert_eq!(ids.len(), 200);
    let prefix = ids[0].split('-').next().unwrap();
    assert!(ids.iter().all(|id| id.split('-').next() == Some(prefix)));
    prefix.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_write_the_same_file_never_mix_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let writers = [writer(&path, "a"), writer(&path, "b")];
    until(|| path.exists().then_some(())).await;
    let mut seen = std::collections::BTreeSet::new();
    let mut reads = 0;
    let reading = async {
        while reads < 50 || seen.len() < 2 {
            seen.insert(whose(&path).await);
            reads += 1;
        }
    };
    timeout(PATIENCE, reading).await.expect("both write");
    for mut writer in writers {
        writer.kill().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_writes_leaves_a_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let mut in_the_middle = 0;
    for round in 0..20 {
        let _ = std::fs::remove_file(&path);
        let mut writer = writer(&path, "a");
        until(|| path.exists().then_some(())).await;
        // Spread over the time that a few writes take.
        sleep(Duration::from_micros(round * 617 % 10_000)).await;
        writer.kill().await.unwrap();
        assert_eq!(whose(&path).await, "a");
        let files = std::fs::read_dir(directory.path()).unwrap();
        in_the_middle = files.count() - 1;
    }
    // Each write cut off leaves its temporary file, which nobody takes for the file.
    println!("{in_the_middle} of 20 were killed in the middle of a write");
}

mod better_auth {
    use super::better_auth_server::BetterAuth;
    use super::keyward_process::{Keyward, client};
    use super::*;

    async fn port_of(auth: &BetterAuth) -> u16 {
        auth.url().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    async fn serve(auth: &str, directory: &TempDir) -> Keyward {
        let directory = directory.path().to_str().unwrap();
        Keyward::serve(&[("BETTER_AUTH_URL", auth), ("JWKS_CACHE_DIR", directory)]).await
    }

    /// The file in the service's directory, once it is there.
    async fn file(directory: &TempDir) -> PathBuf {
        until(|| {
            let files = std::fs::read_dir(directory.path()).unwrap().flatten();
            let mut paths = files.map(|file| file.path());
            paths.find(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "json")
            })
        })
        .await
    }

    async fn get(keyward: &Keyward, path: &str, token: &str) -> (u16, Value) {
        let request = client().get(format!("{}{path}", keyward.url));
        let response = request.bearer_auth(token).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    #[tokio::test]
    async fn a_service_that_restarts_while_the_auth_server_is_down_serves_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let auth = BetterAuth::start(json!({})).await;
        let url = auth.url().to_owned();
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let token = auth.token(&ada).await;
        let keyward = serve(&url, &directory).await;
        assert_eq!(get(&keyward, "/api/me", &token).await.0, 200);
        let file = file(&directory).await;
        assert!(keyward.stop().await.0.success());
        let port = port_of(&auth).await;
        drop(auth);
        // Nobody answers there any more.
        until(|| {
            std::net::TcpStream::connect(("127.0.0.1", port))
                .is_err()
                .then_some(())
        })
        .await;

        age(&file, 3600);
        let keyward = serve(&url, &directory).await;
        let (status, body) = get(&keyward, "/api/me", &token).await;
        assert_eq!(status, 200, "{body}");
        let (status, ready) = get(&keyward, "/readyz", "").await;
        assert_eq!((status, &ready["keys"]["usable"]), (200, &json!(true)));
        let age_seconds = ready["keys"]["ageSeconds"].as_u64().unwrap();
        assert!((3600..3660).contains(&age_seconds), "{ready}");

        // It comes back with another database: what it published before, it has withdrawn.
        let auth = BetterAuth::start(json!({ "port": port })).await;
        let bob = auth.sign_up("Bob", "bob@example.com").await;
        let new = auth.token(&bob).await;
        let recovered = async {
            while get(&keyward, "/api/me", &new).await.0 != 200 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, recovered).await.expect("it recovers");
        let (status, problem) = get(&keyward, "/api/me", &token).await;
        assert_eq!((status, &problem["code"]), (401, &json!("key_unknown")));
        let (_, ready) = get(&keyward, "/readyz", "").await;
        assert!(
            ready["keys"]["ageSeconds"].as_u64().unwrap() < 60,
            "{ready}"
        );
        let (ended, log) = keyward.stop().await;
        assert!(
            ended.success() && log.contains("key set of an earlier run"),
            "{log}"
        );
    }

    #[tokio::test]
    async fn keys_older_than_a_day_and_files_of_another_server_verify_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let auth = BetterAuth::start(json!({})).await;
        let url = auth.url().to_owned();
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let token = auth.token(&ada).await;
        let keyward = serve(&url, &directory).await;
        let file = file(&directory).await;
        assert!(keyward.stop().await.0.success());
        drop(auth);

        age(&file, 24 * 60 * 60 + 1);
        let keyward = serve(&url, &directory).await;
        let (status, problem) = get(&keyward, "/api/me", &token).await;
        assert_eq!(
            (status, &problem["code"]),
            (503, &json!("keys_unavailable"))
        );
        let (status, problem) = get(&keyward, "/readyz", "").await;
        assert_eq!(
            (status, &problem["keys"]["ageSeconds"]),
            (503, &Value::Null)
        );
        let (_, log) = keyward.stop().await;
        assert!(
            log.contains("key set file not used") && log.contains("maximum staleness"),
            "{log}"
        );

        // The same file where that of another auth server is looked for.
        age(&file, 0);
        let nobody = "http://127.0.0.1:9";
        let keyward = serve(nobody, &directory).await;
        let (status, _) = get(&keyward, "/api/me", &token).await;
        assert_eq!(status, 503);
        assert!(keyward.stop().await.0.success());
        age(&file, 0);
        let keyward = serve(&url, &directory).await;
        assert_eq!(get(&keyward, "/api/me", &token).await.0, 200);
        assert!(keyward.stop().await.0.success());
    }
}
