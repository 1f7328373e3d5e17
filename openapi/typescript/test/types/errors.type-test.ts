import {
  ApiError,
  type ApiErrorCode,
  type GetMeError,
  type GetReadinessError,
  type Problem,
  type TokenUnavailableError,
  type Violation,
} from "@keyward/client";
import { type Equal, expectType } from "./expect-type.js";

declare const error: ApiError;

expectType<Equal<ApiError["code"], ApiErrorCode>>();
expectType<Equal<ApiError["status"], number>>();
expectType<Equal<ApiError["detail"], string | undefined>>();
expectType<Equal<ApiError["errors"], Violation[] | undefined>>();
expectType<Equal<ApiError["retryAfterMs"], number | undefined>>();
expectType<Equal<ApiError["response"], Response | undefined>>();
expectType<Equal<TokenUnavailableError["status"], number>>();

// The codes are an enumeration, with the document's codes and the client's.
expectType<Equal<string extends ApiErrorCode ? true : false, false>>();
export const codes: ApiErrorCode[] = ["task_not_found", "token_expired", "network_error"];
// @ts-expect-error: a misspelt code
export const misspelt: ApiErrorCode = "task_not_fuond";
// @ts-expect-error: it would never be true
export const never = error.code === "not_a_code";

// A switch can be exhaustive, and the compiler says what is missing.
type OnTheWay = Extract<
  ApiErrorCode,
  | "http_error"
  | "network_error"
  | "response_invalid"
  | "session_ended"
  | "timeout"
  | "token_unavailable"
>;
export function explain(code: OnTheWay): string {
  switch (code) {
    case "network_error":
    case "timeout":
      return "We can’t reach the task service.";
    case "token_unavailable":
      return "We can’t reach the sign-in service.";
    case "session_ended":
      return "Your session has ended.";
    case "http_error":
    case "response_invalid":
      return "The task service is in trouble.";
  }
}
// @ts-expect-error: not all codes return
export function explainLess(code: OnTheWay): string {
  switch (code) {
    case "network_error":
      return "We can’t reach the task service.";
  }
}

// An ApiError is the problem that the generated types promise, and narrows to all it is.
export const problem: Problem = error;
export function handle(failure: GetMeError | GetReadinessError): number | undefined {
  if (failure instanceof ApiError && failure.code === "token_unavailable") {
    return failure.retryAfterMs;
  }
  return "database" in failure && !failure.database.answers ? 0 : undefined;
}

// @ts-expect-error: nobody changes an error
error.status = 200;
// @ts-expect-error: an error has a code
new ApiError({ status: 0, title: "" });
