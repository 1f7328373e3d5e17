import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, createKeywardClient, type Task } from "@keyward/client";
import { createSendChange, OvertakenError } from "../../tasks/send-change.ts";
import { task } from "./fixtures.ts";

const seen = task(1);
const rename = { kind: "edit", id: seen.id, seen, patch: { title: "Mine" } } as const;
const remove = { kind: "delete", id: seen.id, seen } as const;

/** A sender whose requests get these answers in turn, and what was sent. */
function sender(...answers: readonly (readonly [status: number, body?: Task])[]) {
  const sent: string[] = [];
  const left = [...answers];
  const client = createKeywardClient({
    baseUrl: "https://api.example.com",
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const { pathname } = new URL(request.url);
      const tag = request.headers.get("If-Match") ?? "";
      sent.push(
        [request.method, pathname.replace(seen.id, "ID"), tag, await request.text()].join(" "),
      );
      const [status, body] = left.shift() ?? [];
      if (status === undefined) throw new TypeError("connection refused");
      if (status === 204) return new Response(null, { status });
      const problem = { type: "urn:x", title: "Refused", status, code: "precondition_failed" };
      return Response.json(body ?? problem, {
        status,
        headers: { "Content-Type": body ? "application/json" : "application/problem+json" },
      });
    },
  });
  return { send: createSendChange(client), sent };
}

const overtaken = (outcome: unknown) => (error: unknown) => {
  assert.ok(error instanceof OvertakenError);
  assert.deepEqual(error.outcome, outcome);
  assert.ok(error.cause instanceof ApiError);
  return true;
};

test("a change names the revision that the person saw", async () => {
  const saved = task(1, { title: "Mine", revision: 2 });
  const { send, sent } = sender([200, saved]);
  assert.deepEqual(await send(rename), { kind: "saved", task: saved });
  assert.deepEqual(sent, ['PATCH /api/tasks/ID "1" {"title":"Mine"}']);
});

test("a second quick change follows the first one's revision", async () => {
  const { send, sent } = sender(
    [200, task(1, { revision: 2 })],
    [200, task(1, { revision: 3 })],
    [204],
  );
  const toggle = { ...rename, patch: { completed: true } };
  await send(toggle);
  await send({ ...toggle, patch: { completed: false } });
  await send(remove);
  assert.deepEqual(
    sent.map((line) => line.split(" ")[2]),
    ['"1"', '"2"', '"3"'],
  );
});

test("what somebody else changed is not overwritten, and is brought along", async () => {
  const theirs = task(1, { title: "Theirs", revision: 5 });
  for (const change of [rename, remove]) {
    const { send, sent } = sender([412], [200, theirs]);
    await assert.rejects(send(change), overtaken({ kind: "saved", task: theirs }));
    assert.match(sent[1] ?? "", /^GET/);
  }
});

test("a change that was made already is no conflict: its answer may have been lost", async () => {
  const saved = task(1, { title: "Mine", revision: 2 });
  const { send } = sender([412], [200, saved]);
  assert.deepEqual(await send(rename), { kind: "saved", task: saved });
});

test("what is gone is gone: fine for a deletion, not for an edit", async () => {
  const gone = { kind: "gone", id: seen.id };
  assert.deepEqual(await sender([404]).send(remove), gone);
  assert.deepEqual(await sender([412], [404]).send(remove), gone);
  await assert.rejects(sender([404]).send(rename), overtaken(gone));
  await assert.rejects(sender([412], [404]).send(rename), overtaken(gone));
});

test("any other failure is handed on, and nothing is sent twice", async () => {
  const { send, sent } = sender();
  await assert.rejects(send(rename), { code: "network_error" });
  await assert.rejects(send({ kind: "add", id: "a", title: "New" }), { code: "network_error" });
  assert.deepEqual(sent, [
    'PATCH /api/tasks/ID "1" {"title":"Mine"}',
    'POST /api/tasks  {"title":"New"}',
  ]);
});
