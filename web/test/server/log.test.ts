import assert from "node:assert/strict";
import { test } from "node:test";
import { describeError, redact } from "../../server/log.ts";

test("a message keeps no address and no token, and is one line", () => {
  const token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1MSJ9.c2ln";
  assert.equal(
    redact(`Sign-up for existing email: ada.l+x@example.com\n  (email)=(bob@example.org) ${token}`),
    "Sign-up for existing email: [e-mail] (email)=([e-mail]) [token]",
  );
});

test("an error is its name, code and message; the row it quotes is left out", () => {
  const error = Object.assign(new Error("duplicate key"), {
    code: "23505",
    detail: "Key (email)=(ada@example.com) already exists.",
  });
  assert.equal(describeError(error), "Error: 23505: duplicate key");
});

test("a connection that failed on every address says how", () => {
  const refused = (address: string) =>
    Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: "ECONNREFUSED" });
  const error = new AggregateError([refused("::1:5432"), refused("127.0.0.1:5432")]);
  assert.match(describeError(error), /connect ECONNREFUSED ::1:5432; .*127\.0\.0\.1:5432/);
});

test("what is no error says nothing", () => {
  assert.equal(describeError({ email: "ada@example.com" }), "unknown error");
});
