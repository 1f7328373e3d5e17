const SECONDS = /^\d+$/;
// IMF-fixdate, the one form that RFC 9110 §5.6.7 lets a server send.
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * How long to wait, by `Retry-After` (RFC 9110 §10.2.3, seconds or a date) or by Better Auth's
 * `X-Retry-After` (seconds). A date is compared with the answer's own `Date` where that is to
 * be seen, because the local clock may be wrong.
 */
export function readRetryAfter(headers: Headers): number | undefined {
  const value = headers.get("Retry-After") ?? headers.get("X-Retry-After");
  if (value === null) return undefined;
  if (SECONDS.test(value)) return Number(value) * 1000;
  const until = readDate(value);
  if (until === undefined) return undefined;
  return Math.max(0, until - (readDate(headers.get("Date") ?? "") ?? Date.now()));
}

function readDate(value: string): number | undefined {
  if (!HTTP_DATE.test(value)) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : date;
}
