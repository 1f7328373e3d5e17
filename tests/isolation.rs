//! One user's tasks and another user: through the whole HTTP stack, on SQLite and on a real
//! PostgreSQL.
//!
//! What another user has must be like what never was: in what is done, and in every byte of the
//! answer. Requests continue one trace, so that even its id is the same.

#[path = "support/postgres.rs"]
mod cluster;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cluster::Cluster;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use keyward::service::api::{ApiState, app};
use keyward::service::http::{HttpOptions, ResponseBody, stack};
use keyward::service::store::{DatabaseUrl, TaskStore};
use keyward::testing::TestIssuer;
use keyward::{KeySet, Policy, Verifier};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use uuid::Uuid;

/// The service on a database of its own.
struct World {
    service:
        BoxCloneSyncService<Request<Full<Bytes>>, Response<ResponseBody>, std::convert::Infallible>,
    issuer: TestIssuer,
    _keeps: Keeps,
}

enum Keeps {
    Directory { _directory: TempDir },
    Cluster { _cluster: Arc<Cluster> },
}

impl World {
    async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("tasks.db").display());
        Self::open(
            &url,
            Keeps::Directory {
                _directory: directory,
            },
        )
        .await
    }

    async fn postgres() -> Self {
        let started = tokio::task::spawn_blocking(|| {
            let cluster = Cluster::shared();
            (cluster.create_database(), cluster)
        });
        let (url, cluster) = started.await.unwrap();
        Self::open(&url, Keeps::Cluster { _cluster: cluster }).await
    }

    async fn open(url: &str, keeps: Keeps) -> Self {
        let issuer = TestIssuer::new("https://app.example.com");
        let policy = Policy::new([issuer.url()], [issuer.url()]).unwrap();
        let keys = KeySet::from_json(&issuer.key_set_json()).unwrap();
        let verifier: Verifier = Verifier::builder(policy, keys).build();
        let store = TaskStore::connect(&DatabaseUrl::parse(url).unwrap())
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let app = app(ApiState {
            verifier,
            store,
            oauth: None,
        });
        Self {
            service: BoxCloneSyncService::new(stack(app, &HttpOptions::default())),
            issuer,
            _keeps: keeps,
        }
    }

    fn user(self: &Arc<Self>, subject: &str) -> User {
        User {
            world: self.clone(),
            token: self.issuer.token(subject),
        }
    }
}

/// Somebody with a token.
#[derive(Clone)]
struct User {
    world: Arc<World>,
    token: String,
}

/// All that an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl User {
    async fn ask(
        &self,
        method: &str,
        path: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "x")
            .header("authorization", format!("Bearer {}", self.token))
            .header(
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            );
        if let Some(if_match) = if_match {
            request = request.header("if-match", if_match);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request.body(Full::new(body)).unwrap();
        let response = self.world.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    async fn make(&self, title: &str) -> Value {
        let answer = self
            .ask("POST", "/api/tasks", None, Some(&json!({"title": title})))
            .await;
        assert_eq!(answer.status, 201, "{title:?}");
        answer.json()
    }

    async fn get(&self, id: &str) -> Answer {
        self.ask("GET", &path(id), None, None).await
    }

    /// The titles of all tasks, newest first, page by page.
    async fn titles(&self, limit: usize) -> Vec<String> {
        let (mut titles, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self
                .ask(
                    "GET",
                    &format!("/api/tasks?limit={limit}{cursor}"),
                    None,
                    None,
                )
                .await;
            assert_eq!(page.status, 200);
            let page = page.json();
            titles.extend(page["items"].as_array().unwrap().iter().map(title_of));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return titles,
            }
        }
    }
}

fn path(id: &str) -> String {
    format!("/api/tasks/{id}")
}

fn title_of(task: &Value) -> String {
    task["title"].as_str().unwrap().to_owned()
}

fn id_of(task: &Value) -> String {
    task["id"].as_str().unwrap().to_owned()
}

/// Anything in a query string.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let _ = write!(encoded, "%{byte:02X}");
    }
    encoded
}

