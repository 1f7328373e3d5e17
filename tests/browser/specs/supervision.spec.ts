import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, test } from "@playwright/test";
import { Directory, SUPERVISOR, until } from "../harness/process.ts";

// A program that starts another: both must go.
const PROGRAM = "sleep 300 & echo $!; echo $$; wait";

// Stands for a test runner: it starts the program, and then it is killed.
const STARTER = `
  import { spawn } from "node:child_process";
  const [supervisor, order] = process.argv.slice(1);
  const stdio = ["pipe", "inherit", "inherit"];
  spawn(process.execPath, [supervisor, order], { stdio });
  setInterval(() => {}, 1000);
`;

test("no program outlives a starter that is killed, and its directory goes too", async () => {
  const directory = new Directory();
  const order = { command: "sh", args: ["-c", PROGRAM], remove: directory.path };
  const args = ["--input-type=module", "-e", STARTER, SUPERVISOR, JSON.stringify(order)];
  const starter = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const pids = await readNumbers(starter, 2);
  expect(pids.map(isAlive)).toEqual([true, true]);

  const exit = once(starter, "exit");
  starter.kill("SIGKILL");
  await exit;
  await until(10_000, "the programs still run", () => !pids.some(isAlive));
  await until(10_000, "the directory is still there", () => !existsSync(directory.path));
});

async function readNumbers(process: ChildProcess, count: number): Promise<number[]> {
  let output = "";
  process.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await until(10_000, "it printed nothing", () => output.split("\n").length > count);
  return output.trim().split("\n").map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
