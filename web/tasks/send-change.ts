/**
 * Sends one change. What another device did in the meantime is never overwritten: each change
 * names the revision that the person saw (`If-Match`), and a 412 is looked into.
 */
import {
  ApiError,
  type Client,
  createTask,
  deleteTask,
  getTask,
  type Task,
  updateTask,
} from "@keyward/client";
import type { Change, EditTask } from "./changes.ts";

/** How to bring the cached lists up to date: the task as it is now, or that it is gone. */
export type Outcome =
  | { readonly kind: "saved"; readonly task: Task }
  | { readonly kind: "gone"; readonly id: string };

/** The change was refused because of what `outcome` says about the task. */
export class OvertakenError extends Error {
  override readonly name = "OvertakenError";
  readonly outcome: Outcome;
  override readonly cause: ApiError;

  constructor(outcome: Outcome, cause: ApiError) {
    super("the task was changed elsewhere");
    this.outcome = outcome;
    this.cause = cause;
  }
}

export type SendChange = (change: Change) => Promise<Outcome>;

export function createSendChange(client: Client): SendChange {
  // "id:revision" -> the revision that a change of ours made of it. The person saw only the
  // first when they made two quick changes; the second must not be taken for a conflict.
  const ours = new Map<string, number>();

  function ifMatch({ id, revision }: Task) {
    let current = revision;
    for (let next = ours.get(`${id}:${current}`); next; next = ours.get(`${id}:${current}`)) {
      current = next;
    }
    return { current, headers: { "If-Match": `"${current}"` } };
  }

  async function edit(change: EditTask): Promise<Outcome> {
    const { current, headers } = ifMatch(change.seen);
    const path = { id: change.id };
    try {
      const { data } = await updateTask({ client, path, headers, body: change.patch });
      ours.set(`${change.id}:${current}`, data.revision);
      return { kind: "saved", task: data };
    } catch (error) {
      return settle(error, change);
    }
  }

  async function settle(
    error: unknown,
    change: Exclude<Change, { kind: "add" }>,
  ): Promise<Outcome> {
    if (!(error instanceof ApiError)) throw error;
    const gone = { kind: "gone", id: change.id } as const;
    if (error.status === 404 && change.kind === "delete") return gone;
    if (error.status === 404) throw new OvertakenError(gone, error);
    if (error.status !== 412) throw error;
    const now = await current(change.id);
    if (now === undefined) {
      if (change.kind === "delete") return gone;
      throw new OvertakenError(gone, error);
    }
    const outcome = { kind: "saved", task: now } as const;
    // It is as it should be: we did it ourselves and the answer got lost, or someone else did.
    if (change.kind === "edit" && isDone(change, now)) return outcome;
    throw new OvertakenError(outcome, error);
  }

  async function current(id: string): Promise<Task | undefined> {
    try {
      return (await getTask({ client, path: { id } })).data;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  return async (change) => {
    switch (change.kind) {
      case "add": {
        const { data } = await createTask({ client, body: { title: change.title } });
        return { kind: "saved", task: data };
      }
      case "edit":
        return edit(change);
      case "delete": {
        const { headers } = ifMatch(change.seen);
        try {
          await deleteTask({ client, path: { id: change.id }, headers });
          return { kind: "gone", id: change.id };
        } catch (error) {
          return settle(error, change);
        }
      }
    }
  };
}

function isDone({ patch }: EditTask, task: Task): boolean {
  const { title = task.title, completed = task.completed } = patch;
  return task.title === title && task.completed === completed;
}
