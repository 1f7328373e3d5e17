import { ApiError } from "@keyward/client";
import type { Change } from "./changes.ts";

/** A failure in the words that a person is told. */
export interface Failure {
  readonly text: string;
  readonly traceId?: string | undefined;
  /** A service is not to be reached: nothing was wrong with the request. */
  readonly away: boolean;
  /** It may be over by itself, so trying again makes sense. */
  readonly passing: boolean;
  readonly retryAfterMs?: number | undefined;
}

/** A change that was not saved. */
export interface FailedChange {
  readonly change: Change;
  readonly error: unknown;
  /** By `Date.now`. */
  readonly failedAt: number;
}

const PASSING = new Set([0, 408, 425, 429, 500, 502, 503, 504]);
const LONGEST_QUOTE = 60;

export function isSessionEnd(error: unknown): boolean {
  return error instanceof ApiError && error.code === "session_ended";
}

export function describeFailure(error: unknown): Failure {
  if (!(error instanceof ApiError)) {
    return { text: "Something went wrong.", away: false, passing: false };
  }
  const { code, status, title, traceId, retryAfterMs } = error;
  const service = awayService(error);
  return {
    text: service ? `We can’t reach ${service}.` : `The task service answered: ${title}.`,
    traceId,
    away: service !== undefined,
    passing: PASSING.has(status) || code === "token_unavailable",
    retryAfterMs,
  };
}

function awayService({ code, status }: ApiError): string | undefined {
  switch (code) {
    case "token_unavailable":
      return "the sign-in service";
    case "network_error":
    case "timeout":
      return "the task service";
    case "http_error":
      // A proxy's answer, in the place of the service's own.
      return status >= 502 ? "the task service" : undefined;
  }
  return undefined;
}

/** What became of a change that was refused or lost. */
export function describeUnsaved({ change, error }: Omit<FailedChange, "failedAt">): string {
  const title = quote(change.kind === "add" ? change.title : change.seen.title);
  const status = error instanceof ApiError ? error.status : 0;
  if (status === 412) return `${title} was changed elsewhere. Your change was not saved.`;
  if (status === 404) return `${title} was deleted elsewhere. Your change was not saved.`;
  switch (change.kind) {
    case "add":
      return `${title} was not added.`;
    case "delete":
      return `${title} was not deleted.`;
    case "edit":
      if (change.patch.title !== undefined) {
        return `${title} was not renamed to ${quote(change.patch.title)}.`;
      }
      return `${title} was not marked as ${change.patch.completed ? "done" : "open"}.`;
  }
}

/** Nothing to do again: the task is not any more what it was. */
export function isOvertaken({ error }: Omit<FailedChange, "failedAt">): boolean {
  return error instanceof ApiError && (error.status === 412 || error.status === 404);
}

export function quote(title: string): string {
  const characters = [...title];
  const short = characters.length > LONGEST_QUOTE;
  return `“${
    short
      ? `${characters
          .slice(0, LONGEST_QUOTE - 1)
          .join("")
          .trimEnd()}…`
      : title
  }”`;
}
