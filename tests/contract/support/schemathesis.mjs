// Runs schemathesis with two users against a service.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CURRENT } from "./files.mjs";
import { start, temporaryDirectory } from "./process.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SCHEMATHESIS = here("../../../target/contract-venv/bin/schemathesis");
const CONFIGURATION = here("../schemathesis/schemathesis.toml");
const HOOKS = here("../schemathesis/hooks.py");

const LIMIT_MS = 120_000;

/**
 * Tries every operation, with so many generated cases at most: the `report`, and the `output`, which
 * says how to reproduce each finding.
 */
export async function tryOut({ url, tokens }, maxExamples) {
  if (!existsSync(SCHEMATHESIS)) {
    throw new Error("schemathesis is missing; run bash tests/contract/install.sh first");
  }
  const directory = temporaryDirectory();
  const users = join(directory, "users.json");
  const reportFile = join(directory, "report.json");
  const auth = Object.entries(tokens).map(([name, token]) => ({
    name,
    fixedHeaders: [{ name: "Authorization", value: `Bearer ${token}` }],
  }));
  writeFileSync(users, JSON.stringify({ auth }));

  const args = ["--config-file", CONFIGURATION, "--no-color", "run", CURRENT];
  args.push("--url", url, "--max-examples", String(maxExamples));
  args.push("--report", "json", "--report-json-path", reportFile);
  const env = { CONTRACT_USERS: users, CONTRACT_HOOKS: HOOKS, PYTHONDONTWRITEBYTECODE: "1" };
  const program = start(SCHEMATHESIS, args, { directory, env });
  const read = () => existsSync(reportFile) && JSON.parse(readFileSync(reportFile, "utf8"));
  const { found: report, stdout: output, stderr } = await program.ended(LIMIT_MS, read);
  if (!report) throw new Error(`schemathesis gave no report:\n${output}${stderr}`);
  return { report, output };
}
