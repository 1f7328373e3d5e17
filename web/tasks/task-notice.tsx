import { Notice } from "../ui/notice.tsx";
import { describeFailure, describeUnsaved, type FailedChange, isOvertaken } from "./failure.ts";
import styles from "./task-notice.module.css";

interface TaskNoticeProps {
  readonly list: {
    readonly problem: object | null;
    readonly answeredAt: number;
    readonly retry: () => void;
  };
  readonly failures: {
    readonly failed: readonly FailedChange[];
    readonly retryFailed: () => void;
    readonly dismissFailed: () => void;
  };
}

const MOST_LINES = 3;

/** What went wrong with reading and with writing, in one place. */
export function TaskNotice({
  list,
  failures: { failed, retryFailed, dismissFailed },
}: TaskNoticeProps) {
  const last = failed.findLast((failure) => !isOvertaken(failure));
  const error = list.problem ?? last?.error;
  const lines = failed.map(describeUnsaved);
  if (error === undefined && lines.length === 0) return null;

  const failure = error === undefined ? undefined : describeFailure(error);
  // Since then the list was read: what was away is back, though the changes are still unsaved.
  const isBack = !list.problem && last !== undefined && list.answeredAt > last.failedAt;
  const hidden = lines.length - MOST_LINES;
  function retry() {
    list.retry();
    retryFailed();
  }
  return (
    <div className={styles.place}>
      <Notice
        traceId={failure?.traceId}
        onRetry={failure === undefined ? undefined : retry}
        onDismiss={lines.length === 0 ? undefined : dismissFailed}
      >
        {failure && !(failure.away && isBack) && (
          <p>
            {failure.text}
            {list.problem && failure.passing && " We keep trying."}
          </p>
        )}
        {lines.slice(0, MOST_LINES).map((line) => (
          <p key={line}>{line}</p>
        ))}
        {hidden > 0 && <p>And {hidden} more.</p>}
      </Notice>
    </div>
  );
}
