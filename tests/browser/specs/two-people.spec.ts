import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";

test("a person sees nothing of another's, and cannot reach it by its id", async ({
  page,
  person,
  newPerson,
  openPage,
}) => {
  const [secret] = await person.addTasks("Plan the surprise party");
  if (!secret) throw new Error("no task was made");
  const mallory = await newPerson("Mallory");
  await mallory.addTasks("Read other people's mail");

  const theirs = await TasksPage.open(await openPage(mallory));
  await theirs.expectTitles(["Read other people's mail"]);
  await theirs.search.fill("party");
  await expect(theirs.boxes).toHaveCount(0);

  const path = `/api/tasks/${secret.id}`;
  const merge = { "content-type": "application/merge-patch+json" };
  const attempts: [method: string, options: { data?: string; headers?: Record<string, string> }][] =
    [
      ["GET", {}],
      ["PATCH", { data: '{"title":"Mine now"}', headers: merge }],
      ["PATCH", { data: '{"title":"Mine now"}', headers: { ...merge, "if-match": '"1"' } }],
      ["DELETE", {}],
    ];
  for (const [method, options] of attempts) {
    const answer = await mallory.call(method, path, options);
    expect(answer.status(), method).toBe(404);
    expect(await answer.json(), method).toMatchObject({ code: "task_not_found" });
  }

  // Theirs, untouched, in the list that they see.
  const mine = await TasksPage.open(page);
  await mine.expectTitles(["Plan the surprise party"]);
  expect(await person.tasks()).toEqual([secret]);
});

test("who signs in after another on the same device sees only their own", async ({
  page,
  person,
  newPerson,
  context,
}) => {
  await person.addTasks("Plan the surprise party");
  const tasks = await TasksPage.open(page);
  await tasks.expectTitles(["Plan the surprise party"]);
  await tasks.signOut();
  await expect(page).not.toHaveURL(/\/tasks/);

  const mallory = await newPerson("Mallory");
  await mallory.addTasks("Read other people's mail");
  await context.addCookies(mallory.storageState.cookies);
  await page.goto("/tasks");
  await tasks.expectTitles(["Read other people's mail"]);
  await expect(page.getByText("Plan the surprise party")).toBeHidden();
});
