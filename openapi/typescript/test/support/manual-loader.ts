import type { TokenLoader } from "@keyward/client";

export interface Load {
  readonly signal: AbortSignal;
  give(token: string | null): void;
  fail(error: unknown): void;
}

/** A sign-in service whose every answer the test gives by hand. */
export function manualLoader(): { readonly load: TokenLoader; readonly loads: Load[] } {
  const loads: Load[] = [];
  const load: TokenLoader = (signal) =>
    new Promise((give, fail) => {
      loads.push({ signal, give, fail });
    });
  return { load, loads };
}

/** A clock that stands still until the test moves it. */
export function manualClock(): { readonly now: () => number; advance(ms: number): void } {
  let time = 0;
  return {
    now: () => time,
    advance: (ms) => {
      time += ms;
    },
  };
}

/** Lets everything that waits for nothing but promises go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
