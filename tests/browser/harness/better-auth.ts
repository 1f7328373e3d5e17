/** A real Better Auth without an app: `tests/better-auth/server.mjs`. */

import { BETTER_AUTH } from "./artifacts.ts";
import { freePort } from "./ports.ts";
import { Directory, type Logged, Program } from "./process.ts";

export class BetterAuth implements Logged {
  readonly name = "Better Auth";
  readonly url: string;
  readonly #directory: Directory;
  readonly #program: Program;

  private constructor(url: string, directory: Directory, program: Program) {
    this.url = url;
    this.#directory = directory;
    this.#program = program;
  }

  static async start(settings: { audience: string; expirationTime?: string }): Promise<BetterAuth> {
    const port = await freePort();
    const directory = new Directory();
    const program = await Program.start({
      name: "Better Auth",
      command: process.execPath,
      args: [`${BETTER_AUTH}/server.mjs`, JSON.stringify({ ...settings, port })],
      env: {},
      directory,
      ready: (output) => output.includes('{"url":'),
    });
    return new BetterAuth(`http://127.0.0.1:${port}`, directory, program);
  }

  /** The token of somebody who has just signed up. */
  async token(name: string): Promise<string> {
    const person = { name, email: `${crypto.randomUUID()}@example.com`, password: "correct horse" };
    const signedUp = await answer(`${this.url}/api/auth/sign-up/email`, {
      method: "POST",
      // Better Auth refuses a sign-up that no page of its own could have sent.
      headers: { "content-type": "application/json", origin: this.url },
      body: JSON.stringify(person),
    });
    const cookies = signedUp.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
    const headers = { cookie: cookies.join("; ") };
    return this.#tokenIn(await answer(`${this.url}/api/auth/token`, { headers }));
  }

  /** A token with claims that no sign-up leads to, genuinely signed. */
  async sign(claims: Record<string, unknown>): Promise<string> {
    const request = { method: "POST", body: JSON.stringify(claims) };
    return this.#tokenIn(await answer(`${this.url}/__test/sign`, request));
  }

  async end(): Promise<void> {
    await this.#program.stop();
    this.#directory.remove();
  }

  get output(): string {
    return this.#program.output;
  }

  async #tokenIn(response: Response): Promise<string> {
    const { token } = (await response.json()) as { token: string };
    return token;
  }
}

async function answer(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response;
}
