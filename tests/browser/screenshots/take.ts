/** One picture of what a page shows, in each of the looks that people have. */

import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";

const DIRECTORY = fileURLToPath(new URL("../../../target/screenshots/", import.meta.url));

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

export interface Look {
  look: string;
  colorScheme: "light" | "dark";
  viewport: { width: number; height: number };
}

const LOOKS: readonly Look[] = [
  { look: "light", colorScheme: "light", viewport: DESKTOP },
  { look: "dark", colorScheme: "dark", viewport: DESKTOP },
  { look: "phone", colorScheme: "light", viewport: PHONE },
  { look: "phone-dark", colorScheme: "dark", viewport: PHONE },
];

export async function take(
  page: Page,
  name: string,
  looks: readonly Look[] = LOOKS,
): Promise<void> {
  for (const { look, colorScheme, viewport } of looks) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize(viewport);
    await page.screenshot({
      path: `${DIRECTORY}${name}-${look}.png`,
      animations: "disabled",
      caret: "hide",
    });
  }
}
