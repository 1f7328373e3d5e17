import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, describe, test } from "node:test";
import { createTokenSource, type TokenSource, TokenUnavailableError } from "@keyward/client";
import { rejectionOf } from "./support/failure.js";
import { type Load, manualClock, manualLoader, settle } from "./support/manual-loader.js";
import { fakeToken } from "./support/tokens.js";

const SECOND = 1000;
const LIFE = 900;
const FIRST = fakeToken({ sub: "ada", iat: 0, exp: LIFE, n: 1 });
const SECOND_TOKEN = fakeToken({ sub: "ada", iat: 0, exp: LIFE, n: 2 });
const GRACES = fakeToken({ sub: "grace", iat: 0, exp: LIFE });

interface Fixture {
  readonly tokens: TokenSource;
  readonly loads: Load[];
  readonly advance: (ms: number) => void;
}

// Ends the loads that a test leaves under way, and their timers with them.
const sources: TokenSource[] = [];
afterEach(() => {
  for (const tokens of sources.splice(0)) tokens.clear();
});

function setUp(options: { loadTimeoutMs?: number; renewBeforeMs?: number } = {}): Fixture {
  const { load, loads } = manualLoader();
  const { now, advance } = manualClock();
  const tokens = createTokenSource(load, { ...options, now });
  sources.push(tokens);
  return { tokens, loads, advance };
}

/** A source that holds `token`, just loaded. */
async function setUpHolding(token: string): Promise<Fixture> {
  const fixture = setUp();
  const got = fixture.tokens.get();
  fixture.loads[0]?.give(token);
  assert.equal(await got, token);
  return fixture;
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((type) => type === "Timeout").length;
}

async function unavailable(call: Promise<unknown>): Promise<TokenUnavailableError> {
  const error = await rejectionOf(call);
  assert.ok(error instanceof TokenUnavailableError, `${error} is no TokenUnavailableError`);
  return error;
}

