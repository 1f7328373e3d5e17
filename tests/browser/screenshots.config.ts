import base from "./playwright.config.ts";

/** `npm run screenshots`: pictures for people to look at, in target/screenshots. */
export default { ...base, testDir: "screenshots", reporter: [["list"]] as [["list"]] };
