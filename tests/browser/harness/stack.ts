/** The whole picture: the app, the API and their databases, on two origins. */

import { Api } from "./api.ts";
import { type AuthDatabase, PostgresAuthDatabase, SqliteAuthDatabase } from "./auth-database.ts";
import { Postgres } from "./postgres.ts";
import type { Logged } from "./process.ts";
import { Web } from "./web.ts";

export interface StackOptions {
  /** One file each, or one PostgreSQL with a schema each: "sqlite". */
  database?: "sqlite" | "postgres";
  /** How long an access token lives, such as "5s"; the app's own default. */
  jwtExpiration?: string;
}

export class Stack {
  readonly web: Web;
  readonly api: Api;
  readonly authDatabase: AuthDatabase;
  readonly #postgres: Postgres | undefined;

  private constructor(web: Web, api: Api, postgres: Postgres | undefined) {
    this.web = web;
    this.api = api;
    this.#postgres = postgres;
    this.authDatabase = postgres
      ? new PostgresAuthDatabase(postgres)
      : new SqliteAuthDatabase(web.databaseFile);
  }

  static async start({ database = "sqlite", jwtExpiration }: StackOptions): Promise<Stack> {
    const postgres = database === "postgres" ? await Postgres.start() : undefined;
    const databaseUrl = postgres ? { databaseUrl: postgres.url } : {};
    const stack = new Stack(await Web.reserve(), await Api.reserve(), postgres);
    const { web, api } = stack;
    try {
      await web.start({
        apiUrl: api.url,
        ...databaseUrl,
        ...(jwtExpiration !== undefined && { jwtExpiration }),
      });
      await api.start({
        authUrl: web.url,
        corsOrigins: [web.url],
        ...databaseUrl,
        // So that a token is over when it says so.
        env: { JWT_LEEWAY_SECONDS: "0" },
      });
    } catch (error) {
      await stack.end();
      throw error;
    }
    return stack;
  }

  get programs(): Logged[] {
    return [this.web, this.api, ...(this.#postgres ? [this.#postgres] : [])];
  }

  /** The next access token is signed by a new key; the old one stays published. */
  rotateSigningKey(): void {
    const yesterday = new Date(Date.now() - 24 * 60 * 60 * 1000).toISOString();
    this.authDatabase.execute(`UPDATE jwks SET "expiresAt" = '${yesterday}'`);
  }

  /** What an operator does to a leaked key. */
  dropSigningKeys(): void {
    this.authDatabase.execute("DELETE FROM jwks");
  }

  revokeSessions(userId: string): void {
    this.authDatabase.execute(`DELETE FROM session WHERE "userId" = '${userId}'`);
  }

  async end(): Promise<void> {
    await this.api.end();
    await this.web.end();
    await this.#postgres?.end();
  }
}
