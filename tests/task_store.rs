//! One contract for the task store, run on SQLite and on a real PostgreSQL.

#[path = "support/postgres.rs"]
mod cluster;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cluster::Cluster;
use keyward::service::store::{
    DatabaseUrl, DeleteOutcome, NewTask, Owner, RevisionCondition, StoreError, StoreOptions, Task,
    TaskChange, TaskQuery, TaskStore, UpdateOutcome,
};
use tempfile::TempDir;
use uuid::Uuid;

const ADA: Owner<'_> = Owner::new("ada");
const EVE: Owner<'_> = Owner::new("eve");
const ANY: RevisionCondition = RevisionCondition::Any;

/// A migrated store, and what keeps its database there.
struct Fixture {
    store: TaskStore,
    url: String,
    _keeps: Keeps,
}

enum Keeps {
    Directory { _directory: TempDir },
    Cluster { _cluster: Arc<Cluster> },
}

impl Fixture {
    async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("tasks.db").display());
        Self::open(
            url,
            Keeps::Directory {
                _directory: directory,
            },
        )
        .await
    }

    async fn postgres() -> Self {
        let (url, cluster) = tokio::task::spawn_blocking(|| {
            let cluster = Cluster::shared();
            (cluster.create_database(), cluster)
        })
        .await
        .unwrap();
        Self::open(url, Keeps::Cluster { _cluster: cluster }).await
    }

    async fn open(url: String, keeps: Keeps) -> Self {
        let store = connect(&url).await;
        store.migrate().await.unwrap();
        Self {
            store,
            url,
            _keeps: keeps,
        }
    }
}

async fn connect(url: &str) -> TaskStore {
    TaskStore::connect(&DatabaseUrl::parse(url).unwrap())
        .await
        .unwrap()
}

fn new(title: &str) -> NewTask {
    NewTask {
        title: title.to_owned(),
        completed: false,
    }
}

fn all() -> TaskQuery {
    TaskQuery {
        limit: 100,
        ..TaskQuery::default()
    }
}

async fn titles(store: &TaskStore, owner: Owner<'_>, query: &TaskQuery) -> Vec<String> {
    store
        .list(owner, query)
        .await
        .unwrap()
        .tasks
        .into_iter()
        .map(|task| task.title)
        .collect()
}

async fn a_task_is_made_read_changed_and_deleted(fixture: &Fixture) {
    let store = &fixture.store;
    let made = store.create(ADA, new("Buy milk")).await.unwrap();
    assert_eq!(
        (&*made.title, made.completed, made.revision),
        ("Buy milk", false, 1)
    );
    assert_eq!(made.id.get_version_num(), 7);
    assert_eq!(made.created_at(), made.updated_at());
    assert_eq!(store.get(ADA, made.id).await.unwrap(), Some(made.clone()));

    let done = TaskChange {
        completed: Some(true),
        title: None,
    };
    let UpdateOutcome::Updated(changed) = store.update(ADA, made.id, done, &ANY).await.unwrap()
    else {
        panic!("not updated");
    };
    assert_eq!(
        (&*changed.title, changed.completed, changed.revision),
        ("Buy milk", true, 2)
    );
    assert_eq!(changed.created_at(), made.created_at());
    assert!(changed.updated_at() >= made.updated_at());
    // A change of nothing is a change all the same: it has a new revision.
    let same = store
        .update(ADA, made.id, TaskChange::default(), &ANY)
        .await
        .unwrap();
    assert!(matches!(
        same,
        UpdateOutcome::Updated(Task {
            revision: 3,
            completed: true,
            ..
        })
    ));

    assert_eq!(
        store.delete(ADA, made.id, &ANY).await.unwrap(),
        DeleteOutcome::Deleted
    );
    assert_eq!(store.get(ADA, made.id).await.unwrap(), None);
    assert_eq!(
        store.delete(ADA, made.id, &ANY).await.unwrap(),
        DeleteOutcome::NotFound
    );
    let update = store
        .update(ADA, made.id, TaskChange::default(), &ANY)
        .await
        .unwrap();
    assert_eq!(update, UpdateOutcome::NotFound);
}

