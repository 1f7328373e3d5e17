import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";

test("somebody new is told how to begin", async ({ page }) => {
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(0);
  await expect(page.getByText(/no tasks yet/i)).toBeVisible();
  await tasks.add("Water the plants");
  await tasks.expectTitles(["Water the plants"]);
  await expect(page.getByText(/no tasks yet/i)).toBeHidden();
});

test("adding empties the field, keeps the focus there and is announced", async ({
  page,
  person,
}) => {
  const tasks = await TasksPage.open(page);
  await tasks.newTask.fill("Water the plants");
  await tasks.newTask.press("Enter");
  await tasks.expectTitles(["Water the plants"]);
  await expect(tasks.newTask).toHaveValue("");
  await expect(tasks.newTask).toBeFocused();
  await expect(tasks.status).toContainText("Water the plants");
  await expect.poll(() => person.tasks()).toMatchObject([{ title: "Water the plants" }]);
});

test("a title is trimmed, and one of blanks is none", async ({ page, person }) => {
  const tasks = await TasksPage.open(page);
  await tasks.add("   ");
  await expect(tasks.newTask).toBeFocused();
  await tasks.add("  Water\tthe plants  ");
  await tasks.expectTitles(["Water the plants"]);
  await expect.poll(() => person.tasks()).toMatchObject([{ title: "Water the plants" }]);

  await tasks.renameButton("Water the plants").click();
  await tasks.newTitle("Water the plants").fill("   ");
  await tasks.newTitle("Water the plants").press("Enter");
  await expect(tasks.newTitle("Water the plants")).toBeFocused();
  expect(await person.tasks()).toMatchObject([{ title: "Water the plants", revision: 1 }]);
});

test("a title has at most 200 characters", async ({ page, person }) => {
  const tasks = await TasksPage.open(page);
  await tasks.newTask.focus();
  await page.keyboard.insertText("x".repeat(250));
  await page.keyboard.press("Enter");
  await tasks.expectTitles(["x".repeat(200)]);
  await expect.poll(async () => (await person.tasks()).length).toBe(1);
  await expect(tasks.notice).toBeHidden();
});

test("titles are text, whatever they hold", async ({ page, person }) => {
  const titles = [
    "<img src=x onerror=alert(1)> & <b>bold</b>",
    '“Quotes” and "straight" ones',
    "שלום עולם 🌱",
    "a/b?c=d#e%20f",
    "x".repeat(200),
  ];
  const tasks = await TasksPage.open(page);
  for (const title of titles) await tasks.add(title);
  await tasks.expectTitles([...titles].reverse());
  await tasks.rename(titles[0] ?? "", "</script><script>alert(1)</script>");
  await expect(tasks.box("</script><script>alert(1)</script>")).toBeVisible();
  await expect.poll(async () => (await person.tasks()).length).toBe(titles.length);
});

test("completing survives a reload, and can be taken back", async ({ page, person, watch }) => {
  await person.addTasks("Water the plants", "Feed the cat");
  const tasks = await TasksPage.open(page);
  await tasks.box("Feed the cat").check();
  await expect.poll(() => watch.statuses("PATCH", /tasks/)).toEqual([200]);
  await page.reload();
  await expect(tasks.box("Feed the cat")).toBeChecked();
  await expect(tasks.box("Water the plants")).not.toBeChecked();
  await tasks.box("Feed the cat").uncheck();
  await expect
    .poll(() => person.tasks())
    .toMatchObject([{ completed: false }, { completed: false }]);
});

test("quick changes of one task all arrive, in their order", async ({ page, person }) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  const box = tasks.box("Water the plants");
  for (let turn = 0; turn < 5; turn += 1) await box.click();
  await expect(box).toBeChecked();
  await expect.poll(() => person.tasks()).toMatchObject([{ completed: true, revision: 6 }]);
  await expect(box).toBeChecked();
  await expect(tasks.notice).toBeHidden();
});

test("renaming: Enter and Save keep the new title, Escape and Cancel the old", async ({
  page,
  person,
}) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);

  await tasks.renameButton("Water the plants").click();
  const field = tasks.newTitle("Water the plants");
  await expect(field).toBeFocused();
  await expect(field).toHaveValue("Water the plants");
  await field.fill("Drown the plants");
  await field.press("Escape");
  await tasks.expectTitles(["Water the plants"]);
  await expect(tasks.renameButton("Water the plants")).toBeFocused();

  await tasks.renameButton("Water the plants").click();
  await field.fill("Drown the plants");
  await page.getByRole("button", { name: "Cancel" }).click();
  await tasks.expectTitles(["Water the plants"]);

  await tasks.renameButton("Water the plants").click();
  await field.fill("Water the palms");
  await page.getByRole("button", { name: "Save" }).click();
  await tasks.expectTitles(["Water the palms"]);
  await expect(tasks.renameButton("Water the palms")).toBeFocused();

  await tasks.rename("Water the palms", "Water the cacti");
  await tasks.expectTitles(["Water the cacti"]);
  await expect
    .poll(() => person.tasks())
    .toMatchObject([{ title: "Water the cacti", revision: 3 }]);
});

