import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "../harness/app.ts";
import { notice, signIn, TasksPage } from "../harness/pages.ts";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** The width that WCAG 1.4.10 asks for: 1280 pixels at four times their size. */
const NARROWEST = { width: 320, height: 640 };
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };

const LOOKS = [
  { viewport: DESKTOP, colorScheme: "light" },
  { viewport: DESKTOP, colorScheme: "dark" },
  { viewport: PHONE, colorScheme: "dark" },
] as const;

// Without it, axe may measure a colour on its way from light to dark.
test.use({ contextOptions: { reducedMotion: "reduce" } });

test.describe("nobody is signed in", () => {
  for (const path of ["/", "/sign-in", "/sign-up", "/sign-in?ended=1", "/no-such-page"]) {
    test(path, async ({ openPage, watch }) => {
      watch.expectErrors(/status of 404 .*\/no-such-page/);
      const page = await openPage();
      await page.goto(path);
      await isAccessible(page);
    });
  }

  test("/sign-up with mistakes", async ({ openPage }) => {
    const page = await openPage();
    await page.goto("/sign-up");
    await page.getByRole("button", { name: "Create account" }).click();
    const name = page.getByLabel("Name", { exact: true });
    await expect(name).toBeFocused();
    await expect(name).toHaveAttribute("aria-invalid", "true");
    await expect(name).toHaveAccessibleDescription(/.+/);
    await isAccessible(page);
  });

  test("/sign-in with a wrong password", async ({ openPage, person, watch }) => {
    watch.expectErrors(/status of 401 .*\/api\/auth\/sign-in\/email/);
    const page = await openPage();
    await page.goto("/sign-in");
    await signIn(page, { ...person.credentials, password: "incorrect donkey" });
    await expect(notice(page)).toContainText(/wrong/);
    await isAccessible(page);
  });
});

test.describe("/tasks", () => {
  test("empty", async ({ page }) => {
    await TasksPage.open(page);
    await expect(page.getByText(/no tasks yet/i)).toBeVisible();
    await isAccessible(page);
  });

  test("filled, and with nothing found", async ({ page, person }) => {
    const titles = Array.from({ length: 22 }, (_, index) => `Task ${index + 1}`);
    await person.addTasks(
      ...titles,
      "x".repeat(200),
      "A title of several words, long enough to wrap",
    );
    const tasks = await TasksPage.open(page);
    await expect(tasks.loadMore).toBeVisible();
    await tasks.boxes.nth(1).check();
    await isAccessible(page);
    await tasks.search.fill("zebra");
    await expect(tasks.boxes).toHaveCount(0);
    await isAccessible(page);
  });

  test("while renaming and deleting", async ({ page, person }) => {
    await person.addTasks("Water the plants", "Feed the cat");
    const tasks = await TasksPage.open(page);
    await tasks.renameButton("Feed the cat").click();
    await tasks.newTitle("Feed the cat").fill("");
    await tasks.newTitle("Feed the cat").press("Enter");
    await tasks.deleteButton("Water the plants").click();
    await isAccessible(page);
  });

  test("with the task service away", async ({ page, person, stack, watch }) => {
    watch.expectErrors(/net::ERR_CONNECTION_(REFUSED|RESET)/);
    await person.addTasks("Water the plants");
    const tasks = await TasksPage.open(page);
    await expect(tasks.boxes).toHaveCount(1);
    await stack.api.stop();
    try {
      await tasks.add("Feed the cat");
      await expect(tasks.notice).toBeVisible();
      await isAccessible(page);
      await page.reload();
      await expect(tasks.notice).toBeVisible();
      await isAccessible(page);
    } finally {
      await stack.api.start();
    }
  });
});

/** In light and dark, on a desk and in a hand; and never wider than the narrowest screen. */
async function isAccessible(page: Page): Promise<void> {
  for (const { viewport, colorScheme } of LOOKS) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
    const found = violations.map(({ id, nodes }) => ({
      id,
      where: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`),
    }));
    expect(found, `${colorScheme}, ${viewport.width} pixels wide`).toEqual([]);
  }
  await page.setViewportSize(NARROWEST);
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(overflow, "pixels beyond the narrowest screen").toBeLessThanOrEqual(0);
  await page.setViewportSize(DESKTOP);
}
