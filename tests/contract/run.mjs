// Runs the contract tests: `node tests/contract/run.mjs`, after `bash tests/contract/install.sh` and
// with a built `keyward` (`target/debug/keyward`, or what KEYWARD_BIN names).

import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const PARTS = {
  "lint.test.mjs": "the document under two linters",
  "breaking.test.mjs": "breaking changes since the last release",
  "isolation.test.mjs": "one user's tasks kept from another",
  "schemathesis.test.mjs": "the service under schemathesis",
};

// Two minutes for each run of schemathesis, and something for the rest.
const LIMIT_MS = 5 * 60 * 1000;

const files = Object.keys(PARTS).map((name) => fileURLToPath(new URL(name, import.meta.url)));
const passed = Object.fromEntries(files.map((file) => [file, 0]));

const aborted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => aborted.abort());

const tests = run({ files, concurrency: 1, timeout: LIMIT_MS, signal: aborted.signal });
tests.on("test:fail", () => (process.exitCode = 1));
tests.on("test:pass", ({ file, skip, todo }) => {
  if (skip === undefined && todo === undefined) passed[file] += 1;
  else process.exitCode = 1;
});
tests.compose(new spec()).pipe(process.stdout);

process.on("exit", () => {
  for (const [at, what] of Object.values(PARTS).entries()) {
    const count = passed[files[at]];
    console.log(`${what}: ${count} passed`);
    if (count === 0) process.exitCode = 1;
  }
});
