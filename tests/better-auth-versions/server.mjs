// Real Better Auth servers of one version, one for each algorithm, in one process.
//
//   node server.mjs 1.4 EdDSA ES256 …
//
// Prints one line of JSON once they serve: {"EdDSA":"http://127.0.0.1:PORT", …}. All else goes to
// stderr. Databases are in memory. Besides Better Auth under /api/auth each server answers:
//   POST /__test/rotate     the signing key expires, as by a rotation, and stays published
//   POST /__test/drop-keys  the keys are gone at once

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

const [version, ...algorithms] = process.argv.slice(2);
const packageName = `better-auth-${version}`;
const load = (path) => import(packageName + path);
const [{ betterAuth }, { bearer, jwt }, { toNodeHandler }, { memoryAdapter }] = await Promise.all(
  ["", "/plugins", "/node", "/adapters/memory"].map(load),
);

// Stdout carries the ready line alone, whatever a library logs.
console.log = console.info = console.debug = console.error;

// Better Auth 1.2 makes keys that it cannot export, and answers 500, unless it is told not to.
const extractable = version === "1.2" ? { extractable: true } : {};

async function serve(alg) {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  const database = { user: [], session: [], account: [], verification: [], jwks: [] };
  const auth = betterAuth({
    baseURL: url,
    secret: randomBytes(32).toString("hex"),
    database: memoryAdapter(database),
    emailAndPassword: { enabled: true },
    plugins: [bearer(), jwt({ jwks: { keyPairConfig: { alg, ...extractable } } })],
    // Both follow the environment by default, and telemetry calls out.
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
  });
  const handleAuth = toNodeHandler(auth);
  const testRoutes = {
    "/__test/rotate": () => {
      for (const key of database.jwks) key.expiresAt = new Date(Date.now() - 1000);
    },
    "/__test/drop-keys": () => database.jwks.splice(0),
  };
  server.on("request", (request, response) => {
    const route = request.method === "POST" && testRoutes[request.url];
    if (!route) return handleAuth(request, response);
    route();
    response.end();
  });
  return url;
}

const urls = await Promise.all(algorithms.map(serve));
const byAlgorithm = Object.fromEntries(algorithms.map((alg, index) => [alg, urls[index]]));
process.stdout.write(`${JSON.stringify(byAlgorithm)}\n`);
