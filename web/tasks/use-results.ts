import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";
import { tasksOf } from "./pages.ts";
import { focusRow } from "./use-focus-rescue.ts";
import type { useTaskList } from "./use-task-list.ts";
import type { View } from "./view.ts";

type List = ReturnType<typeof useTaskList>;

/** Says how many tasks another filter or another search has brought. */
export function useResultAnnouncement(
  { show, search }: View,
  { isLoaded, hasMore }: List,
  count: number,
  announce: (text: string) => void,
) {
  const wanted = `${show} ${search}`;
  // The first list is no news: it is what was asked for by coming here.
  const announced = useRef(wanted);
  useEffect(() => {
    if (!isLoaded || announced.current === wanted) return;
    announced.current = wanted;
    if (count === 0) announce("No tasks.");
    else if (hasMore) announce(`The first ${count} tasks.`);
    else announce(count === 1 ? "1 task." : `${count} tasks.`);
  }, [isLoaded, hasMore, wanted, count, announce]);
}

/** All that was loaded is done or deleted, and there is more: go on by itself. */
export function useEmptiedPage(
  { isLoaded, hasMore, isLoadingMore, problem, loadMore }: List,
  count: number,
) {
  const wanted = isLoaded && hasMore && count === 0 && !isLoadingMore && !problem;
  useEffect(() => {
    if (wanted) void loadMore();
  }, [wanted, loadMore]);
}

/** Loads the next page and says what it brought. */
export function useLoadMore(
  { tasks, isLoadingMore, loadMore }: List,
  rows: RefObject<HTMLElement | null>,
  announce: (text: string) => void,
) {
  const arrived = useRef<string>(undefined);

  // The last page takes the button away: the focus goes on to what it brought.
  useLayoutEffect(() => {
    if (arrived.current === undefined) return;
    if (document.activeElement === document.body) focusRow(rows, arrived.current);
    arrived.current = undefined;
  });

  return async () => {
    if (isLoadingMore) return;
    const { data, isError } = await loadMore();
    const added = tasksOf(data).slice(tasks.length);
    if (isError || added.length === 0) return;
    arrived.current = added[0]?.id;
    announce(added.length === 1 ? "1 more task." : `${added.length} more tasks.`);
  };
}