describe("loading", () => {
  test("callers at the same time share one load", async () => {
    const { tokens, loads } = setUp();
    const calls = Promise.all([tokens.get(), tokens.get(), tokens.get()]);
    assert.equal(loads.length, 1);
    loads[0]?.give(FIRST);
    assert.deepEqual(await calls, [FIRST, FIRST, FIRST]);
  });

  test("a held token needs no load", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    assert.equal(await tokens.get(), FIRST);
    assert.equal(loads.length, 1);
  });

  test("no session is an answer, and is asked for again the next time", async () => {
    const { tokens, loads } = setUp();
    const signedOut = tokens.get();
    loads[0]?.give(null);
    assert.equal(await signedOut, null);
    const signedIn = tokens.get();
    loads[1]?.give(FIRST);
    assert.equal(await signedIn, FIRST);
  });

  test("a failed load fails its callers and not the next one", async () => {
    const { tokens, loads } = setUp();
    const failed = Promise.all([unavailable(tokens.get()), unavailable(tokens.get())]);
    const cause = new TypeError("fetch failed");
    loads[0]?.fail(cause);
    for (const error of await failed) {
      assert.equal(error.status, 0);
      assert.equal(error.cause, cause);
    }
    const next = tokens.get();
    loads[1]?.give(FIRST);
    assert.equal(await next, FIRST);
  });

  test("a loader that throws at once fails as one that rejects", async () => {
    const tokens = createTokenSource(() => {
      throw new TypeError("no auth client");
    });
    assert.equal((await unavailable(tokens.get())).status, 0);
  });

  test("a loader that hangs is given up, and its late answer dropped", async () => {
    const { tokens, loads } = setUp({ loadTimeoutMs: 20 });
    const error = await unavailable(tokens.get());
    assert.match(error.message, /in time/);
    assert.equal(loads[0]?.signal.aborted, true);
    const next = tokens.get();
    loads[0]?.give(FIRST);
    loads[1]?.give(SECOND_TOKEN);
    assert.equal(await next, SECOND_TOKEN);
    assert.equal(await tokens.get(), SECOND_TOKEN);
  });

  test("no timer and no listener stays behind", async () => {
    const before = timers();
    const { tokens, loads } = setUp();
    const { signal } = new AbortController();
    const got = tokens.get({ signal });
    assert.equal(timers(), before + 1);
    assert.equal(getEventListeners(signal, "abort").length, 1);
    loads[0]?.give(FIRST);
    await got;
    await settle();
    assert.equal(timers(), before);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  for (const answer of ["", "two words", "line\nbreak", "tökén", undefined, 7, {}]) {
    test(`${JSON.stringify(answer)} is no token, and no message repeats it`, async () => {
      const tokens = createTokenSource(async () => answer as string);
      const error = await unavailable(tokens.get());
      if (answer) assert.ok(!error.message.includes(String(answer)));
    });
  }
});

describe("renewing", () => {
  test("begins 30 s before the end, and nobody waits for it", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance((LIFE - 30) * SECOND - 1);
    assert.equal(await tokens.get(), FIRST);
    assert.equal(loads.length, 1);
    advance(1);
    assert.equal(await tokens.get(), FIRST);
    advance(5 * SECOND);
    assert.equal(await tokens.get(), FIRST);
    assert.equal(loads.length, 2);
    loads[1]?.give(SECOND_TOKEN);
    await settle();
    assert.equal(await tokens.get(), SECOND_TOKEN);
  });

  test("begins at half of a short life", async () => {
    const { tokens, loads, advance } = await setUpHolding(fakeToken({ iat: 100, exp: 110 }));
    advance(5 * SECOND - 1);
    await tokens.get();
    assert.equal(loads.length, 1);
    advance(1);
    await tokens.get();
    assert.equal(loads.length, 2);
  });

  test("follows renewBeforeMs", async () => {
    const { tokens, loads, advance } = setUp({ renewBeforeMs: 100 * SECOND });
    const got = tokens.get();
    loads[0]?.give(FIRST);
    await got;
    advance((LIFE - 100) * SECOND);
    await tokens.get();
    assert.equal(loads.length, 2);
  });

  test("an ended token is not handed out", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance(LIFE * SECOND);
    const got = tokens.get();
    loads[1]?.give(SECOND_TOKEN);
    assert.equal(await got, SECOND_TOKEN);
  });

  test("a failure is not noticed while the old token is good", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance((LIFE - 20) * SECOND);
    assert.equal(await tokens.get(), FIRST);
    loads[1]?.fail(new TypeError("fetch failed"));
    await settle();
    assert.equal(await tokens.get(), FIRST);
    assert.equal(loads.length, 2, "tried again at once");
    advance(1 * SECOND);
    assert.equal(await tokens.get(), FIRST);
    assert.equal(loads.length, 3, "not tried again");
    loads[2]?.fail(new TypeError("fetch failed"));
    await settle();
    advance(19 * SECOND);
    const failed = unavailable(tokens.get());
    loads[3]?.fail(new TypeError("fetch failed"));
    await failed;
  });

  test("a session that has ended takes the old token with it", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance((LIFE - 20) * SECOND);
    await tokens.get();
    loads[1]?.give(null);
    await settle();
    const got = tokens.get();
    loads[2]?.give(null);
    assert.equal(await got, null);
  });

  test("the same token again is as old as it was", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance((LIFE - 10) * SECOND);
    await tokens.get();
    loads[1]?.give(FIRST);
    await settle();
    advance(10 * SECOND);
    const got = tokens.get();
    assert.equal(loads.length, 3);
    loads[2]?.give(SECOND_TOKEN);
    assert.equal(await got, SECOND_TOKEN);
  });
});

