// The document still promises what the last release promised, and a change that does not is found.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unanswered } from "./breaking/allowed.mjs";
import { breakingChanges } from "./breaking/compare.mjs";
import { BREAKING, HARMLESS, mutated } from "./breaking/mutants.mjs";
import { ALLOWED, CURRENT, RELEASED, readJson } from "./support/files.mjs";

test("nothing breaks the clients of the last release", () => {
  const lines = breakingChanges(readJson(RELEASED), readJson(CURRENT));
  const problems = unanswered(lines, readJson(ALLOWED));
  const hint = `A break that is meant goes into ${ALLOWED}, with the reason.`;
  assert.equal(problems.length, 0, [...problems, hint].join("\n"));
});

test("breaks are allowed one by one, with a reason, as long as they are there", () => {
  const entry = { break: "GET /api/me: removed", reason: "moved" };
  assert.deepEqual(unanswered(["GET /api/me: removed"], [entry]), []);
  assert.deepEqual(unanswered(["GET /api/me: removed"], []), [
    "breaks clients: GET /api/me: removed",
  ]);
  assert.deepEqual(unanswered([], [entry]), [
    "allowed, but not there any more: GET /api/me: removed",
  ]);
  assert.deepEqual(unanswered(["GET /api/me: removed"], [{ ...entry, reason: " " }]), [
    "allowed without a reason: GET /api/me: removed",
  ]);
});

for (const [name, [change, ...expected]] of Object.entries(BREAKING)) {
  test(`breaks: ${name}`, () => {
    const lines = breakingChanges(...mutated(readJson(CURRENT), change));
    assert.equal(lines.length, expected.length, lines.join("\n"));
    for (const [at, line] of lines.entries()) {
      const matches = typeof expected[at] === "string" ? assert.equal : assert.match;
      matches(line, expected[at]);
    }
  });
}

for (const [name, change] of Object.entries(HARMLESS)) {
  test(`does not break: ${name}`, () => {
    assert.deepEqual(breakingChanges(...mutated(readJson(CURRENT), change)), []);
  });
}
