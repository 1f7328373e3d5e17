/** The real app: its production build, as it is deployed. */

import { WEB } from "./artifacts.ts";
import { freePort } from "./ports.ts";
import { Directory, type Logged, Program } from "./process.ts";

export interface WebOptions {
  apiUrl: string;
  /** SQLite in its directory. */
  databaseUrl?: string;
  /** How long an access token lives, such as "5s"; the app's own default. */
  jwtExpiration?: string;
}

export class Web implements Logged {
  readonly name = "app";
  readonly port: number;
  readonly url: string;
  readonly databaseFile: string;
  readonly #directory = new Directory();
  #options: WebOptions | undefined;
  readonly #programs: Program[] = [];

  private constructor(port: number) {
    this.port = port;
    this.url = `http://localhost:${port}`;
    this.databaseFile = this.#directory.file("auth.db");
  }

  /** Settles the port, so that others can be told of it before this runs. */
  static async reserve(): Promise<Web> {
    return new Web(await freePort());
  }

  /** Starts it, or starts it again on the same port and the same database. */
  async start(options?: WebOptions): Promise<void> {
    this.#options = options ?? this.#options;
    if (!this.#options) throw new Error("the app was never told what to start with");
    const { apiUrl, databaseUrl, jwtExpiration } = this.#options;
    const program = await Program.start({
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
      directory: this.#directory,
      // In good order, Next.js waits five seconds for connections that browsers keep open.
      signal: "SIGKILL",
      ready: () => this.#isHealthy(),
    });
    this.#programs.push(program);
  }

  get isRunning(): boolean {
    return this.#programs.at(-1)?.ended === false;
  }

  async stop(): Promise<void> {
    await this.#programs.at(-1)?.stop();
  }

  /** Stops it for good. */
  async end(): Promise<void> {
    await this.stop();
    this.#directory.remove();
  }

  get output(): string {
    return this.#programs.map((program) => program.output).join("-- started again --\n");
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
