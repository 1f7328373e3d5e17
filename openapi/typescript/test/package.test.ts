import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const MANIFEST = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));

test("the package holds the built client, its types and its papers, and nothing else", () => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: PACKAGE,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  const [{ files, size }] = JSON.parse(output.toString());
  const paths: string[] = files.map(({ path }: { path: string }) => path);
  const papers = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "package.json"];
  const rest = paths.filter((path) => !papers.includes(path));
  assert.deepEqual(paths.length - rest.length, papers.length);
  assert.deepEqual(
    rest.filter((path) => !/^dist\/[\w@/.-]+\.(js|d\.ts)$/.test(path)),
    [],
  );
  for (const { types, default: code } of entryPoints()) {
    assert.ok(paths.includes(types) && paths.includes(code), `${code} or its types are missing`);
  }
  // It was 40 kB.
  assert.ok(size < 80_000, `${size} bytes`);
});

test("the licences are the project's", () => {
  for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) {
    const project = readFileSync(join(PACKAGE, "../..", name), "utf8");
    assert.equal(readFileSync(join(PACKAGE, name), "utf8"), project, name);
  }
});

test("nothing is needed at run time", () => {
  assert.equal(MANIFEST.dependencies, undefined);
  assert.equal(MANIFEST.sideEffects, false);
  assert.deepEqual(MANIFEST.peerDependenciesMeta, { "@tanstack/react-query": { optional: true } });
});

test("one call brings one operation into the bundle", async (t) => {
  const code = await bundle(`
    import { createKeywardClient, createTokenSource, getMe } from "@keyward/client";
    import { betterAuthTokens } from "@keyward/client/better-auth";
    const tokens = createTokenSource(betterAuthTokens(authClient));
    await getMe({ client: createKeywardClient({ baseUrl: "https://api.example.com", tokens }) });
  `);
  assert.match(code, /\/api\/me/);
  assert.doesNotMatch(code, /\/api\/tasks|\/healthz|\/readyz|tanstack|queryKey|process\./);
  report(t, "one call, with tokens", code, 8_500);
});

test("a query brings its operation into the bundle", async (t) => {
  const code = await bundle(`
    import { createKeywardClient } from "@keyward/client";
    import { getMeOptions } from "@keyward/client/react-query";
    console.log(getMeOptions({ client: createKeywardClient({ baseUrl: "https://a.example" }) }));
  `);
  assert.match(code, /\/api\/me/);
  assert.doesNotMatch(code, /\/api\/tasks|\/healthz|\/readyz/);
  report(t, "one query, without TanStack Query", code, 8_500);
});

test("an unused import costs nothing", async () => {
  assert.equal(await bundle('import "@keyward/client"; import "@keyward/client/react-query";'), "");
});

async function bundle(contents: string): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: PACKAGE },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    external: ["@tanstack/react-query"],
    logLevel: "silent",
  });
  // esbuild says so when a module without side effects is imported for nothing.
  const others = warnings.filter(({ id }) => id !== "ignored-bare-import");
  assert.deepEqual(others, []);
  return outputFiles[0]?.text ?? "";
}

function report(t: { diagnostic(text: string): void }, name: string, code: string, most: number) {
  const zipped = gzipSync(code).length;
  t.diagnostic(`${name}: ${code.length} bytes minified, ${zipped} gzipped`);
  assert.ok(zipped < most, `${zipped} bytes gzipped`);
}

function entryPoints(): { types: string; default: string }[] {
  return Object.values<Record<string, string> | string>(MANIFEST.exports)
    .filter((entry) => typeof entry === "object")
    .map(({ types = "", default: code = "" }) => ({
      types: types.slice(2),
      default: code.slice(2),
    }));
}
