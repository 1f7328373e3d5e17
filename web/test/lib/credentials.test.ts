import assert from "node:assert/strict";
import { test } from "node:test";
import { PASSWORD_MAX_LENGTH, PASSWORD_MIN_LENGTH } from "../../lib/auth-rules.ts";
import { type Credentials, checkCredentials } from "../../lib/credentials.ts";

const good = { name: "Ada", email: "ada@example.com", password: "correct horse battery" };

function faults(given: Partial<Credentials>, purpose: "sign-in" | "sign-up") {
  return Object.keys(checkCredentials({ ...good, ...given }, purpose));
}

test("what is right is let through", () => {
  assert.deepEqual(faults({}, "sign-up"), []);
  assert.deepEqual(faults({ name: "" }, "sign-in"), []);
  assert.deepEqual(faults({ password: "x".repeat(PASSWORD_MIN_LENGTH) }, "sign-up"), []);
  assert.deepEqual(faults({ password: "x".repeat(PASSWORD_MAX_LENGTH) }, "sign-up"), []);
});

test("each field is answered for, in the order of the form", () => {
  assert.deepEqual(faults({ name: " ", email: "", password: "" }, "sign-up"), [
    "name",
    "email",
    "password",
  ]);
  assert.deepEqual(faults({ email: "ada", password: "" }, "sign-in"), ["email", "password"]);
});

for (const email of ["ada", "ada@example", "@example.com", "a da@example.com", " "]) {
  test(`"${email}" is no address`, () => assert.deepEqual(faults({ email }, "sign-in"), ["email"]));
}

test("the length of a password counts when it is chosen, not when it is given", () => {
  for (const length of [PASSWORD_MIN_LENGTH - 1, PASSWORD_MAX_LENGTH + 1]) {
    assert.deepEqual(faults({ password: "x".repeat(length) }, "sign-up"), ["password"]);
    assert.deepEqual(faults({ password: "x".repeat(length) }, "sign-in"), []);
  }
});
