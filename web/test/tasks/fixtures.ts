import type { Task } from "@keyward/client";
import type { TaskPages } from "../../tasks/pages.ts";

/** A task whose id rises with the number, as the service's ids do with time. */
export function task(number: number, changes: Partial<Task> = {}): Task {
  return {
    id: `019ab2c3-d4e5-7f60-8a1b-${String(number).padStart(12, "0")}`,
    title: `Task ${number}`,
    completed: false,
    revision: 1,
    createdAt: "2026-11-23T16:12:02.423000Z",
    updatedAt: "2026-11-23T16:12:02.423000Z",
    ...changes,
  };
}

/** Pages of these tasks. With `more`, the last page says that there are older ones. */
export function pages(items: readonly Task[][], more = false): TaskPages {
  return {
    pageParams: items.map(() => ({})),
    pages: items.map((each, index) => ({
      items: each,
      nextCursor: index < items.length - 1 || more ? `cursor-${index}` : null,
    })),
  };
}
