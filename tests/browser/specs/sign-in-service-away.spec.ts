import type { Route } from "@playwright/test";
import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";

test.afterEach(async ({ stack }) => {
  // For the next test, whatever became of this one.
  if (!stack.web.isRunning) await stack.web.start();
});

test.use({ stackOptions: { jwtExpiration: "2s" } });

const AWAY = "can’t reach the sign-in service";

/** What the browser writes of each. */
const FAILURES = [
  /status of 429 .*\/api\/auth\/token/,
  /status of 500 .*\/api\/auth\/token/,
  /net::ERR_(FAILED|CONNECTION_REFUSED|EMPTY_RESPONSE|CONNECTION_RESET) \(.*\/api\/auth\/token/,
  // An old token is used to its end, which is in whole seconds of the server's clock.
  /status of 401 .*\/api\/tasks/,
];

const ANSWERS: [what: string, answer: (route: Route) => Promise<void>][] = [
  [
    "refuses for a while",
    (route) =>
      route.fulfill({
        status: 429,
        headers: { "x-retry-after": "1" },
        json: { message: "Too many requests. Please try again later." },
      }),
  ],
  ["fails", (route) => route.fulfill({ status: 500 })],
  ["gives no answer", (route) => route.abort()],
];
for (const [what, answer] of ANSWERS) {
  test(`when it ${what}, the person stays signed in, and reading goes on by itself`, async ({
    page,
    person,
    watch,
  }) => {
    watch.expectErrors(...FAILURES);
    await person.addTasks("Water the plants");
    const tasks = await TasksPage.open(page);
    await expect(tasks.boxes).toHaveCount(1);

    await page.route("**/api/auth/token", answer);
    await searchUntilNotice(tasks);
    await expect(tasks.notice).toContainText(AWAY);
    await expect(page).toHaveURL(/\/tasks$/);

    await page.unroute("**/api/auth/token");
    await expect(tasks.notice).toBeHidden();
    await tasks.search.fill("");
    await tasks.expectTitles(["Water the plants"]);
  });
}

test("when it is stopped and started, nothing of what was done is lost", async ({
  page,
  person,
  stack,
  watch,
}) => {
  watch.expectErrors(...FAILURES);
  const tasks = await TasksPage.open(page);
  await expect(page.getByRole("heading", { name: "No tasks yet" })).toBeVisible();
  await stack.web.stop();

  // The token in memory is good for as long as it lives.
  const added: string[] = [];
  await expect(async () => {
    const title = `Task ${added.length + 1}`;
    await tasks.add(title);
    added.unshift(title);
    await expect(tasks.notice).toBeVisible({ timeout: 500 });
  }).toPass();
  await expect(tasks.notice).toContainText(AWAY);
  await expect(tasks.notice).toContainText(`“${added[0]}” was not added`);
  await expect(page).toHaveURL(/\/tasks$/);

  await stack.web.start();
  await tasks.notice.getByRole("button", { name: "Try again" }).click();
  await expect(tasks.notice).toBeHidden();
  await tasks.expectTitles(added);
  expect(await person.tasks()).toMatchObject(added.map((title) => ({ title })));
});

test("signing out while it is away says that one is still signed in", async ({
  page,
  stack,
  watch,
}) => {
  // Reset: what was on its way when it went.
  watch.expectErrors(/net::ERR_CONNECTION_(REFUSED|RESET)/);
  const tasks = await TasksPage.open(page);
  await stack.web.stop();
  await tasks.signOut();
  await expect(tasks.notice.first()).toContainText("You are still signed in");
  await stack.web.start();
  await tasks.notice.first().getByRole("button", { name: "Try again" }).click();
  await expect(page).toHaveURL(`${stack.web.url}/`);
});

/** The token in memory is good for as long as it lives. */
async function searchUntilNotice(tasks: TasksPage): Promise<void> {
  let searches = 0;
  await expect(async () => {
    searches += 1;
    await tasks.search.fill("w".repeat(searches));
    await expect(tasks.notice).toBeVisible({ timeout: 500 });
  }).toPass();
}
