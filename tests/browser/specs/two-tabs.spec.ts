import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";

/** What the browser writes of a refused change. */
const REFUSED = /status of (404|412) .*\/api\/tasks\//;

test.beforeEach(({ watch }) => watch.expectErrors(REFUSED));

test("a change of what was changed elsewhere is not written over it", async ({
  page,
  context,
  person,
}) => {
  await person.addTasks("Water the plants");
  const one = await TasksPage.open(page);
  const other = await TasksPage.open(await context.newPage());
  await expect(one.boxes).toHaveCount(1);
  await expect(other.boxes).toHaveCount(1);

  await one.rename("Water the plants", "Water the palms");
  await expect.poll(() => person.tasks()).toMatchObject([{ title: "Water the palms" }]);
  await other.rename("Water the plants", "Drown the plants");
  await expect(other.notice).toContainText("changed elsewhere");
  await other.expectTitles(["Water the palms"]);
  expect(await person.tasks()).toMatchObject([{ title: "Water the palms", revision: 2 }]);

  // And now it may be changed.
  await other.rename("Water the palms", "Water the cacti");
  await expect.poll(() => person.tasks()).toMatchObject([{ title: "Water the cacti" }]);
});

test("a change of what was deleted elsewhere says so", async ({ page, context, person }) => {
  await person.addTasks("Water the plants", "Feed the cat");
  const one = await TasksPage.open(page);
  const other = await TasksPage.open(await context.newPage());
  await expect(other.boxes).toHaveCount(2);
  await one.delete("Feed the cat");
  await expect.poll(async () => (await person.tasks()).length).toBe(1);

  await other.box("Feed the cat").click();
  await expect(other.notice).toContainText("was deleted elsewhere");
  await other.expectTitles(["Water the plants"]);
});