async fn pages_hold_every_task_once_newest_first_while_others_are_made(fixture: &Fixture) {
    let store = &fixture.store;
    for n in 0..25 {
        store.create(ADA, new(&format!("task {n}"))).await.unwrap();
        store.create(EVE, new("another's")).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store
            .list(
                ADA,
                &TaskQuery {
                    limit: 10,
                    before,
                    ..all()
                },
            )
            .await
            .unwrap();
        store.create(ADA, new("made meanwhile")).await.unwrap();
        seen.extend(page.tasks.iter().map(|task| task.title.clone()));
        before = page.tasks.last().map(|task| task.id);
        if !page.has_more {
            break;
        }
        assert_eq!(page.tasks.len(), 10);
    }
    let expected: Vec<_> = (0..25).rev().map(|n| format!("task {n}")).collect();
    assert_eq!(seen, expected);
    let exactly = store
        .list(EVE, &TaskQuery { limit: 25, ..all() })
        .await
        .unwrap();
    assert!(exactly.tasks.len() == 25 && !exactly.has_more);
}

async fn filters_mean_the_same_everywhere(fixture: &Fixture) {
    let store = &fixture.store;
    for title in [
        "100% done",
        "100 done",
        "a_b",
        "axb",
        r"back\slash",
        "ÄPFEL kaufen",
        "İstanbul",
        "ΟΔΟΣΑ",
    ] {
        store.create(ADA, new(title)).await.unwrap();
    }
    let done = store
        .create(
            ADA,
            NewTask {
                title: "done".to_owned(),
                completed: true,
            },
        )
        .await
        .unwrap();
    for (search, expected) in [
        ("100%", vec!["100% done"]),
        ("A_B", vec!["a_b"]),
        (r"k\S", vec![r"back\slash"]),
        ("äpfel", vec!["ÄPFEL kaufen"]),
        ("KAUFEN", vec!["ÄPFEL kaufen"]),
        ("ΟΔΟΣ", vec!["ΟΔΟΣΑ"]),
        ("οδος", vec!["ΟΔΟΣΑ"]),
        ("istanbul", vec![]), // a dotted capital İ is another letter
        ("DONE", vec!["done", "100 done", "100% done"]),
        ("'; DROP TABLE tasks; --", vec![]),
    ] {
        let query = TaskQuery {
            search: Some(search.to_owned()),
            ..all()
        };
        assert_eq!(titles(store, ADA, &query).await, expected, "{search}");
    }
    let only = |completed| TaskQuery {
        completed: Some(completed),
        ..all()
    };
    assert_eq!(titles(store, ADA, &only(true)).await, ["done"]);
    assert_eq!(titles(store, ADA, &only(false)).await.len(), 8);
    let both = TaskQuery {
        search: Some("done".to_owned()),
        ..only(false)
    };
    assert_eq!(titles(store, ADA, &both).await, ["100 done", "100% done"]);
    let none = TaskQuery {
        before: Some(Uuid::nil()),
        ..all()
    };
    assert!(titles(store, ADA, &none).await.is_empty());
    assert!(done.completed);
}

async fn a_task_of_another_owner_is_like_none(fixture: &Fixture) {
    let store = &fixture.store;
    let hers = store.create(ADA, new("hers")).await.unwrap();
    let change = TaskChange {
        title: Some("his".to_owned()),
        completed: None,
    };
    for id in [hers.id, Uuid::now_v7()] {
        assert_eq!(store.get(EVE, id).await.unwrap(), None);
        for condition in [ANY, RevisionCondition::OneOf(vec![1])] {
            let update = store
                .update(EVE, id, change.clone(), &condition)
                .await
                .unwrap();
            assert_eq!(update, UpdateOutcome::NotFound);
            assert_eq!(
                store.delete(EVE, id, &condition).await.unwrap(),
                DeleteOutcome::NotFound
            );
        }
    }
    assert!(titles(store, EVE, &all()).await.is_empty());
    let after = TaskQuery {
        before: Some(Uuid::max()),
        ..all()
    };
    assert!(titles(store, EVE, &after).await.is_empty());
    assert_eq!(store.get(ADA, hers.id).await.unwrap(), Some(hers));
}