/// Subjects that something might take for one another: each is a user of its own.
const LOOK_ALIKES: &[&str] = &[
    // Case, and letters that become others with it.
    "ada",
    "Ada",
    "ADA",
    "adA",
    "stra\u{df}e",
    "strasse",
    "STRASSE",
    "\u{131}",
    "i",
    "I",
    "\u{130}",
    // White space, which PostgreSQL's CHAR and some collations forget.
    "ada ",
    " ada",
    "ada  ",
    "ada\u{a0}",
    "ada\u{3000}",
    "ada\u{200b}",
    "ada\u{feff}",
    "\u{feff}ada",
    // Other letters that look so, and other ways to write the same ones.
    "\u{430}da",
    "\u{ff41}\u{ff44}\u{ff41}",
    "\u{e9}",
    "e\u{301}",
    "\u{fb01}",
    "fi",
    "\u{212b}",
    "\u{c5}",
    "A\u{30a}",
    "ad\u{202e}a",
    "ada\u{fe0f}",
    "\u{1d51e}da",
    // Numbers, which SQLite's affinities would make equal.
    "1",
    "01",
    "1.0",
    "1e0",
    "+1",
    "0x1",
    "1 ",
    "true",
    "NULL",
    "null",
    // Patterns and statements.
    "%",
    "_",
    "ad_",
    "ad%",
    "ada%",
    "\\",
    "\\%",
    "ada\\",
    "*",
    "ada*",
    "' OR '1'='1",
    "ada'--",
    "ada'; DROP TABLE tasks; --",
    "ada\"",
    "$1",
    "?1",
    ":1",
    "{ada}",
    // Paths and lists.
    "ada/../eve",
    "..",
    "ada,eve",
    "ada;eve",
    "ada|eve",
    "eve",
    "user:ada",
    "ada@example.com",
    "Ada@example.com",
];

async fn each_subject_is_an_owner_of_its_own(world: &Arc<World>) {
    // The longest that there are, which differ in one letter; of some randomness, so that no
    // database gets them shorter.
    let random: String = (0..1020).map(|_| fastrand::alphanumeric()).collect();
    let longest = [&random[..1019], "x"].concat();
    let others = [
        [&random[..1019], "y"].concat(),
        ["y", &random[1..1019], "x"].concat(),
    ];
    let multi_byte = format!("{}\u{1f95b}", "\u{10ffff}".repeat(254));
    let mut subjects: Vec<String> = LOOK_ALIKES.iter().map(ToString::to_string).collect();
    subjects.extend([longest, multi_byte, "x".repeat(1020), "x".repeat(1019)]);
    subjects.extend(others);
    let mut owned = Vec::new();
    for (n, subject) in subjects.iter().enumerate() {
        let user = world.user(subject);
        let task = user.make(&format!("task {n}")).await;
        owned.push((user, task));
    }
    for (n, (user, task)) in owned.iter().enumerate() {
        let subject = &subjects[n];
        let me = user.ask("GET", "/api/me", None, None).await.json();
        assert_eq!(me["id"], **subject);
        assert_eq!(user.titles(100).await, [format!("task {n}")], "{subject:?}");
        for (other, (_, others)) in owned.iter().enumerate() {
            let answer = user.get(&id_of(others)).await;
            match n == other {
                true => assert_eq!(answer.json(), *task),
                false => assert_eq!(answer.status, 404, "{subject:?} and {:?}", subjects[other]),
            }
        }
    }
    println!(
        "ran {} cases: subject that looks like another",
        subjects.len()
    );
}

async fn a_subject_that_no_database_could_hold_is_no_user(world: &Arc<World>) {
    let subjects = [
        "ada\0",
        "\0",
        "ada\n",
        "ada\u{85}",
        "",
        &"x".repeat(1021),
        &"\u{e9}".repeat(511),
    ];
    for subject in subjects {
        let user = world.user(subject);
        let task = json!({"title": "task"});
        for (method, body) in [("GET", None), ("POST", Some(&task))] {
            let answer = user.ask(method, "/api/tasks", None, body).await;
            assert_eq!(answer.status, 401, "{subject:?}");
            assert_eq!(answer.json()["code"], "token_claim_invalid", "{subject:?}");
        }
    }
    println!("ran {} cases: subject that is none", subjects.len());
}

