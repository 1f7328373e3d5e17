import { type RefObject, useLayoutEffect, useRef } from "react";

/** Puts the focus on a task's checkbox; false if it is not there. */
export function focusRow(list: RefObject<HTMLElement | null>, id: string): boolean {
  const checkbox = list.current?.querySelector<HTMLElement>(`[data-task="${id}"] input`);
  checkbox?.focus();
  return checkbox != null;
}

/** What a row tells of the focus. */
export interface FocusRescue {
  readonly onFocus: (id: string) => void;
  readonly onBlur: () => void;
}

/**
 * When the row that has the focus goes away (deleted, or done in the list of the open ones), the
 * focus would fall back to the top of the page. It goes to the next row instead, or to `fallback`.
 */
export function useFocusRescue(
  list: RefObject<HTMLElement | null>,
  ids: readonly string[],
  fallback: RefObject<HTMLElement | null>,
): FocusRescue {
  const before = useRef(ids);
  const focused = useRef<string>(undefined);

  useLayoutEffect(() => {
    const wereThere = before.current;
    before.current = ids;
    const lost = focused.current;
    if (lost === undefined || ids.includes(lost)) return;
    focused.current = undefined;
    // Somebody who has gone on to another place is left there.
    if (document.activeElement !== document.body) return;
    const next = wereThere.slice(wereThere.indexOf(lost) + 1).find((id) => ids.includes(id));
    if (next === undefined || !focusRow(list, next)) fallback.current?.focus();
  }, [ids, list, fallback]);

  return {
    onFocus: (id: string) => {
      focused.current = id;
    },
    onBlur: () => {
      const left = focused.current;
      // After the new rows are there: whoever then is nowhere left the list by themselves.
      setTimeout(() => {
        if (focused.current === left && document.activeElement === document.body) {
          focused.current = undefined;
        }
      });
    },
  };
}
