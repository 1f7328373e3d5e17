import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "@keyward/client";
import { QueryClient } from "@tanstack/react-query";
import { CHANGE_KEY, createChangeQueue } from "../../tasks/change-queue.ts";
import type { Change } from "../../tasks/changes.ts";
import type { FailedChange } from "../../tasks/failure.ts";
import { type TaskPages, tasksOf } from "../../tasks/pages.ts";
import { type Outcome, OvertakenError } from "../../tasks/send-change.ts";
import { pages, task } from "./fixtures.ts";

const LIST = { _id: "listTasks" };
const ALL = [LIST];
const OPEN = [{ ...LIST, query: { completed: false } }];

/** A queue with two cached lists, and a service that answers when the test says so. */
function set(...items: Parameters<typeof pages>[0]) {
  const queryClient = new QueryClient({ defaultOptions: { mutations: { networkMode: "always" } } });
  queryClient.setQueryData(ALL, pages(items));
  queryClient.setQueryData(OPEN, pages(items));
  const waiting: {
    change: Change;
    answer: (outcome: Outcome) => void;
    fail: (error: unknown) => void;
  }[] = [];
  const failed: FailedChange[] = [];
  const saved: Change[] = [];
  const submit = createChangeQueue({
    queryClient,
    listKey: ALL,
    send: (change) =>
      new Promise((answer, fail) => {
        waiting.push({ change, answer, fail });
      }),
    onSaved: (change) => saved.push(change),
    onFailed: (failure) => failed.push(failure),
  });
  const titles = (key: unknown[]) => {
    return tasksOf(queryClient.getQueryData<TaskPages>(key)).map(({ title }) => title);
  };
  const pending = () => {
    return queryClient.getMutationCache().findAll({ mutationKey: CHANGE_KEY, status: "pending" });
  };
  return { queryClient, submit, waiting, failed, saved, titles, pending };
}

const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

const one = task(1);
const two = task(2);
const done = (seen = one): Change => ({
  kind: "edit",
  id: seen.id,
  seen,
  patch: { completed: true },
});

test("a change is pending at once, without a moment in between", () => {
  const { submit, pending } = set([one]);
  submit(done());
  assert.deepEqual(
    pending().map(({ state }) => state.variables),
    [done()],
  );
});

test("the answer goes into every list it belongs to, and only then is the change no more pending", async () => {
  const { queryClient, submit, waiting, titles, pending, saved } = set([two, one]);
  const states: string[] = [];
  submit(done());
  await settled();
  queryClient.getMutationCache().subscribe(() => {
    states.push(`${pending().length} pending, ${titles(OPEN).length} open`);
  });
  waiting[0]?.answer({ kind: "saved", task: { ...one, completed: true, revision: 2 } });
  await settled();
  assert.deepEqual(titles(ALL), ["Task 2", "Task 1"]);
  assert.deepEqual(titles(OPEN), ["Task 2"]);
  assert.deepEqual(states, ["0 pending, 1 open"]);
  assert.deepEqual(saved, [done()]);
});

test("changes of one task wait for each other, those of two do not", async () => {
  const { submit, waiting } = set([two, one]);
  submit(done(one));
  submit(done(one));
  submit(done(two));
  await settled();
  assert.deepEqual(
    waiting.map(({ change }) => change.id),
    [one.id, two.id],
  );
  waiting[0]?.answer({ kind: "saved", task: one });
  await settled();
  assert.deepEqual(
    waiting.map(({ change }) => change.id),
    [one.id, two.id, one.id],
  );
});

test("a failure leaves the lists as they are, says what it was, and is not tried again", async () => {
  const { queryClient, submit, waiting, failed, titles, pending } = set([one]);
  const error = new ApiError({ status: 0, code: "network_error", title: "away" });
  submit({ kind: "delete", id: one.id, seen: one });
  await settled();
  waiting[0]?.fail(error);
  await settled();
  assert.deepEqual(titles(ALL), ["Task 1"]);
  assert.deepEqual(
    failed.map(({ change, error: why }) => [change, why]),
    [[{ kind: "delete", id: one.id, seen: one }, error]],
  );
  assert.equal(pending().length, 0);
  assert.equal(waiting.length, 1);
  // It may have been done all the same: what is shown must be looked up again.
  assert.ok(queryClient.getQueryState(ALL)?.isInvalidated);
});

test("a change that was overtaken brings what overtook it", async () => {
  const { submit, waiting, failed, titles } = set([two, one]);
  const cause = new ApiError({ status: 412, code: "precondition_failed", title: "changed" });
  submit(done(one));
  submit(done(two));
  await settled();
  const theirs = { ...one, title: "Theirs", revision: 5 };
  waiting[0]?.fail(new OvertakenError({ kind: "saved", task: theirs }, cause));
  waiting[1]?.fail(new OvertakenError({ kind: "gone", id: two.id }, cause));
  await settled();
  assert.deepEqual(titles(ALL), ["Theirs"]);
  assert.deepEqual(
    failed.map(({ error }) => error),
    [cause, cause],
  );
});

test("a list that was read before the change does not undo it", async () => {
  const { queryClient, submit, waiting, titles, pending } = set([one]);
  let shown: string[] = [];
  queryClient.getMutationCache().subscribe(() => {
    if (pending().length === 0) shown = titles(ALL);
  });
  let reads = 0;
  const read = queryClient.fetchInfiniteQuery({
    queryKey: ALL,
    initialPageParam: {},
    // The first read is slow and knows nothing of the change.
    queryFn: async ({ signal }) => {
      reads += 1;
      await new Promise((resolve) => setTimeout(resolve, 30));
      signal.throwIfAborted();
      return pages([[one]]).pages[0];
    },
    staleTime: 0,
  });
  read.catch(() => {});
  submit({ kind: "add", id: "new", title: "Task 2" });
  await settled();
  waiting[0]?.answer({ kind: "saved", task: two });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(reads, 1);
  assert.deepEqual(titles(ALL), ["Task 2", "Task 1"]);
  assert.deepEqual(shown, ["Task 2", "Task 1"], "when the change was no more pending");
});
