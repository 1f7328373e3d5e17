import assert from "node:assert/strict";
import { ApiError } from "@keyward/client";

/** The `ApiError` that a call rejects with. */
export async function failureOf(call: Promise<unknown>): Promise<ApiError> {
  const error = await rejectionOf(call);
  assert.ok(error instanceof ApiError, `${error} is no ApiError`);
  return error;
}

/** Whatever a call rejects with. */
export async function rejectionOf(call: Promise<unknown>): Promise<unknown> {
  let data: unknown;
  try {
    data = await call;
  } catch (error) {
    return error;
  }
  assert.fail(`did not reject but gave ${JSON.stringify(data)}`);
}