describe("a token's life", () => {
  test("counts from when it was asked for, not from when it came", async () => {
    const { tokens, loads, advance } = setUp();
    const got = tokens.get();
    advance(8 * SECOND);
    loads[0]?.give(fakeToken({ iat: 0, exp: 10 }));
    await got;
    advance(2 * SECOND);
    const next = tokens.get();
    loads[1]?.give(SECOND_TOKEN);
    assert.equal(await next, SECOND_TOKEN);
  });

  test("may have fractions of a second", async () => {
    const { tokens, loads, advance } = await setUpHolding(fakeToken({ iat: 10.25, exp: 12.75 }));
    advance(2500 - 1);
    await tokens.get();
    advance(1);
    const next = tokens.get();
    loads[1]?.give(SECOND_TOKEN);
    assert.equal(await next, SECOND_TOKEN);
  });

  test("is found in every base64url", async () => {
    const token = fakeToken({ sub: ">>>???", iat: 0, exp: 10 });
    assert.match(token, /-.*_/);
    const { tokens, loads, advance } = await setUpHolding(token);
    advance(10 * SECOND);
    const next = tokens.get();
    loads[1]?.give(null);
    assert.equal(await next, null);
  });

  test("that is over from the start is loaded anew each time", async () => {
    const ended = fakeToken({ iat: 3600, exp: 60 });
    const { tokens, loads } = await setUpHolding(ended);
    const next = tokens.get();
    loads[1]?.give(ended);
    assert.equal(await next, ended);
  });

  for (const endless of ["opaque", fakeToken({}), fakeToken({ exp: "tomorrow" as never })]) {
    test(`that has no end lasts until the API rejects it: ${endless}`, async () => {
      const { tokens, loads, advance } = await setUpHolding(endless);
      advance(1e12);
      assert.equal(await tokens.get(), endless);
      assert.equal(loads.length, 1);
    });
  }

  test("without a begin, it ends by the local clock", async (t) => {
    t.mock.method(Date, "now", () => 1_000_000);
    const { tokens, loads, advance } = await setUpHolding(fakeToken({ exp: 1_010 }));
    advance(10 * SECOND - 1);
    await tokens.get();
    assert.equal(loads.length, 2);
    loads[1]?.fail(new Error());
    await settle();
    advance(1);
    const failed = unavailable(tokens.get());
    loads[2]?.fail(new Error());
    await failed;
  });

  for (const wrong of [-1e10, 1e10]) {
    test(`a clock that is ${wrong} ms off does not matter`, async (t) => {
      const real = Date.now();
      t.mock.method(Date, "now", () => real + wrong);
      const iat = Math.floor(real / 1000);
      const token = fakeToken({ iat, exp: iat + 60 });
      const { load, loads } = manualLoader();
      const tokens = createTokenSource(load);
      const got = tokens.get();
      loads[0]?.give(token);
      await got;
      assert.equal(await tokens.get(), token);
      assert.equal(loads.length, 1);
    });
  }

  for (const clock of ["Date.now", "performance.now"] as const) {
    test(`it ends though only ${clock} goes on`, async (t) => {
      let late = 0;
      t.mock.method(Date, "now", () => 5000 + (clock === "Date.now" ? late : -late));
      t.mock.method(performance, "now", () => 5000 + (clock === "performance.now" ? late : 0));
      const { load, loads } = manualLoader();
      const tokens = createTokenSource(load);
      const got = tokens.get();
      loads[0]?.give(FIRST);
      await got;
      late = LIFE * SECOND;
      const next = tokens.get();
      loads[1]?.give(SECOND_TOKEN);
      assert.equal(await next, SECOND_TOKEN);
    });
  }
});

