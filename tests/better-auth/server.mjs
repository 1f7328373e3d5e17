// A real Better Auth server, so that Keyward is tested against what Better Auth
// does and not against what we believe it does.
//
//   node server.mjs '{"alg":"ES256","audience":"https://api.example.com"}'
//
// Every setting is optional, and null or absent means Better Auth's own default:
//   alg             EdDSA, ES256, ES512, PS256 or RS256
//   audience        a string or an array of strings
//   issuer          a string
//   expirationTime  a span such as "15m"; a number is an absolute `exp`
//   port            the port to listen on, instead of a free one
//   sessionCache    "compact", "jwt" or "jwe": a session cookie that carries the session;
//                   "jwks": a JWT too, signed with a key of the key set
//   oauth           true: an OAuth 2.1 provider as well, see oauth.mjs
//   baseURL         another than its own; false: none, as it comes
//   jwks            more of the jwt plugin's jwks options, such as {"jwksPath":"/keys"}
//   jwt             false: without the jwt plugin
//   disabledPaths   as Better Auth has them
//   rateLimit       how many requests a path answers in ten seconds
//
// Prints one line of JSON, {"url":"http://127.0.0.1:PORT"}, once it serves; all
// else goes to stderr. With an array of settings it is as many servers, and the line
// is an array: one process starts faster than several. It stops when its stdin ends, and so with the process that
// started it, however that one ends.
//
// Besides Better Auth under /api/auth it answers what only a test may ask:
//   POST /__test/rotate     the next token is signed by a new key; the old stay published
//   POST /__test/drop-keys  the keys are gone at once; the next token, or look at the
//                           key set, makes a new one
//   POST /__test/sign       claims in, {"token"} out; a null claim is left out
//   GET  /__test/stats      {"jwksRequests"}: how often the key set was asked for
//   GET  /__test/requests   every request so far: {"method","url","headers","body"}
//   POST /__test/hundred    rotates until there are more than a hundred keys; out comes the
//                           {"token"} that the newest has signed
//   POST /__test/mislabel   one more key is published, an old one without an alg in its row
//   POST /__test/oauth      {"resource"} in, out every kind of token that the provider issues
//                           to a client, a user's and its own: see oauth.mjs

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";
import { SqliteDialect } from "kysely";
import Database from "libsql";
import { oauthPlugin, oauthTokens } from "./oauth.mjs";

const ALGORITHMS = ["EdDSA", "ES256", "ES512", "PS256", "RS256"];
const SESSION_CACHES = ["compact", "jwt", "jwe", "jwks"];
const SETTINGS = ["alg", "audience", "issuer", "expirationTime", "port", "sessionCache", "oauth"];
const SERVER_SETTINGS = ["baseURL", "jwks", "jwt", "disabledPaths", "rateLimit"];

// For the case that whoever started this holds our stdin open and hangs.
const LIFETIME_MS = 10 * 60 * 1000;

// Stdout carries the ready line alone, whatever a library logs.
console.log = console.info = console.debug = console.error;

stopWithParent();
const given = JSON.parse(process.argv[2] ?? "{}");
const started = [];
for (const settings of [given].flat()) started.push({ url: await start(readSettings(settings)) });
process.stdout.write(`${JSON.stringify(Array.isArray(given) ? started : started[0])}\n`);

async function start(settings) {
  // Better Auth signs its base URL into the tokens, so the port comes first.
  const server = createServer();
  server.listen(settings.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;

  const auth = createAuth(url, settings);
  await (await getMigrations(auth.options)).runMigrations();

  let jwksRequests = 0;
  const requests = [];
  const handleAuth = toNodeHandler(auth);
  const testRoutes = {
    "POST /__test/rotate": () => rotate(auth),
    "POST /__test/drop-keys": () => dropKeys(auth),
    "POST /__test/sign": (request) => sign(auth, request),
    "GET /__test/stats": () => ({ jwksRequests }),
    "GET /__test/requests": () => requests,
    "POST /__test/hundred": () => hundred(auth),
    "POST /__test/mislabel": () => mislabel(auth),
    "POST /__test/oauth": async (request) => oauthTokens(auth, url, await json(request)),
  };

  server.on("request", (request, response) => {
    const { method, headers } = request;
    const [path] = request.url.split("?");
    if (path.startsWith("/__test/")) {
      answerTest(testRoutes[`${method} ${path}`], request, response);
      return;
    }
    if (path === "/api/auth/jwks") jwksRequests += 1;
    const seen = { method, url: request.url, headers, body: "" };
    requests.push(seen);
    request.on("data", (chunk) => {
      seen.body += chunk;
    });
    handleAuth(request, response);
  });
  return url;
}

// A misspelt setting would otherwise test the defaults and pass.
function readSettings(given) {
  const known = [...SETTINGS, ...SERVER_SETTINGS];
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`unknown settings: ${unknown.join(", ")}`);

  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  if (set.alg !== undefined && !ALGORITHMS.includes(set.alg)) {
    throw new Error(`alg is one of ${ALGORITHMS.join(", ")}, not ${set.alg}`);
  }
  if (set.sessionCache !== undefined && !SESSION_CACHES.includes(set.sessionCache)) {
    throw new Error(`sessionCache is one of ${SESSION_CACHES.join(", ")}, not ${set.sessionCache}`);
  }
  return set;
}

