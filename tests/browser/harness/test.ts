/** `test` with every page watched, and with the logs of the programs in the report of a failure. */

import { type BrowserContextOptions, test as base, type Page } from "@playwright/test";
import type { Logged } from "./process.ts";
import { Watch } from "./watch.ts";

interface TestFixtures {
  watch: Watch;
  /** A page in a browser context of its own: another person, or another device. */
  newPage: (options?: BrowserContextOptions) => Promise<Page>;
  logsOfFailures: undefined;
}

interface WorkerFixtures {
  /** The programs that run. */
  programs: Logged[];
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern.
  programs: [async ({}, use) => use([]), { scope: "worker" }],

  logsOfFailures: [
    async ({ programs }, use, testInfo) => {
      const before = new Map(programs.map((program) => [program, program.output.length]));
      await use(undefined);
      if (testInfo.status === testInfo.expectedStatus) return;
      for (const program of programs) {
        const body = program.output.slice(before.get(program) ?? 0);
        await testInfo.attach(`log of ${program.name}`, { body, contentType: "text/plain" });
      }
    },
    { auto: true },
  ],

  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern.
  watch: async ({}, use) => use(new Watch()),

  context: async ({ context, watch }, use, testInfo) => {
    await watch.follow(context);
    await use(context);
    // A test that has failed already would only be harder to read.
    if (testInfo.status === testInfo.expectedStatus) await watch.verify();
  },

  // Whichever of this and `context` ends first verifies the pages of both: all are still open.
  newPage: async ({ browser, watch }, use, testInfo) => {
    const contexts: { close(): Promise<void> }[] = [];
    await use(async (options) => {
      const context = await browser.newContext(options);
      contexts.push(context);
      await watch.follow(context);
      return context.newPage();
    });
    if (testInfo.status === testInfo.expectedStatus) await watch.verify();
    for (const context of contexts) await context.close();
  },
});

export { expect } from "@playwright/test";
