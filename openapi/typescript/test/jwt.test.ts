import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readClaims } from "@keyward/client";

function token(payload: unknown): string {
  return `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.sig`;
}

describe("what the client reads of a token", () => {
  test("the subject is read, whatever letters are around it", () => {
    // The name makes the base64url alphabet's own characters appear.
    assert.equal(readClaims(token({ sub: "u1", name: "Ærøskøbing ?>~ÿ" })).subject, "u1");
    assert.equal(readClaims(token({ sub: "größe" })).subject, "größe");
  });

  for (const broken of ["", "a", "a.b", "..", `a.${Buffer.from("null").toString("base64url")}.c`]) {
    test(`"${broken}" has no subject`, () => {
      assert.equal(readClaims(broken).subject, undefined);
    });
  }

  test("a subject that is no string is none", () => {
    assert.equal(readClaims(token({ sub: 7 })).subject, undefined);
    assert.equal(readClaims(token({})).subject, undefined);
  });
});
