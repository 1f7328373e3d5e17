import { pingDatabase } from "../../server/auth.ts";
import { describeError, logLine } from "../../server/log.ts";

export const dynamic = "force-dynamic";

const TIMEOUT_MS = 2_000;

/** Whether people can sign in: the auth database answers. */
export async function GET(): Promise<Response> {
  try {
    await Promise.race([pingDatabase(), timeout()]);
    return answer(200, "ok");
  } catch (error) {
    logLine("warn", `not healthy: ${describeError(error)}`);
    return answer(503, "unavailable");
  }
}

function answer(status: number, text: string): Response {
  return Response.json({ status: text }, { status, headers: { "Cache-Control": "no-store" } });
}

function timeout(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error("the database does not answer")), TIMEOUT_MS).unref();
  });
}
