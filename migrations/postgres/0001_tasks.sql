-- The primary key serves both statements that read: one task of an owner, and an owner's page,
-- newest first (the index is read backwards).
CREATE TABLE tasks (
    owner_id     TEXT    NOT NULL CHECK (owner_id <> ''),
    id           UUID    NOT NULL, -- UUIDv7, so ids sort by creation
    title        TEXT    NOT NULL,
    title_folded TEXT    NOT NULL, -- lower case, made by the service: the same on every database
    completed    BOOLEAN NOT NULL,
    revision     BIGINT  NOT NULL CHECK (revision > 0),
    created_at   BIGINT  NOT NULL, -- microseconds since 1970, UTC
    updated_at   BIGINT  NOT NULL,
    PRIMARY KEY (owner_id, id)
);
