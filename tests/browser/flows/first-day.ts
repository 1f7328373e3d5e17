/** What a person does first, on whichever database. */

import { expect, test } from "../harness/app.ts";
import { signIn, signUp, TasksPage } from "../harness/pages.ts";
import { newCredentials } from "../harness/people.ts";

export function firstDay(): void {
  test("a person signs up, works on tasks, signs out, signs in again and finds them", async ({
    openPage,
    newPerson,
    watch,
  }) => {
    const person = newCredentials("Grace Hopper");
    const page = await openPage();
    await page.goto("/");
    await page.getByRole("link", { name: "Create account" }).click();
    await signUp(page, person);
    await expect(page).toHaveURL(/\/tasks$/);

    const tasks = new TasksPage(page);
    await tasks.add("Buy a ribbon for the compiler");
    await tasks.add("Find the moth");
    await tasks.add("Write the manual");
    const titles = ["Write the manual", "Find the moth", "Buy a ribbon for the compiler"];
    await tasks.expectTitles(titles);
    await tasks.box("Find the moth").check();
    await tasks.rename("Write the manual", "Write the first manual");
    await tasks.delete("Buy a ribbon for the compiler");
    const left = ["Write the first manual", "Find the moth"];
    await tasks.expectTitles(left);

    await test.step("a reload shows what the API has", async () => {
      // Changes are on the page before they are in the API.
      await expect.poll(() => watch.statuses("PATCH", /tasks/)).toEqual([200, 200]);
      await expect.poll(() => watch.statuses("DELETE", /tasks/)).toEqual([204]);
      await page.reload();
      await tasks.expectTitles(left);
      await expect(tasks.box("Find the moth")).toBeChecked();
      await expect(tasks.box("Write the first manual")).not.toBeChecked();
    });

    await test.step("signed out, nothing is left on the device", async () => {
      await tasks.signOut();
      await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
      await page.goBack();
      await expect(page.getByText("Find the moth")).toBeHidden();
      await page.goto("/tasks");
      await expect(page).toHaveURL(/\/sign-in\?next=/);
    });

    await test.step("a second person sees none of it", async () => {
      const other = await TasksPage.open(await openPage(await newPerson("Somebody Else")));
      await expect(other.page.getByRole("heading", { name: "No tasks yet" })).toBeVisible();
      await expect(other.boxes).toHaveCount(0);
    });

    await test.step("signed in again, all is there", async () => {
      await signIn(page, person);
      await expect(page).toHaveURL(/\/tasks$/);
      await tasks.expectTitles(left);
      await expect(tasks.box("Find the moth")).toBeChecked();
      await expect(tasks.notice).toBeHidden();
    });
  });
}
