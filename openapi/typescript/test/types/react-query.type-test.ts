import { ApiError, type Client, type Problem, type Task, type TaskPage } from "@keyward/client";
import {
  createTaskMutation,
  getTaskOptions,
  listTasksInfiniteOptions,
  listTasksInfiniteQueryKey,
  updateTaskMutation,
} from "@keyward/client/react-query";
import {
  type InfiniteData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { type Equal, expectType } from "./expect-type.js";

declare const client: Client;

export function useTask() {
  const { data, error } = useQuery(getTaskOptions({ client, path: { id: "1" } }));
  expectType<Equal<typeof data, Task | undefined>>();
  expectType<Equal<typeof error, Problem | null>>();
  // @ts-expect-error: no id
  getTaskOptions({ client });
  const known = error instanceof ApiError && error.code === "network_error";
  return known ? error.retryAfterMs : undefined;
}

export function useTasks() {
  const { data, fetchNextPage } = useInfiniteQuery({
    ...listTasksInfiniteOptions({ client, query: { limit: 20 } }),
    initialPageParam: {},
    getNextPageParam: (page) => page.nextCursor,
  });
  expectType<Equal<typeof data, InfiniteData<TaskPage> | undefined>>();
  useInfiniteQuery({
    ...listTasksInfiniteOptions({ client }),
    initialPageParam: {},
    // @ts-expect-error: a page's number is no cursor
    getNextPageParam: (_page, pages) => pages.length,
  });
  return fetchNextPage;
}

export function useCreateTask() {
  const queryClient = useQueryClient();
  const { mutate } = useMutation({
    ...createTaskMutation({ client }),
    onSuccess: (task) => {
      expectType<Equal<typeof task, Task>>();
      return queryClient.invalidateQueries({ queryKey: listTasksInfiniteQueryKey({ client }) });
    },
  });
  mutate({ client, body: { title: "Buy milk" } });
  // @ts-expect-error: no title
  mutate({ client, body: {} });
  const { mutate: update } = useMutation(updateTaskMutation({ client }));
  // @ts-expect-error: a task has a title
  update({ client, path: { id: "1" }, body: { title: null } });
}
