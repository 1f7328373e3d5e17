import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";

test("a token that the API refuses is replaced, and the request sent again, unseen", async ({
  page,
  person,
  newPerson,
  stack,
  watch,
}) => {
  watch.expectErrors(/status of 401 .*\/api\/tasks/);
  // It looks for unknown keys at most every ten seconds, and a test before may have had some.
  await stack.api.stop();
  await stack.api.start();
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(1);
  const tokens = () => watch.statuses("GET", /^\/api\/auth\/token$/);
  const before = tokens().length;

  // The page's token is signed by a key that is gone, as the API learns from somebody else's.
  stack.dropSigningKeys();
  const other = await newPerson("Somebody Else");
  expect((await other.call("GET", "/api/tasks")).status()).toBe(200);

  await tasks.box("Water the plants").check();
  await expect.poll(() => watch.statuses("PATCH", /tasks/)).toEqual([401, 200]);
  await expect(tasks.box("Water the plants")).toBeChecked();
  await expect(tasks.notice).toBeHidden();
  expect(tokens().length).toBe(before + 1);
  expect(await person.tasks()).toMatchObject([{ completed: true, revision: 2 }]);
});
