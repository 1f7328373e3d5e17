// Starts programs that end with the test, and waits for what they say.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { fileURLToPath } from "node:url";

const GUARD = fileURLToPath(new URL("guard.mjs", import.meta.url));

// A cold start on a loaded machine; an idle one takes under a second.
const START_LIMIT_MS = 60_000;

/** A directory for one program; the guard of that program removes it. */
export function temporaryDirectory() {
  return mkdtempSync(join(tmpdir(), "keyward-contract-"));
}

/**
 * Starts a command in a directory, which is removed after it. Its environment is `env` and
 * nothing else, so that no variable of whoever runs the tests changes what they find.
 */
export function start(command, args, { directory, env }) {
  const guard = fork(GUARD, [directory, command, ...args], { env, silent: true });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    guard[name].setEncoding("utf8").on("data", (text) => (output[name] += text));
  }
  // Not its event "close", which does not come after a disconnect.
  const closed = Promise.all([once(guard, "exit"), finished(guard.stdout), finished(guard.stderr)]);
  const exited = Promise.race([once(guard, "message"), closed]).then(([{ code }]) => code);
  const stop = async () => {
    if (guard.connected) guard.disconnect();
    await closed;
    return output;
  };

  return {
    stop,
    /** Waits until stdout has what the pattern wants: its first group. */
    async said(pattern) {
      const signal = AbortSignal.timeout(START_LIMIT_MS);
      for (;;) {
        const [, found] = output.stdout.match(pattern) ?? [];
        if (found !== undefined) return found;
        const news = await Promise.race([once(guard.stdout, "data", { signal }), exited]);
        if (!Array.isArray(news)) throw new Error(`${command} ended:\n${(await stop()).stderr}`);
      }
    },
    /** Waits for its end, for so long: its exit code, all that it said, and what `read` finds. */
    async ended(limitMs, read = () => undefined) {
      const timer = setTimeout(stop, limitMs);
      const code = await exited;
      clearTimeout(timer);
      if (code === undefined) throw new Error(`${command} took longer than ${limitMs} ms`);
      const found = read();
      return { code, found, ...(await stop()) };
    },
  };
}
