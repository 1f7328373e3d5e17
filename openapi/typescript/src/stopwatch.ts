/** The time since it was started, in milliseconds. */
export type Stopwatch = () => number;

/**
 * Starts a stopwatch on every clock and believes the one that says most: `performance.now()`
 * stands still in some browsers while the machine sleeps, and `Date.now()` is set back by hand.
 * Believing too much costs one token more; too little, a request with a dead one.
 */
export function startStopwatch(now?: () => number): Stopwatch {
  const clocks = now ? [now] : [() => Date.now(), () => performance.now()];
  const started = clocks.map((clock) => [clock, clock()] as const);
  return () => Math.max(...started.map(([clock, start]) => clock() - start));
}
