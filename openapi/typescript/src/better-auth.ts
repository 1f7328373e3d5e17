import { readRetryAfter } from "./retry-after.js";
import type { TokenLoader } from "./token-source.js";
import { TokenUnavailableError } from "./token-unavailable-error.js";

/** What is needed of Better Auth's client: the `token` action that `jwtClient()` adds to it. */
export interface BetterAuthTokenClient {
  token(options: {
    fetchOptions: {
      signal: AbortSignal;
      cache: "no-store";
      throw: false;
      onError(context: { response: Response }): void;
    };
  }): Promise<unknown>;
}

/**
 * Loads tokens from Better Auth:
 *
 * ```ts
 * const authClient = createAuthClient({ plugins: [jwtClient()] });
 * const tokens = createTokenSource(betterAuthTokens(authClient));
 * ```
 *
 * Only a 401 says that the session has ended. When `/token` is slow, limited, broken or out of
 * reach, that is a `TokenUnavailableError`, and the user stays signed in.
 */
export function betterAuthTokens(authClient: BetterAuthTokenClient): TokenLoader {
  return async (signal) => {
    let failed: Response | undefined;
    const answer = await authClient.token({
      fetchOptions: {
        signal,
        // Better Auth forbids no cache to keep the answer.
        cache: "no-store",
        // Whatever the application's own client is set to.
        throw: false,
        onError: ({ response }) => {
          failed = response;
        },
      },
    });
    const { data, error } = (answer ?? {}) as { data?: unknown; error?: unknown };
    const token = readToken(data);
    if (token !== undefined) return token;
    if (failed?.status === 401) return null;
    if (failed) {
      throw new TokenUnavailableError(`The sign-in service answered ${failed.status}`, {
        status: failed.status,
        retryAfterMs: readRetryAfter(failed.headers),
      });
    }
    // With better-fetch's `catchAllError`, a request that failed is an error without an answer.
    if (error) {
      throw new TokenUnavailableError("The sign-in service cannot be reached", { cause: error });
    }
    throw new TokenUnavailableError("The sign-in service answered without a token", {
      status: 200,
    });
  };
}

function readToken(data: unknown): string | undefined {
  const { token } = (data ?? {}) as { token?: unknown };
  return typeof token === "string" && token !== "" ? token : undefined;
}
