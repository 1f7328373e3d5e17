import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  createKeywardClient,
  createTask,
  createTokenSource,
  getHealth,
  getReadiness,
  getTask,
  listTasks,
  updateTask,
} from "@keyward/client";
import { PROBLEM, TASK } from "./support/examples.js";
import { failureOf, rejectionOf } from "./support/failure.js";
import { serveHttp, serveRaw } from "./support/http-server.js";
import { countingTokens } from "./support/tokens.js";

const path = { id: TASK.id };

async function serveTask(t: TestContext) {
  return serveHttp(t, (_request, response) => {
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(TASK));
  });
}

describe("a request", () => {
  test("has what the document asks for", async (t) => {
    const { url, requests } = await serveTask(t);
    const client = createKeywardClient({ baseUrl: `${url}/`, tokens: countingTokens() });
    await updateTask({
      client,
      path: { id: "a/b?c" },
      headers: { "If-Match": '"3"' },
      body: { completed: true },
    });
    await listTasks({ client, query: { limit: 5, completed: false, q: "50 % & more" } });
    const [patch, list] = requests;
    assert.deepEqual([patch?.method, patch?.url], ["PATCH", "/api/tasks/a%2Fb%3Fc"]);
    assert.equal(patch?.headers["content-type"], "application/merge-patch+json");
    assert.equal(patch?.headers["if-match"], '"3"');
    assert.equal(patch?.body, '{"completed":true}');
    assert.equal(list?.url, "/api/tasks?limit=5&completed=false&q=50%20%25%20%26%20more");
    for (const request of requests) {
      assert.equal(request.headers.authorization, "Bearer token-1");
      assert.equal(request.headers.cookie, undefined);
      assert.equal(request.headers.traceparent, undefined);
    }
    assert.equal(list?.headers["content-type"], undefined);
  });

  test("takes no part in the page's cookies", async () => {
    let sent: Request | undefined;
    const client = createKeywardClient({
      baseUrl: "https://api.example.com",
      fetch: async (input, init) => {
        sent = new Request(input, init);
        return Response.json({ status: "ok" });
      },
    });
    await getHealth({ client });
    assert.equal(sent?.credentials, "omit");
  });

  test("that needs no token is sent without one, and without a session", async (t) => {
    const { url, requests } = await serveTask(t);
    const tokens = createTokenSource(async () => null);
    const client = createKeywardClient({ baseUrl: url, tokens });
    await getHealth({ client });
    await getReadiness({ client });
    assert.deepEqual(
      requests.map(({ headers }) => headers.authorization),
      [undefined, undefined],
    );
    assert.equal((await failureOf(getTask({ client, path }))).code, "session_ended");
    assert.equal(requests.length, 2);
  });

  test("has a traceparent if the application gives one", async (t) => {
    const { url, requests } = await serveTask(t);
    const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const parents = [parent, undefined];
    const traceparent = () => parents.shift();
    const client = createKeywardClient({ baseUrl: url, tokens: countingTokens(), traceparent });
    await getTask({ client, path });
    await getTask({ client, path });
    assert.deepEqual(
      requests.map(({ headers }) => headers.traceparent),
      [parent, undefined],
    );
  });

  test("answered 401 twice is an error with the problem's code and the challenge", async (t) => {
    const { url, requests } = await serveHttp(t, (_request, response) => {
      response.writeHead(401, {
        "Content-Type": "application/problem+json",
        "WWW-Authenticate": 'Bearer error="invalid_token"',
      });
      response.end(JSON.stringify({ ...PROBLEM, status: 401, code: "token_audience_mismatch" }));
    });
    const client = createKeywardClient({ baseUrl: url, tokens: countingTokens() });
    const error = await failureOf(createTask({ client, body: { title: "Buy milk" } }));
    assert.deepEqual([error.status, error.code], [401, "token_audience_mismatch"]);
    const challenge = error.response?.headers.get("WWW-Authenticate");
    assert.equal(challenge, 'Bearer error="invalid_token"');
    assert.deepEqual(
      requests.map(({ body }) => body),
      Array(2).fill('{"title":"Buy milk"}'),
    );
  });

  test("whose answer is refused lets go of its connection", async () => {
    let cancelled = 0;
    const body = new ReadableStream({
      cancel() {
        cancelled += 1;
      },
    });
    const client = createKeywardClient({
      baseUrl: "https://api.example.com",
      fetch: async () => new Response(body, { headers: { "Content-Type": "text/html" } }),
    });
    assert.equal((await failureOf(getHealth({ client }))).code, "response_invalid");
    assert.equal(cancelled, 1);
  });

  test("of a user who was replaced by another is no failure of the API", async () => {
    const reason = new DOMException("Another user has signed in", "AbortError");
    const tokens = { get: () => Promise.reject(reason), clear() {} };
    const client = createKeywardClient({ baseUrl: "https://api.example.com", tokens });
    assert.equal(await rejectionOf(getTask({ client, path })), reason);
  });

  test("that cannot be made is the caller's mistake", async () => {
    const client = createKeywardClient({ baseUrl: "https://api.example.com" });
    const headers = { "If-Match": "line\nbreak" };
    const error = await rejectionOf(updateTask({ client, path, headers, body: {} }));
    assert.ok(error instanceof TypeError);
  });
});

