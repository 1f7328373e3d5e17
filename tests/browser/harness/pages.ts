/** The app's pages, found as people find things on them: by role and name. */

import { expect, type Locator, type Page } from "@playwright/test";
import type { Credentials } from "./people.ts";

/** Errors, and what people should know. */
export function notice(page: Page): Locator {
  return page.getByTestId("notice");
}

export async function signUp(page: Page, credentials: Credentials): Promise<void> {
  await page.getByLabel("Name", { exact: true }).fill(credentials.name);
  await page.getByLabel("Email").fill(credentials.email);
  await page.getByLabel("Password", { exact: true }).fill(credentials.password);
  await page.getByRole("button", { name: "Create account" }).click();
}

export async function signIn(page: Page, credentials: Credentials): Promise<void> {
  await page.getByLabel("Email").fill(credentials.email);
  await page.getByLabel("Password", { exact: true }).fill(credentials.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export class TasksPage {
  readonly page: Page;
  readonly list: Locator;
  readonly boxes: Locator;
  readonly newTask: Locator;
  readonly addButton: Locator;
  readonly search: Locator;
  readonly loadMore: Locator;
  readonly notice: Locator;
  readonly status: Locator;

  constructor(page: Page) {
    this.page = page;
    this.list = page.getByRole("list", { name: "Tasks" });
    this.boxes = this.list.getByRole("checkbox");
    this.newTask = page.getByRole("textbox", { name: "New task" });
    this.addButton = page.getByRole("button", { name: "Add", exact: true });
    this.search = page.getByRole("searchbox", { name: "Search tasks" });
    this.loadMore = page.getByRole("button", { name: "Load more" });
    this.notice = notice(page);
    this.status = page.getByRole("status");
  }

  static async open(page: Page): Promise<TasksPage> {
    await page.goto("/tasks");
    const tasks = new TasksPage(page);
    // Until the script has taken over, nothing can be sent.
    await expect(tasks.addButton).toBeEnabled();
    return tasks;
  }

  box(title: string): Locator {
    return this.list.getByRole("checkbox", { name: title, exact: true });
  }

  async add(title: string): Promise<void> {
    await this.newTask.fill(title);
    await this.addButton.click();
  }

  renameButton(title: string): Locator {
    return this.page.getByRole("button", { name: `Rename “${title}”`, exact: true });
  }

  deleteButton(title: string): Locator {
    return this.page.getByRole("button", { name: `Delete “${title}”`, exact: true });
  }

  /** Asked before a task is deleted. */
  question(title: string): Locator {
    return this.page.getByRole("group", { name: `Delete “${title}” for good?` });
  }

  async delete(title: string): Promise<void> {
    await this.deleteButton(title).click();
    await this.question(title).getByRole("button", { name: "Delete" }).click();
  }

  newTitle(title: string): Locator {
    return this.page.getByRole("textbox", { name: `New title for “${title}”`, exact: true });
  }

  async rename(title: string, to: string): Promise<void> {
    await this.renameButton(title).click();
    await this.newTitle(title).fill(to);
    await this.newTitle(title).press("Enter");
  }

  filter(name: "All" | "Open" | "Done"): Locator {
    return this.page.getByRole("radiogroup", { name: "Show" }).getByRole("radio", { name });
  }

  async show(name: "All" | "Open" | "Done"): Promise<void> {
    await this.filter(name).check();
  }

  /** These and no other, from the top. */
  async expectTitles(titles: string[]): Promise<void> {
    await expect(this.boxes).toHaveCount(titles.length);
    for (const [index, title] of titles.entries()) {
      await expect(this.boxes.nth(index)).toHaveAccessibleName(title);
    }
  }

  async signOut(): Promise<void> {
    await this.page.getByRole("button", { name: "Sign out" }).click();
  }
}
