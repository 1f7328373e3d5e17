import type { ListTasksData, Task } from "@keyward/client";

/** Which tasks are asked for. */
export const SHOWS = ["all", "open", "done"] as const;

export type Show = (typeof SHOWS)[number];

export interface View {
  readonly show: Show;
  /** Cleaned text; empty for no search. */
  readonly search: string;
}

export type ListQuery = NonNullable<ListTasksData["query"]>;

const PAGE_SIZE = 20;

/** The API's limit for titles and for the text that is searched. */
export const TEXT_MAX_LENGTH = 200;

export function readShow(value: string | null): Show {
  return SHOWS.find((show) => show === value) ?? "all";
}

export function tasksPath(show: Show): string {
  return show === "all" ? "/tasks" : `/tasks?show=${show}`;
}

export function listQuery({ show, search }: View): ListQuery {
  return {
    limit: PAGE_SIZE,
    ...(show !== "all" && { completed: show === "done" }),
    ...(search !== "" && { q: search }),
  };
}

/** Whether the list of this query would hold the task. */
export function belongsTo(query: ListQuery, task: Pick<Task, "title" | "completed">): boolean {
  const { completed, q } = query;
  if (completed !== undefined && task.completed !== completed) return false;
  return q === undefined || task.title.toLowerCase().includes(q.toLowerCase());
}

/** Text as the API takes it: no control characters, such as a tab that was pasted. */
export function cleanText(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ").trim();
}
