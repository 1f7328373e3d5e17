import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { DatabaseUrl } from "./env.ts";

/**
 * The secret of a developer who set none: made once and kept, because Better Auth encrypts the
 * signing keys in the database with it, and with another one it could not sign any more.
 */
export function developmentSecret(database: DatabaseUrl): string {
  const path = database.kind === "sqlite" ? `${database.path}.secret` : "auth.secret";
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, randomBytes(32).toString("base64url"), { mode: 0o600 });
  try {
    // Unlike a write, a link never shows a half-made file to a second process that starts now.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft);
  }
  return readFileSync(path, "utf8");
}
