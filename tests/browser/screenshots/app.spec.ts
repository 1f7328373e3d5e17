import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";
import { take } from "./take.ts";

// As phones of today have it; it does no harm on a desk.
test.use({ deviceScaleFactor: 2 });

const DAY = [
  "Return the library books",
  "Call the dentist about Thursday",
  "Water the tomatoes on the balcony",
  "Draft the agenda for the team retreat in June",
  "Renew the passport before the summer",
  "Buy a birthday present for Margaret",
  "Fix the squeaky kitchen door",
];
const DONE = ["Return the library books", "Water the tomatoes on the balcony"];

test("for everybody", async ({ openPage, watch }) => {
  watch.expectErrors(/status of 404 .*\/no-such-page/);
  const page = await openPage();
  const pages = { landing: "/", "sign-in": "/sign-in", "sign-up": "/sign-up" };
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await take(page, name);
  }
  await page.goto("/sign-in?next=%2Ftasks&ended=1");
  await take(page, "sign-in-session-ended");
  await page.goto("/no-such-page");
  await take(page, "not-found");
});

test("tasks", async ({ page, person, stack, watch }) => {
  watch.expectErrors(/net::ERR_CONNECTION_REFUSED/);
  const tasks = await TasksPage.open(page);
  await expect(page.getByText(/no tasks yet/i)).toBeVisible();
  await take(page, "tasks-empty");

  await person.addTasks(...DAY);
  await page.reload();
  await expect(tasks.boxes).toHaveCount(DAY.length);
  for (const title of DONE) await tasks.box(title).check();
  await expect.poll(() => watch.statuses("PATCH", /tasks/)).toEqual([200, 200]);
  await take(page, "tasks-filled");

  await tasks.renameButton("Fix the squeaky kitchen door").click();
  await take(page, "tasks-renaming");
  await page.keyboard.press("Escape");

  await tasks.search.fill("zebra");
  await expect(tasks.boxes).toHaveCount(0);
  await take(page, "tasks-nothing-found");
  await tasks.search.fill("");
  await expect(tasks.boxes).toHaveCount(DAY.length);

  await stack.api.stop();
  await tasks.add("Learn to juggle");
  await expect(tasks.notice).toContainText("can’t reach the task service");
  await take(page, "tasks-service-away");
});
