//! Tasks on SQLite and PostgreSQL.
