/**
 * What docker-compose.yml starts, started without Docker: the same commands with the same variables,
 * by a user without rights in directories that it cannot write to, on a real PostgreSQL with the
 * roles that the file makes. Only hosts and ports are others: everything is on loopback.
 */

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Compose, readCompose, SECRETS, type Service } from "../../deployment/compose.mjs";
import { KEYWARD, ROOT } from "../harness/artifacts.ts";
import { signUp, TasksPage } from "../harness/pages.ts";
import { newCredentials } from "../harness/people.ts";
import { freePort } from "../harness/ports.ts";
import { Postgres, unprivilegedUser } from "../harness/postgres.ts";
import { Directory, Program } from "../harness/process.ts";
import { test as base, expect } from "../harness/test.ts";

/** Docker sends SIGTERM, and kills after this. */
const STOP_GRACE_MS = 10_000;

/** As new as the image's, wherever ours is too old for the app (tests/deployment/install.sh). */
const OWN_NODE = join(ROOT, "target/node/node");
const NODE = existsSync(OWN_NODE) ? OWN_NODE : process.execPath;

class Deployment {
  readonly webUrl: string;
  readonly apiUrl: string;
  readonly #compose: Compose;
  readonly #hosts: [name: string, address: string][];
  readonly #images = new Directory();
  readonly #user = unprivilegedUser();
  readonly #postgres: Postgres;

  constructor(webPort: number, apiPort: number, postgres: Postgres) {
    this.#postgres = postgres;
    this.webUrl = `http://localhost:${webPort}`;
    this.apiUrl = `http://localhost:${apiPort}`;
    const secrets = SECRETS.map((name) => [name, `${name.toLowerCase()}-of-32-characters-or-more`]);
    const given = { ...Object.fromEntries(secrets), WEB_URL: this.webUrl, API_URL: this.apiUrl };
    this.#compose = readCompose(given);
    this.#hosts = [
      ["@postgres:5432", `@${new URL(postgres.url).host}`],
      ["http://web:3000", `http://127.0.0.1:${webPort}`],
      ["127.0.0.1:3000", `127.0.0.1:${webPort}`],
      ["0.0.0.0:8000", `127.0.0.1:${apiPort}`],
      ["/usr/local/bin/keyward", this.#images.file("keyward")],
    ];
    this.#fillImages();
  }

