// A reverse proxy that stands before the real service and breaks it on purpose, so that tests that
// find nothing in the service are seen to find what there is.
//
// A hole gets a request, and `send`, which passes the request on to the service, with changes if it
// is given any. It returns the answer.

import { once } from "node:events";
import { createServer, request as open } from "node:http";
import { buffer } from "node:stream/consumers";

/** Starts the proxy, with holes by operation, such as `GET /api/tasks/{id}`. */
export async function startProxy(target, holes) {
  const server = createServer(async (incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const request = { method, path, headers, body: await buffer(incoming) };
    const send = (changes) => forward(target, { ...request, ...changes });
    const hole = holes[operationOf(request)];
    const answer = await (hole ? hole(request, send) : send());
    // The body may have another length now.
    delete answer.headers["content-length"];
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function operationOf({ method, path }) {
  const [pathname] = path.split("?");
  return `${method} ${pathname.replace(/^(\/api\/tasks)\/[^/]+$/, "$1/{id}")}`;
}

// Not `fetch`, which mends the odd paths and headers that are sent on purpose.
async function forward(target, { method, path, headers, body }) {
  const { "transfer-encoding": _, ...sent } = headers;
  if ("content-length" in sent || body.length > 0) sent["content-length"] = body.length;
  const request = open(target, { method, path, headers: sent }).end(body);
  const [answer] = await once(request, "response");
  return { status: answer.statusCode, headers: { ...answer.headers }, body: await buffer(answer) };
}

/** Whoever is signed in may do it with everybody's tasks. */
export const anyonesTasks = (tokens) => async (request, send) => {
  const answer = await send();
  if (answer.status !== 404) return answer;
  for (const token of Object.values(tokens)) {
    const owners = await send({ headers: signedIn(request, token) });
    if (owners.status !== 404) return owners;
  }
  return answer;
};

/** Nobody has to be signed in. */
export const noAuthentication = (tokens) => (request, send) =>
  send({ headers: signedIn(request, tokens.a) });

const signedIn = ({ headers }, token) => ({ ...headers, authorization: `Bearer ${token}` });

/** One status is answered instead of another. */
export const otherStatus = (right, wrong) => async (_, send) => {
  const answer = await send();
  return { ...answer, status: answer.status === right ? wrong : answer.status };
};

/** Items of a list lack a member. */
export const itemsWithout = (member) => async (_, send) => {
  const answer = await send();
  if (answer.status !== 200) return answer;
  const list = JSON.parse(answer.body.toString());
  for (const item of list.items) delete item[member];
  return { ...answer, body: JSON.stringify(list) };
};

/** Answers lack a header. */
export const withoutHeader = (name) => async (_, send) => {
  const answer = await send();
  delete answer.headers[name];
  return answer;
};

/** Members that the document forbids are ignored. */
export const onlyMembers =
  (...known) =>
  (request, send) => {
    const body = parsed(request.body.toString());
    if (typeof body !== "object" || body === null || Array.isArray(body)) return send();
    const kept = Object.entries(body).filter(([name]) => known.includes(name));
    return send({ body: Buffer.from(JSON.stringify(Object.fromEntries(kept))) });
  };

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
