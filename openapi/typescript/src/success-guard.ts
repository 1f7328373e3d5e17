import { ApiError } from "./api-error.js";
import { deriveRequest } from "./derive-request.js";
import { discardBody } from "./discard-body.js";

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/i;

/**
 * A `fetch` that refuses a success which is not what the document promises, before anything takes
 * it for data: the HTML of a proxy's sign-in page, an empty answer. By the document, a DELETE is
 * answered 204 and every other request with a JSON object; a test holds this against it.
 */
export function createGuardedFetch(send: typeof fetch): typeof fetch {
  return async (input, init) => {
    const request = deriveRequest(input, init);
    const { method } = request;
    const response = await send(request);
    const fault = response.ok ? findFault(response, method) : undefined;
    if (fault === undefined) return response;
    discardBody(response);
    throw invalidAnswer(response, fault);
  };
}

/** For the parsed body of a success: an empty body must not pass for an empty object. */
export function isPromisedData(data: unknown): boolean {
  return typeof data === "object" && !Array.isArray(data) && Object.keys(data ?? {}).length > 0;
}

export function invalidAnswer(response: Response, fault: string, cause?: unknown): ApiError {
  return new ApiError({
    status: response.status,
    code: "response_invalid",
    title: "The API's answer is not one of its own",
    detail: fault,
    traceId: response.headers.get("X-Request-Id") ?? undefined,
    response,
    cause,
  });
}

function findFault({ status, headers }: Response, method: string): string | undefined {
  if (method === "HEAD" || (method === "DELETE" && status === 204)) return undefined;
  if (status === 204 || headers.get("Content-Length") === "0") return "it is empty";
  const type = (headers.get("Content-Type") ?? "").split(";")[0]?.trim() ?? "";
  return JSON_TYPE.test(type) ? undefined : "it is not JSON";
}
