import {
  type Client,
  createKeywardClient,
  createTokenSource,
  readClaims,
  type TokenSource,
} from "@keyward/client";
import { betterAuthTokens } from "@keyward/client/better-auth";
import { authClient } from "../browser/auth-client.ts";

// A person has given up before.
const TIMEOUT_MS = 15_000;

export interface TaskService {
  readonly client: Client;
  readonly tokens: TokenSource;
}

/** The API's client for one user's page. */
export function createTaskService(apiUrl: string, userId: string): TaskService {
  const load = betterAuthTokens(authClient);
  const tokens = createTokenSource(async (signal) => {
    const token = await load(signal);
    // Somebody else signed in, in another tab: for this page, the session is over.
    return token !== null && readClaims(token).subject === userId ? token : null;
  });
  return {
    client: createKeywardClient({ baseUrl: apiUrl, tokens, timeoutMs: TIMEOUT_MS }),
    tokens,
  };
}
