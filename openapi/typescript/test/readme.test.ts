import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));

test("the README's example compiles", (t) => {
  const [, example] = /```ts\n(.*?)```/s.exec(readFileSync(`${PACKAGE}README.md`, "utf8")) ?? [];
  assert.ok(example, "there is no example");
  // In the package's own folder, so that its name resolves.
  const file = `${PACKAGE}.test-build/readme-example.ts`;
  writeFileSync(file, `declare const email: string, password: string;\n${example}`);
  t.after(() => rmSync(file));
  const { config } = ts.readConfigFile(`${PACKAGE}tsconfig.base.json`, ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, PACKAGE);
  const program = ts.createProgram([file], { ...options, noEmit: true });
  const faults = ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText);
  assert.deepEqual(faults, []);
});
