import { listTasksInfiniteQueryKey } from "@keyward/client/react-query";
import { useState } from "react";
import { createChangeQueue, type SubmitChange } from "./change-queue.ts";
import type { Change } from "./changes.ts";
import { type FailedChange, isOvertaken, isSessionEnd, quote } from "./failure.ts";
import { createSendChange } from "./send-change.ts";
import type { Session } from "./session.ts";

interface ChangeQueue {
  readonly submit: SubmitChange;
  readonly failed: readonly FailedChange[];
  readonly retryFailed: () => void;
  readonly dismissFailed: () => void;
}

export function useChangeQueue(session: Session, announce: (text: string) => void): ChangeQueue {
  const [failed, setFailed] = useState<readonly FailedChange[]>([]);
  const [submit] = useState(() =>
    createChangeQueue({
      queryClient: session.queryClient,
      listKey: listTasksInfiniteQueryKey({ client: session.client }),
      send: createSendChange(session.client),
      onSaved: (change) => announce(describeSaved(change)),
      onFailed: (failure) => {
        if (isSessionEnd(failure.error)) session.end();
        else setFailed((before) => [...before, failure]);
      },
    }),
  );
  return {
    submit,
    failed,
    retryFailed: () => {
      setFailed([]);
      for (const failure of failed) if (!isOvertaken(failure)) submit(failure.change);
    },
    dismissFailed: () => setFailed([]),
  };
}

function describeSaved(change: Change): string {
  switch (change.kind) {
    case "add":
      return `Added ${quote(change.title)}.`;
    case "delete":
      return `Deleted ${quote(change.seen.title)}.`;
    case "edit":
      if (change.patch.title !== undefined) return `Renamed to ${quote(change.patch.title)}.`;
      return `${quote(change.seen.title)} is ${change.patch.completed ? "done" : "open"}.`;
  }
}
