import { getAuth } from "../../../../server/auth.ts";
import { describeError, logLine } from "../../../../server/log.ts";

export const dynamic = "force-dynamic";

// Better Auth has some thirty more. What the pages do not use is not there for anybody.
const ENDPOINTS = new Set([
  "GET /api/auth/jwks",
  "GET /api/auth/token",
  "POST /api/auth/sign-in/email",
  "POST /api/auth/sign-out",
  "POST /api/auth/sign-up/email",
]);

async function handle(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (!ENDPOINTS.has(`${request.method} ${pathname}`)) return new Response(null, { status: 404 });
  try {
    const response = await (await getAuth()).handler(request);
    // A token in a cache would be somebody else's next.
    if (pathname.endsWith("/token")) response.headers.set("Cache-Control", "no-store");
    return response;
  } catch (error) {
    logLine("error", `${pathname}: ${describeError(error)}`);
    return new Response(null, { status: 500 });
  }
}

export { handle as GET, handle as POST };
