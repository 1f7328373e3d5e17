/** The real service: `keyward serve` with a database of its own. */

import { KEYWARD } from "./artifacts.ts";
import { freePort } from "./ports.ts";
import { Program } from "./process.ts";
import { Restartable } from "./restartable.ts";

export interface ApiOptions {
  /** The auth server. */
  authUrl: string;
  corsOrigins: string[];
  /** SQLite in its directory. */
  databaseUrl?: string;
  /** Further variables. */
  env?: Record<string, string>;
}

export class Api extends Restartable<ApiOptions> {
  readonly name = "API";

  /** Settles the port, so that others can be told of it before this runs. */
  static async reserve(): Promise<Api> {
    return new Api(await freePort());
  }

  static async start(options: ApiOptions): Promise<Api> {
    const api = await Api.reserve();
    await api.start(options);
    return api;
  }

  protected run({ authUrl, corsOrigins, databaseUrl, env }: ApiOptions): Promise<Program> {
    return Program.start({
      name: "keyward",
      command: KEYWARD,
      args: ["serve"],
      env: {
        BETTER_AUTH_URL: authUrl,
        JWT_AUDIENCE: this.url,
        CORS_ALLOWED_ORIGINS: corsOrigins.join(","),
        DATABASE_URL: databaseUrl ?? `sqlite://${this.directory.file("tasks.db")}`,
        LISTEN_ADDR: `127.0.0.1:${this.port}`,
        LOG_FORMAT: "text",
        RUST_LOG: "info,keyward=debug",
        ...env,
      },
      directory: this.directory,
      ready: (output) => output.includes("listening on "),
    });
  }
}