async fn a_write_happens_only_at_the_expected_revision(fixture: &Fixture) {
    let store = &fixture.store;
    let task = store.create(ADA, new("task")).await.unwrap();
    let rename = |title: &str| TaskChange {
        title: Some(title.to_owned()),
        completed: None,
    };
    let at = |revisions: &[i64]| RevisionCondition::OneOf(revisions.to_vec());
    for stale in [at(&[2]), at(&[]), at(&[-1, i64::MAX])] {
        assert_eq!(
            store
                .update(ADA, task.id, rename("x"), &stale)
                .await
                .unwrap(),
            UpdateOutcome::Stale
        );
        assert_eq!(
            store.delete(ADA, task.id, &stale).await.unwrap(),
            DeleteOutcome::Stale
        );
    }
    let updated = store
        .update(ADA, task.id, rename("y"), &at(&[7, 1]))
        .await
        .unwrap();
    assert!(matches!(
        updated,
        UpdateOutcome::Updated(Task { revision: 2, .. })
    ));
    assert_eq!(
        store.delete(ADA, task.id, &at(&[1])).await.unwrap(),
        DeleteOutcome::Stale
    );
    assert_eq!(
        store.delete(ADA, task.id, &at(&[2])).await.unwrap(),
        DeleteOutcome::Deleted
    );
}

async fn of_writers_at_one_revision_exactly_one_wins(fixture: &Fixture) {
    let task = fixture.store.create(ADA, new("task")).await.unwrap();
    let writers: Vec<_> = (0..16)
        .map(|n| {
            let (store, id) = (fixture.store.clone(), task.id);
            let change = TaskChange {
                title: Some(format!("writer {n}")),
                completed: None,
            };
            tokio::spawn(async move {
                store
                    .update(ADA, id, change, &RevisionCondition::OneOf(vec![1]))
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut winners = Vec::new();
    for writer in writers {
        match writer.await.unwrap() {
            UpdateOutcome::Updated(task) => winners.push(task),
            outcome => assert_eq!(outcome, UpdateOutcome::Stale),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(
        fixture.store.get(ADA, task.id).await.unwrap(),
        winners.pop()
    );
}

async fn many_writers_and_readers_disturb_nobody(fixture: &Fixture) {
    let writers: Vec<_> = (0..16)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    let task = store.create(ADA, new("task")).await.unwrap();
                    store
                        .update(ADA, task.id, TaskChange::default(), &ANY)
                        .await
                        .unwrap();
                    store
                        .list(ADA, &TaskQuery { limit: 5, ..all() })
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut ids = BTreeSet::new();
    let mut before = None;
    loop {
        let page = fixture
            .store
            .list(ADA, &TaskQuery { before, ..all() })
            .await
            .unwrap();
        ids.extend(page.tasks.iter().map(|task| task.id));
        before = page.tasks.last().map(|task| task.id);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(ids.len(), 16 * 20);
}

async fn migrations_are_applied_once_however_many_start_at_once(fixture: &Fixture) {
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let url = fixture.url.clone();
            tokio::spawn(async move {
                let store = connect(&url).await;
                store.migrate().await.unwrap();
                assert!(store.is_migrated().await.unwrap());
            })
        })
        .collect();
    for start in starts {
        start.await.unwrap();
    }
    fixture.store.create(ADA, new("still there")).await.unwrap();
}

async fn what_was_acknowledged_is_there_after_a_reconnect(fixture: &Fixture) {
    let task = fixture.store.create(ADA, new("kept")).await.unwrap();
    fixture.store.close().await;
    assert!(matches!(
        fixture.store.get(ADA, task.id).await,
        Err(StoreError::Unavailable(_))
    ));
    let again = connect(&fixture.url).await;
    assert_eq!(again.get(ADA, task.id).await.unwrap(), Some(task));
}

/// Makes one test for each database out of each part of the contract.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::Fixture::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::Fixture::postgres().await).await;
            })*
        }
    };
}

contract!(
    a_task_is_made_read_changed_and_deleted,
    pages_hold_every_task_once_newest_first_while_others_are_made,
    filters_mean_the_same_everywhere,
    a_task_of_another_owner_is_like_none,
    a_write_happens_only_at_the_expected_revision,
    of_writers_at_one_revision_exactly_one_wins,
    many_writers_and_readers_disturb_nobody,
    migrations_are_applied_once_however_many_start_at_once,
    what_was_acknowledged_is_there_after_a_reconnect,
);

