//! Databases that are not there, not migrated, or not to be used; and none is touched.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cluster::Cluster;
use crate::command::{Outcome, Row, doctor_in, run_rows};
use crate::raw_server::{RawServer, ok};
use crate::service::{Keyward, command, run};

/// An auth server with keys, so that nothing but the database is wrong.
async fn auth_server() -> RawServer {
    let keys = keyward::testing::TestIssuer::new("http://issuer.example").key_set_json();
    RawServer::start(move |_| ok(&keys)).await
}

async fn migrate(url: &str) {
    let directory = tempfile::tempdir().unwrap();
    let mut migrate = command(&directory, &["migrate"]);
    migrate.env("DATABASE_URL", url);
    let (success, _, stderr) = run(migrate).await;
    assert!(success, "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_state_of_a_sqlite_file_is_named() {
    let auth = auth_server().await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let url = |name: &str| format!("sqlite://{}", path(name).display());
    std::fs::write(path("empty.db"), b"").unwrap();
    std::fs::write(path("letter.db"), "Dear Ada,\n".repeat(1000)).unwrap();
    migrate(&url("good.db")).await;
    for (name, statement) in [
        (
            "newer.db",
            "INSERT INTO _sqlx_migrations SELECT 9999, description, installed_on, success, checksum, execution_time FROM _sqlx_migrations",
        ),
        ("begun.db", "UPDATE _sqlx_migrations SET success = FALSE"),
    ] {
        migrate(&url(name)).await;
        let pool = sqlx::SqlitePool::connect(&url(name)).await.unwrap();
        sqlx::query(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }
    let before = contents(directory.path());
    let at =
        |setup, name: &str, code| Row::new(setup, &auth.url, code).with("DATABASE_URL", &url(name));
    let rows = vec![
        at("a migrated file", "good.db", 0)
            .says("✓ database.connection", "good.db answers")
            .says("✓ database.migrations", "all applied"),
        at("a file without migrations", "empty.db", 1).says(
            "✗ database.migrations",
            "it has no migrations yet → run keyward migrate",
        ),
        at("no file yet", "new.db", 0).says(
            "! database.connection",
            "new.db does not exist yet → run keyward migrate",
        ),
        at("no directory", "missing/new.db", 1).says(
            "✗ database.connection",
            "is in a directory that does not exist",
        ),
        at("another kind of file", "letter.db", 1).says(
            "✗ database.connection",
            "file is not a database → correct DATABASE_URL",
        ),
        at("migrations of a newer version", "newer.db", 1).says(
            "✗ database.migrations",
            "it has migrations that this version of Keyward does not know",
        ),
        at("a migration that was not finished", "begun.db", 1).says(
            "✗ database.migrations",
            "a migration was begun and not finished",
        ),
    ];
    run_rows("SQLite files", rows).await;
    assert_eq!(contents(directory.path()), before, "doctor changes nothing");
}

/// The files below a directory, and what is in them.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap();
    let files = entries.map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    });
    files.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_in_use_is_looked_at_as_well() {
    let auth = auth_server().await;
    let keyward = Keyward::serve(&[("BETTER_AUTH_URL", &auth.url)]).await;
    let outcome: Outcome = doctor_in(
        &keyward.directory,
        &[],
        &[("BETTER_AUTH_URL", &auth.url)],
        "",
    )
    .await;
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    let entry = outcome.entry("✓ database.migrations");
    assert!(entry.is_some(), "{}", outcome.stdout);
    // Nor is it the worse for it.
    let ready = crate::service::client().get(format!("{}/readyz", keyward.url));
    assert_eq!(ready.send().await.unwrap().status(), 200);
    let (status, log) = keyward.stop().await;
    assert!(status.success(), "{log}");
}

mod postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_state_of_a_postgres_database_is_named() {
        let auth = auth_server().await;
        let cluster = Cluster::start();
        let (good, bare, begun) = (
            cluster.create_database(),
            cluster.create_database(),
            cluster.create_database(),
        );
        migrate(&good).await;
        migrate(&begun).await;
        cluster.execute(&begun, "UPDATE _sqlx_migrations SET success = FALSE");
        cluster.execute(&good, "CREATE ROLE reader LOGIN");
        let missing = format!("{}_missing", good);
        let reader = good.replace("keyward@", "reader@");
        let at =
            |setup, url: &str, code| Row::new(setup, &auth.url, code).with("DATABASE_URL", url);
        let rows = vec![
            at("a migrated database", &good, 0)
                .says("✓ database.connection", "postgres:127.0.0.1 answers")
                .says("✓ database.migrations", "all applied"),
            at("a database without migrations", &bare, 1).says(
                "✗ database.migrations",
                "it has no migrations yet → run keyward migrate",
            ),
            at("a migration that was not finished", &begun, 1).says(
                "✗ database.migrations",
                "a migration was begun and not finished",
            ),
            at("a database that does not exist", &missing, 1).says(
                "✗ database.connection",
                "does not exist → create the database",
            ),
            at("a role that may not read", &reader, 1)
                .says("✗ database.connection", "permission denied"),
        ];
        run_rows("PostgreSQL databases", rows).await;
        let tables = cluster.query(
            &bare,
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
        );
        assert_eq!(tables, "0", "doctor changes nothing");

        cluster.demand_passwords(&good);
        let with_password = good.replace("keyward@", "keyward:hunter2@");
        let row = at("a wrong password", &with_password, 1).says(
            "✗ database.connection",
            "→ correct user and password in DATABASE_URL",
        );
        run_rows("PostgreSQL's passwords", vec![row]).await;
        cluster.kill();
        let row = at("a PostgreSQL that does not run", &good, 1).says(
            "✗ database.connection",
            "→ start the database, or correct DATABASE_URL",
        );
        run_rows("no PostgreSQL", vec![row]).await;
    }
}
