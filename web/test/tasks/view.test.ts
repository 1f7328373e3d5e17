import assert from "node:assert/strict";
import { test } from "node:test";
import { belongsTo, cleanText, listQuery, readShow, tasksPath } from "../../tasks/view.ts";
import { task } from "./fixtures.ts";

test("the filter comes from the address, whatever stands there", () => {
  assert.equal(readShow("open"), "open");
  assert.equal(readShow("done"), "done");
  for (const value of [null, "", "all", "OPEN", "constructor"])
    assert.equal(readShow(value), "all");
});

test("the address names a filter, and only one that filters", () => {
  assert.equal(tasksPath("all"), "/tasks");
  assert.equal(tasksPath("done"), "/tasks?show=done");
});

test("filter and search are asked for together, and left out when there is none", () => {
  assert.deepEqual(listQuery({ show: "all", search: "" }), { limit: 20 });
  assert.deepEqual(listQuery({ show: "open", search: "" }), { limit: 20, completed: false });
  assert.deepEqual(listQuery({ show: "done", search: "milk" }), {
    limit: 20,
    completed: true,
    q: "milk",
  });
});

test("a task belongs to the lists that would hold it", () => {
  const done = task(1, { title: "Buy Milk", completed: true });
  assert.ok(belongsTo({}, done));
  assert.ok(belongsTo({ completed: true, q: "mIlK" }, done));
  assert.ok(!belongsTo({ completed: false }, done));
  assert.ok(!belongsTo({ completed: true, q: "bread" }, done));
});

test("text is what the API takes: trimmed, without control characters", () => {
  assert.equal(cleanText("  Buy\tmilk\u0000\u0085now \n"), "Buy milk now");
  assert.equal(cleanText(" \u3000\t"), "");
  assert.equal(cleanText("größer 🥛 ‏نص"), "größer 🥛 ‏نص");
});
