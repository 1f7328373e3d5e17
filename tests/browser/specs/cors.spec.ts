import type { Frame, Page } from "@playwright/test";
import { Api } from "../harness/api.ts";
import type { BetterAuth } from "../harness/better-auth.ts";
import { BlankPage } from "../harness/blank-page.ts";
import { freePort } from "../harness/ports.ts";
import { test as base, expect } from "../harness/service.ts";
import type { Watch } from "../harness/watch.ts";

interface Ports {
  /** `http://localhost` with it is allowed. */
  allowed: number;
  other: number;
  /** `https://localhost` with it is allowed. */
  secure: number;
  /** `http://localhost` with all but its last digit is allowed. */
  longer: number;
}

const test = base.extend<object, { ports: Ports }>({
  ports: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern.
    async ({}, use) => {
      const ports = {
        allowed: await freePort(),
        other: await freePort(),
        secure: await freePort(),
        longer: await freePort(),
      };
      const pages = await Promise.all(Object.values(ports).map(BlankPage.serve));
      await use(ports);
      for (const page of pages) page.end();
    },
    { scope: "worker" },
  ],
  corsOrigins: [
    async ({ ports }, use) =>
      use([
        `http://localhost:${ports.allowed}`,
        `https://localhost:${ports.secure}`,
        `http://localhost:${Math.floor(ports.longer / 10)}`,
      ]),
    { scope: "worker" },
  ],
});

const BLOCKED = /blocked by CORS policy/;
/** What the browser adds to it. */
const FAILED = /Failed to load resource: net::ERR_FAILED/;
const REFUSED = /Failed to load resource: the server responded with a status of (4\d\d|503) /;

test.beforeEach(({ watch, api, ports }) => {
  watch.allowApi(api.url);
  watch.allowOrigins(
    ...Object.values(ports).map((port) => `http://localhost:${port}`),
    `http://127.0.0.1:${ports.allowed}`,
    `http://app.localhost:${ports.allowed}`,
  );
});

test.describe("a page of an allowed origin", () => {
  test.beforeEach(({ page, ports }) => page.goto(`http://localhost:${ports.allowed}`));

  test("makes, changes and deletes a task, and reads every header", async ({
    page,
    watch,
    api,
    auth,
  }) => {
    const authorization = `Bearer ${await auth.token("Ada Lovelace")}`;
    const created = await call(page, `${api.url}/api/tasks`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({ title: "Across origins" }),
    });
    expect(created.status).toBe(201);
    expect(created.headers.location).toMatch(/^\/api\/tasks\/[0-9a-f-]{36}$/);
    expect(created.headers["x-request-id"]).toMatch(/^[0-9a-f]{32}$/);
    const etag = created.headers.etag ?? "";
    expect(etag).toBe('"1"');

    const task = `${api.url}${created.headers.location}`;
    const patch = {
      method: "PATCH",
      headers: {
        authorization,
        "content-type": "application/merge-patch+json",
        "if-match": etag,
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      },
      body: JSON.stringify({ completed: true }),
    };
    const changed = await call(page, task, patch);
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).toBe('"2"');
    expect(changed.headers["x-request-id"]).toBe("0af7651916cd43dd8448eb211c80319c");

    watch.expectErrors(REFUSED);
    const stale = await call(page, task, patch);
    expect(stale.status).toBe(412);
    expect(problem(stale).code).toBe("precondition_failed");

    const deleted = await call(page, task, { method: "DELETE", headers: { authorization } });
    expect(deleted.status).toBe(204);
  });

  test("reads refusals, with their headers", async ({ page, watch, api, auth }) => {
    watch.expectErrors(REFUSED);
    const authorization = `Bearer ${await auth.token("Ada Lovelace")}`;
    const json = "application/json";
    const refusals: [status: number, path: string, init: RequestInit][] = [
      [401, "/api/tasks", {}],
      [401, "/api/tasks", { headers: { authorization: "Bearer garbage" } }],
      [404, "/api/nothing", { headers: { authorization } }],
      [405, "/api/me", { method: "DELETE", headers: { authorization } }],
      [400, "/api/tasks?limit=0", { headers: { authorization } }],
      [
        413,
        "/api/tasks",
        {
          method: "POST",
          headers: { authorization, "content-type": json },
          body: JSON.stringify({ title: "x".repeat(70_000) }),
        },
      ],
      [
        415,
        "/api/tasks",
        {
          method: "POST",
          headers: { authorization, "content-type": "text/csv" },
          body: "title",
        },
      ],
    ];
    for (const [status, path, init] of refusals) {
      const answer = await call(page, `${api.url}${path}`, init);
      const title = `${init.method ?? "GET"} ${path}`;
      expect(answer.status, title).toBe(status);
      expect(answer.headers["content-type"], title).toBe("application/problem+json");
      expect(answer.headers["x-request-id"], title).toBe(problem(answer).traceId);
      if (status === 401) expect(answer.headers["www-authenticate"], title).toMatch(/^Bearer\b/);
      if (status === 405) expect(answer.headers.allow, title).toContain("GET");
    }
  });

  test("reads that there are no keys yet", async ({ page, watch, auth, ports }) => {
    watch.expectErrors(REFUSED);
    const keyless = await Api.start({
      authUrl: `http://127.0.0.1:${await freePort()}`,
      corsOrigins: [`http://localhost:${ports.allowed}`],
    });
    try {
      watch.allowApi(keyless.url);
      const authorization = `Bearer ${await auth.token("Ada Lovelace")}`;
      const answer = await call(page, `${keyless.url}/api/me`, { headers: { authorization } });
      expect(answer.status).toBe(503);
      expect(problem(answer).code).toBe("keys_unavailable");
      expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    } finally {
      await keyless.end();
    }
  });

  const FORBIDDEN: [what: string, init: RequestInit][] = [
    ["send cookies", { credentials: "include" }],
    ["send a header of its own", { headers: { "x-tenant": "1" } }],
    ["use a method that no endpoint has", { method: "PUT" }],
  ];
  for (const [what, init] of FORBIDDEN) {
    test(`cannot ${what}`, async ({ page, watch, api }) => {
      watch.expectErrors(BLOCKED, FAILED);
      const answer = await call(page, `${api.url}/api/tasks`, init);
      expect(answer).toEqual({ thrown: "TypeError", headers: {} });
      await expect.poll(() => watch.errors.join("\n")).toMatch(BLOCKED);
    });
  }
});

