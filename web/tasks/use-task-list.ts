import type { Client } from "@keyward/client";
import { listTasksInfiniteOptions } from "@keyward/client/react-query";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { tasksOf } from "./pages.ts";
import type { ListQuery } from "./view.ts";

/** The tasks of one view, page by page, as the service has them. */
export function useTaskList(client: Client, query: ListQuery) {
  const list = useInfiniteQuery({
    ...listTasksInfiniteOptions({ client, query }),
    initialPageParam: {},
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: keepPreviousData,
  });
  const problem = useLasting(list.error, list.isSuccess && !list.isPlaceholderData);
  return {
    tasks: tasksOf(list.data),
    /** Of this view, not of the one before it. */
    isLoaded: list.data !== undefined && !list.isPlaceholderData,
    isOfViewBefore: list.isPlaceholderData,
    /** There is nothing to show yet, not even of the view before it. */
    isFirstLoad: list.isPending,
    isBusy: list.isFetching && !list.isFetchingNextPage,
    isLoadingMore: list.isFetchingNextPage,
    hasMore: list.hasNextPage,
    loadMore: list.fetchNextPage,
    problem,
    /** When the service answered last, by `Date.now`. */
    answeredAt: list.dataUpdatedAt,
    retry: () => void (list.isFetchNextPageError ? list.fetchNextPage() : list.refetch()),
  };
}

/** The last error until the next success: not gone for the moment in which it is tried again. */
function useLasting<E>(error: E | null, isOver: boolean): E | null {
  const [last, setLast] = useState(error);
  const now = error ?? (isOver ? null : last);
  if (now !== last) setLast(now);
  return now;
}
