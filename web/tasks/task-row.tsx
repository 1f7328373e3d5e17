import type { Task } from "@keyward/client";
import { useLayoutEffect, useRef, useState } from "react";
import { BinIcon, PencilIcon } from "../ui/icons.tsx";
import type { EditTask } from "./changes.ts";
import { DeleteQuestion } from "./delete-question.tsx";
import { RenameForm } from "./rename-form.tsx";
import styles from "./task-row.module.css";

interface TaskRowProps {
  readonly task: Task;
  readonly unsaved: boolean;
  readonly onEdit: (seen: Task, patch: EditTask["patch"]) => void;
  readonly onDelete: (seen: Task) => void;
}

interface Question {
  readonly about: "title" | "deletion";
  /** The task when it was asked: what somebody else makes of it meanwhile is not overwritten. */
  readonly seen: Task;
}

/** A task; in its place for a while, its new title or whether to delete it. */
export function TaskRow({ task, unsaved, onEdit, onDelete }: TaskRowProps) {
  const [question, setQuestion] = useState<Question>();
  const rename = useRef<HTMLButtonElement>(null);
  const remove = useRef<HTMLButtonElement>(null);
  const returnTo = useRef<typeof rename>(undefined);

  // Back to the button that opened it, once that is there again.
  useLayoutEffect(() => {
    if (question !== undefined) return;
    returnTo.current?.current?.focus();
    returnTo.current = undefined;
  }, [question]);

  function ask(about: Question["about"]) {
    returnTo.current = about === "title" ? rename : remove;
    setQuestion({ about, seen: task });
  }
  const close = () => setQuestion(undefined);

  if (question?.about === "title") {
    return (
      <RenameForm
        title={question.seen.title}
        onCancel={close}
        onSave={(title) => {
          if (title !== question.seen.title) onEdit(question.seen, { title });
          close();
        }}
      />
    );
  }
  if (question?.about === "deletion") {
    return (
      <DeleteQuestion
        title={task.title}
        onKeep={close}
        onDelete={() => {
          onDelete(question.seen);
          // For the case that the task comes back, because it could not be deleted.
          returnTo.current = undefined;
          close();
        }}
      />
    );
  }
  return (
    <div className={styles.row} data-done={task.completed} data-unsaved={unsaved}>
      <label className={styles.label}>
        <input
          className={styles.checkbox}
          type="checkbox"
          checked={task.completed}
          disabled={unsaved}
          onChange={({ target }) => onEdit(task, { completed: target.checked })}
        />
        <span className={styles.title}>{task.title}</span>
      </label>
      <div className={styles.actions}>
        <button
          ref={rename}
          className={styles.action}
          type="button"
          aria-label={`Rename “${task.title}”`}
          disabled={unsaved}
          onClick={() => ask("title")}
        >
          <PencilIcon />
        </button>
        <button
          ref={remove}
          className={styles.action}
          type="button"
          aria-label={`Delete “${task.title}”`}
          disabled={unsaved}
          onClick={() => ask("deletion")}
        >
          <BinIcon />
        </button>
      </div>
    </div>
  );
}
