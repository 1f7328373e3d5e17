import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  createAuthFetch,
  createTokenSource,
  type TokenSource,
  TokenUnavailableError,
} from "@keyward/client";
import { failureOf, rejectionOf } from "./support/failure.js";
import { serveHttp } from "./support/http-server.js";
import { settle } from "./support/manual-loader.js";
import { countingTokens, fakeToken } from "./support/tokens.js";

const CHALLENGE = 'Bearer error="invalid_token"';

/** An API that accepts `goodToken` alone. */
async function serveApi(t: TestContext, goodToken: string) {
  return serveHttp(t, (request, response) => {
    const good = request.headers.authorization === `Bearer ${goodToken}`;
    response.writeHead(good ? 200 : 401, good ? {} : { "WWW-Authenticate": CHALLENGE });
    response.end(good ? request.body : "rejected");
  });
}

const sourceOf = (...answers: (string | null | Error)[]): TokenSource => ({
  async get() {
    const answer = answers.shift();
    assert.ok(answer !== undefined, "asked for a token too often");
    if (answer instanceof Error) throw answer;
    return answer;
  },
  clear() {},
});

describe("sending", () => {
  test("adds the token", async (t) => {
    const { url, requests } = await serveApi(t, "token-1");
    const response = await createAuthFetch(countingTokens())(url);
    assert.equal(response.status, 200);
    assert.equal(requests.length, 1);
  });

  const body = '{"title":"Buy milk"}';
  const headers = { "Content-Type": "application/json", "X-Mine": "1" };
  const post = { method: "POST", headers, body };
  const calls: [string, (url: string) => Parameters<typeof fetch>][] = [
    ["a URL and an init", (url) => [new URL(url), post]],
    ["a string and an init", (url) => [url, { ...post, headers: new Headers(headers) }]],
    ["a Request", (url) => [new Request(url, post)]],
    [
      "a Request and an init",
      (url) => [new Request(url, { ...post, headers: { "X-Mine": "0" }, body: "{}" }), post],
    ],
    [
      "a stream",
      (url) => [url, { ...post, body: new Blob([body]).stream(), duplex: "half" } as RequestInit],
    ],
  ];
  for (const [name, call] of calls) {
    test(`takes ${name}, and keeps it all for the replay`, async (t) => {
      const { url, requests } = await serveApi(t, "token-2");
      const response = await createAuthFetch(countingTokens())(...call(url));
      assert.equal(await response.text(), body);
      assert.equal(requests.length, 2);
      for (const request of requests) {
        assert.equal(request.method, "POST");
        assert.equal(request.body, body);
        assert.equal(request.headers["content-type"], "application/json");
        assert.equal(request.headers["x-mine"], "1");
      }
    });
  }

  test("leaves the caller's request without the token", async (t) => {
    const { url } = await serveApi(t, "token-2");
    const request = new Request(url);
    await createAuthFetch(countingTokens())(request);
    assert.equal(request.headers.has("Authorization"), false);
  });

  test("sends no cookies, whatever the caller says, and keeps the rest", async () => {
    const sent: Request[] = [];
    const authFetch = createAuthFetch(countingTokens(), {
      fetch: async (input) => {
        assert.ok(input instanceof Request);
        sent.push(input);
        return new Response(null, { status: sent.length % 2 ? 401 : 200 });
      },
    });
    const init: RequestInit = {
      credentials: "include",
      cache: "no-store",
      redirect: "manual",
      keepalive: true,
      referrerPolicy: "no-referrer",
    };
    await authFetch("https://api.example.com", init);
    await authFetch(new Request("https://api.example.com", init));
    assert.equal(sent.length, 4);
    for (const request of sent) {
      const { credentials, cache, redirect, keepalive, referrerPolicy } = request;
      assert.deepEqual(
        { credentials, cache, redirect, keepalive, referrerPolicy },
        { ...init, credentials: "omit" },
      );
    }
  });

  test("leaves a caller's own Authorization alone", async (t) => {
    const { url, requests } = await serveApi(t, "token-1");
    const response = await createAuthFetch(sourceOf())(url, {
      headers: { authorization: "Bearer mine" },
    });
    assert.equal(response.status, 401);
    assert.equal(requests[0]?.headers.authorization, "Bearer mine");
    assert.equal(requests.length, 1);
  });

  test("has no opinion about answers", async (t) => {
    const { url } = await serveHttp(t, (_request, response) => response.writeHead(500).end("no"));
    const response = await createAuthFetch(countingTokens())(url);
    assert.deepEqual([response.status, await response.text()], [500, "no"]);
  });
});

