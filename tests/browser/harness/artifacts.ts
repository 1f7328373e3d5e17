/** What is tested: built elsewhere, only looked for here. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The service. */
export const KEYWARD = resolve(process.env.KEYWARD_BIN ?? `${ROOT}/target/debug/keyward`);

/** The app, as its production build leaves it. */
export const WEB = resolve(process.env.KEYWARD_WEB ?? `${ROOT}/web/.next/standalone`);

/** Better Auth without an app, for what needs none. */
export const BETTER_AUTH = resolve(ROOT, "tests/better-auth");

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Throws with what to run if something is missing. */
export function requireArtifacts(): void {
  const needed: [string, string][] = [
    [KEYWARD, "cargo build (or set KEYWARD_BIN)"],
    [resolve(BETTER_AUTH, "node_modules"), "npm ci --prefix tests/better-auth"],
    [resolve(WEB, "server.js"), "npm run build --prefix web (or set KEYWARD_WEB)"],
    [CHROMIUM, "apt-get install chromium (or set CHROMIUM)"],
  ];
  const missing = needed.filter(([path]) => !existsSync(path));
  if (missing.length > 0) {
    const lines = missing.map(([path, command]) => `  ${path} is missing; run: ${command}`);
    throw new Error(`the browser tests cannot run:\n${lines.join("\n")}`);
  }
}
