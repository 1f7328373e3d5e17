import type { Page } from "@playwright/test";
import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";
import type { Watch } from "../harness/watch.ts";

const LIFETIME_SECONDS = 5;

test.use({ stackOptions: { jwtExpiration: `${LIFETIME_SECONDS}s` } });

const TOKEN = /^\/api\/auth\/token$/;
const TASKS = /^\/api\/tasks/;

test("tokens expire under somebody who works, who notices nothing", async ({
  page,
  person,
  watch,
}) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  const box = tasks.box("Water the plants");
  const begin = Date.now();
  let changes = 0;
  while (Date.now() - begin < 2.5 * LIFETIME_SECONDS * 1000) {
    await box.click();
    changes += 1;
    await expect(box).toBeChecked({ checked: changes % 2 === 1 });
    await expect(tasks.notice).toBeHidden();
    // Time itself is what this is about.
    await page.waitForTimeout(700);
  }
  await expect.poll(() => watch.statuses("PATCH", TASKS).length).toBe(changes);
  expect(new Set(watch.statuses("PATCH", TASKS))).toEqual(new Set([200]));
  await expect.poll(() => person.tasks()).toMatchObject([{ revision: changes + 1 }]);

  // Renewed at half of its life: five or six times in that time, and not for each request.
  const renewals = watch.statuses("GET", TOKEN);
  expect(new Set(renewals)).toEqual(new Set([200]));
  expect(renewals.length).toBeGreaterThanOrEqual(3);
  expect(renewals.length).toBeLessThanOrEqual(8);
  expect(changes).toBeGreaterThan(renewals.length);
});

test("a token that expired while nobody worked is replaced before it is used", async ({
  page,
  person,
  watch,
}) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(1);
  // Time itself is what this is about.
  await page.waitForTimeout((LIFETIME_SECONDS + 1) * 1000);
  await tasks.box("Water the plants").check();
  await expect.poll(() => watch.statuses("PATCH", TASKS)).toEqual([200]);
  await expect(tasks.notice).toBeHidden();
});

test("a device whose clock is years ahead is no hindrance", async ({ page, person, watch }) => {
  await person.addTasks("Water the plants");
  await page.clock.setSystemTime(new Date("2035-05-05T05:05:05Z"));
  const tasks = await TasksPage.open(page);
  await tasks.box("Water the plants").check();
  await tasks.add("Feed the cat");
  await expect.poll(() => watch.statuses("POST", TASKS)).toEqual([201]);
  await expect.poll(() => watch.statuses("PATCH", TASKS)).toEqual([200]);
  await expect(tasks.notice).toBeHidden();
  expect(watch.statuses("GET", TOKEN).length).toBeLessThanOrEqual(3);
});

test.describe("the signing key changes", () => {
  test.beforeEach(async ({ stack }) => {
    // It looks for unknown keys at most every ten seconds, and the tests before had some.
    await stack.api.stop();
    await stack.api.start();
  });

  test("it rotates, and tokens signed by the new one are taken", async ({
    page,
    person,
    stack,
    watch,
  }) => {
    await person.addTasks("Water the plants");
    const tasks = await TasksPage.open(page);
    await expect(tasks.boxes).toHaveCount(1);
    const oldKey = keyIds(watch).at(-1);
    expect(oldKey).toBeTruthy();

    stack.rotateSigningKey();
    await workUntilNewKey(page, tasks, watch, oldKey);
    expect(new Set(watch.statuses("PATCH", TASKS))).toEqual(new Set([200]));
    await expect(tasks.notice).toBeHidden();
  });

  test("it is dropped, and work goes on", async ({ page, person, stack, watch }) => {
    await person.addTasks("Water the plants");
    const tasks = await TasksPage.open(page);
    await expect(tasks.boxes).toHaveCount(1);
    const oldKey = keyIds(watch).at(-1);

    stack.dropSigningKeys();
    await workUntilNewKey(page, tasks, watch, oldKey);
    expect(new Set(watch.statuses("PATCH", TASKS))).toEqual(new Set([200]));
    await expect(tasks.notice).toBeHidden();
  });
});

/** Work goes on until a request carries a token of another key. */
async function workUntilNewKey(
  page: Page,
  tasks: TasksPage,
  watch: Watch,
  oldKey: string | undefined,
): Promise<void> {
  const box = tasks.box("Water the plants");
  const end = Date.now() + 2 * LIFETIME_SECONDS * 1000;
  let changes = 0;
  while (keyIds(watch).at(-1) === oldKey) {
    expect(Date.now(), "a token of the new key in time").toBeLessThan(end);
    await box.click();
    changes += 1;
    await expect.poll(() => watch.statuses("PATCH", TASKS).length).toBe(changes);
    // Time itself is what this is about.
    await page.waitForTimeout(300);
  }
}

/** The keys that signed the tokens that the API got, in order. */
function keyIds(watch: Watch): string[] {
  return watch.requests.flatMap((request) => {
    const token = request.headers().authorization?.replace("Bearer ", "");
    if (!token) return [];
    const header = Buffer.from(token.split(".")[0] ?? "", "base64url").toString();
    return [(JSON.parse(header) as { kid: string }).kid];
  });
}
