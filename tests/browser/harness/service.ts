/** `test` with the API and a real Better Auth that is no app: Swagger UI and CORS need no more. */

import { Api } from "./api.ts";
import { BetterAuth } from "./better-auth.ts";
import { test as watched } from "./test.ts";

interface WorkerFixtures {
  auth: BetterAuth;
  api: Api;
  /** Origins that the API allows. */
  corsOrigins: string[];
}

export const test = watched.extend<object, WorkerFixtures>({
  corsOrigins: [["http://app.example.com"], { scope: "worker", option: true }],

  auth: [
    async ({ programs }, use) => {
      const auth = await BetterAuth.start({ audience: "https://api.example.com" });
      programs.push(auth);
      await use(auth);
      await auth.end();
    },
    { scope: "worker" },
  ],

  api: [
    async ({ auth, corsOrigins, programs }, use) => {
      const api = await Api.start({
        authUrl: auth.url,
        corsOrigins,
        env: { JWT_AUDIENCE: "https://api.example.com", JWT_LEEWAY_SECONDS: "0" },
      });
      programs.push(api);
      await use(api);
      await api.end();
    },
    { scope: "worker" },
  ],
});

export { expect } from "@playwright/test";
