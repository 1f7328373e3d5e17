import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "../../tasks/backoff.ts";

test("the pauses double, up to half a minute", () => {
  const pauses = [1, 2, 3, 4, 5, 6, 7, 1000].map((failures) => backoffMs(failures, undefined));
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("the service may ask for a longer one, not for a shorter one", () => {
  assert.equal(backoffMs(1, 5_000), 5_000);
  assert.equal(backoffMs(4, 5_000), 8_000);
  assert.equal(backoffMs(1, 3_600_000), 30_000);
});
