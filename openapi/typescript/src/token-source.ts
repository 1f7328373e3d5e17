import { sleep, untilAborted } from "./abort.js";
import { readClaims } from "./jwt.js";
import { type Stopwatch, startStopwatch } from "./stopwatch.js";
import { TokenUnavailableError } from "./token-unavailable-error.js";

/** Hands out the token to send with a request, and forgets it with the page. */
export interface TokenSource {
  /**
   * A token to send, or null when there is no session.
   *
   * With `rejected`, the token that the API answered 401 to: another is handed out, unless the
   * sign-in service keeps giving that same one. A request is never continued as somebody else:
   * when another user has signed in meanwhile, this rejects with an `AbortError`.
   *
   * `signal` ends this caller's waiting alone; a load that others wait for goes on.
   *
   * @throws TokenUnavailableError when none is to be had, which says nothing about the session.
   */
  get(options?: { rejected?: string; signal?: AbortSignal }): Promise<string | null>;
  /** Forgets everything, for sign-in and sign-out: what is still under way is dropped. */
  clear(): void;
}

/** Asks the sign-in service for a token; null means that there is no session. */
export type TokenLoader = (signal: AbortSignal) => Promise<string | null>;

export interface TokenSourceOptions {
  /** How long before its end a token is renewed, if it lives twice as long. Default 30 s. */
  readonly renewBeforeMs?: number;
  /** How long the loader may take. Default 10 s. */
  readonly loadTimeoutMs?: number;
  /** The clock, in milliseconds, instead of `Date.now` and `performance.now` together. */
  readonly now?: () => number;
}

interface HeldToken {
  readonly token: string;
  readonly subject: string | undefined;
  readonly lifeMs: number;
  /** Since it was asked for: its life may have begun as early as that. */
  readonly age: Stopwatch;
  /** Since it came: it was signed no later than that. */
  readonly received: Stopwatch;
  /** Since when a renewal was last begun while this token was still good. */
  renewing?: Stopwatch;
}

interface Flight {
  readonly controller: AbortController;
  readonly result: Promise<HeldToken | null>;
}

// Deterministic signatures over a time in whole seconds: within one second, Better Auth gives
// the same token again. The rest is for a second that began late.
const SAME_TOKEN_MS = 1_050;
// A renewal that failed is not tried again with every request.
const RENEWAL_PAUSE_MS = 1_000;
// What a sign-in service that limits requests may ask for at most.
const MAX_PAUSE_MS = 60_000;
// What a header can carry. Anything else would end up, token and all, in the message of a
// TypeError.
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * Keeps the token in memory, and only there. For a browser, where all requests are one user's:
 * on a server it would be shared between users.
 *
 * - Callers who need a token at the same time share one load.
 * - A token that is about to end is renewed behind the scenes: while it is still good, nobody
 *   waits for the renewal or notices that it failed.
 * - A token's life is counted from when it was asked for, so a wrong clock does not matter.
 */
