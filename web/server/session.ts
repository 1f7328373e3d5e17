import "server-only";
import { headers } from "next/headers";
import { cache } from "react";
import { getAuth } from "./auth.ts";
import { describeError, logLine } from "./log.ts";

export interface User {
  readonly id: string;
  readonly name: string;
}

/** Who asks for this page: once per request, from the database and not from the cookie alone. */
export const getUser = cache(async (): Promise<User | null | "unavailable"> => {
  const request = await headers();
  try {
    const session = await (await getAuth()).api.getSession({ headers: request });
    return session === null ? null : { id: session.user.id, name: session.user.name };
  } catch (error) {
    logLine("error", `session not read: ${describeError(error)}`);
    return "unavailable";
  }
});
