/** The auth server's database, as its operator reaches it. */

import Database from "libsql";
import type { Postgres } from "./postgres.ts";

export interface AuthDatabase {
  execute(statement: string): void;
}

/** A file that the app has open as well. */
export class SqliteAuthDatabase implements AuthDatabase {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  execute(statement: string): void {
    const database = new Database(this.#path, { timeout: 5_000 });
    try {
      database.exec(statement);
    } finally {
      database.close();
    }
  }
}

/** A schema beside the API's tables. */
export class PostgresAuthDatabase implements AuthDatabase {
  readonly #postgres: Postgres;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  execute(statement: string): void {
    this.#postgres.execute(`SET search_path = auth; ${statement}`);
  }
}