export function createTokenSource(
  load: TokenLoader,
  { renewBeforeMs = 30_000, loadTimeoutMs = 10_000, now }: TokenSourceOptions = {},
): TokenSource {
  let epoch = 0;
  let held: HeldToken | undefined;
  let flight: Flight | undefined;
  let pause: { readonly error: TokenUnavailableError; readonly age: Stopwatch } | undefined;
  // Those since the last good one, each with the time since it came.
  const rejectedTokens = new Map<string, Stopwatch>();

  async function get(options: { rejected?: string; signal?: AbortSignal } = {}) {
    const { rejected, signal } = options;
    signal?.throwIfAborted();
    const subject = rejected === undefined ? held?.subject : readClaims(rejected).subject;
    if (rejected !== undefined) reject(rejected);

    for (;;) {
      if (held && held.age() < held.lifeMs) {
        renewInTime(held);
        return sameUser(held, subject).token;
      }
      const asked = epoch;
      const loaded = await untilAborted((flight ?? startFlight()).result, signal);
      // Cleared meanwhile: what came is the old user's, if anything came at all.
      if (asked !== epoch) continue;
      return loaded && sameUser(loaded, subject).token;
    }
  }

  function clear() {
    epoch += 1;
    held = undefined;
    pause = undefined;
    rejectedTokens.clear();
    flight?.controller.abort();
    flight = undefined;
  }

  function reject(token: string) {
    if (held?.token === token) {
      rejectedTokens.set(token, held.received);
      held = undefined;
    } else if (!held && !rejectedTokens.has(token)) {
      rejectedTokens.set(token, startStopwatch(now));
    }
  }

  function renewInTime(token: HeldToken) {
    const due = Math.max(token.lifeMs - renewBeforeMs, token.lifeMs / 2);
    if (token.age() < due || flight) return;
    if (token.renewing && token.renewing() < RENEWAL_PAUSE_MS) return;
    token.renewing = startStopwatch(now);
    startFlight().result.catch(() => {});
  }

  function startFlight(): Flight {
    const controller = new AbortController();
    const mine: Flight = { controller, result: run() };
    flight = mine;
    return mine;

    async function run(): Promise<HeldToken | null> {
      try {
        const loaded = await loadOther(controller.signal);
        if (controller.signal.aborted) return null;
        keep(loaded);
        return loaded;
      } catch (error) {
        if (controller.signal.aborted) return null;
        throw error;
      } finally {
        if (flight === mine) flight = undefined;
      }
    }
  }

  function keep(loaded: HeldToken | null) {
    if (loaded && rejectedTokens.has(loaded.token)) {
      // Nothing better is to be had. Whoever asked may hear from the API why it is rejected.
      held = undefined;
      return;
    }
    rejectedTokens.clear();
    // The same token again is as old as it was.
    if (loaded && loaded.token === held?.token) return;
    held = loaded ?? undefined;
  }

  async function loadOther(signal: AbortSignal): Promise<HeldToken | null> {
    const loaded = await loadInTime(signal);
    const received = loaded && rejectedTokens.get(loaded.token);
    if (!received || received() >= SAME_TOKEN_MS) return loaded;
    await sleep(SAME_TOKEN_MS - received(), signal);
    return loadInTime(signal);
  }

  async function loadInTime(dropped: AbortSignal): Promise<HeldToken | null> {
    if (pause && pauseLeft() > 0) throw afterPause(pause.error, pauseLeft());
    const controller = new AbortController();
    const age = startStopwatch(now);
    const timer = setTimeout(() => {
      controller.abort(new TokenUnavailableError("The sign-in service did not answer in time"));
    }, loadTimeoutMs);
    const onDropped = () => controller.abort(dropped.reason);
    dropped.addEventListener("abort", onDropped, { once: true });
    try {
      // Not only the signal: a loader need not listen to it.
      const token = await untilAborted(callLoader(controller.signal), controller.signal);
      if (token === null) return null;
      return { token, age, received: startStopwatch(now), ...readClaims(checked(token)) };
    } catch (error) {
      const unavailable = asUnavailable(error);
      if (unavailable.retryAfterMs) pause = { error: unavailable, age: startStopwatch(now) };
      throw unavailable;
    } finally {
      clearTimeout(timer);
      dropped.removeEventListener("abort", onDropped);
    }
  }

  // A loader that throws at once is no different from one that rejects.
  async function callLoader(signal: AbortSignal) {
    return load(signal);
  }

  function pauseLeft(): number {
    if (!pause?.error.retryAfterMs) return 0;
    return Math.min(pause.error.retryAfterMs, MAX_PAUSE_MS) - pause.age();
  }

  return { get, clear };
}

function sameUser(token: HeldToken, subject: string | undefined): HeldToken {
  if (subject !== undefined && token.subject !== undefined && token.subject !== subject) {
    throw new DOMException("Another user has signed in", "AbortError");
  }
  return token;
}

function checked(token: unknown): string {
  if (typeof token === "string" && TOKEN.test(token)) return token;
  throw new TokenUnavailableError("The sign-in service answered something that is no token");
}

function asUnavailable(error: unknown): TokenUnavailableError {
  if (error instanceof TokenUnavailableError) return error;
  return new TokenUnavailableError("The sign-in service cannot be reached", { cause: error });
}

function afterPause({ message, status }: TokenUnavailableError, retryAfterMs: number) {
  return new TokenUnavailableError(message, { status, retryAfterMs });
}
