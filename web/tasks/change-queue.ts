import type { QueryClient } from "@tanstack/react-query";
import type { Change } from "./changes.ts";
import type { FailedChange } from "./failure.ts";
import { dropTask, putTask, type TaskPages } from "./pages.ts";
import { type Outcome, OvertakenError, type SendChange } from "./send-change.ts";
import { belongsTo, type ListQuery } from "./view.ts";

/** Under which the pending changes are found in React Query's mutation cache. */
export const CHANGE_KEY = ["change"];

interface ChangeQueueOptions {
  readonly queryClient: QueryClient;
  /** The start of the key of every list of tasks. */
  readonly listKey: readonly unknown[];
  readonly send: SendChange;
  readonly onSaved: (change: Change) => void;
  readonly onFailed: (failed: FailedChange) => void;
}

export type SubmitChange = (change: Change) => void;

/**
 * Sends changes: those of one task one after the other, those of different tasks at once, and none
 * twice by itself. A change is pending until the cached lists have what the service answered, so
 * that there is no moment that shows the old state or both.
 */
export function createChangeQueue(options: ChangeQueueOptions): SubmitChange {
  const { queryClient, listKey, send, onSaved, onFailed } = options;

  async function store(outcome: Outcome) {
    const lists = { queryKey: listKey };
    const overtaken = queryClient.isFetching(lists) > 0;
    // What is on its way may have been read before the change.
    if (overtaken) await queryClient.cancelQueries(lists);
    for (const [key, data] of queryClient.getQueriesData<TaskPages>(lists)) {
      if (data) queryClient.setQueryData(key, update(data, outcome, queryOf(key)));
    }
    // The list on the screen is right now; those under other filters are looked up when shown.
    void queryClient.invalidateQueries({ ...lists, refetchType: overtaken ? "active" : "none" });
  }

  return (change) => {
    const mutation = queryClient.getMutationCache().build(queryClient, {
      mutationKey: CHANGE_KEY,
      scope: { id: change.id },
      mutationFn: () => send(change),
      onSuccess: async (outcome: Outcome) => {
        await store(outcome);
        onSaved(change);
      },
      onError: async (error: unknown) => {
        const failedAt = Date.now();
        if (error instanceof OvertakenError) {
          await store(error.outcome);
          onFailed({ change, error: error.cause, failedAt });
        } else {
          // An answer that got lost says nothing about what the service did.
          void queryClient.invalidateQueries({ queryKey: listKey });
          onFailed({ change, error, failedAt });
        }
      },
    });
    mutation.execute(change).catch(() => {
      // Reported by onFailed.
    });
  };
}

function update(data: TaskPages, outcome: Outcome, query: ListQuery): TaskPages {
  return outcome.kind === "gone"
    ? dropTask(data, outcome.id)
    : putTask(data, outcome.task, belongsTo(query, outcome.task));
}

function queryOf(key: readonly unknown[]): ListQuery {
  return (key[0] as { readonly query?: ListQuery }).query ?? {};
}
