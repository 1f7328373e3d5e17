-- The primary key serves both statements that read: one task of an owner, and an owner's page,
-- newest first. WITHOUT ROWID stores the rows in its order, so that a page is one range of it.
CREATE TABLE tasks (
    owner_id     TEXT    NOT NULL CHECK (owner_id <> ''),
    id           BLOB    NOT NULL CHECK (length(id) = 16), -- UUIDv7, so ids sort by creation
    title        TEXT    NOT NULL,
    title_folded TEXT    NOT NULL, -- lower case, made by the service: the same on every database
    completed    INTEGER NOT NULL CHECK (completed IN (0, 1)),
    revision     INTEGER NOT NULL CHECK (revision > 0),
    created_at   INTEGER NOT NULL, -- microseconds since 1970, UTC
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (owner_id, id)
) STRICT, WITHOUT ROWID;
