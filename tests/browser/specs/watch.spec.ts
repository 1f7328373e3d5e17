import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, type Page, test } from "@playwright/test";
import { Watch } from "../harness/watch.ts";

const TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJl";

const POLICY = "default-src 'none'; connect-src *; img-src data:; script-src 'none'";

/** What a page may do that must not go by unnoticed. */
const MISDEEDS: [
  what: string,
  act: (page: Page, api: string) => Promise<unknown>,
  found: RegExp,
][] = [
  [
    "a request to elsewhere",
    (page) => page.evaluate(() => fetch("http://elsewhere.example/").catch(() => {})),
    /requests to elsewhere/,
  ],
  [
    "a cookie for the API",
    (page, api) => page.evaluate((url) => fetch(url, { credentials: "include" }), api),
    /cookies that the API got/,
  ],
  [
    "a token in a URL",
    (page, api) => page.evaluate((url) => fetch(url), `${api}/?token=${TOKEN}`),
    /URLs with an access token/,
  ],
  [
    "a token in the HTML",
    (page) => page.evaluate((token) => document.body.append(token), TOKEN),
    /an access token in the HTML/,
  ],
  [
    "a token in local storage",
    (page) => page.evaluate((token) => localStorage.setItem("a", token), TOKEN),
    /an access token in storage/,
  ],
  [
    "a token in session storage",
    (page) => page.evaluate((token) => sessionStorage.setItem("a", token), TOKEN),
    /an access token in storage/,
  ],
  [
    "a token in a cookie",
    (page) =>
      page.context().addCookies([{ name: "a", value: TOKEN, url: page.url(), httpOnly: true }]),
    /an access token in a cookie/,
  ],
  [
    "a console error",
    (page) => page.evaluate(() => console.error("Something is wrong")),
    /Something is wrong/,
  ],
  [
    "an uncaught error",
    (page) =>
      page.evaluate(() => {
        setTimeout(() => {
          throw new Error("Nobody catches this");
        });
      }),
    /Nobody catches this/,
  ],
  [
    "a violation of the page's policy",
    (page) => page.evaluate(() => document.body.insertAdjacentHTML("beforeend", "<img src=x>")),
    /img-src/,
  ],
];

for (const [what, act, found] of MISDEEDS) {
  test(`notices ${what}`, async ({ page }) => {
    // A page and an API in one, on two origins: cookies do not tell them apart by their ports.
    const servers = [createServer(), createServer()];
    const [origin = "", api = ""] = await Promise.all(
      servers.map(async (server) => {
        server.on("request", (request, response) => {
          response.setHeader("content-type", "text/html");
          response.setHeader("content-security-policy", POLICY);
          response.setHeader("set-cookie", "session=secret");
          response.setHeader("access-control-allow-credentials", "true");
          response.setHeader("access-control-allow-origin", request.headers.origin ?? "*");
          response.end('<!doctype html><title>A page</title><link rel="icon" href="data:,">');
        });
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        return `http://localhost:${(server.address() as AddressInfo).port}`;
      }),
    );
    try {
      const watch = new Watch();
      watch.allowOrigins(origin);
      watch.allowApi(api);
      await watch.follow(page.context());
      await page.goto(origin);
      await watch.verify();
      await act(page, api);
      // Events reach the watch a moment after the page is done.
      await expect(async () => {
        await expect(watch.verify()).rejects.toThrow(found);
      }).toPass();
    } finally {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    }
  });
}