describe("a rejected token", () => {
  test("is replaced by one load for all who had it", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    const options = { rejected: FIRST };
    const calls = Promise.all([tokens.get(options), tokens.get(options), tokens.get()]);
    assert.equal(loads.length, 2);
    loads[1]?.give(SECOND_TOKEN);
    assert.deepEqual(await calls, [SECOND_TOKEN, SECOND_TOKEN, SECOND_TOKEN]);
    assert.equal(loads.length, 2);
  });

  test("of before is answered with the held one", async () => {
    const { tokens, loads } = await setUpHolding(SECOND_TOKEN);
    assert.equal(await tokens.get({ rejected: FIRST }), SECOND_TOKEN);
    assert.equal(loads.length, 1);
  });

  test("while its renewal is under way waits for that", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance((LIFE - 10) * SECOND);
    await tokens.get();
    const got = tokens.get({ rejected: FIRST });
    const other = tokens.get();
    assert.equal(loads.length, 2);
    loads[1]?.give(SECOND_TOKEN);
    assert.deepEqual(await Promise.all([got, other]), [SECOND_TOKEN, SECOND_TOKEN]);
  });

  test("that cannot be replaced is not handed out, though it has not ended", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    const failed = unavailable(tokens.get({ rejected: FIRST }));
    loads[1]?.fail(new TypeError("fetch failed"));
    await failed;
    const next = unavailable(tokens.get());
    loads[2]?.fail(new TypeError("fetch failed"));
    await next;
  });

  // EdDSA signs the same claims alike, and `iat` has whole seconds.
  test("that comes again within its second is asked for once more after it", async () => {
    const { load, loads } = manualLoader();
    const tokens = createTokenSource(load);
    const first = tokens.get();
    loads[0]?.give(FIRST);
    await first;
    const began = performance.now();
    const calls = [tokens.get({ rejected: FIRST }), tokens.get({ rejected: FIRST })];
    loads[1]?.give(FIRST);
    await settle();
    assert.equal(loads.length, 2, "asked again within the second");
    calls.push(tokens.get({ rejected: FIRST }), tokens.get());
    while (loads.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    const waited = performance.now() - began;
    assert.ok(waited > 950 && waited < 1500, `waited ${waited} ms`);
    loads[2]?.give(SECOND_TOKEN);
    assert.deepEqual(await Promise.all(calls), Array(4).fill(SECOND_TOKEN));
    assert.equal(loads.length, 3);
  });

  test("that was slow to come had its second when it came", async () => {
    const { tokens, loads, advance } = setUp();
    const first = tokens.get();
    advance(5 * SECOND);
    loads[0]?.give(FIRST);
    await first;
    advance(1 * SECOND);
    const got = tokens.get({ rejected: FIRST });
    loads[1]?.give(FIRST);
    while (loads.length < 3) await settle();
    loads[2]?.give(SECOND_TOKEN);
    assert.equal(await got, SECOND_TOKEN);
  });

  test("that is not this source's own is not handed out either", async () => {
    const { tokens, loads, advance } = setUp();
    const got = tokens.get({ rejected: FIRST });
    advance(1 * SECOND);
    loads[0]?.give(FIRST);
    while (loads.length < 2) await settle();
    loads[1]?.give(SECOND_TOKEN);
    assert.equal(await got, SECOND_TOKEN);
  });

  test("is no longer one after a good one came", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    for (const [rejected, other] of [
      [FIRST, SECOND_TOKEN],
      [SECOND_TOKEN, FIRST],
    ] as const) {
      const got = tokens.get({ rejected });
      loads.at(-1)?.give(other);
      assert.equal(await got, other);
    }
    assert.equal(await tokens.get(), FIRST);
    assert.equal(loads.length, 3);
  });

  test("that keeps coming is handed out, without waiting and without being kept", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance(2 * SECOND);
    for (const index of [1, 2]) {
      const got = tokens.get({ rejected: FIRST });
      assert.equal(loads.length, index + 1);
      loads[index]?.give(FIRST);
      assert.equal(await got, FIRST);
    }
  });
});

describe("clear", () => {
  test("forgets the token", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    tokens.clear();
    const got = tokens.get();
    loads[1]?.give(GRACES);
    assert.equal(await got, GRACES);
  });

  test("drops the load under way, and its waiters get the new answer", async () => {
    const { tokens, loads } = setUp();
    const early = tokens.get();
    tokens.clear();
    assert.equal(loads[0]?.signal.aborted, true);
    const late = tokens.get();
    loads[1]?.give(GRACES);
    // Whoever ignores the signal.
    loads[0]?.give(FIRST);
    assert.deepEqual(await Promise.all([early, late]), [GRACES, GRACES]);
    assert.equal(await tokens.get(), GRACES);
    assert.equal(loads.length, 2);
  });

  test("drops an answer that is there already", async () => {
    const { tokens, loads } = setUp();
    const early = tokens.get();
    loads[0]?.give(FIRST);
    tokens.clear();
    await settle();
    loads[1]?.give(GRACES);
    assert.equal(await early, GRACES);
  });

  test("holds at every step of a load", async () => {
    for (let steps = 0; steps < 20; steps += 1) {
      const { tokens, loads } = setUp();
      const early = tokens.get();
      loads[0]?.give(FIRST);
      for (let step = 0; step < steps; step += 1) await null;
      tokens.clear();
      await settle();
      const late = tokens.get();
      assert.equal(loads.length, 2, `after ${steps} steps`);
      loads[1]?.give(GRACES);
      assert.equal(await late, GRACES);
      await early;
    }
  });

  test("forgets what was rejected", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    const old = tokens.get({ rejected: FIRST });
    tokens.clear();
    await settle();
    loads.at(-1)?.give(FIRST);
    assert.equal(await old, FIRST);
    assert.equal(await tokens.get(), FIRST);
  });

  test("and a failed old load is no failure of its waiters", async () => {
    const { tokens, loads } = setUp();
    const early = tokens.get();
    tokens.clear();
    loads[0]?.fail(new TypeError("fetch failed"));
    await settle();
    loads[1]?.give(null);
    assert.equal(await early, null);
  });

  test("ends the wait for the next second", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    const before = timers();
    const got = tokens.get({ rejected: FIRST });
    loads[1]?.give(FIRST);
    await settle();
    assert.equal(timers(), before + 1);
    tokens.clear();
    await settle();
    loads[2]?.give(SECOND_TOKEN);
    assert.equal(await got, SECOND_TOKEN);
    await settle();
    assert.equal(timers(), before);
  });

  test("after which the old user's rejected token gets nothing of the new user's", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    tokens.clear();
    const graces = tokens.get();
    const loading = rejectionOf(tokens.get({ rejected: FIRST }));
    loads[1]?.give(GRACES);
    assert.equal(await graces, GRACES);
    for (const error of [await loading, await rejectionOf(tokens.get({ rejected: FIRST }))]) {
      assert.equal((error as Error).name, "AbortError");
    }
  });

  test("after which the old user's waiters get nothing of the new user's", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance(LIFE * SECOND);
    const adas = rejectionOf(tokens.get());
    tokens.clear();
    const graces = tokens.get();
    await settle();
    loads.at(-1)?.give(GRACES);
    assert.equal(await graces, GRACES);
    assert.equal(((await adas) as Error).name, "AbortError");
  });

  test("after which the same user goes on", async () => {
    const { tokens, loads } = await setUpHolding(FIRST);
    tokens.clear();
    const got = tokens.get({ rejected: FIRST });
    loads[1]?.give(SECOND_TOKEN);
    assert.equal(await got, SECOND_TOKEN);
  });
});

