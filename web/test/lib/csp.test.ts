import assert from "node:assert/strict";
import { test } from "node:test";
import { contentSecurityPolicy } from "../../lib/csp.ts";

const given = { nonce: "abc", apiOrigin: "https://api.example.com" };

test("the policy of a deployed page allows nothing inline, nothing evaluated, no other host", () => {
  const policy = contentSecurityPolicy({ ...given, development: false });
  assert.equal(
    policy,
    "default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; style-src 'self'; img-src 'self'; " +
      "font-src 'none'; connect-src 'self' https://api.example.com; form-action 'self'; " +
      "base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
  );
});

test("only development may evaluate and add styles", () => {
  const policy = contentSecurityPolicy({ ...given, development: true });
  assert.match(policy, /script-src 'nonce-abc' 'strict-dynamic' 'unsafe-eval';/);
  assert.match(policy, /style-src 'self' 'unsafe-inline';/);
});
