import { type FormEvent, type Ref, useEffect, useImperativeHandle, useRef } from "react";
import { useHydrated } from "../browser/use-hydrated.ts";
import styles from "./composer.module.css";
import type { Session } from "./session.ts";
import { cleanText, TEXT_MAX_LENGTH } from "./view.ts";

interface ComposerProps {
  readonly ref: Ref<HTMLInputElement>;
  readonly session: Session;
  readonly onAdd: (title: string) => void;
}

/** Where a new task is typed. The focus stays, for the next one. */
export function Composer({ ref, session, onAdd }: ComposerProps) {
  const input = useRef<HTMLInputElement>(null);
  const hydrated = useHydrated();
  useImperativeHandle(ref, () => input.current as HTMLInputElement);

  // The text is the input's own, so that what is typed before the script is there stays.
  useEffect(() => {
    const field = input.current;
    if (field === null) return;
    if (field.value === "") field.value = session.takeDraft();
    session.draft = field.value;
  }, [session]);

  function submit(event: FormEvent) {
    event.preventDefault();
    const field = input.current;
    const title = cleanText(field?.value ?? "");
    if (field === null) return;
    field.focus();
    if (title === "") return;
    field.value = "";
    session.draft = "";
    onAdd(title);
  }

  return (
    <form className={styles.composer} method="post" onSubmit={submit}>
      <input
        ref={input}
        className="input"
        aria-label="New task"
        placeholder="What is to be done?"
        autoComplete="off"
        enterKeyHint="done"
        maxLength={TEXT_MAX_LENGTH}
        onChange={({ target }) => {
          session.draft = target.value;
        }}
      />
      <button className="button" data-look="primary" type="submit" disabled={!hydrated}>
        Add
      </button>
    </form>
  );
}