describe("a caller that gives up", () => {
  test("leaves the load to the others", async () => {
    const { tokens, loads } = setUp();
    const controller = new AbortController();
    const given = rejectionOf(tokens.get({ signal: controller.signal }));
    const other = tokens.get();
    const reason = new Error("left the page");
    controller.abort(reason);
    assert.equal(await given, reason);
    assert.equal(loads[0]?.signal.aborted, false);
    loads[0]?.give(FIRST);
    assert.equal(await other, FIRST);
  });

  test("before it asked causes no load", async () => {
    const { tokens, loads } = setUp();
    const error = await rejectionOf(tokens.get({ signal: AbortSignal.abort() }));
    assert.equal((error as Error).name, "AbortError");
    assert.equal(loads.length, 0);
  });

  test("hears of no failure afterwards", async () => {
    const { tokens, loads } = setUp();
    const controller = new AbortController();
    const given = rejectionOf(tokens.get({ signal: controller.signal }));
    controller.abort();
    await given;
    // An unhandled rejection would fail this test.
    loads[0]?.fail(new TypeError("fetch failed"));
    await settle();
  });
});

describe("a sign-in service that limits requests", () => {
  const limited = (retryAfterMs: number) =>
    new TokenUnavailableError("The sign-in service answered 429", { status: 429, retryAfterMs });

  test("is left alone for as long as it says", async () => {
    const { tokens, loads, advance } = setUp();
    const first = unavailable(tokens.get());
    advance(7 * SECOND);
    loads[0]?.fail(limited(10 * SECOND));
    assert.equal((await first).retryAfterMs, 10 * SECOND);
    advance(4 * SECOND);
    const second = await unavailable(tokens.get());
    assert.deepEqual([second.status, second.retryAfterMs], [429, 6 * SECOND]);
    assert.equal(loads.length, 1);
    advance(6 * SECOND);
    const third = tokens.get();
    loads[1]?.give(FIRST);
    assert.equal(await third, FIRST);
  });

  test("but no longer than a minute", async () => {
    const { tokens, loads, advance } = setUp();
    const first = unavailable(tokens.get());
    loads[0]?.fail(limited(3600 * SECOND));
    await first;
    advance(60 * SECOND);
    const second = tokens.get();
    loads[1]?.give(FIRST);
    assert.equal(await second, FIRST);
  });

  test("is asked at once after a sign-in", async () => {
    const { tokens, loads } = setUp();
    const first = unavailable(tokens.get());
    loads[0]?.fail(limited(10 * SECOND));
    await first;
    tokens.clear();
    const second = tokens.get();
    loads[1]?.give(FIRST);
    assert.equal(await second, FIRST);
  });

  test("does not take a good token away", async () => {
    const { tokens, loads, advance } = await setUpHolding(FIRST);
    advance((LIFE - 20) * SECOND);
    await tokens.get();
    loads[1]?.fail(limited(10 * SECOND));
    await settle();
    advance(5 * SECOND);
    assert.equal(await tokens.get(), FIRST);
    assert.equal(loads.length, 2);
  });
});
