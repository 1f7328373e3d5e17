import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, type ApiErrorCode } from "@keyward/client";
import type { Change } from "../../tasks/changes.ts";
import {
  describeFailure,
  describeUnsaved,
  isOvertaken,
  isSessionEnd,
  quote,
} from "../../tasks/failure.ts";
import { task } from "./fixtures.ts";

function failed(status: number, code: ApiErrorCode, title = "Title of the problem") {
  return new ApiError({ status, code, title, traceId: "4bf92f3577b34da6a3ce929d0e0e4736" });
}

for (const error of [
  failed(0, "network_error"),
  failed(0, "timeout"),
  failed(502, "http_error"),
  failed(503, "http_error"),
]) {
  test(`${error.status} ${error.code}: the task service is away, for now`, () => {
    const { text, away, passing } = describeFailure(error);
    assert.equal(text, "We can’t reach the task service.");
    assert.ok(away && passing);
  });
}

for (const status of [0, 403, 429, 500]) {
  test(`no token (${status}): the sign-in service is away, for now`, () => {
    const { text, passing } = describeFailure(failed(status, "token_unavailable"));
    assert.equal(text, "We can’t reach the sign-in service.");
    assert.ok(passing);
  });
}

test("a problem of the service is told by its title, with what to look for in its logs", () => {
  const { text, traceId, away, passing } = describeFailure(failed(503, "database_unavailable"));
  assert.equal(text, "The task service answered: Title of the problem.");
  assert.equal(traceId, "4bf92f3577b34da6a3ce929d0e0e4736");
  assert.ok(!away && passing);
});

test("a refusal does not pass by being tried again", () => {
  assert.ok(!describeFailure(failed(401, "token_audience_mismatch")).passing);
  assert.ok(!describeFailure(failed(400, "parameter_invalid")).passing);
  assert.ok(!describeFailure(new TypeError("x is undefined")).passing);
});

test("only the sign-in service's word ends a session", () => {
  assert.ok(isSessionEnd(failed(401, "session_ended")));
  assert.ok(!isSessionEnd(failed(401, "token_expired")));
  assert.ok(!isSessionEnd(failed(0, "token_unavailable")));
  assert.ok(!isSessionEnd(new Error("session_ended")));
});

const seen = task(1, { title: "Buy milk" });
const away = failed(0, "network_error");

for (const [change, text] of [
  [{ kind: "add", id: "a", title: "Buy milk" }, "“Buy milk” was not added."],
  [{ kind: "delete", id: "a", seen }, "“Buy milk” was not deleted."],
  [
    { kind: "edit", id: "a", seen, patch: { title: "Buy oats" } },
    "“Buy milk” was not renamed to “Buy oats”.",
  ],
  [
    { kind: "edit", id: "a", seen, patch: { completed: true } },
    "“Buy milk” was not marked as done.",
  ],
  [
    { kind: "edit", id: "a", seen, patch: { completed: false } },
    "“Buy milk” was not marked as open.",
  ],
] satisfies [Change, string][]) {
  test(text, () => assert.equal(describeUnsaved({ change, error: away }), text));
}

test("what somebody else did first is said, and not tried again", () => {
  const change: Change = { kind: "edit", id: "a", seen, patch: { completed: true } };
  const changed = { change, error: failed(412, "precondition_failed") };
  const deleted = { change, error: failed(404, "task_not_found") };
  assert.equal(
    describeUnsaved(changed),
    "“Buy milk” was changed elsewhere. Your change was not saved.",
  );
  assert.equal(
    describeUnsaved(deleted),
    "“Buy milk” was deleted elsewhere. Your change was not saved.",
  );
  assert.ok(isOvertaken(changed) && isOvertaken(deleted));
  assert.ok(!isOvertaken({ change, error: away }));
});

test("a long title is cut, not within a character", () => {
  assert.equal(quote("🥛".repeat(60)), `“${"🥛".repeat(60)}”`);
  assert.equal(quote("🥛".repeat(61)), `“${"🥛".repeat(59)}…”`);
});
