import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";

const TIMEOUT_MS = 10_000;

/** Better Auth on this origin, with the session's cookie. */
export const authClient = createAuthClient({
  plugins: [jwtClient()],
  fetchOptions: { timeout: TIMEOUT_MS },
});
