import { expect, test } from "../harness/app.ts";
import { notice, signIn, TasksPage } from "../harness/pages.ts";

test.use({ stackOptions: { jwtExpiration: "2s" } });

/** What the browser writes when the auth server says that there is no session. */
const NO_SESSION = /status of 401 .*\/api\/auth\/token/;
/** And at the API, for a token that ended on its way: the client then asks for another. */
const EXPIRED = /status of 401 .*\/api\/tasks/;

test("a session that is revoked leads to signing in, with the reason, and back", async ({
  page,
  person,
  stack,
  watch,
}) => {
  watch.expectErrors(NO_SESSION, EXPIRED);
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  await tasks.show("Open");
  await expect(tasks.boxes).toHaveCount(1);
  await tasks.newTask.fill("A thought half");
  stack.revokeSessions(person.id);

  // The token in memory is good for as long as it lives: until then, the search finds.
  let searches = 0;
  await expect(async () => {
    searches += 1;
    if (/\/tasks/.test(page.url())) await tasks.search.fill("w".repeat(searches));
    await expect(page).toHaveURL(/\/sign-in\?/, { timeout: 500 });
  }).toPass();
  await expect(notice(page)).toContainText("Your session has ended");
  expect(new URL(page.url()).searchParams.get("next")).toBe("/tasks?show=open");

  await signIn(page, person.credentials);
  await expect(page).toHaveURL(/\/tasks\?show=open$/);
  await expect(tasks.filter("Open")).toBeChecked();
  await expect(tasks.newTask).toHaveValue("A thought half");
  await expect(tasks.notice).toBeHidden();
});

test("signing out in one tab ends the other as well", async ({ page, context, person }) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  const other = await TasksPage.open(await context.newPage());
  await expect(other.boxes).toHaveCount(1);
  await tasks.signOut();
  await expect(page).not.toHaveURL(/\/tasks/);
  await expect(other.page).toHaveURL(/\/sign-in\?/);
  await expect(other.page.getByText("Water the plants")).toBeHidden();
});

test("a page without a session asks to sign in first", async ({ openPage, person }) => {
  const page = await openPage();
  await page.goto("/tasks");
  await expect(page).toHaveURL(/\/sign-in\?next=%2Ftasks/);
  await signIn(page, person.credentials);
  await expect(page).toHaveURL(/\/tasks$/);
});
