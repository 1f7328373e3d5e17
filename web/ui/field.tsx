"use client";

import { type InputHTMLAttributes, useId, useState } from "react";
import styles from "./field.module.css";

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  readonly label: string;
  readonly name: string;
  readonly error?: string | undefined;
  readonly hint?: string;
}

/** A labelled input, with a hint or what is wrong tied to it for screen readers. */
export function Field({ label, error, hint, type = "text", ...input }: FieldProps) {
  const id = useId();
  const [shown, setShown] = useState(false);
  const note = error ?? hint;
  const secret = type === "password";
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <div className={styles.control}>
        <input
          {...input}
          className="input"
          id={id}
          type={secret && shown ? "text" : type}
          aria-invalid={error !== undefined}
          aria-describedby={note === undefined ? undefined : `${id}-note`}
        />
        {secret && (
          <button
            className={styles.show}
            type="button"
            aria-pressed={shown}
            aria-controls={id}
            onClick={() => setShown(!shown)}
          >
            Show
          </button>
        )}
      </div>
      {note !== undefined && (
        <p className={styles.note} id={`${id}-note`} data-error={error !== undefined}>
          {note}
        </p>
      )}
    </div>
  );
}
