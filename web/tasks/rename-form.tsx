import { type FormEvent, type KeyboardEvent, useEffect, useRef } from "react";
import styles from "./row-form.module.css";
import { cleanText, TEXT_MAX_LENGTH } from "./view.ts";

interface RenameFormProps {
  readonly title: string;
  readonly onSave: (title: string) => void;
  readonly onCancel: () => void;
}

/** Enter saves, Escape leaves it as it was. An empty title does not save: tasks have one. */
export function RenameForm({ title, onSave, onCancel }: RenameFormProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);

  function submit(event: FormEvent) {
    event.preventDefault();
    const typed = cleanText(input.current?.value ?? "");
    if (typed === "") input.current?.focus();
    else onSave(typed);
  }

  function onKeyDown(event: KeyboardEvent) {
    // While an input method composes a character, Escape is for that.
    if (event.key === "Escape" && !event.nativeEvent.isComposing) onCancel();
  }

  return (
    <form className={styles.form} onSubmit={submit} onKeyDown={onKeyDown}>
      <input
        ref={input}
        className={`input ${styles.input}`}
        aria-label={`New title for “${title}”`}
        autoComplete="off"
        defaultValue={title}
        enterKeyHint="done"
        maxLength={TEXT_MAX_LENGTH}
        required
      />
      <div className={styles.buttons}>
        <button className="button" data-look="primary" data-size="small" type="submit">
          Save
        </button>
        <button className="button" data-size="small" type="button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}
