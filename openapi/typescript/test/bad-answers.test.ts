// Every way in which an answer can be bad, from servers that really send it. None of them may
// pass for data, and each is an ApiError.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import {
  type ApiError,
  createKeywardClient,
  createTask,
  deleteTask,
  getTask,
  listTasks,
} from "@keyward/client";
import { TASK } from "./support/examples.js";
import { failureOf } from "./support/failure.js";
import { serveHttp, serveRaw } from "./support/http-server.js";
import { countingTokens } from "./support/tokens.js";

const path = { id: TASK.id };
const clientOf = (baseUrl: string) => createKeywardClient({ baseUrl, tokens: countingTokens() });

function check(error: ApiError, expected: string): void {
  assert.equal(`${error.status} ${error.code}`, expected, error.stack);
  assert.ok(error.title.length > 0);
  assert.ok(!error.message.includes("secret"), error.message);
}

const JSON_TYPE = "Content-Type: application/json";
const PROBLEM_TYPE = "Content-Type: application/problem+json";
const TEXT_TYPE = "Content-Type: text/plain";
const HTML_TYPE = "Content-Type: text/html; charset=utf-8";
const EMPTY = "Content-Length: 0";
const LONGER = "Content-Length: 99";
const CHUNKED = "Transfer-Encoding: chunked";

const HTML = "<html>secret</html>";
const LAST_CHUNK = "0\r\n\r\n";
const HALF = '{"items":[{"id":"secret';
const HALF_CHUNK = '5\r\n{"ite\r\n';

/** What comes over the wire, and the status and code that it is to become. */
const RAW: [name: string, status: number, headers: string[], body: string, error: string][] = [
  ["502 without a body", 502, [EMPTY], "", "502 http_error"],
  ["502 that is empty, in chunks", 502, [CHUNKED], LAST_CHUNK, "502 http_error"],
  ["502 with HTML", 502, [HTML_TYPE], HTML, "502 http_error"],
  ["500 that is no problem", 500, [JSON_TYPE], '{"message":"secret"}', "500 http_error"],
  ["500 with null", 500, [JSON_TYPE], "null", "500 http_error"],
  ["500 with a string", 500, [JSON_TYPE], '"secret"', "500 http_error"],
  ["500 with half a problem", 500, [PROBLEM_TYPE], HALF, "500 http_error"],
  ["500 that breaks off", 500, [PROBLEM_TYPE, LONGER], HALF, "500 http_error"],
  ["200 with half a JSON", 200, [JSON_TYPE], HALF, "200 response_invalid"],
  ["200 that breaks off", 200, [JSON_TYPE, LONGER], HALF, "0 network_error"],
  ["200 that breaks off, in chunks", 200, [JSON_TYPE, CHUNKED], HALF_CHUNK, "0 network_error"],
  ["200 with HTML", 200, [HTML_TYPE], HTML, "200 response_invalid"],
  ["200 with text", 200, [TEXT_TYPE], "secret", "200 response_invalid"],
  ["200 with no type", 200, [], '{"items":[],"nextCursor":null}', "200 response_invalid"],
  ["200 of length 0", 200, [JSON_TYPE, EMPTY], "", "200 response_invalid"],
  ["200 without chunks", 200, [JSON_TYPE, CHUNKED], LAST_CHUNK, "200 response_invalid"],
  ["200 and the end", 200, [JSON_TYPE], "", "200 response_invalid"],
  ["200 with null", 200, [JSON_TYPE], "null", "200 response_invalid"],
  ["200 with a string", 200, [JSON_TYPE], '"secret"', "200 response_invalid"],
  ["200 with an array", 200, [JSON_TYPE], '["secret"]', "200 response_invalid"],
  ["200 with an empty array", 200, [JSON_TYPE], "[]", "200 response_invalid"],
  ["200 with an empty object", 200, [JSON_TYPE], "{}", "200 response_invalid"],
  ["204 where data is promised", 204, [], "", "204 response_invalid"],
  ["204 with a type", 204, [JSON_TYPE], "", "204 response_invalid"],
  ["205 where data is promised", 205, [JSON_TYPE, EMPTY], "", "205 response_invalid"],
  ["304", 304, [], "", "304 http_error"],
  ["302", 302, ["Location: /elsewhere"], "", "302 http_error"],
  ["308 to nowhere", 308, [], "", "308 http_error"],
];