test("filters show what is open, what is done, or all", async ({ page, person }) => {
  const [milk] = await person.addTasks("Buy milk", "Buy bread", "Bake a cake");
  await person.call("PATCH", `/api/tasks/${milk?.id}`, {
    data: '{"completed":true}',
    headers: { "content-type": "application/merge-patch+json" },
  });
  const tasks = await TasksPage.open(page);
  await tasks.expectTitles(["Bake a cake", "Buy bread", "Buy milk"]);
  await expect(tasks.filter("All")).toBeChecked();

  await tasks.show("Open");
  await tasks.expectTitles(["Bake a cake", "Buy bread"]);
  await tasks.show("Done");
  await tasks.expectTitles(["Buy milk"]);
  await tasks.show("All");
  await tasks.expectTitles(["Bake a cake", "Buy bread", "Buy milk"]);

  await test.step("what no longer fits the filter leaves", async () => {
    await tasks.show("Open");
    await tasks.box("Buy bread").click();
    await tasks.expectTitles(["Bake a cake"]);
    await tasks.show("Done");
    await tasks.expectTitles(["Buy bread", "Buy milk"]);
  });
});

test("search finds by any part of the title, in any case, within the filter", async ({
  page,
  person,
}) => {
  await person.addTasks("Buy milk", "Buy bread", "Bake a cake", "100% done_deal");
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(4);
  await tasks.search.fill("BUY");
  await tasks.expectTitles(["Buy bread", "Buy milk"]);
  await tasks.search.fill("%");
  await tasks.expectTitles(["100% done_deal"]);
  await tasks.search.fill("zebra");
  await expect(tasks.boxes).toHaveCount(0);
  await expect(page.getByRole("heading", { name: "No task matches “zebra”" })).toBeVisible();
  await tasks.search.fill("bread");
  await tasks.show("Done");
  await expect(tasks.boxes).toHaveCount(0);
  await tasks.show("Open");
  await tasks.expectTitles(["Buy bread"]);
  await tasks.search.fill("");
  await tasks.show("All");
  await expect(tasks.boxes).toHaveCount(4);

  await test.step("what is added is seen, whatever was looked for", async () => {
    await tasks.show("Done");
    await tasks.add("Wash up");
    await expect(tasks.box("Wash up")).toBeVisible();
    await expect(tasks.filter("All")).toBeChecked();
  });
});

test("a long list comes in pieces, none twice and none left out", async ({ page, person }) => {
  const titles = Array.from({ length: 45 }, (_, index) => `Task ${index + 1}`);
  await person.addTasks(...titles);
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes.first()).toHaveAccessibleName("Task 45");
  const first = await tasks.boxes.count();
  expect(first).toBeLessThan(45);

  // What is added meanwhile shifts no border between the pieces.
  await tasks.add("A newcomer");
  await expect(tasks.boxes).toHaveCount(first + 1);
  while (await tasks.loadMore.isVisible()) {
    const before = await tasks.boxes.count();
    await tasks.loadMore.click();
    await expect.poll(() => tasks.boxes.count()).toBeGreaterThan(before);
  }
  await tasks.expectTitles(["A newcomer", ...titles.toReversed()]);
});

test("deleting asks first, and Keep and Escape keep", async ({ page, person }) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  await tasks.deleteButton("Water the plants").click();
  const keep = tasks.question("Water the plants").getByRole("button", { name: "Keep" });
  await expect(keep).toBeFocused();
  await keep.click();
  await expect(tasks.deleteButton("Water the plants")).toBeFocused();
  await tasks.deleteButton("Water the plants").click();
  await page.keyboard.press("Escape");
  await expect(tasks.deleteButton("Water the plants")).toBeFocused();
  // Where the bin was: a double click deletes nothing.
  await tasks.deleteButton("Water the plants").dblclick();
  await tasks.expectTitles(["Water the plants"]);
  expect(await person.tasks()).toHaveLength(1);
});

test("what is deleted does not come back", async ({ page, person, watch }) => {
  await person.addTasks("Water the plants", "Feed the cat");
  const tasks = await TasksPage.open(page);
  await tasks.delete("Feed the cat");
  await tasks.expectTitles(["Water the plants"]);
  await expect(tasks.status).toContainText("Deleted “Feed the cat”");
  await expect.poll(() => watch.statuses("DELETE", /tasks/)).toEqual([204]);
  await page.reload();
  await tasks.expectTitles(["Water the plants"]);
});
