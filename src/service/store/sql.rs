//! The statements. Each text serves both databases: `$1`, `RETURNING` and `CAST` mean the same.

/// owner, id, title, folded title, completed, now.
pub(super) const INSERT: &str = "
    INSERT INTO tasks (owner_id, id, title, title_folded, completed, revision, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, 1, $6, $6)
    RETURNING id, title, completed, revision, created_at, updated_at";

/// owner, id.
pub(super) const SELECT: &str = "
    SELECT id, title, completed, revision, created_at, updated_at
    FROM tasks
    WHERE owner_id = $1 AND id = $2";

/// owner, id to come before, completed or NULL, LIKE pattern or NULL, limit.
///
/// Why `|| ''`: SQLite takes a bare parameter to the right of LIKE for one that may change the plan,
/// and compiles the statement anew for each value.
pub const PAGE: &str = r"
    SELECT id, title, completed, revision, created_at, updated_at
    FROM tasks
    WHERE owner_id = $1 AND id < $2
        AND ($3 IS NULL OR completed = $3)
        AND ($4 IS NULL OR title_folded LIKE ($4 || '') ESCAPE '\')
    ORDER BY id DESC
    LIMIT $5";

/// owner, id, title or NULL, folded title or NULL, completed or NULL, now, revision or NULL.
pub(super) const UPDATE: &str = "
    UPDATE tasks
    SET title = COALESCE($3, title),
        title_folded = COALESCE($4, title_folded),
        completed = COALESCE($5, completed),
        revision = revision + 1,
        updated_at = $6
    WHERE owner_id = $1 AND id = $2 AND ($7 IS NULL OR revision = $7)
    RETURNING id, title, completed, revision, created_at, updated_at";

/// owner, id, revision or NULL.
pub(super) const DELETE: &str = "
    DELETE FROM tasks
    WHERE owner_id = $1 AND id = $2 AND ($3 IS NULL OR revision = $3)
    RETURNING revision";

/// How many migrations were applied.
pub(super) const APPLIED_MIGRATIONS: &str = "SELECT COUNT(*) FROM _sqlx_migrations WHERE success";

/// Which they are.
pub(super) const MIGRATIONS: &str =
    "SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version";

/// For a connection that migrates; the pool's connections have a limit for each statement.
pub(super) const POSTGRES_NO_TIMEOUT: &str = "SET statement_timeout = 0";

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What a database partitioned by owner rests on: it finds the one partition by the statement.
    #[test]
    fn every_statement_about_tasks_names_one_owner() {
        let source = include_str!("sql.rs").split("#[cfg(test)]").next().unwrap();
        let statements = source.split("const ").skip(1);
        let about_tasks: Vec<&str> = statements.filter(|it| it.contains(" tasks")).collect();
        assert_eq!(about_tasks.len(), 5, "{about_tasks:?}");
        for statement in about_tasks {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let words = words.join(" ");
            let inserts =
                words.contains("INSERT INTO tasks (owner_id, ") && words.contains("VALUES ($1, ");
            assert!(
                inserts || words.contains("WHERE owner_id = $1 AND "),
                "{words}"
            );
            assert!(
                !words.contains("JOIN") && !words.contains("SET owner_id"),
                "{words}"
            );
        }
    }

    /// The owner comes first in each table's primary key, and migrations use nothing that the engines
    /// of `docs/scale.md` would need to be asked about.
    #[test]
    fn every_table_of_postgresql_can_be_partitioned_by_owner() {
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
        let mut tables = 0;
        for file in std::fs::read_dir(migrations).unwrap() {
            let migration = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let keys = migration.matches("PRIMARY KEY (owner_id, ").count();
            assert_eq!(
                migration.matches("CREATE TABLE").count(),
                keys,
                "{migration}"
            );
            tables += keys;
            for word in [
                "CONCURRENTLY",
                "EXTENSION",
                "SERIAL",
                "TRIGGER",
                "UNIQUE",
                "REFERENCES",
                "FUNCTION",
            ] {
                assert!(!migration.contains(word), "{word}: {migration}");
            }
        }
        assert!(tables > 0);
    }
}
