// Both linters accept the document, warnings included, and refuse it once it is spoilt.

import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CURRENT, readJson } from "./support/files.mjs";
import { start, temporaryDirectory } from "./support/process.mjs";

const LIMIT_MS = 60_000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const LINTERS = {
  redocly: ["lint", "--format=stylish", "--config", here("../../openapi/redocly.yaml")],
  spectral: ["lint", "--fail-severity=hint", "--ruleset", here("../../openapi/spectral.yaml")],
};

const ENVIRONMENT = {
  PATH: process.env.PATH,
  NO_COLOR: "1",
  // Redocly's command line would otherwise report its use and ask for updates.
  REDOCLY_TELEMETRY: "off",
  REDOCLY_SUPPRESS_UPDATE_NOTICE: "true",
};

/** Lints a document: the exit code and what was said. */
async function lint(linter, document) {
  const directory = temporaryDirectory();
  const file = join(directory, "openapi.json");
  if (document) writeFileSync(file, JSON.stringify(document));
  else copyFileSync(CURRENT, file);
  const command = here(`node_modules/.bin/${linter}`);
  const program = start(command, [...LINTERS[linter], file], { directory, env: ENVIRONMENT });
  const { code, stdout, stderr } = await program.ended(LIMIT_MS);
  return { code, output: stdout + stderr };
}

for (const linter of Object.keys(LINTERS)) {
  test(`${linter} accepts the document`, async () => {
    const { code, output } = await lint(linter);
    assert.equal(code, 0, output);
  });
}

// To each linter an error, and what is only a warning by default.
const SPOILT = [
  ["redocly", "no-invalid-schema-examples", (it) => it.components.schemas.Task.examples.push({})],
  ["redocly", "no-unused-components", (it) => (it.components.schemas.Spare = { type: "string" })],
  ["spectral", "path-params", (it) => it.paths["/api/tasks/{id}"].get.parameters.pop()],
  ["spectral", "operation-description", (it) => delete it.paths["/api/me"].get.description],
];

for (const [linter, rule, spoil] of SPOILT) {
  test(`${linter} refuses a document that breaks ${rule}`, async () => {
    const document = readJson(CURRENT);
    spoil(document);
    const { code, output } = await lint(linter, document);
    assert.equal(code, 1, output);
    assert.match(output, new RegExp(`\\b${rule}\\b`));
  });
}
