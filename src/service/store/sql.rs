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

/// For a connection that migrates; the pool's connections have a limit for each statement.
pub(super) const POSTGRES_NO_TIMEOUT: &str = "SET statement_timeout = 0";
