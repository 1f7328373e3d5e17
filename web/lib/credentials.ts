import { PASSWORD_MAX_LENGTH, PASSWORD_MIN_LENGTH } from "./auth-rules.ts";

export interface Credentials {
  readonly name?: string;
  readonly email: string;
  readonly password: string;
}

export type CredentialField = keyof Credentials;
export type FieldErrors = Partial<Record<CredentialField, string>>;

/** What can be said before the server is asked. A new password must keep the server's rules. */
export function checkCredentials(
  credentials: Credentials,
  purpose: "sign-in" | "sign-up",
): FieldErrors {
  const { name, email, password } = credentials;
  const errors: FieldErrors = {};
  if (purpose === "sign-up" && name?.trim() === "") errors.name = "Enter your name.";
  if (!/^\S+@\S+\.\S+$/.test(email.trim())) {
    errors.email =
      email.trim() === ""
        ? "Enter your email address."
        : "Enter an email address like ada@example.com.";
  }
  if (password === "") {
    errors.password = purpose === "sign-in" ? "Enter your password." : "Choose a password.";
  } else if (purpose === "sign-up" && password.length < PASSWORD_MIN_LENGTH) {
    errors.password = `Use at least ${PASSWORD_MIN_LENGTH} characters.`;
  } else if (purpose === "sign-up" && password.length > PASSWORD_MAX_LENGTH) {
    errors.password = `Use at most ${PASSWORD_MAX_LENGTH} characters.`;
  }
  return errors;
}
