import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef, useSyncExternalStore } from "react";
import { CHANGE_KEY } from "./change-queue.ts";
import type { Change } from "./changes.ts";

const NONE: readonly Change[] = [];

/**
 * The changes that are not confirmed, in the order in which they were made.
 *
 * Not `useMutationState`, which tells of a change a moment later: by then React would have put a
 * clicked checkbox back.
 */
export function usePendingChanges(): readonly Change[] {
  const mutations = useQueryClient().getMutationCache();
  const last = useRef(NONE);

  const subscribe = useCallback((notify: () => void) => mutations.subscribe(notify), [mutations]);
  const read = useCallback(() => {
    const now = mutations
      .findAll({ mutationKey: CHANGE_KEY, status: "pending" })
      .map(({ state }) => state.variables as Change);
    const same =
      now.length === last.current.length && now.every((each, i) => each === last.current[i]);
    if (!same) last.current = now;
    return last.current;
  }, [mutations]);

  return useSyncExternalStore(subscribe, read, () => NONE);
}
