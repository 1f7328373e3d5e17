// docker-compose.yml as Compose reads it: variables put in, merge keys followed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What must be given; the file has no defaults for secrets. */
export const SECRETS = [
  "BETTER_AUTH_SECRET",
  "POSTGRES_PASSWORD",
  "AUTH_DB_PASSWORD",
  "API_DB_PASSWORD",
];

export function readCompose(variables) {
  const text = readFileSync(join(ROOT, "docker-compose.yml"), "utf8");
  const document = parseDocument(text, { merge: true });
  if (document.errors.length > 0) throw document.errors[0];
  return interpolated(document.toJS(), variables);
}

function interpolated(value, variables) {
  if (typeof value === "string") return withVariables(value, variables);
  if (Array.isArray(value)) return value.map((item) => interpolated(item, variables));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([name, item]) => [name, interpolated(item, variables)]));
}

/** The forms that the file uses: $$, ${NAME}, ${NAME:-default}, ${NAME:?message}. */
function withVariables(text, variables) {
  return text.replace(
    /\$(?:(\$)|\{(\w+)(?::([-?])([^}]*))?\})?/g,
    (all, dollar, name, kind, rest) => {
      if (dollar) return "$";
      if (!name) throw new Error(`a form of variable that this does not know: ${all} in ${text}`);
      const value = variables[name] ?? "";
      if (value !== "") return value;
      if (kind === "-") return rest;
      throw new Error(`${name} is not set${kind === "?" ? `: ${rest}` : ""}`);
    },
  );
}
