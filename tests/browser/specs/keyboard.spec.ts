import type { Locator, Page } from "@playwright/test";
import { expect, test } from "../harness/app.ts";
import { TasksPage } from "../harness/pages.ts";

/** Far more than there are stops on the page. */
const MOST_TABS = 60;

test("everything on the tasks page can be done with the keyboard alone", async ({
  page,
  person,
}) => {
  await person.addTasks("Water the plants", "Feed the cat");
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(2);

  await test.step("the first stop leads past the header", async () => {
    await page.keyboard.press("Tab");
    await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
    await page.keyboard.press("Enter");
    await tabTo(page, tasks.newTask, 3);
  });
  await test.step("add", async () => {
    await page.keyboard.type("Buy milk");
    await page.keyboard.press("Enter");
    await tasks.expectTitles(["Buy milk", "Feed the cat", "Water the plants"]);
    await expect(tasks.newTask).toBeFocused();
  });
  await test.step("complete, and take it back", async () => {
    await tabTo(page, tasks.box("Feed the cat"));
    await page.keyboard.press("Space");
    await expect(tasks.box("Feed the cat")).toBeChecked();
    await expect(tasks.box("Feed the cat")).toBeFocused();
    await page.keyboard.press("Space");
    await expect(tasks.box("Feed the cat")).not.toBeChecked();
  });
  await test.step("rename, think better of it, rename", async () => {
    await tabTo(page, tasks.renameButton("Feed the cat"));
    await page.keyboard.press("Enter");
    await expect(tasks.newTitle("Feed the cat")).toBeFocused();
    await page.keyboard.type("Feed the lion");
    await page.keyboard.press("Escape");
    await expect(tasks.renameButton("Feed the cat")).toBeFocused();
    await page.keyboard.press("Space");
    await expect(tasks.newTitle("Feed the cat")).toBeFocused();
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("Feed both cats");
    await page.keyboard.press("Enter");
    await expect(tasks.renameButton("Feed both cats")).toBeFocused();
  });
  await test.step("keep, and delete: the focus goes to the next, or to where new ones come", async () => {
    await tabTo(page, tasks.deleteButton("Feed both cats"));
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await expect(tasks.deleteButton("Feed both cats")).toBeFocused();
    const next: [title: string, then: Locator][] = [
      ["Feed both cats", tasks.box("Water the plants")],
      ["Water the plants", tasks.newTask],
      ["Buy milk", tasks.newTask],
    ];
    for (const [title, then] of next) {
      await tabTo(page, tasks.deleteButton(title));
      await page.keyboard.press("Enter");
      await expect(tasks.question(title).getByRole("button", { name: "Keep" })).toBeFocused();
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Enter");
      await expect(tasks.box(title)).toHaveCount(0);
      await expect(then, `after deleting ${title}`).toBeFocused();
    }
    await expect.poll(() => person.tasks()).toEqual([]);
  });
  await test.step("filter with the arrows", async () => {
    await tabTo(page, tasks.filter("All"));
    await page.keyboard.press("ArrowRight");
    await expect(tasks.filter("Open")).toBeChecked();
    await page.keyboard.press("ArrowRight");
    await expect(tasks.filter("Done")).toBeChecked();
  });
  await test.step("sign out", async () => {
    await tabTo(page, page.getByRole("button", { name: "Sign out" }));
    await page.keyboard.press("Enter");
    await expect(page).not.toHaveURL(/\/tasks/);
  });
});

test("loading more moves the focus nowhere but forward", async ({ page, person }) => {
  const titles = Array.from({ length: 25 }, (_, index) => `Task ${index + 1}`);
  await person.addTasks(...titles);
  const tasks = await TasksPage.open(page);
  await expect(tasks.loadMore).toBeVisible();
  await tasks.loadMore.focus();
  await page.keyboard.press("Enter");
  await expect(tasks.boxes).toHaveCount(25);
  await expect(tasks.loadMore).toBeHidden();
  await expect.poll(() => focused(page)).not.toBe("body");
});

test("whatever has the focus shows it", async ({ page, person }) => {
  await person.addTasks("Water the plants");
  const tasks = await TasksPage.open(page);
  await expect(tasks.boxes).toHaveCount(1);
  const seen = new Set<string>();
  for (let tab = 0; tab < MOST_TABS; tab += 1) {
    await page.keyboard.press("Tab");
    const name = await focused(page);
    if (name === "body") break;
    seen.add(name);
    const ring = await page.evaluate(() => {
      const active = document.activeElement as Element;
      // A control that is drawn by its label has the ring there.
      const drawn = [active, active.nextElementSibling, active.parentElement];
      return drawn.some((element) => {
        if (!element) return false;
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
        return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
      });
    });
    expect(ring, `a focus ring on ${name}`).toBe(true);
  }
  expect(seen.size).toBeGreaterThan(7);
});

/** Presses Tab until it is there: going on from where the focus is, and round the page once. */
async function tabTo(page: Page, target: Locator, most = MOST_TABS): Promise<void> {
  for (let tab = 0; tab < most; tab += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  await expect(target).toBeFocused();
}

/** What has the focus, in short. */
async function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const active = document.activeElement;
    if (!active || active === document.body) return "body";
    return `${active.tagName} ${active.getAttribute("aria-label") ?? active.textContent} ${active.id}`;
  });
}
