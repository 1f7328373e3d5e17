/** Where people go when they have signed in and wanted nothing else. */
export const HOME = "/tasks";

const ORIGIN = "http://app.invalid";

/**
 * The path to go on to after signing in, from a `next` parameter that anybody may have written:
 * another site's address would make ours vouch for it.
 *
 * The browser's own parser decides, since it reads `/\host` and `/<tab>/host` as hosts.
 */
export function nextPath(value: string | string[] | undefined): string {
  if (typeof value !== "string" || !value.startsWith("/") || !URL.canParse(value, ORIGIN)) {
    return HOME;
  }
  const url = new URL(value, ORIGIN);
  const path = url.pathname + url.search + url.hash;
  // "/.//host" has our origin, but what is left of it is "//host".
  return url.origin === ORIGIN && !path.startsWith("//") && !isSignIn(url.pathname) ? path : HOME;
}

export function signInPath(next: string, reason?: "ended"): string {
  const query = new URLSearchParams({ next, ...(reason && { [reason]: "1" }) });
  return `/sign-in?${query}`;
}

/** Somebody who has signed in would be sent round and round. */
function isSignIn(pathname: string): boolean {
  return pathname === "/sign-in" || pathname === "/sign-up";
}
