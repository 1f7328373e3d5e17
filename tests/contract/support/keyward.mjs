// The real service before a real Better Auth, with two users.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { start, temporaryDirectory } from "./process.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const KEYWARD = resolve(process.env.KEYWARD_BIN ?? here("../../../target/debug/keyward"));
const BETTER_AUTH = here("../../better-auth/server.mjs");

/**
 * Starts both servers: the API's `url`, and the `tokens` of the users `a` and `b`, which live for
 * 15 minutes.
 */
export async function startKeyward() {
  if (!existsSync(KEYWARD)) throw new Error(`${KEYWARD} is missing; run cargo build first`);
  const servers = [];
  const stop = () => Promise.all(servers.map((server) => server.stop()));
  const run = (command, args, env) => {
    const server = start(command, args, { directory: temporaryDirectory(), env });
    servers.push(server);
    return server;
  };
  try {
    const betterAuth = run(process.execPath, [BETTER_AUTH], {});
    const issuer = await betterAuth.said(/^\{"url":"(.*)"\}$/m);
    const tokens = { a: await signUp(issuer, "Ada"), b: await signUp(issuer, "Bob") };

    const service = run(KEYWARD, ["serve"], {
      BETTER_AUTH_URL: issuer,
      LISTEN_ADDR: "127.0.0.1:0",
    });
    const url = await service.said(/^listening on (\S+)$/m);
    return { url, tokens, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Makes a user and asks for their token as a frontend does. */
async function signUp(issuer, name) {
  const signedUp = await fetch(`${issuer}/api/auth/sign-up/email`, {
    method: "POST",
    // Better Auth refuses a sign-up that no page of its own could have sent.
    headers: { "content-type": "application/json", origin: issuer },
    body: JSON.stringify({
      name,
      email: `${name.toLowerCase()}@example.com`,
      password: "correct horse battery",
    }),
  });
  const cookie = signedUp.headers
    .getSetCookie()
    .map((pair) => pair.split(";")[0])
    .join("; ");
  const answer = await fetch(`${issuer}/api/auth/token`, { headers: { cookie } });
  if (!answer.ok) throw new Error(`no token for ${name}: ${await answer.text()}`);
  return (await answer.json()).token;
}
