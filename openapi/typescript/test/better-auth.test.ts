import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import { after, before, describe, type TestContext, test } from "node:test";
import { createTokenSource, TokenUnavailableError } from "@keyward/client";
import { betterAuthTokens } from "@keyward/client/better-auth";
import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";
import { rejectionOf } from "./support/failure.js";
import { serveHttp, serveRaw } from "./support/http-server.js";
import {
  createBrowserAuthClient,
  newUser,
  type Service,
  startBetterAuth,
} from "./support/services.js";

const signal = new AbortController().signal;
const plugins = [jwtClient()];

describe("with a real Better Auth server", () => {
  let server: Service;
  before(async () => {
    server = await startBetterAuth();
  });
  after(() => server?.stop());

  test("signed out, in, and out again", async () => {
    const authClient = createBrowserAuthClient(server.url);
    const tokens = createTokenSource(betterAuthTokens(authClient));
    assert.equal(await tokens.get(), null);
    const { error } = await authClient.signUp.email(newUser("ada"));
    assert.equal(error, null);
    tokens.clear();
    const token = await tokens.get();
    assert.equal(token?.split(".").length, 3);
    assert.equal(await tokens.get(), token);
    await authClient.signOut();
    tokens.clear();
    assert.equal(await tokens.get(), null);
  });

  test("a token rejected in the second it was made in is replaced by another", async () => {
    const authClient = createBrowserAuthClient(server.url);
    await authClient.signUp.email(newUser("grace"));
    const tokens = createTokenSource(betterAuthTokens(authClient));
    const token = await tokens.get();
    assert.ok(token);
    const other = await tokens.get({ rejected: token });
    assert.ok(other);
    assert.notEqual(other, token);
  });
});

describe("an answer of /token", () => {
  async function load(
    t: TestContext,
    status: number,
    body: string,
    headers: Record<string, string> = {},
    fetchOptions: object = {},
  ): Promise<{ result: Promise<string | null>; headers: () => IncomingHttpHeaders | undefined }> {
    const { url, requests } = await serveHttp(t, (_request, response) => {
      response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(body);
    });
    const authClient = createAuthClient({ baseURL: url, plugins, fetchOptions });
    const result = betterAuthTokens(authClient)(signal);
    return { result, headers: () => requests[0]?.headers };
  }

  const TOKEN = '{"token":"a.b.c"}';
  for (const fetchOptions of [
    {},
    { throw: true },
    { catchAllError: true },
    { onError: () => {} },
  ]) {
    const settings = Object.keys(fetchOptions).join() || "no settings";

    test(`with ${settings}: a token`, async (t) => {
      assert.equal(await (await load(t, 200, TOKEN, {}, fetchOptions)).result, "a.b.c");
    });

    test(`with ${settings}: 401 is the end of the session`, async (t) => {
      const body = '{"code":"UNAUTHORIZED"}';
      assert.equal(await (await load(t, 401, body, {}, fetchOptions)).result, null);
    });

    for (const [status, body, headers, retryAfterMs] of [
      [429, '{"message":"Too many requests."}', { "X-Retry-After": "10" }, 10_000],
      [503, "", { "Retry-After": "3" }, 3_000],
      [500, "", {}, undefined],
      [502, "<html>secret</html>", { "Content-Type": "text/html" }, undefined],
      [404, "", {}, undefined],
      [403, '{"code":"FORBIDDEN"}', {}, undefined],
      [200, "{}", {}, undefined],
      [200, "null", {}, undefined],
      [200, "", {}, undefined],
      [200, '{"token":""}', {}, undefined],
      [200, '{"token":7}', {}, undefined],
      [200, '{"token":"a.b', {}, undefined],
      [200, "<html>secret</html>", { "Content-Type": "text/html" }, undefined],
    ] as const) {
      test(`with ${settings}: ${status} ${body} is no end of the session`, async (t) => {
        const { result } = await load(t, status, body, headers, fetchOptions);
        const error = await rejectionOf(result);
        assert.ok(error instanceof TokenUnavailableError, `${error}`);
        assert.deepEqual([error.status, error.retryAfterMs], [status, retryAfterMs]);
        assert.doesNotMatch(error.message, /secret/);
      });
    }

    test(`with ${settings}: no answer is no end of the session`, async (t) => {
      const url = await serveRaw(t, (socket) => socket.resetAndDestroy());
      const authClient = createAuthClient({ baseURL: url, plugins, fetchOptions });
      const tokens = createTokenSource(betterAuthTokens(authClient));
      const error = await rejectionOf(tokens.get());
      assert.ok(error instanceof TokenUnavailableError, `${error}`);
      assert.equal(error.status, 0);
    });

    test(`with ${settings}: nor is one that is too slow`, async (t) => {
      const url = await serveRaw(t, () => {});
      const authClient = createAuthClient({ baseURL: url, plugins, fetchOptions });
      const tokens = createTokenSource(betterAuthTokens(authClient), { loadTimeoutMs: 50 });
      const error = await rejectionOf(tokens.get());
      assert.ok(error instanceof TokenUnavailableError, `${error}`);
      assert.equal(error.status, 0);
    });
  }

  test("is not waited for when the loader is told to stop", async (t) => {
    const url = await serveRaw(t, () => {});
    const controller = new AbortController();
    const load = betterAuthTokens(createAuthClient({ baseURL: url, plugins }));
    const result = load(controller.signal);
    setTimeout(() => controller.abort(), 20);
    assert.equal(((await rejectionOf(result)) as Error).name, "AbortError");
  });

  test("is taken from no cache", async (t) => {
    const { result, headers } = await load(t, 200, TOKEN);
    await result;
    assert.equal(headers()?.["cache-control"], "no-cache");
  });

  test("is seen by the application's own hooks too", async (t) => {
    let seen = 0;
    const onError = ({ response }: { response: Response }) => {
      seen = response.status;
    };
    const { result } = await load(t, 500, "", {}, { onError });
    await rejectionOf(result);
    assert.equal(seen, 500);
  });
});
