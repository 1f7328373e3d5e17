/**
 * What the person has changed and the service has not confirmed yet.
 *
 * The list on the screen is the service's, with these laid over it. Nothing has to be rolled back
 * when one fails: it is taken away, and what the service said last shows again. Nor can an answer
 * that comes meanwhile wipe one out.
 */
import type { Task } from "@keyward/client";

export interface AddTask {
  readonly kind: "add";
  /** A key until the service gives the task its id. */
  readonly id: string;
  readonly title: string;
}

export interface EditTask {
  readonly kind: "edit";
  readonly id: string;
  /** The task as the person saw it: whatever else changed it since is not overwritten. */
  readonly seen: Task;
  readonly patch: { readonly title?: string; readonly completed?: boolean };
}

export interface DeleteTask {
  readonly kind: "delete";
  readonly id: string;
  readonly seen: Task;
}

export type Change = AddTask | EditTask | DeleteTask;

export interface Row {
  readonly task: Task;
  /** It has no id yet, so nothing can be done with it. */
  readonly unsaved: boolean;
}

/** The rows to show: newest first, as the service sorts them. */
export function applyChanges(
  tasks: readonly Task[],
  changes: readonly Change[],
  belongs: (task: Task) => boolean,
): Row[] {
  const edited = tasks.flatMap((task) => {
    const mine = changes.filter((change) => change.id === task.id);
    if (mine.some((change) => change.kind === "delete")) return [];
    const patches = mine.flatMap((change) => (change.kind === "edit" ? [change.patch] : []));
    const changed: Task = Object.assign({}, task, ...patches);
    return patches.length === 0 || belongs(changed) ? [{ task: changed, unsaved: false }] : [];
  });
  const added = changes.flatMap((change) =>
    change.kind === "add" ? [{ task: unsavedTask(change), unsaved: true }] : [],
  );
  return [...added.reverse(), ...edited];
}

function unsavedTask({ id, title }: AddTask): Task {
  return { id, title, completed: false, revision: 0, createdAt: "", updatedAt: "" };
}
