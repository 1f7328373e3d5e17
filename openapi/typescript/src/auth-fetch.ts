import { ApiError } from "./api-error.js";
import { deriveRequest } from "./derive-request.js";
import { discardBody } from "./discard-body.js";
import { globalFetch } from "./global-fetch.js";
import type { TokenSource } from "./token-source.js";
import { TokenUnavailableError } from "./token-unavailable-error.js";

export interface AuthFetchOptions {
  /** The `fetch` to send with. Default: the global one. */
  readonly fetch?: typeof fetch;
}

/**
 * A `fetch` that sends each request with a token. When the API answers 401, it sends the request
 * once more with another token; the answer to that stands. It works under any client, and has no
 * part in what an answer means.
 *
 * - No cookies: the API takes tokens alone.
 * - A request that brings its own `Authorization` is sent as it is, once.
 * - Without a session nothing is sent: `ApiError` `session_ended`. Without a token for another
 *   reason: `token_unavailable`.
 */
export function createAuthFetch(
  tokens: TokenSource,
  { fetch: send = globalFetch }: AuthFetchOptions = {},
): typeof fetch {
  return async (input, init) => {
    const request = deriveRequest(input, { ...init, credentials: "omit" });
    if (request.headers.has("Authorization")) return send(request);

    // Now, because a body can be sent but once.
    const again = request.clone();
    const { signal } = request;
    const token = await takeToken(tokens.get({ signal }));
    const response = await send(withToken(request, token));
    if (response.status !== 401) return response;

    discardBody(response);
    const another = await takeToken(tokens.get({ rejected: token, signal }), response);
    return send(withToken(again, another));
  };
}

function withToken(request: Request, token: string): Request {
  request.headers.set("Authorization", `Bearer ${token}`);
  return request;
}

async function takeToken(answer: Promise<string | null>, response?: Response): Promise<string> {
  let token: string | null;
  try {
    token = await answer;
  } catch (error) {
    if (!(error instanceof TokenUnavailableError)) throw error;
    throw new ApiError({
      status: error.status,
      code: "token_unavailable",
      title: "The sign-in service is not available",
      detail: error.message,
      retryAfterMs: error.retryAfterMs,
      response,
      cause: error,
    });
  }
  if (token !== null) return token;
  throw new ApiError({
    status: 401,
    code: "session_ended",
    title: "The session has ended",
    response,
  });
}