  /** What the Dockerfiles copy into the images, owned by another than who runs it. */
  #fillImages(): void {
    copyFileSync(KEYWARD, this.#images.file("keyward"));
    const dockerfile = readFileSync(join(ROOT, "web/Dockerfile"), "utf8");
    for (const [, from, to] of dockerfile.matchAll(/^COPY --from=build \/src\/(\S+) (\S+)$/gm)) {
      cpSync(resolve(ROOT, from ?? ""), resolve(this.#images.file("web"), to ?? ""), {
        recursive: true,
      });
    }
    execFileSync("chmod", ["-R", "a+rX,a-w", this.#images.path]);
    chmodSync(this.#images.path, 0o755);
  }

  service(name: string): Service {
    const service = this.#compose.services[name];
    if (!service) throw new Error(`there is no service ${name}`);
    return service;
  }

  /** What the image does with a new volume. */
  initialize(): void {
    this.#postgres.execute("CREATE DATABASE keyward");
    this.execute(this.#compose.configs.roles?.content ?? "");
  }

  /** Runs statements in the database, as its superuser. */
  execute(statements: string): void {
    const url = new URL(this.#postgres.url);
    url.pathname = "/keyward";
    this.#postgres.execute(statements, url.href);
  }

  #located(text: string): string {
    return this.#hosts.reduce((located, [name, at]) => located.replaceAll(name, at), text);
  }

  environment(name: string): Record<string, string> {
    const entries = Object.entries(this.service(name).environment);
    return Object.fromEntries(entries.map(([key, value]) => [key, this.#located(value)]));
  }

  /** Runs a command of a service to its end; throws if it fails. */
  run(name: string, command: string[]): string {
    const [program = "", ...args] = command.map((part) => this.#located(part));
    return execFileSync(program === "node" ? NODE : program, args, {
      cwd: "/",
      env: this.environment(name),
      encoding: "utf8",
      timeout: 60_000,
      ...this.#user,
    });
  }

  healthCheck(name: string): void {
    const [, ...command] = this.service(name).healthcheck.test;
    this.run(name, command);
  }

  startApi(): Promise<Program> {
    return this.#start("api", this.#images.file("keyward"), ["serve"], {}, (output) =>
      output.includes("listening on "),
    );
  }

  async startWeb(): Promise<Program> {
    const at = new URL(this.webUrl);
    const variables = { NODE_ENV: "production", HOSTNAME: "127.0.0.1", PORT: at.port };
    return this.#start("web", NODE, [this.#images.file("web/server.js")], variables, async () => {
      try {
        return (await fetch(`${this.webUrl}/healthz`)).ok;
      } catch {
        return false;
      }
    });
  }

  #start(
    name: string,
    command: string,
    args: string[],
    variables: Record<string, string>,
    ready: (output: string) => boolean | Promise<boolean>,
  ): Promise<Program> {
    return Program.start({
      name,
      command,
      args,
      env: { ...variables, ...this.environment(name) },
      directory: new Directory(),
      workingDirectory: "/",
      ready,
      ...(this.#user && { user: this.#user }),
    });
  }

  end(): void {
    rmSync(this.#images.path, { recursive: true, force: true });
  }
}

const test = base.extend<object, { deployment: Deployment; started: Program[] }>({
  deployment: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern.
    async ({}, use) => {
      const postgres = await Postgres.start("postgres");
      const deployment = new Deployment(await freePort(), await freePort(), postgres);
      deployment.initialize();
      await use(deployment);
      deployment.end();
      await postgres.end();
    },
    { scope: "worker" },
  ],

  started: [
    async ({ deployment, programs }, use) => {
      deployment.run("migrate", ["/usr/local/bin/keyward", "migrate"]);
      const started = [await deployment.startWeb(), await deployment.startApi()];
      programs.push(...started);
      await use(started);
      for (const program of started) await program.stop();
    },
    { scope: "worker" },
  ],
});

test.describe.configure({ mode: "serial" });

test("every health check passes once everything is up", async ({ deployment, started }) => {
  expect(started).toHaveLength(2);
  await expect(() => {
    deployment.healthCheck("api");
    deployment.healthCheck("web");
  }).toPass();
});

test("a person signs up and adds a task that is there after a reload", async ({
  page,
  watch,
  deployment,
  started,
}) => {
  expect(started).toHaveLength(2);
  watch.allowOrigins(deployment.webUrl);
  watch.allowApi(deployment.apiUrl);
  await page.goto(`${deployment.webUrl}/sign-up`);
  await signUp(page, newCredentials("Ada Lovelace"));
  const tasks = new TasksPage(page);
  await tasks.add("Run on PostgreSQL");
  await tasks.expectTitles(["Run on PostgreSQL"]);
  await expect.poll(() => watch.statuses("POST", /tasks/)).toEqual([201]);
  await page.reload();
  await tasks.expectTitles(["Run on PostgreSQL"]);
});

test("neither program can read the other's tables", async ({ deployment, started }) => {
  expect(started).toHaveLength(2);
  const read = (role: string, table: string) => () =>
    deployment.execute(`SET ROLE ${role}; SELECT * FROM ${table}`);
  read("keyward", "public.tasks")();
  read("auth", 'auth."user"')();
  for (const table of ['auth."user"', "auth.account", "auth.session", "auth.jwks"]) {
    expect(read("keyward", table)).toThrow(/permission denied for schema auth/);
  }
  expect(read("auth", "public.tasks")).toThrow(/permission denied for schema public/);
});

test("both stop in good time when they are told to", async ({ started }) => {
  for (const program of started) {
    const begin = Date.now();
    await program.stop();
    expect(Date.now() - begin, program.name).toBeLessThan(STOP_GRACE_MS);
  }
});
