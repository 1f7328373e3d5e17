import type { FieldErrors } from "./credentials.ts";

/** Better Auth's answer to a request that did not do what it should. Status 0: no answer came. */
export interface AuthFailure {
  readonly status: number;
  readonly code?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** What to tell the person: about one field, or about the whole. */
export interface AuthProblem {
  readonly fields?: FieldErrors;
  readonly message?: string;
}

export const AUTH_AWAY = "We can’t reach the sign-in service. Check your connection and try again.";

export function describeAuthFailure({ status, code, retryAfterSeconds }: AuthFailure): AuthProblem {
  switch (code) {
    case "INVALID_EMAIL_OR_PASSWORD":
      return { message: "The email address or the password is wrong." };
    case "USER_ALREADY_EXISTS":
    case "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL":
      return {
        fields: { email: "There is an account with this address already. Sign in instead." },
      };
    case "INVALID_EMAIL":
      return { fields: { email: "Enter an email address like ada@example.com." } };
    case "PASSWORD_TOO_SHORT":
    case "PASSWORD_TOO_LONG":
      return { fields: { password: "Choose a password of another length." } };
    case "INVALID_ORIGIN":
      return {
        message: "This is not the app’s own address. Open it at the one in BETTER_AUTH_URL.",
      };
  }
  if (status === 429) {
    const wait = retryAfterSeconds ? `Wait ${retryAfterSeconds} seconds` : "Wait a moment";
    return { message: `That was tried too often. ${wait}, then try again.` };
  }
  if (status === 0 || status >= 500) return { message: AUTH_AWAY };
  return { message: `The sign-in service refused this (${code ?? status}).` };
}