function stopWithParent() {
  // Not "close": /dev/null as stdin ends without it.
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
  setTimeout(() => {
    console.error(`stopped after ${LIFETIME_MS / 1000} s; is the test hanging?`);
    process.exit(1);
  }, LIFETIME_MS);
}

function createAuth(url, settings) {
  const { alg, sessionCache, oauth, baseURL = url, jwks, rateLimit, disabledPaths } = settings;
  const { audience, issuer, expirationTime } = settings;
  const strategy = sessionCache === "jwks" ? "jwt" : sessionCache;
  const jwtPlugin = () =>
    jwt({
      jwt: { audience, issuer, expirationTime },
      jwks: { ...(alg && { keyPairConfig: { alg } }), ...jwks },
      ...(sessionCache === "jwks" && { sessionCookieCache: true }),
    });
  return betterAuth({
    ...(baseURL && { baseURL }),
    secret: randomBytes(32).toString("hex"),
    // In memory, so that even a killed server leaves nothing behind. Better Auth
    // does not recognise a bare libsql database, hence the dialect.
    database: {
      dialect: new SqliteDialect({ database: new Database(":memory:") }),
      type: "sqlite",
    },
    emailAndPassword: { enabled: true },
    ...(strategy && { session: { cookieCache: { enabled: true, strategy } } }),
    plugins: [...(settings.jwt === false ? [] : [jwtPlugin()]), ...(oauth ? [oauthPlugin()] : [])],
    ...(disabledPaths && { disabledPaths }),
    // Both follow the environment by default: NODE_ENV=production allows three
    // sign-ups in ten seconds, and telemetry calls out.
    rateLimit: { enabled: rateLimit !== undefined, window: 10, max: rateLimit },
    telemetry: { enabled: false },
    // What it says of every sign-in that nobody has begun, as doctor's is.
    logger: {
      log: (level, message, ...more) =>
        message === "State not found" || console.error(`[Better Auth] ${level}:`, message, ...more),
    },
  });
}

async function answerTest(route, request, response) {
  let status = 200;
  let body;
  try {
    if (route) {
      body = await route(request);
    } else {
      status = 404;
      body = { error: "no such test route" };
    }
  } catch (error) {
    console.error(error);
    status = 500;
    body = { error: String(error) };
  }
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

// What `rotationInterval` leads to: an expired key stays published for its grace
// period, and the next signature finds no live key and makes one.
async function rotate(auth) {
  const { adapter } = await auth.$context;
  const update = { expiresAt: new Date(Date.now() - 1000) };
  return { expired: await adapter.updateMany({ model: "jwks", where: [], update }) };
}

// What an operator does to a leaked key.
async function dropKeys(auth) {
  const { adapter } = await auth.$context;
  return { dropped: await adapter.deleteMany({ model: "jwks", where: [] }) };
}

// `signJWT` adds iss, aud and exp but neither of the two claims that a token from
// /token also has. With them here, a test spoils one claim and no other.
async function sign(auth, request) {
  const claims = {
    sub: "signed-for-tests",
    iat: Math.floor(Date.now() / 1000),
    ...(await json(request)),
  };
  const payload = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null));
  return auth.api.signJWT({ body: { payload } });
}

// What a hundred rotations lead to: Better Auth reads a hundred rows, and the newest key is in
// none of them.
async function hundred(auth) {
  let signed;
  for (let key = 0; key <= 101; key += 1) {
    await rotate(auth);
    signed = await auth.api.signJWT({ body: { payload: { sub: "signed-for-tests" } } });
  }
  return signed;
}

// What an older schema or a migration by hand leaves behind, a key without an alg: Better Auth
// publishes it under the algorithm that is configured.
async function mislabel(auth) {
  const { adapter } = await auth.$context;
  const { publicKey } = generateKeyPairSync("ed25519");
  const data = {
    publicKey: JSON.stringify(publicKey.export({ format: "jwk" })),
    privateKey: "{}",
    createdAt: new Date(0),
    alg: null,
    crv: "Ed25519",
  };
  return { mislabelled: Boolean(await adapter.create({ model: "jwks", data })) };
}
