"use client";

import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { signIn, signUp } from "../browser/authenticate.ts";
import { onSessionChange } from "../browser/session-channel.ts";
import { useHydrated } from "../browser/use-hydrated.ts";
import type { AuthProblem } from "../lib/auth-answer.ts";
import { PASSWORD_MIN_LENGTH } from "../lib/auth-rules.ts";
import { checkCredentials } from "../lib/credentials.ts";
import styles from "./auth-form.module.css";
import { Field } from "./field.tsx";
import { Notice } from "./notice.tsx";

interface AuthFormProps {
  readonly purpose: "sign-in" | "sign-up";
  /** Where to go on; checked by the server. */
  readonly next: string;
  /** What to say above the fields until the form is sent. */
  readonly notice?: ReactNode;
}

const TEXTS = {
  "sign-in": { action: "Sign in", busy: "Signing in…" },
  "sign-up": { action: "Create account", busy: "Creating your account…" },
};

/**
 * Both forms. They are sent by script, because the auth server limits how often a password may be
 * tried for requests from browsers alone, not for calls from this server's own code. Until the
 * script is there the button is off, so nothing can be sent in any other way; `method="post"` is
 * the second lock, since a form that is sent by GET puts the password into the address.
 */
export function AuthForm({ purpose, next, notice }: AuthFormProps) {
  const form = useRef<HTMLFormElement>(null);
  const hydrated = useHydrated();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<AuthProblem>();
  const { fields = {}, message } = problem ?? {};
  const text = TEXTS[purpose];

  // Done in another tab.
  useEffect(
    () =>
      onSessionChange((change) => {
        if (change === "signed-in") window.location.replace(next);
      }),
    [next],
  );

  function show(found: AuthProblem) {
    setProblem(found);
    setBusy(false);
    const [first] = Object.keys(found.fields ?? {});
    if (first) form.current?.querySelector<HTMLInputElement>(`[name="${first}"]`)?.focus();
  }

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy) return;
    const data = new FormData(event.currentTarget);
    const given = {
      name: String(data.get("name") ?? ""),
      email: String(data.get("email")).trim(),
      password: String(data.get("password")),
    };
    const errors = checkCredentials(given, purpose);
    if (Object.keys(errors).length > 0) return show({ fields: errors });

    setBusy(true);
    const found = await (purpose === "sign-in" ? signIn : signUp)(given);
    if (found) return show(found);
    // A whole new page: nothing of who was here before is left in memory.
    window.location.replace(next);
  }

  return (
    <form ref={form} className={styles.form} method="post" noValidate onSubmit={submit}>
      {message ? <Notice>{message}</Notice> : !problem && notice}
      {purpose === "sign-up" && (
        <Field label="Name" name="name" autoComplete="name" required error={fields.name} />
      )}
      <Field
        label="Email"
        name="email"
        type="email"
        autoComplete="username"
        required
        error={fields.email}
      />
      {purpose === "sign-in" ? (
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          error={fields.password}
        />
      ) : (
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="new-password"
          required
          hint={`At least ${PASSWORD_MIN_LENGTH} characters. A sentence is easy to remember.`}
          error={fields.password}
        />
      )}
      <button
        className="button"
        data-look="primary"
        type="submit"
        disabled={!hydrated}
        aria-disabled={busy}
      >
        {busy ? text.busy : text.action}
      </button>
      <noscript>
        <p>Signing in needs JavaScript.</p>
      </noscript>
    </form>
  );
}
