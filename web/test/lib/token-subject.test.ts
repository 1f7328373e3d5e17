import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenSubject } from "../../lib/token-subject.ts";

function token(payload: unknown): string {
  return `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.sig`;
}

test("the subject is read, whatever letters are around it", () => {
  // The name makes the base64url alphabet's own characters appear.
  assert.equal(tokenSubject(token({ sub: "u1", name: "Ærøskøbing ?>~ÿ" })), "u1");
  assert.equal(tokenSubject(token({ sub: "größe" })), "größe");
});

for (const broken of ["", "a", "a.b", "..", `a.${Buffer.from("null").toString("base64url")}.c`]) {
  test(`"${broken}" has none`, () => assert.equal(tokenSubject(broken), undefined));
}

test("a subject that is no string is none", () => {
  assert.equal(tokenSubject(token({ sub: 7 })), undefined);
  assert.equal(tokenSubject(token({})), undefined);
});
