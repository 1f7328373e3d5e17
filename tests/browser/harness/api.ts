/** The real service: `keyward serve` with a database of its own. */

import { KEYWARD } from "./artifacts.ts";
import { freePort } from "./ports.ts";
import { Directory, type Logged, Program } from "./process.ts";

export interface ApiOptions {
  /** The auth server. */
  authUrl: string;
  corsOrigins: string[];
  /** SQLite in its directory. */
  databaseUrl?: string;
  /** Further variables. */
  env?: Record<string, string>;
}

export class Api implements Logged {
  readonly name = "API";
  readonly port: number;
  /**
   * By name, not by address: cookies know no ports, so a browser that sent any to the API would
   * send it those of the app.
   */
  readonly url: string;
  readonly #directory = new Directory();
  #options: ApiOptions | undefined;
  readonly #programs: Program[] = [];

  private constructor(port: number) {
    this.port = port;
    this.url = `http://localhost:${port}`;
  }

  /** Settles the port, so that others can be told of it before this runs. */
  static async reserve(): Promise<Api> {
    return new Api(await freePort());
  }

  static async start(options: ApiOptions): Promise<Api> {
    const api = await Api.reserve();
    await api.start(options);
    return api;
  }

  /** Starts it, or starts it again on the same port and the same database. */
  async start(options?: ApiOptions): Promise<void> {
    this.#options = options ?? this.#options;
    if (!this.#options) throw new Error("the API was never told what to start with");
    const { authUrl, corsOrigins, databaseUrl, env } = this.#options;
    const program = await Program.start({
      name: "keyward",
      command: KEYWARD,
      args: ["serve"],
      env: {
        BETTER_AUTH_URL: authUrl,
        JWT_AUDIENCE: this.url,
        CORS_ALLOWED_ORIGINS: corsOrigins.join(","),
        DATABASE_URL: databaseUrl ?? `sqlite://${this.#directory.file("tasks.db")}`,
        LISTEN_ADDR: `127.0.0.1:${this.port}`,
        LOG_FORMAT: "text",
        RUST_LOG: "info,keyward=debug",
        ...env,
      },
      directory: this.#directory,
      ready: (output) => output.includes("listening on "),
    });
    this.#programs.push(program);
  }

  get isRunning(): boolean {
    return this.#programs.at(-1)?.ended === false;
  }

  /** Stops it as an operator does. */
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
}
