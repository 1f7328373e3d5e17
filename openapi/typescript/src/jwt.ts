/**
 * What the client may know of a token: whose it is and how long it lives. Nothing is verified
 * here, and nothing may be decided by it but when to ask for the next token and that a request
 * of one user is not sent again as another. Judging tokens is the API's task.
 */
export interface TokenClaims {
  readonly subject: string | undefined;
  /** `exp - iat`: the issuer's clock alone, so that a wrong local clock does not matter. */
  readonly lifeMs: number;
}

/** For a page that is made for one user, too: to see that a token is still theirs. */
export function readClaims(token: string): TokenClaims {
  const { sub, exp, iat } = readPayload(token);
  return { subject: typeof sub === "string" ? sub : undefined, lifeMs: readLife(exp, iat) };
}

function readLife(exp: unknown, iat: unknown): number {
  // A token that does not say when it ends is good until the API rejects it.
  if (!isFiniteNumber(exp)) return Number.POSITIVE_INFINITY;
  const begin = isFiniteNumber(iat) ? iat * 1000 : Date.now();
  return Math.max(0, exp * 1000 - begin);
}

function readPayload(token: string): Record<string, unknown> {
  try {
    const base64 = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    // The bytes are UTF-8 (RFC 7519 §7.2), and `atob` gives a character for each of them.
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const payload: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof payload === "object" && payload !== null ? { ...payload } : {};
  } catch {
    return {};
  }
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
