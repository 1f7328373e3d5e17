import assert from "node:assert/strict";
import { test } from "node:test";
import { dropTask, putTask, type TaskPages, tasksOf } from "../../tasks/pages.ts";
import { pages, task } from "./fixtures.ts";

const numbers = (data: TaskPages) =>
  data.pages.map(({ items }) => items.map(({ title }) => Number(title.slice(5))));

test("a task that is listed is replaced where it is", () => {
  const changed = task(3, { revision: 2, completed: true });
  const data = putTask(pages([[task(4), task(3)], [task(2)]]), changed, true);
  assert.deepEqual(numbers(data), [[4, 3], [2]]);
  assert.deepEqual(tasksOf(data)[1], changed);
});

test("a task that does not belong there is taken out", () => {
  assert.deepEqual(numbers(putTask(pages([[task(4), task(3)], [task(2)]]), task(3), false)), [
    [4],
    [2],
  ]);
  assert.deepEqual(numbers(dropTask(pages([[task(4)], [task(2)]]), task(2).id)), [[4], []]);
});

test("a new task comes first", () => {
  assert.deepEqual(numbers(putTask(pages([[task(4)], [task(2)]]), task(5), true)), [[5, 4], [2]]);
  assert.deepEqual(numbers(putTask(pages([[]]), task(5), true)), [[5]]);
});

test("a task that comes back has its old place, on whatever page that is", () => {
  const data = pages([[task(6), task(4)], [task(2)]], true);
  assert.deepEqual(numbers(putTask(data, task(5), true)), [[6, 5, 4], [2]]);
  assert.deepEqual(numbers(putTask(data, task(3), true)), [
    [6, 4],
    [3, 2],
  ]);
});

test("the oldest goes to the end of the last page, if that is the last there is", () => {
  assert.deepEqual(numbers(putTask(pages([[task(4)], [task(2)]]), task(1), true)), [[4], [2, 1]]);
  // Else it comes when its page is loaded: here it would come twice.
  assert.deepEqual(numbers(putTask(pages([[task(4)], [task(2)]], true), task(1), true)), [
    [4],
    [2],
  ]);
});

test("nothing is written to what is cached", () => {
  const data = pages([[task(4), task(2)]]);
  const kept = structuredClone(data);
  putTask(data, task(3), true);
  putTask(data, task(4, { title: "Task 44" }), true);
  dropTask(data, task(4).id);
  assert.deepEqual(data, kept);
});

test("no pages, no tasks", () => assert.deepEqual(tasksOf(undefined), []));
