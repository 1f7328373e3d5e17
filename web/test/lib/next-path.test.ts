import assert from "node:assert/strict";
import { test } from "node:test";
import { HOME, nextPath, signInPath } from "../../lib/next-path.ts";

const OURS = [
  "/tasks",
  "/tasks?show=open",
  "/",
  "/tasks#new",
  "/a%20b?x=//evil.example",
  "/@evil.example",
];

const OTHERS = [
  "//evil.example",
  "///evil.example",
  "/\\evil.example",
  "\\\\evil.example",
  "/\t/evil.example",
  "/\n/evil.example",
  "\t//evil.example",
  " //evil.example",
  "/.//evil.example",
  "/tasks/..//evil.example",
  "/%2e//evil.example",
  "https:",
  "https:evil.example",
  "https://evil.example",
  "javascript:alert(1)",
  "data:text/html,x",
  "evil.example",
  "tasks",
  "@evil.example",
  "",
  "/\\\\[",
  "//",
  "//[",
];

for (const path of OURS) {
  test(`${path} is a path of ours`, () => assert.equal(nextPath(path), path));
}

for (const path of OTHERS) {
  test(`${JSON.stringify(path)} leads to the tasks`, () => assert.equal(nextPath(path), HOME));
}

test("a missing or repeated parameter leads to the tasks", () => {
  assert.equal(nextPath(undefined), HOME);
  assert.equal(nextPath(["/a", "/b"]), HOME);
});

test("nobody is sent back to a form they have filled in", () => {
  assert.equal(nextPath("/sign-in?next=/sign-in"), HOME);
  assert.equal(nextPath("/x/../sign-up"), HOME);
});

test("whatever is let through stays on the origin for the browser", () => {
  for (const path of [...OURS, ...OTHERS]) {
    assert.equal(
      new URL(nextPath(path), "https://app.example.com").origin,
      "https://app.example.com",
    );
  }
});

test("the way to the form and back keeps the query", () => {
  const path = signInPath("/tasks?show=open&x=1", "ended");
  const query = new URL(path, "https://app.example.com").searchParams;
  assert.equal(nextPath(query.get("next") ?? undefined), "/tasks?show=open&x=1");
  assert.equal(query.get("ended"), "1");
  assert.equal(signInPath("/tasks"), "/sign-in?next=%2Ftasks");
});
