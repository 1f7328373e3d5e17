import { useEffect, useId, useRef } from "react";
import { quote } from "./failure.ts";
import styles from "./row-form.module.css";

interface DeleteQuestionProps {
  readonly title: string;
  readonly onDelete: () => void;
  readonly onKeep: () => void;
}

/**
 * Asked in the row itself: the service deletes for good. "Keep" has the focus and stands where
 * the bin was, so that neither a held key nor a double click deletes anything.
 */
export function DeleteQuestion({ title, onDelete, onKeep }: DeleteQuestionProps) {
  const keep = useRef<HTMLButtonElement>(null);
  const question = useId();
  useEffect(() => keep.current?.focus(), []);

  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields, and brings a look of its own.
    <div
      className={styles.form}
      role="group"
      aria-labelledby={question}
      onKeyDown={({ key }) => key === "Escape" && onKeep()}
    >
      <p className={styles.question} id={question}>
        Delete {quote(title)} for good?
      </p>
      <div className={styles.buttons}>
        <button
          className="button"
          data-look="danger"
          data-size="small"
          type="button"
          aria-describedby={question}
          onClick={onDelete}
        >
          Delete
        </button>
        <button ref={keep} className="button" data-size="small" type="button" onClick={onKeep}>
          Keep
        </button>
      </div>
    </div>
  );
}