for (const [name, status, headers, body, expected] of RAW) {
  test(name, async (t) => {
    const url = await serveRaw(t, (socket) => {
      socket.end([`HTTP/1.1 ${status} Reason`, ...headers, "", body].join("\r\n"));
    });
    check(await failureOf(listTasks({ client: clientOf(url) })), expected);
  });
}

test("something that is no HTTP", async (t) => {
  const url = await serveRaw(t, (socket) => socket.end("secret\r\n\r\n"));
  check(await failureOf(listTasks({ client: clientOf(url) })), "0 network_error");
});

test("a connection that is reset", async (t) => {
  const url = await serveRaw(t, (socket) => socket.resetAndDestroy());
  const error = await failureOf(listTasks({ client: clientOf(url) }));
  check(error, "0 network_error");
  assert.equal(error.response, undefined);
  assert.ok(error.cause instanceof TypeError);
});

test("a connection that is reset in the middle of the body", async (t) => {
  const url = await serveRaw(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\nContent-Length: 99\r\n\r\n{"items":[`, () => {
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
  });
  const error = await failureOf(listTasks({ client: clientOf(url) }));
  check(error, "0 network_error");
  assert.equal(error.response?.status, 200);
});

// Node's fetch takes such an answer for a whole one, at times: then it is half a JSON.
test("an answer in chunks on a closing connection that breaks off", async (t) => {
  const url = await serveRaw(t, (socket) => {
    const head = `HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\nTransfer-Encoding: chunked\r\nConnection: close`;
    socket.end(`${head}\r\n\r\n5\r\n{"ite\r\n`);
  });
  const { code } = await failureOf(listTasks({ client: clientOf(url) }));
  assert.ok(code === "network_error" || code === "response_invalid", code);
});

test("a port where nobody listens", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const error = await failureOf(listTasks({ client: clientOf(`http://127.0.0.1:${port}`) }));
  check(error, "0 network_error");
});

test("a DELETE is answered 204, and HTML is no success of it either", async (t) => {
  const { url, requests } = await serveHttp(t, (_request, response) => {
    if (requests.length === 1) response.writeHead(204).end();
    else response.writeHead(200, { "Content-Type": "text/html" }).end(HTML);
  });
  const client = clientOf(url);
  const { response } = await deleteTask({ client, path });
  assert.equal(response.status, 204);
  check(await failureOf(deleteTask({ client, path })), "200 response_invalid");
});

// Followed, it would become a GET whose page of tasks passes for the new task.
test("a redirected POST is an error that says so", async (t) => {
  const { url, requests } = await serveHttp(t, (request, response) => {
    if (request.method === "POST") response.writeHead(302, { Location: "/api/tasks" }).end();
    else response.writeHead(200, { "Content-Type": "application/json" }).end('{"items":[]}');
  });
  const error = await failureOf(createTask({ client: clientOf(url), body: { title: "Buy milk" } }));
  check(error, "302 http_error");
  assert.match(error.title, /redirects/);
  assert.equal(requests.length, 1);
});

test("good answers are taken, whatever else they have", async (t) => {
  const types = ["application/json", "Application/JSON; charset=utf-8", "application/hal+json"];
  const { url } = await serveHttp(t, (request, response) => {
    const index = Number(new URL(request.url, "http://api").searchParams.get("limit"));
    response.writeHead(index, { "Content-Type": types[index - 200] });
    response.end(JSON.stringify({ items: [TASK], nextCursor: null, added: "later" }));
  });
  for (const index of types.keys()) {
    const { data } = await listTasks({ client: clientOf(url), query: { limit: 200 + index } });
    assert.deepEqual(data.items, [TASK]);
  }
});

test("with throwOnError: false, the error is given instead", async (t) => {
  const url = await serveRaw(t, (socket) => socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
  const { data, error } = await getTask({ client: clientOf(url), path, throwOnError: false });
  assert.equal(data, undefined);
  assert.equal(error?.code, "http_error");
});