/// Texts that mean something to a database, if it gets to read them.
const STATEMENTS: &[&str] = &[
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    ";",
    "--",
    "/*",
    "*/",
    "%",
    "_",
    "%%",
    "\\%",
    "\\_",
    "\\\\",
    "$1",
    "?",
    "?1",
    ":1",
    "@x",
    "{}",
    "' OR 1=1 --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "') OR ('1'='1",
    "1; DROP TABLE tasks",
    "'; DELETE FROM tasks; --",
    "' UNION SELECT owner_id, id, title, 1, 1, 1 FROM tasks --",
    "'||(SELECT owner_id FROM tasks)||'",
    "\u{ff07} OR 1=1",
    "\u{2019} OR 1=1",
    "%' ESCAPE '!' OR '1'='1",
    "$$; DROP TABLE tasks; $$",
    "E'\\x27'",
    "U&'\\0027'",
    "ada' AND pg_sleep(10) --",
    "' AND randomblob(1000000000) --",
    "NULL",
    "COALESCE",
    "x' GLOB '*",
];

async fn a_statement_in_any_text_is_a_text(world: &Arc<World>) {
    let (ada, eve) = (
        world.user("ada of statements"),
        world.user("eve of statements"),
    );
    let secret = ada.make("the secret of ada").await;
    let before = ada.get(&id_of(&secret)).await;
    let mut titles = Vec::new();
    for text in STATEMENTS {
        // As a title it is kept as it is, as a search it finds what has it in it and nothing else.
        let task = eve.make(text).await;
        assert_eq!(task["title"], *text);
        titles.push((*text).to_owned());
        let found = eve
            .ask(
                "GET",
                &format!("/api/tasks?limit=100&q={}", encoded(text)),
                None,
                None,
            )
            .await;
        assert_eq!(found.status, 200, "{text}");
        let found = found.json()["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(title_of)
            .collect::<Vec<_>>();
        let text_in_small = text.to_lowercase();
        let expected: Vec<_> = titles
            .iter()
            .rev()
            .filter(|title| title.to_lowercase().contains(&text_in_small))
            .cloned()
            .collect();
        assert_eq!(found, expected, "{text}");
        // Everywhere else it is no value at all.
        for query in ["cursor", "limit", "completed"] {
            let answer = eve
                .ask(
                    "GET",
                    &format!("/api/tasks?{query}={}", encoded(text)),
                    None,
                    None,
                )
                .await;
            assert_eq!(answer.status, 400, "{query}={text}");
        }
        let answer = eve.get(&encoded(text)).await;
        assert_eq!(answer.status, 400, "{text}");
        let tag = text.replace('"', "'");
        if tag.is_ascii() {
            for if_match in [format!("\"{tag}\""), tag] {
                let answer = eve
                    .ask("DELETE", &path(&id_of(&task)), Some(&if_match), None)
                    .await;
                assert!(
                    matches!(answer.status, 400 | 412),
                    "{if_match}: {}",
                    answer.status
                );
            }
        }
        let patched = eve
            .ask(
                "PATCH",
                &path(&id_of(&task)),
                None,
                Some(&json!({"title": text})),
            )
            .await;
        assert_eq!(patched.json()["title"], *text);
    }
    assert_eq!(ada.get(&id_of(&secret)).await, before);
    assert_eq!(ada.titles(100).await, ["the secret of ada"]);
    println!("ran {} cases: statement in a text", STATEMENTS.len());
}

/// What one of two users does.
#[derive(Clone, Debug)]
struct Step {
    /// Whether it is the first user who does it.
    first: bool,
    act: Act,
}

#[derive(Clone, Debug)]
enum Act {
    Make {
        title: String,
        completed: bool,
    },
    Read(Whose),
    Change {
        whose: Whose,
        title: Option<String>,
        completed: Option<bool>,
        if_match: IfMatch,
    },
    Delete {
        whose: Whose,
        if_match: IfMatch,
    },
    List {
        limit: usize,
        cursor: Option<Whose>,
        completed: Option<bool>,
        search: Option<String>,
    },
}

/// Which id a request names: of a task that is, or was.
#[derive(Clone, Debug)]
enum Whose {
    Own(Index),
    Other(Index),
    Never(u128),
}

#[derive(Clone, Debug)]
enum IfMatch {
    None,
    Any,
    /// The revision that the named task has, whoever's it is.
    Right,
    Wrong(i64),
    /// Both.
    List(i64),
}

fn title() -> impl Strategy<Value = String> {
    // Wildcards, quotes, letters whose case is odd, and few of them, so that searches find something.
    let letters = prop::sample::select(vec![
        'a', 'B', '%', '_', '\\', '\'', '"', 'ß', 'İ', 'ς', 'Σ', ' ',
    ]);
    prop::collection::vec(letters, 0..4)
        .prop_map(|letters| letters.into_iter().chain(['x']).collect())
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        4 => any::<Index>().prop_map(Whose::Own),
        4 => any::<Index>().prop_map(Whose::Other),
        1 => any::<u128>().prop_map(Whose::Never),
    ]
}

