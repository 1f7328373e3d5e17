// To one user, another's task does not exist: whatever they ask, they get the answer that a task
// which never was gets. Schemathesis tries this for reading only.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { operations } from "./breaking/document.mjs";
import { CURRENT, readJson } from "./support/files.mjs";
import * as hole from "./support/holes.mjs";
import { startKeyward } from "./support/keyward.mjs";

const TITLE = "Water Ada's orchids";
const NEVER_THERE = "01900000-0000-7000-8000-000000000000";

const DATE_OR_ID = ["date", "x-request-id"];

const patch = (body, headers) => ({
  method: "PATCH",
  headers: { "content-type": "application/json", ...headers },
  body,
});

// What a user may try on a task whose id and title they have come to know.
const ATTEMPTS = {
  "to read it": { method: "GET" },
  "to change it": patch('{"completed":true}'),
  "to change it by a merge patch": patch('{"title":"Bob\'s"}', {
    "content-type": "application/merge-patch+json",
  }),
  "to change it, whatever it is": patch('{"completed":true}', { "if-match": "*" }),
  "to change it, knowing its tag": patch('{"completed":true}', { "if-match": '"1"' }),
  "to change it, with a wrong tag": patch('{"completed":true}', { "if-match": '"7"' }),
  "to delete it": { method: "DELETE" },
  "to delete it, whatever it is": { method: "DELETE", headers: { "if-match": "*" } },
  "to delete it, knowing its tag": { method: "DELETE", headers: { "if-match": '"1"' } },
  "to delete it, with a wrong tag": { method: "DELETE", headers: { "if-match": '"7"' } },
};

// These are refused before anyone looks for the task.
const REFUSED = {
  "to change it by a wrong body": patch('{"owner":"bob"}'),
  "to change it by half a body": patch("{"),
  "to change it by nonsense of a tag": patch('{"completed":true}', { "if-match": "1" }),
};

let keyward;
before(async () => {
  keyward = await startKeyward();
});
after(() => keyward?.stop());

test("every operation on a task is tried", () => {
  const tried = new Set(Object.values(ATTEMPTS).map(({ method }) => method.toLowerCase()));
  for (const [method, path] of operations(readJson(CURRENT))) {
    if (path.includes("{")) assert.ok(path === "/api/tasks/{id}" && tried.has(method), path);
  }
});

for (const [what, attempt] of Object.entries({ ...ATTEMPTS, ...REFUSED })) {
  test(`another user tries ${what}`, async () => {
    const status = what in REFUSED ? 400 : 404;
    assert.deepEqual(await trespasses(keyward.url, attempt, status), []);
  });
}

test("lists and searches show a user's own tasks only", async () => {
  assert.deepEqual(await leaks(keyward.url), []);
});

test("a service that shows or changes others' tasks is found out", async (t) => {
  const open = hole.anyonesTasks(keyward.tokens);
  const methods = ["GET", "PATCH", "DELETE"];
  const holes = Object.fromEntries(methods.map((it) => [`${it} /api/tasks/{id}`, open]));
  holes["GET /api/tasks"] = hole.noAuthentication(keyward.tokens);
  const proxy = await hole.startProxy(keyward.url, holes);
  t.after(() => proxy.stop());
  for (const [what, attempt] of Object.entries(ATTEMPTS)) {
    assert.notDeepEqual(await trespasses(proxy.url, attempt, 404), [], what);
  }
  assert.equal((await leaks(proxy.url)).length, 4);
});

/** What user b learns about a task of user a, or does to it, beyond what holds for any id. */
async function trespasses(url, attempt, status) {
  const { a: ada, b: bob } = clients(url);
  const task = await ada.make(TITLE);
  const theirs = await bob.ask(`/api/tasks/${task.id}`, attempt);
  const nobodys = await bob.ask(`/api/tasks/${NEVER_THERE}`, attempt);
  const afterwards = await ada.ask(`/api/tasks/${task.id}`);
  return [
    [theirs, nobodys],
    [nobodys.status, status],
    [afterwards.body, task],
  ].filter(([is, should]) => !isDeepStrictEqual(is, should));
}

/** The ways to list tasks that show user b a task of user a, or not even his own. */
async function leaks(url) {
  const { a: ada, b: bob } = clients(url);
  const older = await ada.make(TITLE);
  await ada.make(TITLE);
  const own = await bob.make(TITLE);
  const { nextCursor } = await ada.json("/api/tasks?limit=1");
  const found = [];
  for (const query of ["", "?q=orchids", "?completed=false", `?cursor=${nextCursor}`]) {
    const ids = (await bob.json(`/api/tasks${query}`)).items.map(({ id }) => id);
    // A cursor names a task; his own is newer, and so on an earlier page.
    if (ids.includes(older.id) || ids.includes(own.id) === query.startsWith("?cursor")) {
      found.push(query);
    }
  }
  return found;
}

/** The two users as clients of the API. */
function clients(url) {
  const client = (token) => {
    const send = (path, { headers, ...options } = {}) =>
      fetch(url + path, { ...options, headers: { authorization: `Bearer ${token}`, ...headers } });
    return {
      async make(title) {
        const headers = { "content-type": "application/json" };
        const body = JSON.stringify({ title });
        return (await send("/api/tasks", { method: "POST", headers, body })).json();
      },
      json: async (path) => (await send(path)).json(),
      /** The whole answer, without what names the request and not the task. */
      async ask(path, options) {
        const answer = await send(path, options);
        const headers = [...answer.headers].filter(([name]) => !DATE_OR_ID.includes(name));
        const text = await answer.text();
        const { traceId: _, ...body } = text === "" ? {} : JSON.parse(text);
        return { status: answer.status, headers, body };
      },
    };
  };
  const { a, b } = keyward.tokens;
  return { a: client(a), b: client(b) };
}
