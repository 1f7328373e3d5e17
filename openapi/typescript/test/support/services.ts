// The two real servers: Better Auth's, and Keyward's API in front of it. Both stop when the
// test that started them ends, however it ends: their stdin closes with it.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";

const ROOT = new URL("../../../../", import.meta.url);
const BETTER_AUTH = fileURLToPath(new URL("tests/better-auth/", ROOT));
const KEYWARD = process.env.KEYWARD_BIN ?? fileURLToPath(new URL("target/debug/keyward", ROOT));

const START_MS = 30_000;
const LIFETIME_MS = 120_000;
const AUDIENCE = "https://api.example.com";

// `keyward serve` does not watch its stdin.
const WHILE_STDIN_IS_OPEN = `
exec 3<&0
"$0" serve 3<&- & server=$!
{ cat <&3 >/dev/null; kill "$server"; } 2>/dev/null & watcher=$!
trap 'kill "$server"' TERM
wait "$server"; status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`;

export interface Service {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startBetterAuth(
  settings: { expirationTime?: string } = {},
): Promise<Service> {
  if (!existsSync(`${BETTER_AUTH}node_modules`)) {
    throw new Error("Better Auth is not installed: npm ci --prefix tests/better-auth");
  }
  const argument = JSON.stringify({ audience: AUDIENCE, ...settings });
  const child = spawn(process.execPath, ["server.mjs", argument], {
    cwd: BETTER_AUTH,
    stdio: ["pipe", "pipe", "pipe"],
    timeout: LIFETIME_MS,
  });
  return ready(child, /"url":"(.*?)"/);
}

export async function startKeyward(auth: Service): Promise<Service> {
  if (!existsSync(KEYWARD)) {
    throw new Error(`${KEYWARD} is missing: cargo build, or set KEYWARD_BIN`);
  }
  const child = spawn("sh", ["-c", WHILE_STDIN_IS_OPEN, KEYWARD], {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: LIFETIME_MS,
    env: {
      PATH: process.env.PATH,
      BETTER_AUTH_URL: auth.url,
      JWT_AUDIENCE: AUDIENCE,
      DATABASE_URL: "sqlite::memory:",
      LISTEN_ADDR: "127.0.0.1:0",
    },
  });
  return ready(child, /listening on (\S+)/);
}

async function ready(child: ChildProcess, line: RegExp): Promise<Service> {
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let log = "";
  child.stderr?.on("data", (data) => {
    log += data;
  });
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${child.spawnargs.join(" ")} ${why}\n${log}`));
    const timer = setTimeout(() => fail("did not start in time"), START_MS);
    exited.then(() => fail("stopped at the start"));
    if (!child.stdout) throw new Error("stdout is no pipe");
    createInterface(child.stdout).on("line", (text) => {
      const found = line.exec(text)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
  }).catch((error) => {
    child.kill();
    throw error;
  });
  return {
    url,
    stop: async () => {
      child.stdin?.end();
      await exited;
    },
  };
}

export interface User {
  readonly email: string;
  readonly password: string;
  readonly name: string;
}

export function newUser(name: string): User {
  return { name, email: `${name}@example.com`, password: `${name}-password` };
}

/** Better Auth's own client, with a jar for its cookies as a browser has. */
export function createBrowserAuthClient(url: string, inner: typeof fetch = fetch) {
  const jar = new Map<string, string>();
  const fetchWithCookies: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set("Origin", new URL(url).origin);
    headers.set("Cookie", [...jar].map((pair) => pair.join("=")).join("; "));
    const response = await inner(input, { ...init, headers });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = "", ...attributes] = cookie.split(";");
      const [name = "", value = ""] = pair.split(/=(.*)/s);
      if (attributes.some((attribute) => /^\s*max-age=0$/i.test(attribute))) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };
  return createAuthClient({
    baseURL: url,
    plugins: [jwtClient()],
    fetchOptions: { customFetchImpl: fetchWithCookies },
  });
}
