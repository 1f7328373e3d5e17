// Runs a command so that neither it nor its directory outlives the starter, however that one
// ends: a killed starter can clean nothing up, but its end closes the channel to us.
//
//   fork("guard.mjs", [directory, command, ...args])
//
// The command runs in the directory. Its exit code comes as a message; the directory is removed
// when the starter then disconnects. To disconnect earlier stops the command.

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";

// Longer than the service takes to finish its requests in flight.
const GRACE_MS = 12_000;

const [directory, command, ...args] = process.argv.slice(2);
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));

// Its stdin is ours to hold: some programs stop when it ends.
const child = spawn(command, args, { cwd: directory, stdio: ["pipe", "inherit", "inherit"] });
child.on("error", ({ message }) => {
  console.error(`cannot run ${command}: ${message}`);
  finish(127);
});
child.on("exit", (code) => finish(code ?? 1));

process.on("disconnect", stop);
// A terminal's Ctrl-C reaches us too; the command must be waited for all the same.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);

let finished = false;

function finish(code) {
  finished = true;
  if (process.connected) process.send({ code });
  else process.exit();
}

function stop() {
  if (finished) process.exit();
  child.kill("SIGTERM");
  setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
}
