// What docker-compose.yml and the Dockerfiles name is there, and is what they take it for.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, readCompose, SECRETS } from "./compose.mjs";

const KEYWARD = process.env.KEYWARD_BIN ?? join(ROOT, "target/debug/keyward");

const secrets = Object.fromEntries(SECRETS.map((name) => [name, `${name}-value`]));
const compose = readCompose(secrets);
const services = Object.entries(compose.services);
/** Ours: the third is a developer's tool. */
const deployed = services.filter(([, service]) => !service.profiles);

const read = (path) => readFileSync(join(ROOT, path), "utf8");
const api = dockerfile("Dockerfile");
const web = dockerfile("web/Dockerfile");

test("each secret has to be given, and the message says where that is explained", () => {
  for (const name of SECRETS) {
    const others = { ...secrets, [name]: "" };
    assert.throws(() => readCompose(others), new RegExp(`${name} is not set: see the top of`));
    assert.match(read("docker-compose.yml"), new RegExp(`^#.*${name}=%s`, "m"));
  }
});

test("no service runs as root, writes outside its volumes, or gains rights", () => {
  const images = { "keyward-api": api, "keyward-web": web };
  for (const [name, service] of deployed) {
    const user = service.user ?? images[service.image]?.user;
    assert.ok(user && !/^(root|0)\b/.test(user), `${name} runs as ${user}`);
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ["ALL"], name);
    assert.ok(service.security_opt.includes("no-new-privileges:true"), name);
    assert.ok(!service.privileged && !service.network_mode && !service.cap_add, name);
  }
});

test("ports are published to this machine only, each once", () => {
  const ports = services.flatMap(([, service]) => service.ports ?? []);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
  assert.equal(new Set(ports.map((port) => port.split(":")[1])).size, ports.length);
  assert.equal(compose.services.postgres.ports, undefined);
});

test("the database's network leads nowhere else", () => {
  assert.equal(compose.networks.data.internal, true);
  assert.deepEqual(compose.services.postgres.networks, ["data"]);
});

test("each service listens where its port, its image and its health check say", () => {
  const { api: apiService, web: webService } = compose.services;
  assert.equal(apiService.environment.LISTEN_ADDR, "0.0.0.0:8000");
  assert.equal(api.env.LISTEN_ADDR, "0.0.0.0:8000");
  assert.equal(web.env.PORT, "3000");
  assert.equal(web.env.HOSTNAME, "0.0.0.0");
  assert.match(webService.healthcheck.test.join(" "), /127\.0\.0\.1:3000\/healthz/);
  for (const [service, image] of [
    [apiService, api],
    [webService, web],
  ]) {
    const inside = service.ports.map((port) => port.split(":")[2]);
    assert.deepEqual(inside, image.exposed);
  }
});

test("services that wait for others wait for what there is", () => {
  for (const [name, service] of services) {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const awaited = compose.services[other];
      assert.ok(awaited, `${name} waits for ${other}`);
      if (condition === "service_healthy") assert.ok(awaited.healthcheck.test, other);
      else assert.equal(awaited.restart, "no", `${other} ends`);
    }
  }
});

test("hosts in the environment are services on a network they share", () => {
  const listens = { postgres: "5432", web: "3000" };
  let found = 0;
  for (const [name, service] of deployed) {
    for (const [variable, value] of Object.entries(service.environment)) {
      const url = /^\w+:\/\//.test(value) ? new URL(value) : undefined;
      if (!url || url.hostname === "localhost") continue;
      found += 1;
      assert.equal(url.port, listens[url.hostname], `${name} ${variable}`);
      const shared = compose.services[url.hostname].networks;
      assert.ok(
        service.networks.some((network) => shared.includes(network)),
        `${name} ${variable}`,
      );
    }
  }
  assert.equal(found, 4);
});

test("public URLs are the same for both, and the key set's is not one of them", () => {
  const given = {
    ...secrets,
    WEB_URL: "https://app.example.com",
    API_URL: "https://api.example.com",
  };
  const { api: apiService, web: webService } = readCompose(given).services;
  for (const name of ["BETTER_AUTH_URL", "JWT_AUDIENCE"]) {
    assert.equal(apiService.environment[name], webService.environment[name]);
  }
  assert.equal(apiService.environment.BETTER_AUTH_URL, "https://app.example.com");
  assert.equal(apiService.environment.CORS_ALLOWED_ORIGINS, "https://app.example.com");
  assert.equal(webService.environment.API_URL, "https://api.example.com");
  assert.equal(apiService.environment.JWKS_URL, "http://web:3000/api/auth/jwks");
});

