import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { ApiError, createKeywardClient, getReadiness, getTask } from "@keyward/client";
import { json, PROBLEM, problem, TASK } from "./support/examples.js";
import { failureOf } from "./support/failure.js";
import { countingTokens } from "./support/tokens.js";

function failWith(response: Response): Promise<ApiError> {
  const client = createKeywardClient({
    baseUrl: "https://api.example.com",
    tokens: countingTokens(),
    fetch: async () => response,
  });
  return failureOf(getTask({ client, path: { id: TASK.id } }));
}

describe("an ApiError", () => {
  test("is the problem document", async () => {
    const errors = [{ detail: "must not be blank", pointer: "/title" }];
    const error = await failWith(problem({ status: 400, code: "body_invalid", errors }));
    const { type, title, detail, traceId } = PROBLEM;
    assert.deepEqual(
      { ...error },
      {
        name: "ApiError",
        type,
        title,
        status: 400,
        code: "body_invalid",
        detail,
        errors,
        traceId,
      },
    );
    assert.ok(error instanceof Error && error instanceof ApiError);
    assert.equal(error.message, `${title}: ${detail} (body_invalid)`);
  });

  test("has the answer's headers", async () => {
    const challenge = 'Bearer error="insufficient_scope"';
    const headers = { "WWW-Authenticate": challenge };
    const error = await failWith(problem({ status: 403, code: "user_required" }, { headers }));
    assert.equal(error.response?.headers.get("WWW-Authenticate"), challenge);
  });

  test("has the members of its kind of problem", async () => {
    const parts = { database: { answers: false, migrated: false } };
    const answer = problem({ status: 503, code: "not_ready", ...parts });
    const client = createKeywardClient({
      baseUrl: "https://api.example.com",
      fetch: async () => answer,
    });
    const error = await failureOf(getReadiness({ client }));
    assert.ok("database" in error);
    assert.deepEqual(error.database, parts.database);
  });

  test("lets no member of a problem pass for one of an Error", async () => {
    const members = { stack: "x", message: "x", name: "x", cause: "x", response: "x" };
    const error = await failWith(
      problem({ ...members, retryAfterMs: "x", toString: "x", ["__proto__"]: { x: 1 } }),
    );
    assert.match(error.stack ?? "", /^ApiError: Task not found/);
    assert.equal(error.name, "ApiError");
    assert.equal(error.cause, undefined);
    assert.ok(error.response instanceof Response);
    assert.equal(error.retryAfterMs, undefined);
    assert.ok(String(error).startsWith("ApiError: "));
    assert.equal(Object.getPrototypeOf(error), ApiError.prototype);
  });

  test("hands a code on that is newer than this client", async () => {
    assert.equal((await failWith(problem({ code: "teapot" }))).code, "teapot");
  });

  test("takes the status of the answer, not of the body", async () => {
    const error = await failWith(problem({ status: 200 }, { status: 404 }));
    assert.equal(error.status, 404);
  });

  test("drops what is not of the problem's form", async () => {
    const faults = { type: 1, detail: {}, errors: "all", traceId: null };
    const error = await failWith(problem(faults));
    assert.equal(error.type, "urn:keyward:problem:task_not_found");
    assert.deepEqual(
      [error.detail, error.errors, error.traceId],
      [undefined, undefined, undefined],
    );
    const some = await failWith(problem({ errors: [null, { detail: "kept" }, { pointer: "" }] }));
    assert.deepEqual(some.errors, [{ detail: "kept" }]);
  });

  test("without a trace in the body has the request's id", async () => {
    const headers = { "X-Request-Id": "42" };
    assert.equal((await failWith(problem({ traceId: undefined }, { headers }))).traceId, "42");
    assert.equal((await failWith(problem({}, { headers }))).traceId, PROBLEM.traceId);
    assert.equal((await failWith(new Response("", { status: 502, headers }))).traceId, "42");
    assert.equal((await failWith(new Response("", { headers }))).traceId, "42");
  });

  test("shows neither the token nor what was sent", async () => {
    const secrets = /token-\d|ada@example|Buy milk|secret/;
    for (const answer of [
      problem({}),
      json({ email: "ada@example.com", title: "secret" }, { status: 500 }),
      new Response("ada@example.com", { status: 502 }),
      new Response("secret"),
    ]) {
      assert.doesNotMatch(inspect(await failWith(answer)), secrets);
    }
  });
});

// In a browser, where it has no status.
test("a redirect that was not followed says so", async () => {
  const answer = Object.defineProperties(new Response(), {
    type: { value: "opaqueredirect" },
    status: { value: 0 },
    ok: { value: false },
  });
  const { status, code, title } = await failWith(answer);
  assert.deepEqual([status, code], [0, "http_error"]);
  assert.match(title, /redirects/);
});

test("a 304 is no redirect", async () => {
  assert.equal((await failWith(new Response(null, { status: 304 }))).title, "HTTP error 304");
});

describe("Retry-After", () => {
  const DATE = "Wed, 21 Oct 2026 07:28:00 GMT";
  const LATER = "Wed, 21 Oct 2026 07:28:30 GMT";

  for (const [headers, expected] of [
    [{ "Retry-After": "120" }, 120_000],
    [{ "Retry-After": "0" }, 0],
    [{ "Retry-After": " 5 " }, 5_000],
    [{ "Retry-After": LATER, Date: DATE }, 30_000],
    [{ "Retry-After": DATE, Date: LATER }, 0],
    [{ "X-Retry-After": "10" }, 10_000],
    [{ "Retry-After": "1", "X-Retry-After": "10" }, 1_000],
    [{}, undefined],
    [{ "Retry-After": "" }, undefined],
    [{ "Retry-After": "soon" }, undefined],
    [{ "Retry-After": "-1" }, undefined],
    [{ "Retry-After": "1.5" }, undefined],
    [{ "Retry-After": "2026-10-21" }, undefined],
    [{ "Retry-After": "Wed, 99 Foo 2026 07:28:00 GMT" }, undefined],
  ] satisfies [Record<string, string>, number | undefined][]) {
    test(`${JSON.stringify(headers)} is ${expected} ms`, async () => {
      const error = await failWith(problem({ status: 503, code: "timed_out" }, { headers }));
      assert.equal(error.retryAfterMs, expected);
    });
  }

  test("as a date is compared with the local clock if the answer has no Date", async (t) => {
    t.mock.method(Date, "now", () => Date.parse(DATE));
    const error = await failWith(problem({ status: 503 }, { headers: { "Retry-After": LATER } }));
    assert.equal(error.retryAfterMs, 30_000);
  });
});
