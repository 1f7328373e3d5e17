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
    /// Whether there are enough matches for a page to end soon: a third of the tasks are done, and
    /// a half have a 7. Who searches in vain has all of their own tasks looked at (60 ms for
    /// 100,000 of them), and nobody else's.
    ends_soon: bool,
}

fn pages() -> [Page; 6] {
    let page = |name, before, completed, pattern| Page {
        name,
        before,
        completed,
        pattern,
        ends_soon: true,
    };
    let deep = id(OF_THE_BUSY_ONE / 2);
    [
        page("first", Uuid::max(), None, None),
        page("deep", deep, None, None),
        page("done", Uuid::max(), Some(true), None),
        page("deep, undone", deep, Some(false), None),
        page("searched", deep, None, Some("%7%")),
        Page {
            ends_soon: false,
            ..page(
                "searched in vain",
                Uuid::max(),
                None,
                Some("%no such task%"),
            )
        },
    ]
}

/// The id of the `number`th task.
fn id(number: usize) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 + number as u128)
}

async fn migrate(url: &str) {
    let url = DatabaseUrl::parse(url).unwrap();
    let store = TaskStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
}

mod sqlite {
    use super::*;

    #[tokio::test]
    async fn every_page_is_a_range_of_the_primary_key() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("tasks.db").display());
        migrate(&url).await;
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
        migrate(&url).await;
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
                check(&page, &plan);
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

    fn check(page: &Page, plan: &Value) {
        let whole = plan.to_string();
        assert!(
            whole.contains("tasks_pkey") && !whole.contains("Seq Scan"),
            "{} {whole}",
            page.name
        );
        let limit = &plan[0]["Plan"];
        if page.ends_soon {
            // No sort: the index has the order.
            let scan = &limit["Plans"][0];
            let what = ["Node Type", "Index Name", "Scan Direction"].map(|name| &scan[name]);
            assert_eq!(
                what,
                ["Index Scan", "tasks_pkey", "Backward"],
                "{} {whole}",
                page.name
            );
            assert!(scan.get("Plans").is_none(), "{} {whole}", page.name);
        }
        let blocks = |name: &str| limit[name].as_u64().unwrap();
        let read = blocks("Shared Hit Blocks") + blocks("Shared Read Blocks");
        let most = if page.ends_soon { 100 } else { 4_000 };
        assert!(read < most, "{} {whole}", page.name);
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