test("every variable is one that the program knows", () => {
  const commands = { migrate: "migrate", api: "serve" };
  for (const [name, command] of Object.entries(commands)) {
    const help = execFileSync(KEYWARD, [command, "--help"], { encoding: "utf8" });
    for (const variable of Object.keys(compose.services[name].environment)) {
      // OpenTelemetry's own are read by its libraries.
      if (variable.startsWith("OTEL_")) continue;
      assert.match(help, new RegExp(`\\[env: ${variable}\\b`), `${name} ${variable}`);
    }
  }
  for (const variable of Object.keys(compose.services.web.environment)) {
    assert.match(read("web/README.md"), new RegExp(`\`${variable}\``), `web ${variable}`);
  }
});

test("files that are mounted and built from are there", () => {
  for (const [name, service] of services) {
    for (const volume of service.volumes ?? []) {
      const [source] = volume.split(":");
      if (source.startsWith("./")) assert.ok(existsSync(join(ROOT, source)), `${name} ${source}`);
      else assert.ok(source in compose.volumes, `${name} ${source}`);
    }
    for (const { source } of service.configs ?? []) assert.ok(source in compose.configs, source);
    const { context, dockerfile: file } = { dockerfile: "Dockerfile", ...buildOf(service) };
    if (context) assert.ok(existsSync(join(ROOT, context, file)), `${name} ${file}`);
  }
});

test("what the images copy is there and is not ignored", () => {
  const ignored = read(".dockerignore").split("\n").filter(Boolean);
  for (const image of [api, web]) {
    for (const source of image.copied) {
      assert.ok(existsSync(join(ROOT, source)), source);
      assert.ok(!ignored.includes(source), source);
    }
  }
});

test("the images' versions are the ones that the project asks for", () => {
  const rust = read("Cargo.toml").match(/^rust-version = "(\d+)\.(\d+)"/m);
  const [, major, minor, debian] = api.bases[0].match(/^rust:(\d+)\.(\d+)-slim-(\w+)$/);
  assert.ok(major === rust[1] && Number(minor) >= Number(rust[2]), api.bases[0]);
  // The binary needs the C library that it was built with, or a newer one.
  assert.equal(debian, "bookworm");
  assert.match(api.bases[1], /-debian12:nonroot$/);

  const node = JSON.parse(read("web/package.json")).engines.node.match(/^>=(\d+)/);
  assert.equal(new Set(web.bases).size, 1);
  assert.ok(Number(web.bases[0].match(/^node:(\d+)-/)[1]) >= Number(node[1]));
});

test("the binary needs no library that its image has not", {
  skip: process.platform !== "linux",
}, () => {
  const libraries = execFileSync("ldd", [KEYWARD], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(" ")[0])
    .filter(Boolean);
  // The last is the dynamic linker's path, which differs between machines.
  const present = ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "linux-vdso.so.1"];
  const missing = libraries.filter((name) => !present.includes(name) && !/\/ld-linux/.test(name));
  assert.deepEqual(missing, []);
});

function buildOf({ build }) {
  return typeof build === "string" ? { context: build } : build;
}

/** The lines of a Dockerfile that the tests look at. */
function dockerfile(path) {
  const lines = read(path)
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.trim());
  const rest = (keyword) =>
    lines
      .filter((line) => line.startsWith(`${keyword} `))
      .map((line) => line.slice(keyword.length + 1));
  // Of the last stage, as the image is.
  const variables = rest("ENV").flatMap((line) =>
    line.split(/\s+(?=\w+=)/).map((one) => one.split("=")),
  );
  return {
    bases: rest("FROM").map((line) => line.split(" ")[0]),
    user: rest("USER").at(-1),
    env: Object.fromEntries(variables),
    exposed: rest("EXPOSE"),
    copied: rest("COPY")
      .filter((line) => !line.includes("--from="))
      .flatMap((line) => line.split(" ").slice(0, -1)),
  };
}
