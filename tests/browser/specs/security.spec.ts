import type { Page } from "@playwright/test";
import { expect, test } from "../harness/app.ts";
import { BlankPage } from "../harness/blank-page.ts";
import { signIn, TasksPage } from "../harness/pages.ts";
import { newCredentials } from "../harness/people.ts";
import { freePort } from "../harness/ports.ts";
import { tokenIn } from "../harness/watch.ts";

test("the access token is in memory alone", async ({ page, person, watch, stack, context }) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  await tasks.box("Water the plants").check();
  await expect.poll(() => watch.statuses("PATCH", /tasks/)).toEqual([200]);
  await page.reload();
  await expect(tasks.boxes).toHaveCount(1);

  // What `watch` looks for in every test is really there to be found.
  const api = watch.requests.filter((request) => request.url().startsWith(stack.api.url));
  const headers = await Promise.all(api.map((request) => request.allHeaders()));
  const bearers = headers.filter((each) => tokenIn(each.authorization ?? ""));
  expect(bearers.length).toBeGreaterThanOrEqual(3);
  expect(headers.map((each) => each.cookie)).toEqual(headers.map(() => undefined));

  // Neither the pages nor anything else that the app answers holds it, but for one.
  for (const response of watch.responses) {
    if (!response.url().startsWith(stack.web.url)) continue;
    const { pathname } = new URL(response.url());
    const found = tokenIn(await response.text().catch(() => ""));
    if (pathname !== "/api/auth/token") expect(found, pathname).toBeUndefined();
    else expect(await response.headerValue("cache-control")).toBe("no-store");
  }
  expect(await page.evaluate(() => document.cookie)).toBe("");
  for (const cookie of await context.cookies()) {
    expect(cookie, cookie.name).toMatchObject({ httpOnly: true, sameSite: "Lax", path: "/" });
  }
  expect(await context.storageState({ indexedDB: true })).toMatchObject({ origins: [] });
});

test("the policy stops what somebody got into a page's HTML", async ({
  openPage,
  watch,
  stack,
}) => {
  const elsewhere = `http://127.0.0.1:${stack.web.port}`;
  watch.expectErrors(/Content Security Policy/i);
  watch.expectViolations(/./);
  const planted = `
    <script>window.inlineScriptRan = true</script>
    <script src="${elsewhere}/x.js"></script>
    <img src="${elsewhere}/x.png" onerror="window.handlerRan = true">
    <b id="planted" style="color: red">b</b>
    <a href="javascript:window.linkRan = true">a</a>
    <iframe src="${elsewhere}/"></iframe>
    <base href="${elsewhere}/">
    <form action="${elsewhere}/take" method="post"></form>`;
  const page = await openPage();
  await page.route("**/sign-in", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace("</body>", `${planted}</body>`);
    await route.fulfill({ response, body });
  });
  await page.goto("/sign-in");
  await page.locator('a[href^="javascript:"]').click();
  await page.evaluate((url) => fetch(url).catch(() => {}), `${elsewhere}/healthz`);
  // As text and later: code that runs by the browser's own tools may evaluate anything.
  await page.evaluate(() => setTimeout("window.evalRan = true"));

  await expect(page.locator("#planted")).not.toHaveCSS("color", "rgb(255, 0, 0)");
  // Last: the test runner waits for the navigation that does not come.
  await page.locator('form[action$="/take"]').evaluate((form: HTMLFormElement) => form.submit());

  // All that asked for anything was stopped, each by the directive that is for it.
  const stopped = () => new Set(watch.violations.map((violation) => violation.split(":")[0]));
  await expect
    .poll(() => [...stopped()].sort())
    .toEqual([
      "base-uri",
      "connect-src",
      "form-action",
      "frame-src",
      "img-src",
      "script-src",
      "script-src-attr",
      "script-src-elem",
      "style-src-attr",
    ]);
  const ran = await page.evaluate(() => Object.keys(window).filter((name) => /Ran$/.test(name)));
  expect(ran).toEqual([]);
  expect(new URL(page.url()).pathname).toBe("/sign-in");
});

test("every page carries the policy, with a new nonce each time", async ({ request, person }) => {
  const cookie = person.storageState.cookies
    .map(({ name, value }) => `${name}=${value}`)
    .join("; ");
  const nonces = new Set<string>();
  for (const path of ["/", "/sign-in", "/sign-up", "/tasks", "/no-such-page", "/"]) {
    const headers = path === "/tasks" ? { cookie } : { cookie: "" };
    const response = await request.get(path, { headers, maxRedirects: 0 });
    const policy = response.headers()["content-security-policy"] ?? "";
    expect(policy, path).toContain("default-src 'none'");
    expect(policy, path).toContain("frame-ancestors 'none'");
    expect(policy, path).not.toMatch(/unsafe|\*|https?:\/\/(?!localhost)/);
    expect(response.headers(), path).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    nonces.add(/'nonce-([^']+)'/.exec(policy)?.[1] ?? "");
  }
  expect(nonces.size).toBe(6);
});

