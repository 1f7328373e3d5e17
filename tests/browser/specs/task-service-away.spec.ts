import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";

const AWAY = "can’t reach the task service";

/** What the browser writes of each request that gets no answer. */
const NO_ANSWER = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|CONNECTION_CLOSED)/;

test.beforeEach(({ watch }) => watch.expectErrors(NO_ANSWER));

test.afterEach(async ({ stack }) => {
  // For the next test, whatever became of this one.
  if (!stack.api.isRunning) await stack.api.start();
});

test("the app says so, takes back what was not saved, and saves it when told to", async ({
  page,
  person,
  stack,
}) => {
  await person.addTasks("Water the plants", "Feed the cat");
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(2);
  await stack.api.stop();

  await test.step("adding", async () => {
    await tasks.add("Buy milk");
    await expect(tasks.notice).toContainText("“Buy milk” was not added");
    await expect(tasks.notice).toContainText(AWAY);
    await tasks.expectTitles(["Feed the cat", "Water the plants"]);
  });
  await test.step("completing", async () => {
    await tasks.box("Feed the cat").click();
    await expect(tasks.notice).toContainText("“Feed the cat” was not marked as done");
    await expect(tasks.box("Feed the cat")).not.toBeChecked();
  });
  await test.step("renaming", async () => {
    await tasks.rename("Feed the cat", "Feed the lion");
    await expect(tasks.notice).toContainText("“Feed the cat” was not renamed to “Feed the lion”");
    await tasks.expectTitles(["Feed the cat", "Water the plants"]);
  });

  await stack.api.start();
  expect(await person.tasks()).toMatchObject([
    { title: "Feed the cat", completed: false, revision: 1 },
    { title: "Water the plants", completed: false, revision: 1 },
  ]);
  await tasks.notice.getByRole("button", { name: "Try again" }).click();
  await expect(tasks.notice).toBeHidden();
  await tasks.expectTitles(["Buy milk", "Feed the lion", "Water the plants"]);
  await expect(tasks.box("Feed the lion")).toBeChecked();
  await expect
    .poll(() => person.tasks())
    .toMatchObject([
      { title: "Buy milk" },
      { title: "Feed the lion", completed: true, revision: 3 },
      { title: "Water the plants", completed: false, revision: 1 },
    ]);
});

test("a task that could not be deleted is back, and no longer there once it can", async ({
  page,
  person,
  stack,
}) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(1);
  await stack.api.stop();
  await tasks.delete("Water the plants");
  await expect(tasks.notice).toContainText("“Water the plants” was not deleted");
  await tasks.expectTitles(["Water the plants"]);

  await stack.api.start();
  await tasks.notice.getByRole("button", { name: "Try again" }).click();
  await expect(tasks.boxes).toHaveCount(0);
  await expect(tasks.notice).toBeHidden();
  await expect.poll(() => person.tasks()).toEqual([]);
});

test("what was not saved can be let go", async ({ page, person, stack }) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(1);
  await stack.api.stop();
  await tasks.add("Buy milk");
  await expect(tasks.notice).toContainText("“Buy milk” was not added");
  await stack.api.start();
  await tasks.notice.getByRole("button", { name: "Dismiss" }).click();
  await expect(tasks.notice).toBeHidden();
  await page.reload();
  await tasks.expectTitles(["Water the plants"]);
});

test("a page that is opened meanwhile says so, and fills by itself", async ({
  page,
  person,
  stack,
}) => {
  await person.addTasks("Water the plants");
  await stack.api.stop();
  await page.goto("/tasks");
  const tasks = new TasksPage(page);
  await expect(tasks.notice).toContainText(AWAY);
  await expect(page.getByText(/no tasks yet/i)).toBeHidden();
  await stack.api.start();
  await tasks.expectTitles(["Water the plants"]);
  await expect(tasks.notice).toBeHidden();
});

test("somebody who will not wait can try again", async ({ page, person, stack }) => {
  await person.addTasks("Water the plants");
  await stack.api.stop();
  await page.goto("/tasks");
  const tasks = new TasksPage(page);
  await expect(tasks.notice).toContainText(AWAY);
  await stack.api.start();
  await tasks.notice.getByRole("button", { name: "Try again" }).click();
  await tasks.expectTitles(["Water the plants"]);
});
