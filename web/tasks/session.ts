import type { QueryClient } from "@tanstack/react-query";
import { keepDraft, takeDraft } from "../browser/draft.ts";
import { signInPath } from "../lib/next-path.ts";
import { createQueryClient } from "./query-client.ts";
import { createTaskService, type TaskService } from "./task-service.ts";

/** One user's time on the page, and all that is remembered of it. */
export interface Session extends TaskService {
  readonly queryClient: QueryClient;
  /** The new task as typed so far. */
  draft: string;
  /** What was typed when the last session ended, once. */
  takeDraft(): string;
  /** The sign-in service says that it is over: sign in, and come back. */
  end(): void;
  /** Before another user can sit here. */
  forget(): void;
}

export function createSession(apiUrl: string, userId: string): Session {
  let over = false;
  const session: Session = {
    ...createTaskService(apiUrl, userId),
    queryClient: createQueryClient(() => session.end()),
    draft: "",
    takeDraft: () => takeDraft(userId),
    end() {
      // Every request that was on its way says the same.
      if (over) return;
      over = true;
      keepDraft(userId, session.draft);
      session.forget();
      const { pathname, search } = window.location;
      window.location.replace(signInPath(pathname + search, "ended"));
    },
    forget() {
      session.tokens.clear();
      session.queryClient.clear();
    },
  };
  return session;
}
