import { getSessionCookie } from "better-auth/cookies";
import { type NextRequest, NextResponse } from "next/server";
import { COOKIE_PREFIX } from "./lib/auth-rules.ts";
import { contentSecurityPolicy } from "./lib/csp.ts";
import { signInPath } from "./lib/next-path.ts";
import { readSettings } from "./server/env.ts";

// Pages only: files and machines' answers run no script.
export const config = { matcher: ["/((?!api/|healthz$|_next/|icon\\.svg$).*)"] };

const TWO_YEARS_SECONDS = 2 * 365 * 24 * 60 * 60;

export function proxy(request: NextRequest): NextResponse {
  const { production, appOrigin, apiOrigin } = readSettings(process.env);

  // Only saves the way to a page that would send them on: the page itself asks the database.
  const { pathname, search } = request.nextUrl;
  if (
    pathname === "/tasks" &&
    getSessionCookie(request, { cookiePrefix: COOKIE_PREFIX }) === null
  ) {
    return NextResponse.redirect(new URL(signInPath(pathname + search), request.url));
  }

  const policy = contentSecurityPolicy({
    nonce: btoa(crypto.randomUUID()),
    apiOrigin,
    development: !production,
  });
  // Next.js reads the nonce out of the request's policy and puts it on its scripts.
  const headers = new Headers(request.headers);
  headers.set("Content-Security-Policy", policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("Content-Security-Policy", policy);
  if (appOrigin.startsWith("https:")) {
    response.headers.set("Strict-Transport-Security", `max-age=${TWO_YEARS_SECONDS}`);
  }
  return response;
}
