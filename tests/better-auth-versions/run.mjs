// Tokens of several real Better Auth versions in front of the real `keyward serve`.
//
//   node run.mjs [VERSION...]
//
// Each version's server signs up a user and signs with each algorithm that the version knows. One
// line is printed for each version and algorithm; the exit code is that of a test.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { start, temporaryDirectory } from "../contract/support/process.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const KEYWARD = resolve(process.env.KEYWARD_BIN ?? here("../../target/debug/keyward"));
const REQUEST_LIMIT_MS = 20_000;

const ALGORITHMS = ["EdDSA", "ES256", "ES512", "RS256", "PS256"];

// What was measured of each version. A version that departs from it is looked at again.
//   labelled  keys are published with `alg`
//   rotates   an expired key is replaced at the next signature, and stays published
const VERSIONS = {
  1.2: { labelled: false, rotates: false },
  1.3: { labelled: true, rotates: false },
  1.4: { labelled: true, rotates: true },
  1.6: { labelled: true, rotates: true },
  1.7: { labelled: true, rotates: true },
};

const servers = new Set();
function run(command, args, env) {
  const server = start(command, args, { directory: temporaryDirectory(), env });
  servers.add(server);
  return server;
}

async function stop(server) {
  servers.delete(server);
  await server.stop();
}

async function get(url, headers) {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(REQUEST_LIMIT_MS) });
  const body = await answer.json();
  return { ok: answer.ok, status: answer.status, body };
}

/** Makes a user: the cookies that a browser would remember, and the session token. */
async function signUp(issuer) {
  const answer = await fetch(`${issuer}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: issuer },
    body: JSON.stringify({
      name: "Ada",
      email: "ada@example.com",
      password: "correct horse battery",
    }),
    signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
  });
  assert.ok(answer.ok, `sign-up: status ${answer.status}`);
  const cookie = answer.headers
    .getSetCookie()
    .map((pair) => pair.split(";")[0])
    .join("; ");
  return {
    cookie,
    sessionTokens: [answer.headers.get("set-auth-token"), (await answer.json()).token],
  };
}

async function tokenOf(issuer, cookie) {
  const { ok, body } = await get(`${issuer}/api/auth/token`, { cookie });
  assert.ok(ok, "no token");
  return body.token;
}

const headerOf = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url").toString());

/** "accepted", or the code of the refusal. */
async function verdict(keyward, token) {
  const { status, body } = await get(`${keyward}/api/me`, { authorization: `Bearer ${token}` });
  return status === 200 ? "accepted" : body.code;
}

async function withKeyward(issuer, variables, work) {
  const service = run(KEYWARD, ["serve"], {
    BETTER_AUTH_URL: issuer,
    LISTEN_ADDR: "127.0.0.1:0",
    ...variables,
  });
  const url = await service.said(/^listening on (\S+)$/m);
  try {
    return await work(url);
  } finally {
    await stop(service);
  }
}

/** What one algorithm of one version was seen to do. */
async function check(issuer, alg, { labelled, rotates }) {
  const test = (path) =>
    fetch(`${issuer}/__test/${path}`, {
      method: "POST",
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    });
  const { cookie, sessionTokens } = await signUp(issuer);
  const first = await tokenOf(issuer, cookie);
  assert.equal(headerOf(first).alg, alg);
  const published = (await get(`${issuer}/api/auth/jwks`)).body.keys;
  assert.equal(published.length, 1);
  assert.equal(published[0].alg, labelled ? alg : undefined, "the published alg");

  await withKeyward(issuer, { JWT_AUDIENCE: "https://api.example.com" }, async (keyward) => {
    assert.equal(await verdict(keyward, first), "token_audience_mismatch");
  });
  await withKeyward(issuer, {}, async (keyward) => {
    assert.equal(await verdict(keyward, first), "accepted");
    for (const token of sessionTokens) {
      assert.ok(token, "a session token");
      assert.equal(await verdict(keyward, token), "session_token");
    }
    const [header, payload, signature] = first.split(".");
    const other = signature.startsWith("A") ? "B" : "A";
    const forged = `${header}.${payload}.${other}${signature.slice(1)}`;
    assert.equal(await verdict(keyward, forged), "token_signature_invalid");

    await test("rotate");
    const second = await tokenOf(issuer, cookie);
    const rotated = headerOf(second).kid !== headerOf(first).kid;
    assert.equal(rotated, rotates, "an expired key is replaced");
    assert.equal(await verdict(keyward, second), "accepted");
    assert.equal(await verdict(keyward, first), "accepted");

    await test("drop-keys");
    const third = await tokenOf(issuer, cookie);
    assert.equal(await verdict(keyward, third), "accepted");
    assert.equal(await verdict(keyward, first), "key_unknown");
  });
  const notes = [
    labelled ? "keys with alg" : "keys without alg",
    rotates ? "rotated" : "does not rotate",
    "keys replaced",
    `token of ${first.length} characters`,
  ];
  return notes.join(", ");
}

async function main(versions) {
  assert.ok(existsSync(KEYWARD), `${KEYWARD} is missing; run cargo build first`);
  const unknown = versions.filter((version) => !(version in VERSIONS));
  assert.deepEqual(unknown, [], `versions are ${Object.keys(VERSIONS).join(", ")}`);
  let [passed, failed] = [0, 0];
  for (const version of versions) {
    const manifest = here(`node_modules/better-auth-${version}/package.json`);
    const exact = JSON.parse(readFileSync(manifest, "utf8")).version;
    const auth = run(process.execPath, [here("server.mjs"), version, ...ALGORITHMS], {});
    const urls = JSON.parse(await auth.said(/^(\{.*\})$/m));
    const results = ALGORITHMS.map((alg) =>
      check(urls[alg], alg, VERSIONS[version]).then(
        (notes) => ({ alg, verdict: "ok", notes }),
        (error) => ({ alg, verdict: "FAILED", notes: error.message }),
      ),
    );
    for (const { alg, verdict, notes } of await Promise.all(results)) {
      console.log(`Better Auth ${exact.padEnd(7)} ${alg.padEnd(5)} ${verdict}: ${notes}`);
      if (verdict === "ok") passed += 1;
      else failed += 1;
    }
    await stop(auth);
  }
  console.log(`${passed} passed, ${failed} failed`);
  assert.ok(passed > 0 && failed === 0, "not all passed");
}

const asked = process.argv.slice(2);
try {
  await main(asked.length > 0 ? asked : Object.keys(VERSIONS));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await Promise.all([...servers].map(stop));
}
