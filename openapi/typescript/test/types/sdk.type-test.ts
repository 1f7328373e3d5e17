// Read by the compiler alone: each line below a @ts-expect-error must be refused. It fails when
// the document, or what is generated from it, loses precision.

import {
  type Client,
  createKeywardClient,
  createTask,
  deleteTask,
  getHealth,
  getMe,
  getReadiness,
  getTask,
  listTasks,
  type Options,
  type Task,
  updateTask,
} from "@keyward/client";
import { type Equal, expectType } from "./expect-type.js";

const client: Client = createKeywardClient({ baseUrl: "https://api.example.com" });
const path = { id: "019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071" };

export async function data() {
  // Without a check for undefined: what has not come was thrown.
  const { data: task, response } = await getTask({ client, path });
  expectType<Equal<typeof task, Task>>();
  expectType<Equal<typeof response, Response>>();
  expectType<Equal<typeof task.completed, boolean>>();
  // A date is a string and a number a number: what JSON has.
  expectType<Equal<typeof task.createdAt, string>>();
  expectType<Equal<typeof task.revision, number>>();
  // @ts-expect-error: no such member
  task.owner;

  const { data: page } = await listTasks({ client });
  expectType<Equal<typeof page.items, Task[]>>();
  expectType<Equal<typeof page.nextCursor, string | null>>();

  const { data: me } = await getMe({ client });
  expectType<Equal<typeof me.email, string | null>>();
  expectType<Equal<typeof me.roles, string[]>>();

  const { data: health } = await getHealth({ client });
  expectType<Equal<typeof health.status, "ok">>();
  const { data: readiness } = await getReadiness({ client });
  expectType<Equal<typeof readiness.keys.ageSeconds, number | null>>();

  const { data: nothing } = await deleteTask({ client, path });
  expectType<Equal<typeof nothing, void>>();
}

export async function dataOrError() {
  const { data, error } = await getTask({ client, path, throwOnError: false });
  expectType<Equal<typeof data, Task | undefined>>();
  // @ts-expect-error: it may be undefined
  data.title;
  if (error === undefined) expectType<Equal<typeof data, Task>>();
  else expectType<Equal<typeof data, undefined>>();
}

export function requests() {
  // @ts-expect-error: without a client it would go to the page's own origin
  getMe();
  // @ts-expect-error: likewise
  getMe({});

  createTask({ client, body: { title: "Buy milk" } });
  createTask({ client, body: { title: "Buy milk", completed: true } });
  // @ts-expect-error: no body
  createTask({ client });
  // @ts-expect-error: no title
  createTask({ client, body: {} });
  // @ts-expect-error: no title either
  createTask({ client, body: { completed: true } });
  // @ts-expect-error: null is no title
  createTask({ client, body: { title: null } });
  // @ts-expect-error: nor a number
  createTask({ client, body: { title: 7 } });
  // @ts-expect-error: no such member
  createTask({ client, body: { title: "Buy milk", owner: "ada" } });
  // @ts-expect-error: what the service gives is not to be sent
  createTask({ client, body: { title: "Buy milk", id: path.id } });

  updateTask({ client, path, body: { completed: false } });
  updateTask({ client, path, headers: { "If-Match": '"3"' }, body: { title: "Buy oat milk" } });
  // @ts-expect-error: a task has a title
  updateTask({ client, path, body: { title: null } });
  // @ts-expect-error: and is done or not
  updateTask({ client, path, body: { completed: null } });
  // @ts-expect-error: no path
  updateTask({ client, body: { completed: false } });
  // @ts-expect-error: an entity tag is a string, with its quotes
  updateTask({ client, path, headers: { "If-Match": 3 }, body: {} });

  // @ts-expect-error: no id
  getTask({ client, path: {} });
  // @ts-expect-error: an id is a string
  getTask({ client, path: { id: 1 } });
  // @ts-expect-error: it takes no body
  getTask({ client, path, body: {} });

  listTasks({ client, query: { limit: 20, cursor: "AZqyw9Tlf2CKGyw9Tl9gcQ", completed: true } });
  // @ts-expect-error: a limit is a number
  listTasks({ client, query: { limit: "20" } });
  // @ts-expect-error: nextCursor may be null, and a null cursor is none
  listTasks({ client, query: { cursor: null } });
  // @ts-expect-error: no such parameter
  listTasks({ client, query: { offset: 20 } });

  getMe({ client, signal: AbortSignal.timeout(1000) });
  const options: Options = { client };
  return options;
}

export function clients() {
  // @ts-expect-error: no base URL
  createKeywardClient({});
  // @ts-expect-error: a URL is a string
  createKeywardClient({ baseUrl: new URL("https://api.example.com") });
  // @ts-expect-error: a token alone is no source of tokens
  createKeywardClient({ baseUrl: "https://api.example.com", tokens: "eyJ" });
  // What is undefined is the default, for options read from somewhere.
  createKeywardClient({ baseUrl: "https://api.example.com", tokens: undefined, fetch: undefined });
}
