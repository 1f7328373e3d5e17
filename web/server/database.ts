import "server-only";
import type { BetterAuthOptions } from "better-auth";
import type { DatabaseUrl } from "./env.ts";
import { openPostgres } from "./postgres.ts";
import { openSqlite } from "./sqlite.ts";

export interface Database {
  /** As Better Auth takes it. */
  readonly connection: NonNullable<BetterAuthOptions["database"]>;
  /** Rejects if the database does not answer in time. */
  ping(): Promise<void>;
  /** Runs `migrate` while no other process does, once there is a place for its tables. */
  prepare(migrate: () => Promise<void>): Promise<void>;
}

export function openDatabase(url: DatabaseUrl): Promise<Database> {
  return url.kind === "sqlite" ? openSqlite(url.path) : Promise.resolve(openPostgres(url.url));
}
