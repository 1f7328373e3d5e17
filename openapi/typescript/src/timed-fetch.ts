import { ApiError } from "./api-error.js";
import { deriveRequest } from "./derive-request.js";

const BODY_READERS = ["arrayBuffer", "blob", "formData", "json", "text"] as const;

/**
 * A `fetch` that takes no longer than `timeoutMs` from the call to the end of the answer's body,
 * whatever `send` does meanwhile: tokens and a replay included.
 *
 * By hand instead of `AbortSignal.any` and `AbortSignal.timeout`: the former is missing in
 * browsers before 2024 (Chrome 116, Firefox 124, Safari 17.4), and a timer of the latter stays
 * behind after the answer.
 */
export function createTimedFetch(send: typeof fetch, timeoutMs: number): typeof fetch {
  return async (input, init) => {
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const limit = startLimit(signal, timeoutMs);
    let response: Response;
    try {
      response = await send(deriveRequest(input, { ...init, signal: limit.signal }));
    } catch (error) {
      limit.end();
      throw limit.judge(error);
    }
    if (response.body === null) limit.end();
    else endWithBody(response, limit);
    return response;
  };
}

interface Limit {
  readonly signal: AbortSignal;
  /** What an error means: time-out, if that is what ended the request. */
  judge(error: unknown): unknown;
  end(): void;
}

function startLimit(outer: AbortSignal | undefined, timeoutMs: number): Limit {
  const controller = new AbortController();
  const timedOut = new ApiError({
    status: 0,
    code: "timeout",
    title: "The API did not answer in time",
  });
  const onAbort = () => controller.abort(outer?.reason);
  const timer = setTimeout(() => controller.abort(timedOut), timeoutMs);
  if (outer?.aborted) onAbort();
  outer?.addEventListener("abort", onAbort, { once: true });
  const { signal } = controller;
  return {
    signal,
    // Older browsers reject with an AbortError instead of the signal's reason.
    judge: (error) => (signal.reason === timedOut ? timedOut : error),
    end: () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", onAbort);
    },
  };
}

function endWithBody(response: Response, limit: Limit): void {
  for (const reader of BODY_READERS) {
    const read = response[reader].bind(response);
    Object.defineProperty(response, reader, {
      value: async () => {
        try {
          return await read();
        } catch (error) {
          throw limit.judge(error);
        } finally {
          limit.end();
        }
      },
    });
  }
}