describe("the base URL", () => {
  for (const baseUrl of [
    undefined,
    "",
    "undefined",
    "api.example.com",
    "localhost:8000",
    "/",
    "ftp://api.example.com",
    "https://api.example.com/?a",
    "https://api.example.com/#a",
    "https://user:secret@api.example.com",
  ]) {
    test(`is not ${JSON.stringify(baseUrl)}`, () => {
      assert.throws(() => createKeywardClient({ baseUrl: baseUrl as string }), {
        name: "TypeError",
        message: 'baseUrl is the URL of the API, such as "https://api.example.com"',
      });
    });
  }

  for (const [baseUrl, page] of [
    ["https://example.com/keyward", undefined],
    ["https://example.com/keyward/", undefined],
    ["/keyward", "https://example.com/tasks"],
  ]) {
    test(`may be ${baseUrl}`, async (t) => {
      if (page) {
        Object.assign(globalThis, { location: new URL(page) });
        t.after(() => Reflect.deleteProperty(globalThis, "location"));
      }
      const client = createKeywardClient({ baseUrl: baseUrl as string });
      const url = client.buildUrl({ url: "/healthz" });
      assert.equal(new URL(url, page).href, "https://example.com/keyward/healthz");
    });
  }
});

describe("the time limit", () => {
  const timers = () => process.getActiveResourcesInfo().filter((type) => type === "Timeout").length;
  const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n";

  for (const [name, answer] of [
    ["without an answer", ""],
    ["in the middle of an answer", `${HEAD}{`],
    ["in the middle of an error", HEAD.replace("200 OK", "500 Oops")],
  ] as const) {
    test(`ends a call ${name}`, async (t) => {
      const url = await serveRaw(t, (socket) => socket.write(answer));
      const client = createKeywardClient({ baseUrl: url, tokens: countingTokens(), timeoutMs: 60 });
      const began = performance.now();
      const error = await failureOf(getTask({ client, path }));
      const took = performance.now() - began;
      assert.deepEqual([error.status, error.code], [0, "timeout"]);
      assert.ok(took > 50 && took < 1000, `took ${took} ms`);
    });
  }

  // Before 2022 an aborted fetch rejected with an AbortError, whatever the signal's reason.
  for (const [name, answers] of [
    ["before the answer", false],
    ["in the middle of the answer", true],
  ] as const) {
    test(`is told from an abort in an older browser, ${name}`, async () => {
      const aborted = (signal: AbortSignal) =>
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
        });
      const client = createKeywardClient({
        baseUrl: "https://api.example.com",
        timeoutMs: 20,
        fetch: async (input) => {
          assert.ok(input instanceof Request);
          if (!answers) return aborted(input.signal);
          const body = new ReadableStream({ pull: () => aborted(input.signal) });
          return new Response(body, { headers: { "Content-Type": "application/json" } });
        },
      });
      const error = await failureOf(getHealth({ client }));
      assert.deepEqual([error.status, error.code], [0, "timeout"]);
    });
  }

  test("counts the wait for a token", async () => {
    const tokens = createTokenSource(() => new Promise(() => {}));
    const client = createKeywardClient({ baseUrl: "http://127.0.0.1:1", tokens, timeoutMs: 60 });
    assert.equal((await failureOf(getTask({ client, path }))).code, "timeout");
    // Ends the load, which goes on for others.
    tokens.clear();
  });

  test("leaves no timer behind", async (t) => {
    const before = timers();
    const { url } = await serveHttp(t, (request, response) => {
      const status = Number(request.url.split("/").at(-1));
      const type = status === 200 ? "application/json" : "text/plain";
      response.writeHead(status, { "Content-Type": type }).end(status === 204 ? "" : "[]");
    });
    const client = createKeywardClient({ baseUrl: url, tokens: countingTokens() });
    for (const status of ["200", "201", "204", "401", "404", "500"]) {
      await failureOf(getTask({ client, path: { id: status } }));
    }
    assert.equal(timers(), before);
  });
});

describe("an abort by the caller", () => {
  const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";

  for (const [name, answer] of [
    ["before the answer", ""],
    ["in the middle of the answer", HEAD],
  ] as const) {
    test(`${name} is no failure of the API`, async (t) => {
      const controller = new AbortController();
      const url = await serveRaw(t, (socket) => {
        socket.write(answer);
        setTimeout(() => controller.abort(), 50);
      });
      const client = createKeywardClient({ baseUrl: url, tokens: countingTokens() });
      const error = await rejectionOf(getTask({ client, path, signal: controller.signal }));
      assert.equal((error as Error).name, "AbortError");
    });
  }

  test("before the call sends nothing", async (t) => {
    const { url, requests } = await serveTask(t);
    const client = createKeywardClient({ baseUrl: url, tokens: countingTokens() });
    const error = await rejectionOf(getTask({ client, path, signal: AbortSignal.abort() }));
    assert.equal((error as Error).name, "AbortError");
    assert.equal(requests.length, 0);
  });

  test("keeps the caller's reason", async (t) => {
    const url = await serveRaw(t, () => {});
    const client = createKeywardClient({ baseUrl: url, tokens: countingTokens() });
    for (const reason of [
      new Error("left the page"),
      "left",
      new DOMException("", "TimeoutError"),
    ]) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 20);
      assert.equal(await rejectionOf(getTask({ client, path, signal: controller.signal })), reason);
    }
  });
});
