// Against the real API and a real Better Auth server, as an application uses them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  type Client,
  createKeywardClient,
  createTask,
  createTokenSource,
  deleteTask,
  getHealth,
  getMe,
  getReadiness,
  getTask,
  listTasks,
  type Task,
  type TaskPage,
  type TokenSource,
  updateTask,
} from "@keyward/client";
import { betterAuthTokens } from "@keyward/client/better-auth";
import { listTasksInfiniteOptions } from "@keyward/client/react-query";
import { QueryClient } from "@tanstack/react-query";
import { failureOf } from "./support/failure.js";
import {
  createBrowserAuthClient,
  newUser,
  type Service,
  startBetterAuth,
  startKeyward,
} from "./support/services.js";

interface Services {
  readonly auth: Service;
  readonly api: Service;
  readonly stop: () => Promise<void>;
}

let shared: Services;

before(async () => {
  shared = await start();
});
after(() => shared?.stop());

async function start(): Promise<Services> {
  const auth = await startBetterAuth();
  const api = await startKeyward(auth).catch(async (error) => {
    await auth.stop();
    throw error;
  });
  await untilReady(api);
  return {
    auth,
    api,
    stop: async () => {
      await api.stop();
      await auth.stop();
    },
  };
}

// The first key set may not have come yet.
async function untilReady({ url }: Service): Promise<void> {
  const client = createKeywardClient({ baseUrl: url });
  for (const began = Date.now(); ; await setTimeout(50)) {
    const { error } = await getReadiness({ client, throwOnError: false });
    if (error === undefined) return;
    if (error.code !== "not_ready" || Date.now() - began > 10_000) throw error;
  }
}

interface SignedIn {
  readonly client: Client;
  readonly tokens: TokenSource;
  /** How many tokens were asked for. */
  readonly loads: () => number;
  readonly signOut: () => Promise<unknown>;
}

async function signUp(name: string, { auth, api }: Services = shared): Promise<SignedIn> {
  const authClient = createBrowserAuthClient(auth.url);
  const { error } = await authClient.signUp.email(newUser(name));
  assert.equal(error, null);
  let loads = 0;
  const load = betterAuthTokens(authClient);
  const tokens = createTokenSource((signal) => {
    loads += 1;
    return load(signal);
  });
  return {
    client: createKeywardClient({ baseUrl: api.url, tokens }),
    tokens,
    loads: () => loads,
    signOut: async () => {
      await authClient.signOut();
      tokens.clear();
    },
  };
}

async function make(client: Client, title: string): Promise<Task> {
  return (await createTask({ client, body: { title } })).data;
}

test("health and readiness need no session", async () => {
  const client = createKeywardClient({ baseUrl: shared.api.url });
  assert.deepEqual((await getHealth({ client })).data, { status: "ok" });
  assert.equal((await getReadiness({ client })).data.database.answers, true);
});

test("a call without a source of tokens is an error of the API", async () => {
  const client = createKeywardClient({ baseUrl: shared.api.url });
  const error = await failureOf(getMe({ client }));
  assert.deepEqual([error.status, error.code], [401, "credentials_missing"]);
  assert.match(error.response?.headers.get("WWW-Authenticate") ?? "", /^Bearer/);
});

test("a task's whole life", async () => {
  const { client, loads } = await signUp("ada");
  assert.equal((await getMe({ client })).data.email, "ada@example.com");

  const { data: made, response } = await createTask({ client, body: { title: "Buy milk" } });
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("Location"), `/api/tasks/${made.id}`);
  assert.deepEqual([made.title, made.completed, made.revision], ["Buy milk", false, 1]);

  const path = { id: made.id };
  const headers = { "If-Match": `"${made.revision}"` };
  const { data: done } = await updateTask({ client, path, headers, body: { completed: true } });
  assert.deepEqual([done.title, done.completed, done.revision], ["Buy milk", true, 2]);

  const conflict = await failureOf(updateTask({ client, path, headers, body: { title: "Late" } }));
  assert.deepEqual([conflict.status, conflict.code], [412, "precondition_failed"]);
  assert.equal((await failureOf(deleteTask({ client, path, headers }))).status, 412);

  assert.deepEqual((await getTask({ client, path })).data, done);
  assert.equal((await deleteTask({ client, path })).response.status, 204);

  const gone = await failureOf(getTask({ client, path }));
  assert.deepEqual([gone.status, gone.code], [404, "task_not_found"]);
  assert.match(gone.traceId ?? "", /^[0-9a-f]{32}$/);
  assert.equal(loads(), 1);
});

