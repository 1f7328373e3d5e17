import { createAuthFetch, createTokenSource, type TokenSource } from "@keyward/client";
import { betterAuthTokens } from "@keyward/client/better-auth";
import { createAuthClient } from "better-auth/client";
import { adminClient, jwtClient } from "better-auth/client/plugins";
import { createAuthClient as createReactAuthClient } from "better-auth/react";

// Better Auth's own clients, whatever else they have.
betterAuthTokens(createAuthClient({ plugins: [jwtClient()] }));
betterAuthTokens(createAuthClient({ plugins: [adminClient(), jwtClient()] }));
betterAuthTokens(createReactAuthClient({ plugins: [jwtClient()] }));
// @ts-expect-error: without jwtClient() it knows of no tokens
betterAuthTokens(createAuthClient());

export const tokens: TokenSource = createTokenSource(async (signal) => {
  const response = await fetch("/token", { signal });
  return response.status === 401 ? null : response.text();
});
// @ts-expect-error: no session is null
createTokenSource(async () => undefined);
// @ts-expect-error: no such option
createTokenSource(async () => null, { renewBefore: 30 });

export const authFetch: typeof fetch = createAuthFetch(tokens);

export async function send() {
  const token = await tokens.get();
  // @ts-expect-error: there may be no session
  token.length;
  await tokens.get({ rejected: "eyJ", signal: AbortSignal.timeout(1000) });
}
