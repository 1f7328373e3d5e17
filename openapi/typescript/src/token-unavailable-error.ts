export interface TokenUnavailableInit {
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/**
 * There is no token to be had at the moment, and nothing says that the session has ended:
 * the sign-in service is away, slow, limits requests, or answered something that is no token.
 * Nobody is to be signed out for this.
 */
export class TokenUnavailableError extends Error {
  override readonly name = "TokenUnavailableError";
  /** The HTTP status of the sign-in service; 0 when no answer came. */
  readonly status: number;
  /** When trying again makes sense, if the sign-in service said so. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { status = 0, retryAfterMs, cause }: TokenUnavailableInit = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}
