/**
 * Programs that tests start: each under `supervise.mjs`, so that none outlives its starter, and
 * each with its output kept, for the report of a test that fails.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const SUPERVISOR = fileURLToPath(new URL("supervise.mjs", import.meta.url));

/** A cold start on a loaded machine; on an idle one nothing here takes two seconds. */
const START_LIMIT_MS = 60_000;

/** More than the supervisor waits before it kills. */
const STOP_LIMIT_MS = 15_000;

export interface ProgramOptions {
  /** What it is called in reports. */
  name: string;
  command: string;
  args: string[];
  /** All of its environment, but for PATH. */
  env: Record<string, string>;
  directory: Directory;
  /** Where it runs, if that is not the directory. */
  workingDirectory?: string;
  /** What stops it in good order: SIGTERM. */
  signal?: NodeJS.Signals;
  user?: User;
  /** Whether it is ready, going by what it has printed; asked again and again. */
  ready: (output: string) => boolean | Promise<boolean>;
}

/** What a report can show of a program, and of one that was stopped and started again. */
export interface Logged {
  readonly name: string;
  readonly output: string;
}

export interface User {
  uid: number;
  gid: number;
}

/** A directory of its own for a program, which goes with it. */
export class Directory {
  readonly path: string;

  constructor(owner?: User) {
    this.path = mkdtempSync(join(tmpdir(), "keyward-browser-"));
    if (owner) chownSync(this.path, owner.uid, owner.gid);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A running program. */
export class Program implements Logged {
  readonly name: string;
  #output = "";
  readonly #supervisor: ChildProcess;

  private constructor(name: string, supervisor: ChildProcess) {
    this.name = name;
    this.#supervisor = supervisor;
    for (const stream of [supervisor.stdout, supervisor.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => {
        this.#output += text;
      });
    }
  }

  static async start(options: ProgramOptions): Promise<Program> {
    const { name, command, args, env, directory, signal, user } = options;
    const order = { command, args, signal, ...user, remove: directory.path };
    const supervisor = spawn(process.execPath, [SUPERVISOR, JSON.stringify(order)], {
      cwd: options.workingDirectory ?? directory.path,
      env: { PATH: process.env.PATH ?? "", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    // It may have ended when it is told to stop.
    supervisor.stdin.on("error", () => {});
    const program = new Program(name, supervisor);
    try {
      await until(START_LIMIT_MS, `${name} was not ready in time`, async () => {
        if (program.ended) throw new Error(`${name} ended before it was ready`);
        return options.ready(program.#output);
      });
    } catch (error) {
      await program.stop();
      throw new Error(`${String(error)}; it printed:\n${program.#output}`);
    }
    return program;
  }

  /** What it has printed. */
  get output(): string {
    return this.#output;
  }

  get ended(): boolean {
    return this.#supervisor.exitCode !== null || this.#supervisor.signalCode !== null;
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    const exit = once(this.#supervisor, "exit", { signal: AbortSignal.timeout(STOP_LIMIT_MS) });
    this.#supervisor.stdin?.end("stop\n");
    await exit.catch(() => {
      throw new Error(`${this.name} did not stop in time; it printed:\n${this.#output}`);
    });
  }
}

/** Asks again and again, for a bounded time, until the answer is yes. */
export async function until(
  limitMs: number,
  complaint: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(complaint);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}
