import assert from "node:assert/strict";
import { test } from "node:test";

import { incompatible, lost } from "./semver.mjs";

test("what is removed or changed is lost, what is added or moved is not", () => {
  const released = "pub fn keyward::a(u8)\npub fn keyward::b()\nfeature poem http\n";
  assert.deepEqual(lost(released, `pub fn keyward::new()\nfeature poem http\n${released}`), []);
  assert.deepEqual(
    lost(released, "feature poem http\npub fn keyward::a(u16)\npub fn keyward::b()\n"),
    ["pub fn keyward::a(u8)"],
  );
  assert.deepEqual(lost(released, ""), [
    "pub fn keyward::a(u8)",
    "pub fn keyward::b()",
    "feature poem http",
  ]);
});

test("which versions may take something away", () => {
  for (const [from, to, expected] of [
    ["0.1.0", "0.1.0", false],
    ["0.1.0", "0.1.1", false],
    ["0.1.9", "0.2.0", true],
    ["0.2.0", "0.1.9", false],
    ["0.9.3", "1.0.0-rc.1", true],
    ["0.0.1", "0.0.2", true],
    ["1.2.0", "1.3.0", false],
    ["1.9.0", "2.0.0", true],
    ["2.0.0", "1.9.0", false],
  ]) {
    assert.equal(incompatible(from, to), expected, `${from} to ${to}`);
  }
});
