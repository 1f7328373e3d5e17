import type { ReactNode } from "react";
import { AlertIcon } from "./icons.tsx";
import styles from "./notice.module.css";

interface NoticeProps {
  readonly children: ReactNode;
  /** In small print: what to look for in the service's logs. */
  readonly traceId?: string | undefined;
  /** Given where trying again can help. */
  readonly onRetry?: (() => void) | undefined;
  /** Given where the notice is about something that is over. */
  readonly onDismiss?: (() => void) | undefined;
  /** `info` is for what is no failure. */
  readonly tone?: "danger" | "info";
}

/** Something the person should know now; screen readers are told at once. */
export function Notice({ children, traceId, onRetry, onDismiss, tone = "danger" }: NoticeProps) {
  return (
    <div className={styles.notice} data-testid="notice" data-tone={tone} role="alert">
      <AlertIcon />
      <div className={styles.body}>
        {children}
        {traceId && <p className={styles.trace}>Trace {traceId}</p>}
      </div>
      {(onRetry || onDismiss) && (
        <div className={styles.actions}>
          {onRetry && (
            <button className="button" data-size="small" type="button" onClick={onRetry}>
              Try again
            </button>
          )}
          {onDismiss && (
            <button
              className="button"
              data-look="quiet"
              data-size="small"
              type="button"
              onClick={onDismiss}
            >
              Dismiss
            </button>
          )}
        </div>
      )}
    </div>
  );
}
