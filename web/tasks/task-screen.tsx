import { useEffect, useRef, useState } from "react";
import { Page } from "../ui/page.tsx";
import { Account } from "./account.tsx";
import { applyChanges } from "./changes.ts";
import { Composer } from "./composer.tsx";
import { EmptyList } from "./empty-list.tsx";
import type { Session } from "./session.ts";
import { SkeletonList } from "./skeleton-list.tsx";
import { TaskList } from "./task-list.tsx";
import { TaskNotice } from "./task-notice.tsx";
import styles from "./task-screen.module.css";
import { Toolbar } from "./toolbar.tsx";
import { useAnnouncer } from "./use-announcer.tsx";
import { useChangeQueue } from "./use-change-queue.ts";
import { useFocusRescue } from "./use-focus-rescue.ts";
import { usePendingChanges } from "./use-pending-changes.ts";
import { useEmptiedPage, useLoadMore, useResultAnnouncement } from "./use-results.ts";
import { useTaskList } from "./use-task-list.ts";
import { belongsTo, listQuery, type Show, tasksPath, type View } from "./view.ts";

interface TaskScreenProps {
  readonly session: Session;
  readonly userName: string;
  readonly firstShow: Show;
}

let additions = 0;

export function TaskScreen({ session, userName, firstShow }: TaskScreenProps) {
  const newTask = useRef<HTMLInputElement>(null);
  const rowList = useRef<HTMLUListElement>(null);
  const [view, setView] = useState<View>({ show: firstShow, search: "" });
  const { announce, region } = useAnnouncer();
  const { submit, ...failures } = useChangeQueue(session, announce);

  const query = listQuery(view);
  const list = useTaskList(session.client, query);
  const rows = applyChanges(list.tasks, usePendingChanges(), (task) => inView(view, task));
  // Here and not in the list, which goes away with its last row.
  const rescue = useFocusRescue(
    rowList,
    rows.map(({ task }) => task.id),
    newTask,
  );
  useEmptiedPage(list, rows.length);
  const loadMore = useLoadMore(list, rowList, announce);
  useResultAnnouncement(view, list, rows.length, announce);

  // The filter is part of the address, to be kept and shared. What somebody searches for is not:
  // addresses end up in histories and logs.
  useEffect(() => {
    const { pathname, search } = window.location;
    const path = tasksPath(view.show);
    if (pathname + search !== path) window.history.replaceState(null, "", path);
  }, [view.show]);

  function add(title: string) {
    submit({ kind: "add", id: `new-${++additions}`, title });
    // What was added must be seen.
    if (!belongsTo(query, { title, completed: false })) setView({ show: "all", search: "" });
  }

  return (
    <Page aside={<Account userName={userName} session={session} />}>
      <div className={styles.screen}>
        <h1>Tasks</h1>
        <TaskNotice list={list} failures={failures} />
        <Composer ref={newTask} session={session} onAdd={add} />
        <Toolbar view={view} onChange={setView} />
        <section className={styles.list} aria-label="Task list" aria-busy={list.isBusy}>
          {list.isFirstLoad && !list.problem && <SkeletonList />}
          {rows.length > 0 && (
            <TaskList
              ref={rowList}
              rows={rows}
              isStale={list.isOfViewBefore}
              rescue={rescue}
              onEdit={(seen, patch) => submit({ kind: "edit", id: seen.id, seen, patch })}
              onDelete={(seen) => submit({ kind: "delete", id: seen.id, seen })}
            />
          )}
          {rows.length === 0 && list.isLoaded && !list.hasMore && (
            <EmptyList view={view} onChange={setView} onStart={() => newTask.current?.focus()} />
          )}
          {list.hasMore && list.isLoaded && (
            <button
              className={`button ${styles.more}`}
              type="button"
              aria-disabled={list.isLoadingMore}
              onClick={loadMore}
            >
              {list.isLoadingMore ? "Loading more…" : "Load more"}
            </button>
          )}
        </section>
        {region}
      </div>
    </Page>
  );
}

/** An edited row stays where it is found, whatever it is now called, until the list is read anew. */
function inView({ show }: View, task: { readonly title: string; readonly completed: boolean }) {
  return belongsTo(listQuery({ show, search: "" }), task);
}
