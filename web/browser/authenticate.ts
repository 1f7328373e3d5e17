import { type AuthFailure, type AuthProblem, describeAuthFailure } from "../lib/auth-answer.ts";
import type { Credentials } from "../lib/credentials.ts";
import { authClient } from "./auth-client.ts";
import { announceSessionChange, type SessionChange } from "./session-channel.ts";

export const signIn = ({ email, password }: Credentials) =>
  ask("signed-in", (fetchOptions) => authClient.signIn.email({ email, password, fetchOptions }));

export const signUp = ({ name = "", email, password }: Credentials) =>
  ask("signed-in", (fetchOptions) =>
    authClient.signUp.email({ name, email, password, fetchOptions }),
  );

export const signOut = () =>
  ask("signed-out", (fetchOptions) => authClient.signOut({ fetchOptions }));

interface FetchOptions {
  readonly onError: (context: { readonly response: Response }) => void;
}

interface Answer {
  readonly error: { readonly status: number; readonly code?: string | undefined } | null;
}

/** Undefined if it worked; then the other tabs know as well. */
async function ask(
  change: SessionChange,
  send: (options: FetchOptions) => Promise<Answer>,
): Promise<AuthProblem | undefined> {
  let retryAfter: string | null = null;
  const onError: FetchOptions["onError"] = ({ response }) => {
    retryAfter = response.headers.get("X-Retry-After");
  };
  let failure: AuthFailure | null;
  try {
    failure = (await send({ onError })).error;
  } catch {
    failure = { status: 0 };
  }
  if (failure !== null) {
    return describeAuthFailure({ ...failure, retryAfterSeconds: Number(retryAfter) || undefined });
  }
  announceSessionChange(change);
  return undefined;
}
