import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const DOCUMENT = join(PACKAGE, "../openapi.json");

test("src/generated is what the document and the generator make of it", (t) => {
  const fresh = mkdtempSync(join(tmpdir(), "keyward-client-"));
  t.after(() => rmSync(fresh, { recursive: true }));
  execFileSync("node_modules/.bin/openapi-ts", ["--output", fresh], {
    cwd: PACKAGE,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  const expected = readTree(fresh);
  assert.ok(expected.size > 10, "the generator made nothing");
  const actual = readTree(join(PACKAGE, "src/generated"));
  const files = new Set([...expected.keys(), ...actual.keys()]);
  const different = [...files].filter((file) => expected.get(file) !== actual.get(file));
  assert.deepEqual(
    different,
    [],
    "src/generated is not what ../openapi.json makes of it. Run `npm run generate` in openapi/typescript.",
  );
});

interface Operation {
  readonly responses: Record<string, { readonly content?: object }>;
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Schema> };
}
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly required?: string[];
}

// What success-guard.ts rests on.
test("a DELETE is answered 204, and all else with a JSON object that has members", () => {
  const document: Document = JSON.parse(readFileSync(DOCUMENT, "utf8"));
  const resolve = ({ $ref, ...schema }: Schema) =>
    $ref === undefined ? schema : document.components.schemas[$ref.split("/").at(-1) ?? ""];

  const successes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.entries(responses)
        .filter(([status]) => status.startsWith("2"))
        .map(([status, { content }]) => ({ name: `${method} ${path} ${status}`, content })),
    ),
  );
  assert.ok(successes.length >= 8);
  for (const { name, content } of successes) {
    if (name.startsWith("delete ")) {
      assert.match(name, / 204$/);
      assert.equal(content, undefined, name);
      continue;
    }
    const [[type, media] = [], ...others] = Object.entries<{ schema: Schema }>({ ...content });
    assert.deepEqual([type, others], ["application/json", []], name);
    const schema = resolve(media?.schema ?? {});
    assert.equal(schema?.type, "object", name);
    assert.ok(schema.required?.length, name);
  }
});

function readTree(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]),
  );
}
