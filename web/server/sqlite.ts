import "server-only";
import { closeSync, openSync } from "node:fs";
import type { SqliteDatabase } from "kysely";
import type { Database } from "./database.ts";
import { nodeHasSqlite } from "./node.ts";

// Readers do not wait for a writer; a second process (`next build` beside a server) waits a little.
const SETUP = "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON";

export async function openSqlite(path: string): Promise<Database> {
  // Password hashes and signing keys are in there. SQLite's other files take over the mode.
  closeSync(openSync(path, "a", 0o600));
  const { connection, file } = await open(path);
  file.exec(SETUP);
  const alive = file.prepare("SELECT 1");
  return {
    connection,
    ping: async () => void alive.all(),
    prepare: (migrate) => migrate(),
  };
}

async function open(path: string) {
  if (nodeHasSqlite) {
    const { DatabaseSync } = await import("node:sqlite");
    const file = new DatabaseSync(path);
    return { connection: file, file };
  }
  const { default: Libsql } = await import("libsql");
  const { SqliteDialect } = await import("kysely");
  const file = new Libsql(path);
  // Better Auth does not recognise a libsql database by itself.
  const dialect = new SqliteDialect({ database: file as unknown as SqliteDatabase });
  return { connection: { dialect, type: "sqlite" as const }, file };
}