test("pages, one by one and as an infinite query", async () => {
  const { client } = await signUp("grace");
  for (const title of ["one", "two", "three", "four", "five"]) await make(client, title);
  const titles: string[][] = [];
  let query: { limit: number; cursor?: string } | null = { limit: 2 };
  while (query !== null) {
    const page: TaskPage = (await listTasks({ client, query })).data;
    titles.push(page.items.map(({ title }) => title));
    query = page.nextCursor === null ? null : { limit: 2, cursor: page.nextCursor };
  }
  assert.deepEqual(titles, [["five", "four"], ["three", "two"], ["one"]]);

  const { pages } = await new QueryClient().fetchInfiniteQuery({
    ...listTasksInfiniteOptions({ client, query: { limit: 2 } }),
    initialPageParam: {},
    getNextPageParam: (page) => page.nextCursor,
    pages: 9,
  });
  assert.deepEqual(
    pages.map(({ items }) => items.map(({ title }) => title)),
    titles,
  );

  const { data: found } = await listTasks({ client, query: { q: "T", completed: false } });
  assert.deepEqual(
    found.items.map(({ title }) => title),
    ["three", "two"],
  );
});

test("faults come with their places", async () => {
  const { client } = await signUp("edsger");
  const body = await failureOf(createTask({ client, body: { title: " " } }));
  assert.deepEqual([body.status, body.code], [400, "body_invalid"]);
  assert.deepEqual(
    body.errors?.map(({ pointer }) => pointer),
    ["/title"],
  );

  const unknown = { title: "Buy milk", owner: "ada" };
  assert.equal((await failureOf(createTask({ client, body: unknown }))).code, "body_invalid");

  const query = await failureOf(listTasks({ client, query: { limit: 0 } }));
  assert.deepEqual([query.status, query.code], [400, "parameter_invalid"]);
  assert.deepEqual(
    query.errors?.map(({ parameter }) => parameter),
    ["limit"],
  );

  const cursor = await failureOf(listTasks({ client, query: { cursor: "nowhere" } }));
  assert.equal(cursor.code, "cursor_invalid");
  assert.equal((await failureOf(getTask({ client, path: { id: "1" } }))).code, "id_invalid");
  const large = "x".repeat(70_000);
  const error = await failureOf(createTask({ client, body: { title: large } }));
  assert.deepEqual([error.status, error.code], [413, "payload_too_large"]);
});

test("another user's task is not there", async () => {
  const { client: barbaras } = await signUp("barbara");
  const { client: donalds } = await signUp("donald");
  const { id } = await make(barbaras, "Buy milk");
  assert.equal((await failureOf(getTask({ client: donalds, path: { id } }))).status, 404);
  assert.deepEqual((await listTasks({ client: donalds })).data.items, []);
});

test("the signing key rotates, and nobody notices", async () => {
  const { client, tokens } = await signUp("margaret");
  await make(client, "before");
  const old = await tokens.get();
  assert.ok(old);
  await askBetterAuth("rotate", shared.auth);
  await make(client, "with the old key");
  const renewed = await tokens.get({ rejected: old });
  assert.notEqual(keyOf(renewed), keyOf(old));
  await make(client, "with the new key");
});

// With an API of its own, which has not looked for an unknown key before: the next time is 10 s
// later.
test("the signing key is revoked, and nobody notices but for one more token", async (t) => {
  const services = await start();
  t.after(services.stop);
  const ada = await signUp("ada", services);
  await make(ada.client, "before");
  await askBetterAuth("drop-keys", services.auth);
  // Whoever comes first with the new key makes the API look, and the old one is gone for it.
  await make((await signUp("grace", services)).client, "with the new key");
  await make(ada.client, "after");
  assert.equal(ada.loads(), 2);
});

async function askBetterAuth(what: string, auth: Service): Promise<void> {
  const { status } = await fetch(`${auth.url}/__test/${what}`, { method: "POST" });
  assert.equal(status, 200);
}

function keyOf(token: string | null): unknown {
  const [header = ""] = token?.split(".") ?? [];
  return JSON.parse(Buffer.from(header, "base64url").toString()).kid;
}

test("after the sign-out nothing is sent", async () => {
  const { client, signOut } = await signUp("tony");
  await make(client, "Buy milk");
  await signOut();
  const error = await failureOf(listTasks({ client }));
  assert.deepEqual([error.status, error.code, error.response], [401, "session_ended", undefined]);
});
