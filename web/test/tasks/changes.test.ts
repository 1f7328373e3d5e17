import assert from "node:assert/strict";
import { test } from "node:test";
import type { Task } from "@keyward/client";
import { applyChanges, type Change } from "../../tasks/changes.ts";
import { task } from "./fixtures.ts";

const one = task(1);
const two = task(2);
const all = (_: Task) => true;
const open = ({ completed }: Task) => !completed;

function titles(changes: Change[], belongs = all) {
  return applyChanges([two, one], changes, belongs).map(({ task: { title } }) => title);
}

function edit(seen: Task, patch: { title?: string; completed?: boolean }): Change {
  return { kind: "edit", id: seen.id, seen, patch };
}

test("without changes, the rows are the service's tasks", () => {
  assert.deepEqual(applyChanges([two, one], [], all), [
    { task: two, unsaved: false },
    { task: one, unsaved: false },
  ]);
});

test("what is added comes first, the newest on top, and is marked as unsaved", () => {
  const changes: Change[] = [
    { kind: "add", id: "a", title: "A" },
    { kind: "add", id: "b", title: "B" },
  ];
  assert.deepEqual(titles(changes), ["B", "A", "Task 2", "Task 1"]);
  assert.deepEqual(
    applyChanges([one], changes, all).map(({ unsaved }) => unsaved),
    [true, true, false],
  );
});

test("edits of one task add up, in their order", () => {
  const rows = applyChanges(
    [one],
    [edit(one, { title: "A" }), edit(one, { completed: true }), edit(one, { title: "B" })],
    all,
  );
  assert.deepEqual(rows, [{ task: { ...one, title: "B", completed: true }, unsaved: false }]);
});

test("a task that is deleted is gone, whatever else is under way", () => {
  const remove: Change = { kind: "delete", id: one.id, seen: one };
  assert.deepEqual(titles([edit(one, { title: "A" }), remove]), ["Task 2"]);
  assert.deepEqual(titles([remove, edit(one, { title: "A" })]), ["Task 2"]);
});

test("a task that is done leaves the list of the open ones, and is back when that fails", () => {
  assert.deepEqual(titles([edit(one, { completed: true })], open), ["Task 2"]);
  assert.deepEqual(titles([], open), ["Task 2", "Task 1"]);
});

test("a task that the service lists stays, even where we would not have looked for it", () => {
  assert.deepEqual(
    titles([], () => false),
    ["Task 2", "Task 1"],
  );
});

test("the cached tasks are never written to", () => {
  const kept = structuredClone(one);
  applyChanges([one], [edit(one, { title: "A", completed: true })], all);
  assert.deepEqual(one, kept);
});

test("a change of a task that is not listed changes nothing", () => {
  assert.deepEqual(titles([edit(task(9), { title: "A" })]), ["Task 2", "Task 1"]);
});
