// The service does what the document says, whatever it is sent, and shows nobody another's tasks.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { operations } from "./breaking/document.mjs";
import { CURRENT, readJson } from "./support/files.mjs";
import * as hole from "./support/holes.mjs";
import { startKeyward } from "./support/keyward.mjs";
import { tryOut } from "./support/schemathesis.mjs";

// Ten to fifteen seconds on two idle cores. The holes are found with far fewer.
const CASES = 100;
const CASES_FOR_HOLES = 20;

let keyward;
before(async () => {
  keyward = await startKeyward();
});
after(() => keyward?.stop());

test("schemathesis finds nothing in the service", async (t) => {
  const { output, report } = await tryOut(keyward, CASES);
  assert.deepEqual(findings(report), [], output);
  assert.equal(report.exit_code, 0, output);
  assert.equal(report.stop_reason, "completed", output);

  // Refusals alone would prove nothing.
  for (const [method, path] of operations(readJson(CURRENT))) {
    const operation = `${method.toUpperCase()} ${path}`;
    const { accepted } = report.valid_rates[operation].fuzzing;
    assert.ok(accepted > 0, `${operation} accepted nothing`);
  }
  t.diagnostic(`${report.test_cases.generated} cases in ${Math.round(report.running_time)} s`);
});

// Each in an operation of its own, so that one run finds them all and none hides another.
const HOLES = [
  ["GET /api/tasks/{id}", hole.anyonesTasks, "ObjectLevelAuthorizationViolation"],
  ["GET /api/me", hole.noAuthentication, "IgnoredAuth"],
  ["DELETE /api/tasks/{id}", () => hole.otherStatus(404, 410), "UndefinedStatusCode"],
  ["GET /api/tasks", () => hole.itemsWithout("revision"), "JsonSchemaError"],
  ["POST /api/tasks", () => hole.withoutHeader("www-authenticate"), "MissingHeaders"],
  ["PATCH /api/tasks/{id}", () => hole.onlyMembers("title", "completed"), "AcceptedNegativeData"],
  ["GET /readyz", () => hole.otherStatus(200, 500), "ServerError"],
];

test("schemathesis finds what is planted", async (t) => {
  const planted = HOLES.map(([operation, plant]) => [operation, plant(keyward.tokens)]);
  const proxy = await hole.startProxy(keyward.url, Object.fromEntries(planted));
  t.after(() => proxy.stop());
  const { output, report } = await tryOut({ ...keyward, url: proxy.url }, CASES_FOR_HOLES);

  const found = findings(report);
  for (const [operation, , kind] of HOLES) {
    assert.ok(found.includes(`${operation}: ${kind}`), `no ${kind} of ${operation}:\n${output}`);
  }
  const others = found.filter((finding) => !HOLES.some(([it]) => finding.startsWith(`${it}:`)));
  assert.deepEqual(others, [], output);
});

function findings({ failures }) {
  return failures.flatMap(({ type, operations: of }) =>
    of.map((operation) => `${operation}: ${type}`),
  );
}
