// Runs one program for as long as whoever started this is alive.
//
//   node supervise.mjs '{"command":"/bin/prog","args":["x"],"signal":"SIGTERM"}'
//
// The starter holds our stdin open. When it ends, however the starter ended, the program and all
// that it started are stopped: first by `signal`, and if that does not help, by SIGKILL. Programs
// do not watch their own stdin, and a killed starter runs no code any more: hence this one between.
//
// A starter that stops the program in good order writes "stop" first. One that died did not, and
// then `remove`, a directory, goes too: nobody else would know of it.

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";

/** For a starter that lives and hangs: no test run takes that long. */
const LIFETIME_MS = 30 * 60 * 1000;

/** Then it is killed. */
const STOP_LIMIT_MS = 8_000;

const { command, args, uid, gid, signal = "SIGTERM", remove } = JSON.parse(process.argv[2]);

// Ctrl-C reaches us too, but the starter still needs the program to end its tests.
process.on("SIGINT", () => {});
process.on("SIGTERM", stop);
process.on("SIGHUP", stop);

let orderly = false;
process.stdin.setEncoding("utf8");
process.stdin.on("data", (text) => {
  orderly ||= text.includes("stop");
});
process.stdin.on("end", stop);
process.stdin.on("error", stop);
setTimeout(() => {
  console.error(`stopped after ${LIFETIME_MS / 1000} s; is the test hanging?`);
  stop();
}, LIFETIME_MS).unref();

// A group of its own, so that one signal reaches what it starts as well. Its stdin stays open: some
// programs end with it.
const child = spawn(command, args, {
  stdio: ["pipe", "inherit", "inherit"],
  detached: true,
  ...(uid === undefined ? {} : { uid, gid }),
});
child.on("error", (error) => {
  console.error(`cannot run ${command}: ${error.message}`);
  process.exit(127);
});
child.on("exit", (code, endedBy) => {
  kill("SIGKILL");
  if (!orderly && remove !== undefined && process.stdin.readableEnded) {
    rmSync(remove, { recursive: true, force: true });
  }
  process.exit(code ?? (endedBy === signal ? 0 : 1));
});

function stop() {
  kill(signal);
  setTimeout(() => kill("SIGKILL"), STOP_LIMIT_MS);
}

function kill(name) {
  try {
    process.kill(-child.pid, name);
  } catch {
    // It has ended.
  }
}
