/** The real app: its production build, as it is deployed. */

import { WEB } from "./artifacts.ts";
import { freePort } from "./ports.ts";
import { Program } from "./process.ts";
import { Restartable } from "./restartable.ts";

export interface WebOptions {
  apiUrl: string;
  /** SQLite in its directory. */
  databaseUrl?: string;
  /** How long an access token lives, such as "5s"; the app's own default. */
  jwtExpiration?: string;
}

export class Web extends Restartable<WebOptions> {
  readonly name = "app";
  readonly databaseFile: string;

  private constructor(port: number) {
    super(port);
    this.databaseFile = this.directory.file("auth.db");
  }

  /** Settles the port, so that others can be told of it before this runs. */
  static async reserve(): Promise<Web> {
    return new Web(await freePort());
  }

  protected run({ apiUrl, databaseUrl, jwtExpiration }: WebOptions): Promise<Program> {
    return Program.start({
      name: "web",
      command: process.execPath,
      args: [`${WEB}/server.js`],
      env: {
        NODE_ENV: "production",
        PORT: String(this.port),
        HOSTNAME: "127.0.0.1",
        BETTER_AUTH_URL: this.url,
        BETTER_AUTH_SECRET: "a secret of the browser tests, and of nothing else",
        DATABASE_URL: databaseUrl ?? `sqlite:${this.databaseFile}`,
        API_URL: apiUrl,
        ...(jwtExpiration === undefined ? {} : { JWT_EXPIRATION: jwtExpiration }),
      },
      directory: this.directory,
      // In good order, Next.js waits five seconds for connections that browsers keep open.
      signal: "SIGKILL",
      ready: () => this.#isHealthy(),
    });
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(5_000);
      return (await fetch(`${this.url}/healthz`, { signal })).ok;
    } catch {
      return false;
    }
  }
}
