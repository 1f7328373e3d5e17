import type { Task } from "@keyward/client";
import type { RefObject } from "react";
import type { EditTask, Row } from "./changes.ts";
import styles from "./task-list.module.css";
import { TaskRow } from "./task-row.tsx";
import type { FocusRescue } from "./use-focus-rescue.ts";

interface TaskListProps {
  readonly ref: RefObject<HTMLUListElement | null>;
  readonly rows: readonly Row[];
  /** It is the list of the view before, shown until the new one is there. */
  readonly isStale: boolean;
  readonly rescue: FocusRescue;
  readonly onEdit: (seen: Task, patch: EditTask["patch"]) => void;
  readonly onDelete: (seen: Task) => void;
}

export function TaskList({ ref, rows, isStale, rescue, onEdit, onDelete }: TaskListProps) {
  return (
    // biome-ignore lint/a11y/noRedundantRoles: Safari takes a list without bullets for none, but for its role.
    <ul ref={ref} className={styles.list} role="list" aria-label="Tasks" data-stale={isStale}>
      {rows.map(({ task, unsaved }) => (
        <li
          key={task.id}
          className={styles.item}
          data-task={task.id}
          onFocus={() => rescue.onFocus(task.id)}
          onBlur={rescue.onBlur}
        >
          <TaskRow task={task} unsaved={unsaved} onEdit={onEdit} onDelete={onDelete} />
        </li>
      ))}
    </ul>
  );
}
