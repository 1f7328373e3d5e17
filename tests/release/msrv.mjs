// The lock file's packages against rust-version: cargo metadata --format-version 1 | node msrv.mjs

import { readFileSync } from "node:fs";

const numbers = (version) => version.split(".").map(Number);
const newer = (a, b) => {
  const [left, right] = [numbers(a), numbers(b)];
  const at = [0, 1, 2].find((i) => (left[i] ?? 0) !== (right[i] ?? 0));
  return at !== undefined && (left[at] ?? 0) > (right[at] ?? 0);
};

const { packages, resolve } = JSON.parse(readFileSync(0, "utf8"));
const own = packages.find(({ id }) => id === resolve.root);
const failures = packages
  .filter(({ rust_version }) => rust_version !== null && newer(rust_version, own.rust_version))
  .map(({ name, version, rust_version }) => `${name} ${version} needs Rust ${rust_version}`);
// Edition 2024 implies resolver 3, unless the manifest names another.
if (own.edition !== "2024" || /^resolver\s*=/m.test(readFileSync(own.manifest_path, "utf8"))) {
  failures.push("Cargo.toml no longer gets resolver 3, which heeds rust-version, from its edition");
}
const stated = packages.filter(({ rust_version }) => rust_version !== null).length;
console.log(
  `rust-version ${own.rust_version}: ${packages.length} packages locked, ${stated} of them state what they need`,
);
for (const failure of failures) console.error(`tests/release/msrv.mjs: ${failure}`);
if (failures.length > 0) process.exitCode = 1;
