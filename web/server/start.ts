import "server-only";
import { prepareAuth } from "./auth.ts";
import { readSettings, SettingError } from "./env.ts";
import { describeError, logLine } from "./log.ts";

/** Before the first request: a server that could not sign anybody in must not look healthy. */
export async function start(): Promise<void> {
  try {
    const { appOrigin } = readSettings(process.env);
    if (appOrigin.startsWith("http:") && !isLoopback(new URL(appOrigin).hostname)) {
      logLine(
        "warn",
        "BETTER_AUTH_URL is http: passwords and sessions cross the network in the clear",
      );
    }
    await prepareAuth();
  } catch (error) {
    const problem =
      error instanceof SettingError
        ? error.message
        : `DATABASE_URL cannot be used: ${describeError(error)}`;
    process.stderr.write(`error: ${problem}\n`);
    process.exit(1);
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.startsWith("127.") || hostname === "[::1]";
}
