import type { Problem, Violation } from "./generated/types.gen.js";
import { readRetryAfter } from "./retry-after.js";

/**
 * The document's codes, and the client's own:
 *
 * | code | status | |
 * | --- | --- | --- |
 * | `network_error` | 0 | no answer, or not all of it: offline, reset, refused by CORS |
 * | `timeout` | 0 | no complete answer in time |
 * | `token_unavailable` | that of `/token`, or 0 | the sign-in service gives no token right now |
 * | `session_ended` | 401 | the sign-in service says that there is no session |
 * | `http_error` | the answer's | an error, or a redirect, that is no problem document |
 * | `response_invalid` | the answer's | a success that is not what the document promises |
 */
export type ApiErrorCode = Problem["code"];

export interface ApiErrorInit {
  readonly status: number;
  readonly code: ApiErrorCode;
  readonly title: string;
  readonly type?: string | undefined;
  readonly detail?: string | undefined;
  readonly errors?: Violation[] | undefined;
  readonly traceId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly response?: Response | undefined;
  readonly cause?: unknown;
}

/**
 * Every failure of a call, as a problem document (RFC 9457). Members that a kind of problem has
 * beyond the common ones, such as those of `NotReady`, are members of the error too.
 *
 * The one failure that is none: a call that its own `AbortSignal` ended rejects with the
 * signal's reason, an `AbortError`.
 */
export class ApiError extends Error implements Problem {
  override readonly name = "ApiError";
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly code: ApiErrorCode;
  /** The kind of problem in words, the same for every occurrence. */
  readonly title: string;
  readonly type: string;
  /** What is wrong with this request. */
  declare readonly detail?: string;
  /** The faults of the request one by one. */
  declare readonly errors?: Violation[];
  /** What to look for in the service's logs. */
  declare readonly traceId?: string;
  /** When trying again makes sense, if the answer said so. */
  declare readonly retryAfterMs?: number;
  /** The answer, if one came, for its headers: the body has been read. */
  declare readonly response?: Response;

  constructor(init: ApiErrorInit) {
    const { status, code, title, detail, cause } = init;
    // Never what was sent, nor the body of an answer that is no problem document: errors are
    // logged and reported.
    super(
      `${title}${detail === undefined ? "" : `: ${detail}`} (${code})`,
      cause === undefined ? undefined : { cause },
    );
    this.status = status;
    this.code = code;
    this.title = title;
    this.type = init.type ?? `urn:keyward:problem:${code}`;
    const { errors, traceId, retryAfterMs } = init;
    Object.assign(this, defined({ detail, errors, traceId, retryAfterMs }));
    // Not to be listed: a response says nothing when it is logged or sent to a reporter.
    if (init.response) Object.defineProperty(this, "response", { value: init.response });
  }

  /** The error that an answer stands for, given the answer's body as far as it could be read. */
  static fromResponse(response: Response, body: unknown, cause?: unknown): ApiError {
    const { status, headers } = response;
    const common = {
      status,
      response,
      retryAfterMs: readRetryAfter(headers),
      cause,
    };
    const requestId = headers.get("X-Request-Id") ?? undefined;
    if (!isProblem(body)) {
      return new ApiError({
        ...common,
        code: "http_error",
        title: isRedirect(response) ? "The API redirects to elsewhere" : `HTTP error ${status}`,
        traceId: requestId,
      });
    }
    const { code, title } = body;
    const error = new ApiError({
      ...common,
      code,
      title,
      type: stringOr(body.type, undefined),
      detail: stringOr(body.detail, undefined),
      errors: Array.isArray(body.errors) ? body.errors.filter(isViolation) : undefined,
      traceId: stringOr(body.traceId, requestId),
    });
    // The members of this kind of problem alone. None of them may hide one of an Error.
    for (const [name, value] of Object.entries(body)) {
      if (!(name in error) && !COMMON_MEMBERS.has(name)) Object.assign(error, { [name]: value });
    }
    return error;
  }
}

const COMMON_MEMBERS = new Set([
  "cause",
  "detail",
  "errors",
  "response",
  "retryAfterMs",
  "stack",
  "traceId",
]);

// A newer service may have codes that this version of the document lacks: they are handed on.
function isProblem(
  body: unknown,
): body is Record<string, unknown> & Pick<Problem, "code" | "title"> {
  if (typeof body !== "object" || body === null) return false;
  const { code, title } = body as Record<string, unknown>;
  return typeof code === "string" && typeof title === "string";
}

function isViolation(value: unknown): value is Violation {
  return typeof value === "object" && value !== null && "detail" in value;
}

function isRedirect({ status, type }: Response): boolean {
  return type === "opaqueredirect" || (status >= 300 && status < 400 && status !== 304);
}

function stringOr<T>(value: unknown, otherwise: T): string | T {
  return typeof value === "string" ? value : otherwise;
}

function defined(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
