// The documents, and the breaks that are meant.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const inOpenapi = (name) => fileURLToPath(new URL(`../../../openapi/${name}`, import.meta.url));

export const CURRENT = inOpenapi("openapi.json");
export const RELEASED = inOpenapi("released/openapi.json");
export const ALLOWED = inOpenapi("released/allowed-breaks.json");

export const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
