const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** How long to wait after so many failures in a row, unless the service said how long. */
export function backoffMs(failures: number, retryAfterMs: number | undefined): number {
  const doubled = FIRST_MS * 2 ** Math.min(failures - 1, 10);
  return Math.min(Math.max(doubled, retryAfterMs ?? 0), LONGEST_MS);
}
