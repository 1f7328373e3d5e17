import { defineConfig } from "@playwright/test";
import { CHROMIUM } from "./harness/artifacts.ts";

export default defineConfig({
  testDir: "specs",
  // Emptied at the start: a second run beside this one needs another.
  outputDir: process.env.BROWSER_RESULTS ?? "../../target/browser/results",
  globalSetup: "./harness/global-setup.ts",
  forbidOnly: !!process.env.CI,
  // A test that needs a second try is broken.
  retries: 0,
  workers: 1,
  timeout: 60_000,
  // A run that hangs ends.
  globalTimeout: 15 * 60_000,
  // Twice what anything here takes on a loaded machine.
  expect: { timeout: 10_000 },
  reporter: [["list"], ["html", { outputFolder: "../../target/browser/report", open: "never" }]],
  use: {
    browserName: "chromium",
    actionTimeout: 10_000,
    navigationTimeout: 20_000,
    locale: "en-GB",
    timezoneId: "UTC",
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: CHROMIUM,
      args: [
        // What the tests prove of the pages holds for the browser's own doings too.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *localhost, EXCLUDE 127.0.0.1",
        // Containers have a small one.
        "--disable-dev-shm-usage",
      ],
    },
  },
});
