import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { developmentSecret } from "../../server/secret.ts";

const folder = mkdtempSync(join(tmpdir(), "keyward-secret-"));
after(() => rmSync(folder, { recursive: true }));

test("a secret is made once, kept beside its database, for its owner alone", () => {
  const database = { kind: "sqlite", path: join(folder, "auth.db") } as const;
  const secret = developmentSecret(database);
  assert.ok(secret.length >= 32);
  assert.equal(developmentSecret(database), secret);
  assert.notEqual(developmentSecret({ kind: "sqlite", path: join(folder, "other.db") }), secret);
  assert.deepEqual(readdirSync(folder).sort(), ["auth.db.secret", "other.db.secret"]);
  assert.equal(statSync(join(folder, "auth.db.secret")).mode & 0o777, 0o600);
});
