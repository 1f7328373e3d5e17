import { useState } from "react";
import { signOut } from "../browser/authenticate.ts";
import { Notice } from "../ui/notice.tsx";
import styles from "./account.module.css";
import type { Session } from "./session.ts";

interface AccountProps {
  readonly userName: string;
  readonly session: Session;
}

/** Whose list this is, and the way out. */
export function Account({ userName, session }: AccountProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  async function leave() {
    if (busy) return;
    setBusy(true);
    setProblem(undefined);
    const failure = await signOut();
    if (failure) {
      setBusy(false);
      setProblem(failure.message);
      return;
    }
    session.forget();
    window.location.replace("/");
  }

  return (
    <>
      <div className={styles.account}>
        <span className={styles.name}>{userName}</span>
        <button
          className="button"
          data-size="small"
          type="button"
          aria-disabled={busy}
          onClick={leave}
        >
          Sign out
        </button>
      </div>
      {problem && (
        <div className={styles.problem}>
          <Notice onRetry={leave} onDismiss={() => setProblem(undefined)}>
            <p>{problem}</p>
            <p>You are still signed in.</p>
          </Notice>
        </div>
      )}
    </>
  );
}