test("no other page may frame the app", async ({ page, stack, watch }) => {
  const port = await freePort();
  const stranger = await BlankPage.serve(port);
  try {
    watch.allowOrigins(`http://localhost:${port}`);
    watch.expectErrors(/frame-ancestors|X-Frame-Options/i);
    await page.goto(`http://localhost:${port}`);
    const framed = page.waitForEvent("console", (message) => /frame/i.test(message.text()));
    await page.setContent(`<iframe src="${stack.web.url}/tasks"></iframe>`);
    await framed;
    await expect(page.frameLocator("iframe").getByRole("heading")).toHaveCount(0);
  } finally {
    stranger.end();
  }
});

const TRAPS = [
  "https://evil.example/tasks",
  "//evil.example/tasks",
  "/\\evil.example/tasks",
  "\\\\evil.example",
  "/\t/evil.example",
  "/.//evil.example",
  "http:evil.example",
  "javascript:alert(1)",
  "data:text/html,hello",
  "/sign-in?next=//evil.example",
];
test("no way on leads to another site", async ({ page, stack }) => {
  // Signed in already: the server sends on at once.
  for (const trap of TRAPS) {
    for (const path of ["/sign-in", "/sign-up"]) {
      const url = `${path}?${new URLSearchParams({ next: trap })}`;
      const { location = "" } = (await page.request.get(url, { maxRedirects: 0 })).headers();
      expect(new URL(location, stack.web.url).href, url).toBe(`${stack.web.url}/tasks`);
    }
  }
  await page.goto(`/sign-in?${new URLSearchParams({ next: "/tasks?show=done" })}`);
  await expect(page).toHaveURL(`${stack.web.url}/tasks?show=done`);
});

test("signing in with a trap as the way on leads nowhere else", async ({
  openPage,
  person,
  stack,
}) => {
  const page = await openPage();
  await page.goto(`/sign-in?${new URLSearchParams({ next: "//evil.example/tasks" })}`);
  await signIn(page, person.credentials);
  await expect(page).toHaveURL(`${stack.web.url}/tasks`);
});

for (const path of ["/sign-in", "/sign-up"]) {
  test(`${path} sends no password by its address, with JavaScript off`, async ({
    openPage,
    watch,
  }) => {
    const page = await openPage(undefined, { javaScriptEnabled: false });
    await page.goto(path);
    await sendPassword(page);
    expect(watch.requests.map((request) => request.url()).join("\n")).not.toContain("donkey");
    expect(page.url()).not.toContain("donkey");
  });

  test(`${path} sends no password by its address, before its script has come`, async ({
    openPage,
    watch,
  }) => {
    watch.expectErrors(/net::ERR_FAILED/);
    const page = await openPage();
    await page.route(/\/_next\/static\/.*\.js/, (route) => route.abort());
    await page.goto(path);
    await sendPassword(page);
    expect(watch.requests.map((request) => request.url()).join("\n")).not.toContain("donkey");
    expect(page.url()).not.toContain("donkey");
  });
}

test("the logs hold no token, no password and no address", async ({ openPage, stack, watch }) => {
  watch.expectErrors(/status of (401|422) .*\/api\/auth\/sign-in\/email/);
  const page = await openPage();
  const stranger = newCredentials("Nobody");
  await page.goto("/sign-in");
  await signIn(page, stranger);
  await expect(page.getByTestId("notice")).toContainText(/wrong/);
  const logs = stack.web.output + stack.api.output;
  expect(tokenIn(logs)).toBeUndefined();
  expect(logs).not.toContain("@example.com");
  expect(logs).not.toContain(stranger.password);
});

/** By Enter, which submits a form even when its button is off in some browsers. */
async function sendPassword(page: Page): Promise<void> {
  const name = page.getByLabel("Name", { exact: true });
  if ((await name.count()) > 0) await name.fill("Ada");
  await page.getByLabel("Email").fill("ada@example.com");
  await page.getByLabel("Password", { exact: true }).fill("incorrect donkey");
  await page.getByLabel("Password", { exact: true }).press("Enter");
  await page.locator("form").evaluate((form: HTMLFormElement) => {
    const button = form.querySelector<HTMLButtonElement>("button[type=submit]");
    button?.click();
  });
  await page.waitForLoadState();
}
