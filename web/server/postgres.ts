import "server-only";
import { Pool } from "pg";
import type { Database } from "./database.ts";
import { describeError, logLine } from "./log.ts";

/** Better Auth's tables have a schema of their own: the API's may be in the same database. */
const SCHEMA = "auth";

/** Any number that no other program takes in this database: "keyward" in ASCII. */
const MIGRATION_LOCK = "30229394876363364";

// A sign-in that waits longer than this has failed for whoever waits for it.
const TIMEOUT_MS = 5_000;

export function openPostgres(url: string): Database {
  const pool = new Pool({
    connectionString: url,
    options: `-c search_path=${SCHEMA}`,
    application_name: "keyward-web",
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  // Without a listener, a connection that dies while idle would end the process.
  pool.on("error", (error) => logLine("warn", `database connection lost: ${describeError(error)}`));

  return {
    connection: pool,
    ping: async () => void (await pool.query("SELECT 1")),
    prepare: (migrate) => prepare(pool, migrate),
  };
}

async function prepare(pool: Pool, migrate: () => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    // Replicas that start at once take turns. The lock is the session's, and goes with it.
    await client.query({ text: "SELECT pg_advisory_lock($1)", values: [MIGRATION_LOCK] });
    // Even "if not exists" needs the right to create one, which a careful operator does not give.
    const { rowCount } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [
      SCHEMA,
    ]);
    if (rowCount === 0) await client.query(`CREATE SCHEMA ${SCHEMA}`);
    await migrate();
  } finally {
    client.release(true);
  }
}
