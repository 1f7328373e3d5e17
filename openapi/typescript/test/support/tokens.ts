import type { TokenSource } from "@keyward/client";

/** Looks like a JWT, and nobody verifies it. Without `exp` it is good until it is rejected. */
export function fakeToken(claims: {
  sub?: string;
  iat?: number;
  exp?: number;
  n?: number;
}): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "EdDSA" })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Hands out `token-1`, and the next number whenever one is rejected. */
export function countingTokens(): TokenSource & { readonly rejected: (string | undefined)[] } {
  const rejected: (string | undefined)[] = [];
  return {
    rejected,
    async get(options) {
      if (options?.rejected !== undefined) rejected.push(options.rejected);
      return `token-${rejected.length + 1}`;
    },
    clear() {},
  };
}
