//! How the databases go about a page of tasks when there are a million: along the primary key, from
//! where the page begins, and no further than it goes.

#[path = "support/postgres.rs"]
mod cluster;

use std::sync::Arc;

use cluster::Cluster;
use keyward::service::store::{DatabaseUrl, PAGE_STATEMENT, TaskStore};
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

const TASKS: usize = 1_000_000;
/// Of them, those of one owner; the others have a hundred each.
const OF_THE_BUSY_ONE: usize = 100_000;
const BUSY: &str = "busy";

/// What a page is asked for with, but for the limit.
struct Page {
    name: &'static str,
    before: Uuid,
    completed: Option<bool>,
    pattern: Option<&'static str>,
}

fn pages() -> [Page; 5] {
    let page = |name, before, completed, pattern| Page {
        name,
        before,
        completed,
        pattern,
    };
    let deep = id(OF_THE_BUSY_ONE / 2);
    [
        page("first", Uuid::max(), None, None),
        page("deep", deep, None, None),
        page("done", Uuid::max(), Some(true), None),
        page("deep, undone", deep, Some(false), None),
        page("searched", deep, None, Some("%7%")),
    ]
}

/// The id of the `number`th task.
fn id(number: usize) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 + number as u128)
}

mod sqlite {
    use super::*;

    #[tokio::test]
    async fn every_page_is_a_range_of_the_primary_key() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("tasks.db").display());
        let store = TaskStore::connect(&DatabaseUrl::parse(&url).unwrap());
        let store = store.await.unwrap();
        store.migrate().await.unwrap();
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        // Owners in their order, so that rows are appended.
        let fill = format!(
            "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {TASKS} - 1)
             INSERT INTO tasks SELECT
                 CASE WHEN n < {OF_THE_BUSY_ONE} THEN '{BUSY}' ELSE 'owner-' || printf('%06d', n / 100) END,
                 unhex(printf('00000000000070008000%012x', n)), 'Task ' || n, 'task ' || n, n % 3 = 0, 1, n, n
             FROM numbers"
        );
        sqlx::query(AssertSqlSafe(fill))
            .execute(&pool)
            .await
            .unwrap();
        sqlx::query("ANALYZE").execute(&pool).await.unwrap();

        for page in pages() {
            let explain = format!("EXPLAIN QUERY PLAN {PAGE_STATEMENT}");
            let plan = sqlx::query(AssertSqlSafe(explain))
                .bind(BUSY)
                .bind(page.before)
                .bind(page.completed)
                .bind(page.pattern)
                .bind(51_i64)
                .fetch_all(&pool)
                .await
                .unwrap();
            let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
            assert_eq!(
                steps,
                ["SEARCH tasks USING PRIMARY KEY (owner_id=? AND id<?)"],
                "{}",
                page.name
            );
        }
    }
}

mod postgres {
    use serde_json::Value;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_page_is_a_range_of_the_primary_key() {
        let (url, cluster) = tokio::task::spawn_blocking(|| {
            let cluster = Cluster::shared();
            (cluster.create_database(), cluster)
        })
        .await
        .unwrap();
        let store = TaskStore::connect(&DatabaseUrl::parse(&url).unwrap());
        store.await.unwrap().migrate().await.unwrap();
        fill(&cluster, url.clone()).await;
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();

        // sqlx prepares statements, and PostgreSQL plans a prepared one for its values or, later,
        // for any.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let set = format!("SET plan_cache_mode = {mode}");
            sqlx::query(AssertSqlSafe(set))
                .execute(&mut *connection)
                .await
                .unwrap();
            let prepare =
                format!("PREPARE page(text, uuid, boolean, text, bigint) AS {PAGE_STATEMENT}");
            sqlx::raw_sql(AssertSqlSafe(prepare))
                .execute(&mut *connection)
                .await
                .unwrap();
            for page in pages() {
                let literal = |text: Option<String>| match text {
                    Some(text) => format!("'{text}'"),
                    None => "NULL".to_owned(),
                };
                let explain = format!(
                    "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE page('{BUSY}', '{}', {}, {}, 51)",
                    page.before,
                    literal(page.completed.map(|completed| completed.to_string())),
                    literal(page.pattern.map(str::to_owned)),
                );
                let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain))
                    .fetch_one(&mut *connection)
                    .await
                    .unwrap();
                let limit = &plan[0]["Plan"];
                assert_eq!(limit["Node Type"], "Limit", "{} {plan}", page.name);
                let scan = &limit["Plans"][0];
                let what = (
                    &scan["Node Type"],
                    &scan["Index Name"],
                    &scan["Scan Direction"],
                );
                let expected = ["Index Scan", "tasks_pkey", "Backward"];
                assert!(
                    what.0 == expected[0] && what.1 == expected[1] && what.2 == expected[2],
                    "{} {plan}",
                    page.name
                );
                assert!(scan.get("Plans").is_none(), "{} {plan}", page.name);
                let blocks = |name: &str| limit[name].as_u64().unwrap();
                let read = blocks("Shared Hit Blocks") + blocks("Shared Read Blocks");
                // A third of the tasks are done: a page has to pass by some hundred at most.
                assert!(read < 100, "{} {plan}", page.name);
            }
            sqlx::raw_sql("DEALLOCATE page")
                .execute(&mut *connection)
                .await
                .unwrap();
        }
        drop(connection);
        pool.close().await;
        tokio::task::spawn_blocking(move || drop(cluster))
            .await
            .unwrap();
    }

    async fn fill(cluster: &Arc<Cluster>, url: String) {
        let fill = format!(
            "INSERT INTO tasks SELECT
                 CASE WHEN n < {OF_THE_BUSY_ONE} THEN '{BUSY}' ELSE 'owner-' || to_char(n / 100, 'FM000000') END,
                 ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                 'Task ' || n, 'task ' || n, n % 3 = 0, 1, n, n
             FROM generate_series(0, {TASKS} - 1) AS n;
             ANALYZE tasks"
        );
        let cluster = cluster.clone();
        tokio::task::spawn_blocking(move || cluster.execute(&url, &fill))
            .await
            .unwrap();
    }
}
