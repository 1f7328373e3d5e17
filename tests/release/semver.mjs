// Whether the version says what was taken away since the last release:
// node tests/release/semver.mjs DIRECTORY_OF_LISTINGS VERSION

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const LISTINGS = ["library.txt", "command-line.txt"];
const RELEASED = fileURLToPath(new URL("released/", import.meta.url));

const lines = (text) => text.split("\n").filter((line) => line !== "");

/** The lines of a release's listing that today's lacks: each is a break, or hides one. */
export function lost(released, current) {
  const now = new Set(lines(current));
  return lines(released).filter((line) => !now.has(line));
}

/** Whether Cargo would not take `to` where somebody asked for `from`: before 1.0 the second number counts. */
export function incompatible(from, to) {
  const [major, minor, patch] = from.split(".").map(Number);
  const [newMajor, newMinor, newPatch] = to.split(/[-+]/)[0].split(".").map(Number);
  if (major !== newMajor) return newMajor > major;
  if (major > 0) return false;
  if (minor !== newMinor) return newMinor > minor;
  return minor === 0 && newPatch > patch;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [directory, version] = process.argv.slice(2);
  if (!existsSync(join(RELEASED, "VERSION"))) {
    console.log("nothing has been released: nothing to be compatible with");
  } else {
    const released = readFileSync(join(RELEASED, "VERSION"), "utf8").trim();
    const read = (root, name) => readFileSync(join(root, name), "utf8");
    const gone = LISTINGS.flatMap((name) => lost(read(RELEASED, name), read(directory, name)));
    for (const line of gone) console.log(`lost since ${released}: ${line}`);
    if (gone.length > 0 && !incompatible(released, version)) {
      console.error(
        `tests/release: ${version} is compatible with ${released} by its number, but not in fact`,
      );
      process.exitCode = 1;
    } else console.log(`${version} against ${released}: ${gone.length} lines lost`);
  }
}
