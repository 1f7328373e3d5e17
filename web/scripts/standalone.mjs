// Makes .next/standalone all there is to ship.
import { cpSync, rmSync } from "node:fs";

const FOLDER = ".next/standalone";

// `next build` leaves out the files that browsers ask for.
cpSync(".next/static", `${FOLDER}/.next/static`, { recursive: true });

// libsql is for a Node.js without `node:sqlite`, and a server runs on what built it: 19 MB.
if (process.getBuiltinModule?.("node:sqlite")) {
  for (const name of ["@libsql", "@neon-rs", "libsql"]) {
    rmSync(`${FOLDER}/node_modules/${name}`, { recursive: true, force: true });
  }
}