describe("a 401", () => {
  test("is answered with one replay, with another token", async (t) => {
    const { url, requests } = await serveApi(t, "token-2");
    const tokens = countingTokens();
    const response = await createAuthFetch(tokens)(url);
    assert.equal(response.status, 200);
    assert.deepEqual(tokens.rejected, ["token-1"]);
    const sent = requests.map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, ["Bearer token-1", "Bearer token-2"]);
  });

  test("that comes again stands", async (t) => {
    const { url, requests } = await serveApi(t, "token-99");
    const response = await createAuthFetch(countingTokens())(url);
    assert.equal(response.status, 401);
    assert.equal(response.headers.get("WWW-Authenticate"), CHALLENGE);
    assert.equal(await response.text(), "rejected");
    assert.equal(requests.length, 2);
  });

  test("is answered with a replay even if no other token is to be had", async (t) => {
    const { url, requests } = await serveApi(t, "token-2");
    const response = await createAuthFetch(sourceOf("token-1", "token-1"))(url);
    assert.equal(response.status, 401);
    assert.equal(requests.length, 2);
  });

  test("whose body nobody will read lets go of its connection", async () => {
    let cancelled = 0;
    const body = () =>
      new ReadableStream({
        cancel() {
          cancelled += 1;
          throw new Error("it cannot be cancelled");
        },
      });
    const statuses = [401, 200];
    const authFetch = createAuthFetch(countingTokens(), {
      fetch: async () => new Response(body(), { status: statuses.shift() ?? 0 }),
    });
    assert.equal((await authFetch("https://api.example.com")).status, 200);
    assert.equal(cancelled, 1);
  });

  test("when the session has ended is session_ended, with the answer", async (t) => {
    const { url, requests } = await serveApi(t, "token-2");
    const error = await failureOf(createAuthFetch(sourceOf("token-1", null))(url));
    assert.deepEqual([error.status, error.code], [401, "session_ended"]);
    assert.equal(error.response?.headers.get("WWW-Authenticate"), CHALLENGE);
    assert.equal(requests.length, 1);
  });

  test("of four calls at once loads one token", async (t) => {
    const [old, fresh] = [fakeToken({ n: 1 }), fakeToken({ n: 2 })];
    const { url, requests } = await serveApi(t, fresh);
    let loads = 0;
    const tokens = createTokenSource(async () => (loads++ === 0 ? old : fresh));
    const authFetch = createAuthFetch(tokens);
    const responses = await Promise.all([1, 2, 3, 4].map(() => authFetch(url)));
    assert.deepEqual(
      responses.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    assert.equal(loads, 2);
    assert.equal(requests.length, 8);
  });

  test("is not answered with a replay as another user", async (t) => {
    const [adas, graces] = [fakeToken({ sub: "ada" }), fakeToken({ sub: "grace" })];
    const { url, requests } = await serveHttp(t, (_request, response) => {
      tokens.clear();
      response.writeHead(401).end();
    });
    let loads = 0;
    const tokens = createTokenSource(async () => (loads++ === 0 ? adas : graces));
    const error = await rejectionOf(createAuthFetch(tokens)(url, { method: "POST", body: "mine" }));
    assert.equal((error as Error).name, "AbortError");
    assert.equal(requests.length, 1);
  });
});

describe("without a token", () => {
  test("because there is no session, nothing is sent", async (t) => {
    const { url, requests } = await serveApi(t, "token-1");
    const error = await failureOf(createAuthFetch(sourceOf(null))(url));
    assert.deepEqual([error.status, error.code], [401, "session_ended"]);
    assert.equal(error.response, undefined);
    assert.equal(requests.length, 0);
  });

  const cause = new TokenUnavailableError("away", { status: 429, retryAfterMs: 7000 });
  for (const [name, answers, sent] of [
    ["at first", [cause], 0],
    ["for the replay", ["token-1", cause], 1],
  ] satisfies [string, (string | Error)[], number][]) {
    test(`because the sign-in service is away, ${name}`, async (t) => {
      const { url, requests } = await serveApi(t, "token-2");
      const error = await failureOf(createAuthFetch(sourceOf(...answers))(url));
      const { status, code, retryAfterMs } = error;
      assert.deepEqual([status, code, retryAfterMs], [429, "token_unavailable", 7000]);
      assert.equal(error.cause, cause);
      assert.equal(requests.length, sent);
    });
  }
});

describe("an abort", () => {
  test("while the token is loaded ends the call, and nothing is sent", async (t) => {
    const { url, requests } = await serveApi(t, "token-1");
    let give: (token: string) => void = () => {};
    const tokens = createTokenSource(() => new Promise((resolve) => (give = resolve)));
    const authFetch = createAuthFetch(tokens);
    const controller = new AbortController();
    const given = rejectionOf(authFetch(url, { signal: controller.signal }));
    const other = authFetch(url);
    await settle();
    const reason = new Error("left the page");
    controller.abort(reason);
    assert.equal(await given, reason);
    give("token-1");
    assert.equal((await other).status, 200);
    assert.equal(requests.length, 1);
  });

  test("while the token for the replay is loaded ends the call", async (t) => {
    const { url, requests } = await serveApi(t, "token-2");
    const controller = new AbortController();
    let loads = 0;
    const tokens = createTokenSource(async () => {
      loads += 1;
      if (loads === 1) return "token-1";
      controller.abort();
      return new Promise(() => {});
    });
    t.after(() => tokens.clear());
    const call = createAuthFetch(tokens)(url, { signal: controller.signal });
    assert.equal(((await rejectionOf(call)) as Error).name, "AbortError");
    assert.equal(requests.length, 1);
  });

  test("between a 401 and its replay ends the call", async (t) => {
    const { url, requests } = await serveApi(t, "token-2");
    const controller = new AbortController();
    const tokens: TokenSource = {
      async get(options) {
        if (options?.rejected) controller.abort();
        return "token-1";
      },
      clear() {},
    };
    const call = createAuthFetch(tokens)(new Request(url, { signal: controller.signal }));
    assert.equal(((await rejectionOf(call)) as Error).name, "AbortError");
    assert.equal(requests.length, 1);
  });
});
