import type { Page } from "@playwright/test";
import { expect, test } from "../harness/service.ts";
import { authorize, execute, logOut, open, operation } from "../harness/swagger-ui.ts";

/** What the browser itself writes for each of these answers. */
const REFUSED = /status of 401 .*\/api\/tasks/;

test.beforeEach(({ watch, api }) => {
  watch.allowApi(api.url);
  // The one page that may keep a token, and show it: its developer has entered it.
  watch.allowStoredTokens();
});

test("a developer authorizes, tries the endpoints, logs out and is refused", async ({
  page,
  watch,
  api,
  auth,
}) => {
  watch.expectErrors(REFUSED);
  await page.goto(`${api.url}/docs`);
  await authorize(page, await auth.token("Ada Lovelace"));

  const create = operation(page, "createTask");
  await open(create);
  const body = create.getByRole("textbox").last();
  await body.fill(JSON.stringify({ title: "From Swagger UI" }));
  const created = await execute(create);
  await expect(created.status).toHaveText("201");
  await expect(created.body).toContainText('"title": "From Swagger UI"');
  await expect(created.headers).toContainText("location: /api/tasks/");

  const list = operation(page, "listTasks");
  await open(list);
  const listed = await execute(list);
  await expect(listed.status).toHaveText("200");
  await expect(listed.body).toContainText('"title": "From Swagger UI"');

  await logOut(page);
  const refused = await execute(list);
  await expect(refused.status).toContainText("401");
  await expect(refused.body).toContainText('"code": "credentials_missing"');
  await expect(refused.headers).toContainText("content-type: application/problem+json");
  await expect(refused.headers).toContainText("www-authenticate: Bearer");
});

const WRONG_TOKENS = [
  { what: "garbage", code: "token_malformed", claims: undefined },
  { what: "an expired token", code: "token_expired", claims: { exp: 1_700_000_000 } },
  {
    what: "a token for another API",
    code: "token_audience_mismatch",
    claims: { aud: "https://other.example.com" },
  },
];
test("a wrong token is refused with the reason", async ({ page, watch, api, auth }) => {
  watch.expectErrors(REFUSED);
  await page.goto(`${api.url}/docs`);
  const list = operation(page, "listTasks");
  await open(list);
  for (const { what, code, claims } of WRONG_TOKENS) {
    await test.step(what, async () => {
      await authorize(page, claims ? await auth.sign(claims) : "garbage");
      const refused = await execute(list);
      await expect(refused.body).toContainText(`"code": "${code}"`);
      await expect(refused.body).toContainText('"title": "Authentication failed"');
      await expect(refused.status).toContainText("401");
      await expect(refused.headers).toContainText('error="invalid_token"');
      await logOut(page);
    });
  }
});

test("a token that was entered survives a reload until its owner logs out", async ({
  page,
  api,
  auth,
}) => {
  const token = await auth.token("Grace Hopper");
  await page.goto(`${api.url}/docs`);
  await authorize(page, token);
  await page.reload();
  await expect(page.getByRole("button", { name: "Authorize" })).toHaveClass(/\blocked\b/);
  expect(await storage(page)).toContain(token);

  await logOut(page);
  expect(await storage(page)).not.toContain(token);
});

/** What outlives the page. */
async function storage(page: Page): Promise<string> {
  return page.evaluate(() => JSON.stringify({ ...localStorage }));
}
