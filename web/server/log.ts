/**
 * One line a message on standard error, without personal data: Better Auth puts e-mail addresses
 * into its messages and whole rows into its arguments.
 */

const EMAIL = /[^\s"'<>()=:]+@[^\s"'<>()=:]+/g;
const TOKEN = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;

export function redact(message: string): string {
  return message
    .replace(EMAIL, "[e-mail]")
    .replace(TOKEN, "[token]")
    .replace(/\s*\n\s*/g, " ");
}

export function logLine(level: string, message: string): void {
  process.stderr.write(`${level} ${redact(message)}\n`);
}

/** What is safe to say of an error: no `detail` of a database, which quotes the row. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  const { code } = error as NodeJS.ErrnoException;
  // Node joins the failures of several addresses into one error without a message.
  const message =
    error.message === "" && error instanceof AggregateError
      ? error.errors.map((each) => describeError(each)).join("; ")
      : error.message;
  return redact([error.name, code, message].filter((part) => part).join(": "));
}
