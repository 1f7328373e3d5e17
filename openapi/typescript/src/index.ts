export { ApiError, type ApiErrorCode, type ApiErrorInit } from "./api-error.js";
export { type AuthFetchOptions, createAuthFetch } from "./auth-fetch.js";
export { createKeywardClient, type KeywardClientOptions } from "./client.js";
export type { Client } from "./generated/client/index.js";
export * from "./generated/index.js";
export { readClaims, type TokenClaims } from "./jwt.js";
export {
  createTokenSource,
  type TokenLoader,
  type TokenSource,
  type TokenSourceOptions,
} from "./token-source.js";
export { TokenUnavailableError, type TokenUnavailableInit } from "./token-unavailable-error.js";
