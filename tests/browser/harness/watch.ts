/**
 * What must hold of every page in every test, whatever the test is about:
 *
 * - no request goes anywhere but to the servers under test;
 * - the API gets no cookie, ever;
 * - no access token is in a URL, in a page's HTML, in storage or in a cookie;
 * - no page reports an uncaught error or a violation of its Content-Security-Policy;
 * - no console error that the test does not expect.
 */

import { setTimeout } from "node:timers/promises";
import {
  type BrowserContext,
  expect,
  type Page,
  type Request,
  type Response,
} from "@playwright/test";

/** A header and a payload: the beginning of any JWT. Session cookies are random and may hold "eyJ". */
const JWT = /eyJ[\w-]{8,}\.eyJ[\w-]{8,}/;

/** A request to the API is answered within that, or the test is about something else. */
const HEADERS_LIMIT_MS = 2_000;

export class Watch {
  /** Every request of every page, in order. */
  readonly requests: Request[] = [];
  /** Every answer to them. */
  readonly responses: Response[] = [];
  /** Every console error and uncaught error. */
  readonly errors: string[] = [];
  readonly violations: string[] = [];
  #mayStoreTokens = false;
  readonly #origins = new Set<string>();
  readonly #cookieless = new Set<string>();
  readonly #expected: RegExp[] = [];
  readonly #expectedViolations: RegExp[] = [];
  readonly #contexts = new Set<BrowserContext>();
  readonly #checks: Promise<string | undefined>[] = [];

  /** Pages may ask these. */
  allowOrigins(...origins: string[]): void {
    for (const origin of origins) this.#origins.add(origin);
  }

  /** Pages may ask this, without cookies. */
  allowApi(origin: string): void {
    this.allowOrigins(origin);
    this.#cookieless.add(origin);
  }

  /** The browser writes a console error for every refusal: a test that causes some says so. */
  expectErrors(...patterns: RegExp[]): void {
    this.#expected.push(...patterns);
  }

  /** For Swagger UI, which keeps what a developer enters. */
  allowStoredTokens(): void {
    this.#mayStoreTokens = true;
  }

  /** The statuses of the answers to one kind of request, in order. */
  statuses(method: string, path: RegExp): number[] {
    return this.responses
      .filter((response) => response.request().method() === method)
      .filter((response) => path.test(new URL(response.url()).pathname))
      .map((response) => response.status());
  }

  expectViolations(pattern: RegExp): void {
    this.#expectedViolations.push(pattern);
  }

  async follow(context: BrowserContext): Promise<void> {
    this.#contexts.add(context);
    context.once("close", () => this.#contexts.delete(context));
    context.on("request", (request) => this.requests.push(request));
    context.on("response", (response) => this.responses.push(response));
    context.on("requestfinished", (request) => {
      if (this.#cookieless.has(originOf(request.url()))) this.#checks.push(cookieIn(request));
    });
    context.on("console", (message) => {
      if (message.type() !== "error") return;
      this.errors.push(`${message.text()} (${message.location().url})`);
    });
    context.on("weberror", (error) => this.errors.push(`uncaught: ${error.error().message}`));
    await context.exposeBinding("reportViolation", (_source, text: string) => {
      this.violations.push(text);
    });
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        const report = (window as unknown as { reportViolation: (text: string) => void })
          .reportViolation;
        report(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`);
      });
    });
  }

  /** To be called while the pages are still open. */
  async verify(): Promise<void> {
    for (const context of this.#contexts) {
      for (const page of context.pages()) await this.#verifyPage(page);
      const cookies = JSON.stringify(await context.cookies());
      expect(tokenIn(cookies), "an access token in a cookie").toBeUndefined();
    }
    const strangers = this.requests
      // What the page's own policy stopped did not leave: that is a violation, below.
      .filter((request) => request.failure()?.errorText !== "csp")
      .map((request) => request.url())
      .filter((url) => !/^(data|blob|about):/.test(url) && !this.#origins.has(originOf(url)));
    expect(strangers, "requests to elsewhere").toEqual([]);
    const urls = this.requests.map((request) => request.url()).filter(tokenIn);
    expect(urls, "URLs with an access token").toEqual([]);
    const cookies = (await Promise.all(this.#checks)).filter((cookie) => cookie !== undefined);
    expect(cookies, "cookies that the API got").toEqual([]);
    const surprises = unexpected(this.errors, this.#expected);
    expect(surprises, "console errors").toEqual([]);
    const violations = unexpected(this.violations, this.#expectedViolations);
    expect(violations, "violations of the Content-Security-Policy").toEqual([]);
  }

  async #verifyPage(page: Page): Promise<void> {
    if (this.#mayStoreTokens || !/^https?:/.test(page.url())) return;
    const stored = await page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state]),
    );
    expect(tokenIn(stored), "an access token in storage").toBeUndefined();
    expect(tokenIn(await page.content()), "an access token in the HTML").toBeUndefined();
  }
}

function unexpected(texts: string[], patterns: RegExp[]): string[] {
  return texts.filter((text) => !patterns.some((pattern) => pattern.test(text)));
}

function originOf(url: string): string {
  return new URL(url).origin;
}

/** Where it stands: enough to find it. */
export function tokenIn(text: string): string | undefined {
  const found = JWT.exec(text);
  return found ? text.slice(Math.max(0, found.index - 80), found.index + 20) : undefined;
}

/** As it went over the wire: the headers that a page can see have none. */
async function cookieIn(request: Request): Promise<string | undefined> {
  const tooLate = setTimeout(HEADERS_LIMIT_MS, undefined, { ref: false });
  const headers = await Promise.race([request.allHeaders().catch(() => undefined), tooLate]);
  return headers?.cookie && `${request.method()} ${request.url()}: ${headers.cookie}`;
}