fn if_match() -> impl Strategy<Value = IfMatch> {
    prop_oneof![
        3 => Just(IfMatch::None),
        1 => Just(IfMatch::Any),
        2 => Just(IfMatch::Right),
        1 => (1..5_i64).prop_map(IfMatch::Wrong),
        1 => (1..5_i64).prop_map(IfMatch::List),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let change = (
        whose(),
        prop::option::of(title()),
        prop::option::of(any::<bool>()),
        if_match(),
    )
        .prop_filter(
            "a patch of nothing is refused",
            |(_, title, completed, _)| title.is_some() || completed.is_some(),
        );
    let list = (
        1..6_usize,
        prop::option::of(whose()),
        prop::option::of(any::<bool>()),
        prop::option::of(title().prop_map(|title| title[..title.len() - 1].to_owned())),
    );
    prop_oneof![
        4 => (title(), any::<bool>()).prop_map(|(title, completed)| Act::Make { title, completed }),
        3 => whose().prop_map(Act::Read),
        4 => change.prop_map(|(whose, title, completed, if_match)| Act::Change { whose, title, completed, if_match }),
        2 => (whose(), if_match()).prop_map(|(whose, if_match)| Act::Delete { whose, if_match }),
        4 => list.prop_map(|(limit, cursor, completed, search)| {
            // An empty text is refused.
            let search = search.filter(|search| !search.is_empty());
            Act::List { limit, cursor, completed, search }
        }),
    ]
}

/// A user, and what the user's tasks should be. Ids grow, so the last one is the newest.
struct Model {
    user: User,
    tasks: BTreeMap<String, Value>,
    /// Every id there ever was.
    ids: Vec<String>,
}

impl Model {
    fn new(user: User) -> Self {
        Self {
            user,
            tasks: BTreeMap::new(),
            ids: Vec::new(),
        }
    }

    fn pick(&self, index: &Index) -> Option<String> {
        (!self.ids.is_empty()).then(|| index.get(&self.ids).clone())
    }
}

/// As the service folds titles for a search.
fn fold(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .collect()
}

/// Does a step, and checks the answer against what it should be, to the last byte where the task is
/// not the user's.
async fn step(own: &mut Model, other: &Model, act: &Act) {
    let id_of_whose = |whose: &Whose| match whose {
        Whose::Own(index) => own.pick(index),
        Whose::Other(index) => other.pick(index),
        Whose::Never(bits) => Some(Uuid::from_u128(*bits).to_string()),
    };
    let header = |id: &str, if_match: &IfMatch| {
        let task = own.tasks.get(id).or_else(|| other.tasks.get(id));
        let right = task.map_or(1, |task| task["revision"].as_i64().unwrap());
        match if_match {
            IfMatch::None => None,
            IfMatch::Any => Some("*".to_owned()),
            IfMatch::Right => Some(format!("\"{right}\"")),
            IfMatch::Wrong(by) => Some(format!("\"{}\"", right + by)),
            IfMatch::List(by) => Some(format!("\"{}\", W/\"x\", \"{right}\"", right + by)),
        }
    };
    let (method, id, if_match, body) = match act {
        Act::Make { title, completed } => {
            let body = json!({"title": title, "completed": completed});
            let made = own.user.ask("POST", "/api/tasks", None, Some(&body)).await;
            assert_eq!(made.status, 201);
            let task = made.json();
            assert_eq!(
                (&task["title"], &task["completed"]),
                (&body["title"], &body["completed"])
            );
            let id = id_of(&task);
            assert!(own.ids.last().is_none_or(|last| *last < id), "ids grow");
            own.ids.push(id.clone());
            own.tasks.insert(id, task);
            return;
        }
        Act::List {
            limit,
            cursor,
            completed,
            search,
        } => {
            let before = cursor.as_ref().and_then(id_of_whose);
            let mut query = format!("/api/tasks?limit={limit}");
            if let Some(before) = &before {
                let bytes = before.parse::<Uuid>().unwrap();
                query += &format!("&cursor={}", URL_SAFE_NO_PAD.encode(bytes.as_bytes()));
            }
            if let Some(completed) = completed {
                query += &format!("&completed={completed}");
            }
            if let Some(search) = search {
                query += &format!("&q={}", encoded(search));
            }
            let found = own.user.ask("GET", &query, None, None).await;
            assert_eq!(found.status, 200, "{query}");
            let all: Vec<&Value> = own
                .tasks
                .iter()
                .rev()
                .filter(|(id, _)| before.as_ref().is_none_or(|before| *id < before))
                .map(|(_, task)| task)
                .filter(|task| completed.is_none_or(|completed| task["completed"] == completed))
                .filter(|task| {
                    search
                        .as_ref()
                        .is_none_or(|search| fold(&title_of(task)).contains(&fold(search)))
                })
                .collect();
            let page = &all[..all.len().min(*limit)];
            let last = page.last().filter(|_| all.len() > *limit);
            let next = last.map(|task| {
                URL_SAFE_NO_PAD.encode(id_of(task).parse::<Uuid>().unwrap().as_bytes())
            });
            assert_eq!(
                found.json(),
                json!({"items": page, "nextCursor": next}),
                "{query}"
            );
            return;
        }
        Act::Read(whose) => ("GET", id_of_whose(whose), None, None),
        Act::Change {
            whose,
            title,
            completed,
            if_match,
        } => {
            let mut body = serde_json::Map::new();
            if let Some(title) = title {
                body.insert("title".to_owned(), title.as_str().into());
            }
            if let Some(completed) = completed {
                body.insert("completed".to_owned(), (*completed).into());
            }
            (
                "PATCH",
                id_of_whose(whose),
                Some(if_match),
                Some(Value::Object(body)),
            )
        }
        Act::Delete { whose, if_match } => ("DELETE", id_of_whose(whose), Some(if_match), None),
    };
    let Some(id) = id else {
        return; // there is none yet
    };
    let if_match_header = if_match.and_then(|if_match| header(&id, if_match));
    let ask = async |id: &str| {
        own.user
            .ask(method, &path(id), if_match_header.as_deref(), body.as_ref())
            .await
    };
    let answer = ask(&id).await;
    let Some(task) = own.tasks.get(&id).cloned() else {
        // Another's, or one that was, or none: all the same as one that never was.
        let never = ask(&Uuid::now_v7().to_string()).await;
        assert_eq!(never.status, 404);
        assert_eq!(answer, never, "{method} {if_match_header:?}");
        return;
    };
    if matches!(if_match, Some(IfMatch::Wrong(_))) {
        assert_eq!(answer.status, 412);
        return;
    }
    let etag = |answer: &Answer| answer.headers["etag"].to_str().unwrap().to_owned();
    match method {
        "GET" => {
            assert_eq!(answer.json(), task);
            assert_eq!(etag(&answer), format!("\"{}\"", task["revision"]));
        }
        "DELETE" => {
            assert_eq!((answer.status, answer.body.len()), (204, 0));
            own.tasks.remove(&id);
        }
        _ => {
            let mut changed = task;
            let Some(Value::Object(members)) = body else {
                unreachable!("a change has members");
            };
            for (name, value) in members {
                changed[name] = value;
            }
            changed["revision"] = (changed["revision"].as_i64().unwrap() + 1).into();
            let found = answer.json();
            assert!(found["updatedAt"].as_str() >= changed["updatedAt"].as_str());
            changed["updatedAt"] = found["updatedAt"].clone();
            assert_eq!(found, changed);
            assert_eq!(etag(&answer), format!("\"{}\"", changed["revision"]));
            own.tasks.insert(id, changed);
        }
    }
}

/// Two users do anything in any order: each sees what would be there without the other.
async fn two_users_never_meet(world: &Arc<World>) {
    static PAIRS: AtomicUsize = AtomicUsize::new(0);
    let steps = prop::collection::vec(
        (any::<bool>(), act()).prop_map(|(first, act)| Step { first, act }),
        1..60,
    );
    let runtime = tokio::runtime::Handle::current();
    let world = world.clone();
    // proptest's runner is no future.
    let cases = tokio::task::spawn_blocking(move || {
        let config = ProptestConfig {
            // `PROPTEST_CASES` makes it last longer.
            cases: match std::env::var_os("PROPTEST_CASES") {
                Some(_) => ProptestConfig::default().cases,
                None => 40,
            },
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let done = AtomicUsize::new(0);
        let result = TestRunner::new(config).run(&steps, |steps| {
            let pair = PAIRS.fetch_add(1, Ordering::Relaxed);
            // Names that are as near to each other as names can be.
            let look_alike = LOOK_ALIKES[pair % LOOK_ALIKES.len()];
            let first = world.user(&format!("{pair} {look_alike}"));
            let second = world.user(&format!("{pair} {look_alike} "));
            let (mut first, mut second) = (Model::new(first), Model::new(second));
            runtime.block_on(async {
                for Step {
                    first: is_first,
                    act,
                } in &steps
                {
                    match is_first {
                        true => step(&mut first, &second, act).await,
                        false => step(&mut second, &first, act).await,
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                // In the end both have what they should, and nothing else.
                for model in [&first, &second] {
                    let expected: Vec<_> = model.tasks.values().rev().map(title_of).collect();
                    assert_eq!(model.user.titles(3).await, expected);
                }
            });
            Ok(())
        });
        if let Err(failure) = result {
            panic!("{failure}");
        }
        done.into_inner()
    });
    println!("ran {} cases: step of two users", cases.await.unwrap());
}

async fn pages_of_one_user_hold_while_another_makes_and_deletes(world: &Arc<World>) {
    let (ada, eve) = (world.user("ada of pages"), world.user("eve of pages"));
    let (mut hers, mut his) = (Vec::new(), Vec::new());
    for n in 0..40 {
        // The same titles: neither id nor title tells whose it is.
        hers.push(ada.make(&format!("task {n}")).await);
        his.push(eve.make(&format!("task {n}")).await);
    }
    let racing = tokio::spawn({
        let (ada, hers) = (ada.clone(), hers.clone());
        async move {
            for task in hers {
                let deleted = ada.ask("DELETE", &path(&id_of(&task)), None, None).await;
                assert_eq!(deleted.status, 204);
                ada.make("another").await;
            }
        }
    });
    let mut walks = 0;
    while walks < 5 || !racing.is_finished() {
        let expected: Vec<_> = his.iter().rev().map(title_of).collect();
        assert_eq!(eve.titles(3).await, expected);
        // With a cursor at another's task, the page begins where it would among one's own.
        let n = walks % 40;
        let cursor = URL_SAFE_NO_PAD.encode(id_of(&hers[n]).parse::<Uuid>().unwrap().as_bytes());
        let page = eve
            .ask(
                "GET",
                &format!("/api/tasks?limit=100&cursor={cursor}"),
                None,
                None,
            )
            .await;
        let page = page.json();
        assert_eq!(page["items"].as_array().unwrap().len(), n);
        assert_eq!(page["nextCursor"], Value::Null);
        walks += 1;
    }
    racing.await.unwrap();
    assert_eq!(ada.titles(100).await, vec!["another"; 40]);
    println!("ran {walks} cases: walk through pages in a race");
}

async fn whatever_another_user_tries_in_a_race_changes_nothing(world: &Arc<World>) {
    let (ada, eve) = (world.user("ada of races"), world.user("eve of races"));
    let task = ada.make("task").await;
    let id = id_of(&task);
    let never = Uuid::now_v7().to_string();
    let attacks: Vec<_> = (0..4)
        .map(|n: i64| {
            let (eve, id, never) = (eve.clone(), id.clone(), never.clone());
            tokio::spawn(async move {
                for round in 0..40 {
                    // Revisions that the task has had, has, or will have.
                    let tag = format!("\"{}\"", round + n);
                    for if_match in [None, Some("*"), Some(&*tag)] {
                        let patch = json!({"title": "eve was here"});
                        for (method, body) in
                            [("PATCH", Some(&patch)), ("DELETE", None), ("GET", None)]
                        {
                            let answer = eve.ask(method, &path(&id), if_match, body).await;
                            let nothing = eve.ask(method, &path(&never), if_match, body).await;
                            assert_eq!(nothing.status, 404);
                            assert_eq!(answer, nothing, "{method} {if_match:?}");
                        }
                    }
                }
            })
        })
        .collect();
    let mut revision = 1;
    while attacks.iter().any(|attack| !attack.is_finished()) {
        let if_match = format!("\"{revision}\"");
        let patch = json!({"title": format!("revision {}", revision + 1)});
        let changed = ada
            .ask("PATCH", &path(&id), Some(&if_match), Some(&patch))
            .await;
        assert_eq!(changed.status, 200);
        revision += 1;
        assert_eq!(changed.json()["revision"], revision);
    }
    for attack in attacks {
        attack.await.unwrap();
    }
    assert_eq!(
        ada.get(&id).await.json()["title"],
        format!("revision {revision}")
    );
    assert!(eve.titles(100).await.is_empty());
    println!("ran {} cases: attack in a race", 4 * 40 * 9);
}

async fn of_changes_at_one_revision_one_wins_and_the_others_know(world: &Arc<World>) {
    const ROUNDS: usize = 10;
    let (ada, eve) = (world.user("ada of one"), world.user("eve of one"));
    for _ in 0..ROUNDS {
        // Of the same title, made at the same time.
        let (hers, his) = tokio::join!(ada.make("task"), eve.make("task"));
        assert_ne!(hers["id"], his["id"]);
        let racers: Vec<_> = (0..12)
            .map(|n| {
                let user = if n % 3 == 2 { eve.clone() } else { ada.clone() };
                let id = id_of(&hers);
                tokio::spawn(async move {
                    let patch = json!({"title": format!("racer {n}")});
                    user.ask("PATCH", &path(&id), Some("\"1\""), Some(&patch))
                        .await
                })
            })
            .collect();
        let mut won = Vec::new();
        for (n, racer) in racers.into_iter().enumerate() {
            let answer = racer.await.unwrap();
            match (answer.status, n % 3) {
                (200, 0 | 1) => won.push(answer.json()),
                (412, 0 | 1) | (404, 2) => {}
                (status, _) => panic!("racer {n}: {status}"),
            }
        }
        assert_eq!(won.len(), 1);
        assert_eq!(ada.get(&id_of(&hers)).await.json(), won[0]);
        assert_eq!(eve.get(&id_of(&his)).await.json(), his);
    }
    println!("ran {ROUNDS} cases: race of changes");
}

/// Makes one test for each database out of each property.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::Arc::new(super::World::sqlite().await)).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let world = super::Arc::new(super::World::postgres().await);
                super::$name(&world).await;
                // The last one stops the server, which takes a moment.
                tokio::task::spawn_blocking(move || drop(world)).await.unwrap();
            })*
        }
    };
}

on_both!(
    each_subject_is_an_owner_of_its_own,
    a_subject_that_no_database_could_hold_is_no_user,
    a_statement_in_any_text_is_a_text,
    two_users_never_meet,
    pages_of_one_user_hold_while_another_makes_and_deletes,
    whatever_another_user_tries_in_a_race_changes_nothing,
    of_changes_at_one_revision_one_wins_and_the_others_know,
);
