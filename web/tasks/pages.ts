/** The cached pages of one list, with what the service has answered to a change put in. */
import type { Task, TaskPage } from "@keyward/client";
import type { InfiniteData } from "@tanstack/react-query";

export type TaskPages = InfiniteData<TaskPage, unknown>;

export function tasksOf(data: TaskPages | undefined): Task[] {
  return data?.pages.flatMap((page) => page.items) ?? [];
}

export function dropTask(data: TaskPages, id: string): TaskPages {
  return mapItems(data, (items) => items.filter((item) => item.id !== id));
}

/** `belongs`: whether the list is to hold the task. */
export function putTask(data: TaskPages, task: Task, belongs: boolean): TaskPages {
  if (!belongs) return dropTask(data, task.id);
  if (tasksOf(data).some(({ id }) => id === task.id)) {
    return mapItems(data, (items) => items.map((item) => (item.id === task.id ? task : item)));
  }
  // Ids rise with time and the newest comes first, so the place is before the first older one.
  const last = data.pages.length - 1;
  const at = data.pages.findIndex(
    ({ items, nextCursor }, index) =>
      items.some(({ id }) => id < task.id) || (index === last && nextCursor === null),
  );
  // Older than all that was loaded: it comes with its page.
  if (at === -1) return data;
  return mapItems(data, (items, index) =>
    index === at ? [...items, task].sort((a, b) => (a.id < b.id ? 1 : -1)) : items,
  );
}

function mapItems(data: TaskPages, change: (items: Task[], page: number) => Task[]): TaskPages {
  return {
    ...data,
    pages: data.pages.map((page, index) => ({ ...page, items: change(page.items, index) })),
  };
}
