import { expect, test } from "../harness/service.ts";
import { authorize, execute, open, operation } from "../harness/swagger-ui.ts";
import { DESKTOP, PHONE, take } from "./take.ts";

test.use({ deviceScaleFactor: 2 });

// It has no dark side.
const LOOKS = [
  { look: "light", colorScheme: "light", viewport: DESKTOP },
  { look: "phone", colorScheme: "light", viewport: PHONE },
] as const;

test("swagger-ui", async ({ page, watch, api, auth }) => {
  watch.allowApi(api.url);
  watch.allowStoredTokens();
  await page.goto(`${api.url}/docs`);
  await expect(page.getByRole("heading", { name: /Keyward/ })).toBeVisible();
  await take(page, "swagger-ui", LOOKS);

  await authorize(page, await auth.token("Ada Lovelace"));
  const create = operation(page, "createTask");
  await open(create);
  await create.getByRole("textbox").last().fill('{ "title": "Return the library books" }');
  const created = await execute(create);
  await expect(created.status).toHaveText("201");
  await created.status.scrollIntoViewIfNeeded();
  await take(page, "swagger-ui-created", LOOKS);
});