#[tokio::test]
async fn first_starts_on_one_new_sqlite_file_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("new.db").display());
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { connect(&url).await.migrate().await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_in_memory_works_and_is_empty_at_first() {
    let store = connect("sqlite::memory:").await;
    assert!(!store.is_migrated().await.unwrap());
    store.migrate().await.unwrap();
    assert!(store.is_migrated().await.unwrap());
    store.create(ADA, new("task")).await.unwrap();
    assert_eq!(titles(&store, ADA, &all()).await, ["task"]);
    let another = connect("sqlite::memory:").await;
    assert!(!another.is_migrated().await.unwrap());
}

#[tokio::test]
async fn a_database_that_is_away_is_an_error_in_bounded_time_without_the_password() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // One that refuses, and one that accepts and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [unused, silent.local_addr().unwrap()] {
        let url = DatabaseUrl::parse(&format!("postgres://u:hunter2@{address}/d")).unwrap();
        let connecting = tokio::time::timeout(Duration::from_secs(30), TaskStore::connect(&url));
        let error = connecting.await.expect("in bounded time").unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(!format!("{error} {error:?} {url:?}").contains("hunter2"));
    }
}

/// Longer than a statement may take otherwise.
const MIGRATION_OF_ANOTHER: Duration = Duration::from_secs(7);

#[tokio::test]
async fn migrations_wait_for_those_of_another_process_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("tasks.db").display());
    let store = connect(&url).await;
    let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let release = tokio::spawn(async move {
        tokio::time::sleep(MIGRATION_OF_ANOTHER).await;
        sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    });
    store.migrate().await.unwrap();
    assert!(release.is_finished(), "did not wait");
    assert!(store.is_migrated().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_a_sqlite_file_do_not_wait_for_writes_that_wait() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("tasks.db").display());
    let mut options = StoreOptions::default();
    options.timeout = Duration::from_secs(3);
    let store = TaskStore::connect_with(&DatabaseUrl::parse(&url).unwrap(), options)
        .await
        .unwrap();
    store.migrate().await.unwrap();
    store.create(ADA, new("task")).await.unwrap();
    let sqlite: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
    let mut other = sqlx::ConnectOptions::connect(&sqlite).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    // More than there are connections.
    let writes: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.create(ADA, new("late")).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = std::time::Instant::now();
    assert_eq!(titles(&store, ADA, &all()).await, ["task"]);
    assert!(began.elapsed() < Duration::from_secs(1), "it waited");
    for write in writes {
        let result = write.await.unwrap();
        assert!(matches!(result, Err(StoreError::Unavailable(_))));
    }
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    store.create(ADA, new("next")).await.unwrap();
    assert_eq!(titles(&store, ADA, &all()).await, ["next", "task"]);
}

mod postgres_faults {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn migrations_wait_for_those_of_another_process() {
        let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
        let url = cluster.create_database();
        // Any transaction that holds the table of migrations makes the next migration wait.
        connect(&url).await.migrate().await.unwrap();
        cluster.execute(&url, "DROP TABLE tasks; DELETE FROM _sqlx_migrations");
        let seconds = MIGRATION_OF_ANOTHER.as_secs();
        let lock =
            format!("BEGIN; LOCK TABLE _sqlx_migrations; SELECT pg_sleep({seconds}); COMMIT");
        let mut other = cluster.psql(&url, &lock).spawn().unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let store = connect(&url).await;
        store.migrate().await.unwrap();
        assert!(store.is_migrated().await.unwrap());
        tokio::task::spawn_blocking(move || (other.wait().unwrap(), drop(cluster)))
            .await
            .unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_dies_is_an_unavailable_database() {
        let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
        let store = connect(&cluster.create_database()).await;
        store.migrate().await.unwrap();
        store.create(ADA, new("task")).await.unwrap();
        cluster.kill();
        let result =
            tokio::time::timeout(Duration::from_secs(30), store.get(ADA, Uuid::now_v7())).await;
        assert!(matches!(
            result.expect("in bounded time"),
            Err(StoreError::Unavailable(_))
        ));
        tokio::task::spawn_blocking(move || drop(cluster))
            .await
            .unwrap();
    }
}
