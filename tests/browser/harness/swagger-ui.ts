/** Swagger UI's page, as developers use it. */

import { expect, type Locator, type Page } from "@playwright/test";

/** What stands under a heading of the page, by its operation id. */
export function operation(page: Page, id: string): Locator {
  return page.locator(`[id="operations-Tasks-${id}"]`);
}

/** For trying it. */
export async function open(operation: Locator): Promise<void> {
  await operation.locator(".opblock-summary-control").click();
  await operation.getByRole("button", { name: "Try it out" }).click();
}

/** Presses Execute; the page shows the answer some time later. */
export async function execute(
  operation: Locator,
): Promise<Record<"status" | "body" | "headers", Locator>> {
  await operation.getByRole("button", { name: "Execute" }).click();
  const answer = operation.locator(".live-responses-table tbody");
  return {
    status: answer.locator(".response-col_status"),
    body: answer.locator(".highlight-code"),
    headers: answer.locator(".headerline").first().locator("xpath=.."),
  };
}

export async function authorize(page: Page, token: string): Promise<void> {
  const dialog = await openAuthorization(page);
  await dialog.getByRole("textbox").fill(token);
  await dialog.getByRole("button", { name: "Apply credentials" }).click();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await expect(dialog).toBeHidden();
}

export async function logOut(page: Page): Promise<void> {
  const dialog = await openAuthorization(page);
  await dialog.getByRole("button", { name: "Remove authorization" }).click();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await expect(dialog).toBeHidden();
}

async function openAuthorization(page: Page): Promise<Locator> {
  // Each operation has such a button as well; the first is the page's own.
  await page.locator(".schemes").getByRole("button", { name: "Authorize" }).click();
  const dialog = page.locator(".modal-ux");
  await expect(dialog).toBeVisible();
  return dialog;
}
