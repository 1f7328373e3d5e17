import { ApiError } from "./api-error.js";
import { createAuthFetch } from "./auth-fetch.js";
import { type Client, createClient } from "./generated/client/index.js";
import { globalFetch } from "./global-fetch.js";
import { createGuardedFetch, invalidAnswer, isPromisedData } from "./success-guard.js";
import { createTimedFetch } from "./timed-fetch.js";
import type { TokenSource } from "./token-source.js";

export interface KeywardClientOptions {
  /** The API's URL, such as `https://api.example.com`. */
  readonly baseUrl: string;
  /** Where tokens come from. Without it, only what needs no token can be called. */
  readonly tokens?: TokenSource | undefined;
  /** The `fetch` to send with. Default: the global one. */
  readonly fetch?: typeof fetch | undefined;
  /** How long a call may take in all. Default 30 s. */
  readonly timeoutMs?: number | undefined;
  /**
   * The `traceparent` to send (W3C Trace Context), for an application that has a tracing of its
   * own. None by default: its sampling flag would decide for the API too.
   */
  readonly traceparent?: (() => string | undefined) | undefined;
}

/** A client for the generated functions. Every failure of a call is an `ApiError`. */
export function createKeywardClient(options: KeywardClientOptions): Client {
  const { tokens, fetch: send = globalFetch, timeoutMs = 30_000, traceparent } = options;
  const finish = (inner: typeof fetch) => createTimedFetch(createGuardedFetch(inner), timeoutMs);
  const openFetch = finish(send);
  const authFetch = tokens ? finish(createAuthFetch(tokens, { fetch: send })) : openFetch;
  const open = new WeakSet<Request>();

  const client = createClient({
    baseUrl: checkedUrl(options.baseUrl),
    throwOnError: true,
    credentials: "omit",
    // Followed, a redirected POST would arrive as a GET and its answer pass for a success.
    redirect: "manual",
    fetch: (input, init) =>
      (input instanceof Request && open.has(input) ? openFetch : authFetch)(input, init),
    responseValidator: async (data) => {
      if (!isPromisedData(data)) throw new InvalidData();
    },
  });
  client.interceptors.request.use((request, { security }) => {
    // What the document asks no token for must work without a session.
    if (!security) open.add(request);
    const parent = traceparent?.();
    if (parent !== undefined) request.headers.set("traceparent", parent);
    return request;
  });
  client.interceptors.error.use(toApiError);
  return client;
}

class InvalidData extends Error {}

function toApiError(error: unknown, response?: Response, request?: Request): unknown {
  if (error instanceof ApiError || isAbort(error, request)) return error;
  // Nothing was sent: the call itself is wrong.
  if (request === undefined) return error;
  if (response === undefined) return networkError(error);
  if (!response.ok) {
    // The generated runtime throws the body, unless it failed to read it.
    return error instanceof Error
      ? ApiError.fromResponse(response, undefined, error)
      : ApiError.fromResponse(response, error);
  }
  if (error instanceof InvalidData) return invalidAnswer(response, "it is not what was asked for");
  if (error instanceof SyntaxError) return invalidAnswer(response, "it is not JSON", error);
  return networkError(error, response);
}

function networkError(cause: unknown, response?: Response): ApiError {
  const title = response ? "The API's answer broke off" : "The API cannot be reached";
  return new ApiError({ status: 0, code: "network_error", title, response, cause });
}

function isAbort(error: unknown, request: Request | undefined): boolean {
  if (request?.signal.aborted && error === request.signal.reason) return true;
  return error instanceof Error && error.name === "AbortError";
}

function checkedUrl(baseUrl: string): string {
  if (!isUsableUrl(baseUrl)) {
    throw new TypeError('baseUrl is the URL of the API, such as "https://api.example.com"');
  }
  return baseUrl;
}

function isUsableUrl(baseUrl: string): boolean {
  try {
    // A path is for an API behind the page's own origin.
    const page = baseUrl.startsWith("/") ? globalThis.location?.href : undefined;
    const { protocol, username, search, hash } = new URL(baseUrl, page);
    return /^https?:$/.test(protocol) && !username && !search && !hash;
  } catch {
    return false;
  }
}