const STRANGERS: [what: string, url: (ports: Ports) => string][] = [
  ["that differs by its port", ({ other }) => `http://localhost:${other}`],
  ["that differs by its scheme", ({ secure }) => `http://localhost:${secure}`],
  ["that begins with an allowed one", ({ longer }) => `http://localhost:${longer}`],
  ["that ends with an allowed one", ({ allowed }) => `http://app.localhost:${allowed}`],
  ["that is another name of an allowed one", ({ allowed }) => `http://127.0.0.1:${allowed}`],
];
for (const [what, url] of STRANGERS) {
  test(`a page of an origin ${what} is refused`, async ({ page, watch, api, auth, ports }) => {
    await page.goto(url(ports));
    await isRefused(page.mainFrame(), watch, api, auth);
  });
}

test("a page without an origin is refused", async ({ page, watch, api, auth, ports }) => {
  await page.goto(`http://localhost:${ports.allowed}`);
  await page.setContent('<iframe sandbox="allow-scripts" srcdoc="A page"></iframe>');
  const frame = page.frames()[1];
  if (!frame) throw new Error("there is no frame");
  expect(await frame.evaluate(() => origin)).toBe("null");
  await isRefused(frame, watch, api, auth);
});

/** Reading, with and without a token, and writing: refused by the browser, and nothing is done. */
async function isRefused(frame: Frame, watch: Watch, api: Api, auth: BetterAuth): Promise<void> {
  watch.expectErrors(BLOCKED, FAILED);
  const authorization = `Bearer ${await auth.token("Mallory")}`;
  const list = `${api.url}/api/tasks`;
  const attempts: RequestInit[] = [
    {},
    { headers: { authorization } },
    {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({ title: "From a stranger" }),
    },
  ];
  for (const [index, attempt] of attempts.entries()) {
    expect(await call(frame, list, attempt)).toEqual({ thrown: "TypeError", headers: {} });
    await expect
      .poll(() => watch.errors.filter((text) => BLOCKED.test(text)).length, "what the console says")
      .toBe(index + 1);
  }
  const seen = await fetch(list, { headers: { authorization } });
  expect(await seen.json()).toMatchObject({ items: [] });
}

interface Answer {
  status?: number;
  /** Those that the page may read. */
  headers: Record<string, string>;
  body?: string;
  /** The name of the error, if there was no answer. */
  thrown?: string;
}

/** What a page gets when it asks. */
async function call(page: Page | Frame, url: string, init: RequestInit): Promise<Answer> {
  return page.evaluate(
    async ({ url, init }) => {
      try {
        const response = await fetch(url, init);
        const headers = Object.fromEntries(response.headers);
        return { status: response.status, headers, body: await response.text() };
      } catch (error) {
        return { thrown: (error as Error).name, headers: {} };
      }
    },
    { url, init },
  );
}

function problem(answer: Answer): { code: string; traceId: string } {
  return JSON.parse(answer.body ?? "");
}
