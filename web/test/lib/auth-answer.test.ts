import assert from "node:assert/strict";
import { test } from "node:test";
import { AUTH_AWAY, describeAuthFailure } from "../../lib/auth-answer.ts";

test("a wrong password does not say which of the two is wrong", () => {
  const { message } = describeAuthFailure({ status: 401, code: "INVALID_EMAIL_OR_PASSWORD" });
  assert.equal(message, "The email address or the password is wrong.");
});

test("an address that is taken is a fault of its field", () => {
  const problem = describeAuthFailure({
    status: 422,
    code: "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
  });
  assert.deepEqual(Object.keys(problem.fields ?? {}), ["email"]);
});

test("a limit says how long to wait, if that is known", () => {
  const limited = { status: 429 };
  assert.match(
    describeAuthFailure({ ...limited, retryAfterSeconds: 7 }).message ?? "",
    /Wait 7 seconds/,
  );
  assert.match(describeAuthFailure(limited).message ?? "", /Wait a moment/);
});

for (const status of [0, 500, 502, 503]) {
  test(`status ${status} is the service's fault, not the person's`, () => {
    assert.equal(describeAuthFailure({ status }).message, AUTH_AWAY);
  });
}

test("who opened the app at another address is told which one it is", () => {
  assert.match(
    describeAuthFailure({ status: 403, code: "INVALID_ORIGIN" }).message ?? "",
    /BETTER_AUTH_URL/,
  );
});

test("an unknown refusal names its code", () => {
  assert.match(
    describeAuthFailure({ status: 403, code: "SOMETHING_NEW" }).message ?? "",
    /SOMETHING_NEW/,
  );
  assert.match(describeAuthFailure({ status: 418 }).message ?? "", /418/);
});
