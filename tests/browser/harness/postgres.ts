/** A real PostgreSQL in a throw-away cluster, from the system's packages. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter } from "node:path";
import { freePort } from "./ports.ts";
import { Directory, type Logged, Program, type User } from "./process.ts";

const COMMAND_LIMIT_MS = 60_000;

export class Postgres implements Logged {
  readonly name = "PostgreSQL";
  readonly url: string;
  readonly #binaries: string;
  readonly #directory: Directory;
  readonly #program: Program;

  private constructor(url: string, binaries: string, directory: Directory, program: Program) {
    this.url = url;
    this.#binaries = binaries;
    this.#directory = directory;
    this.#program = program;
  }

  static async start(superuser = "keyward"): Promise<Postgres> {
    const binaries = findBinaries();
    const user = unprivilegedUser();
    const directory = new Directory(user);
    const data = directory.file("data");
    const run = { cwd: directory.path, timeout: COMMAND_LIMIT_MS, ...user };
    const encoding = ["--encoding=UTF8", "--locale=C.UTF-8"];
    const cluster = ["--auth=trust", `--username=${superuser}`, ...encoding];
    execFileSync(`${binaries}/initdb`, [...cluster, "--no-sync", "-D", data], run);

    const port = await freePort();
    const settings = [
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      // Nothing here outlives the test.
      "fsync=off",
      "synchronous_commit=off",
      "full_page_writes=off",
    ];
    const program = await Program.start({
      name: "PostgreSQL",
      command: `${binaries}/postgres`,
      args: ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      env: {},
      directory,
      // A "fast" shutdown: sessions end, nothing is left in shared memory.
      signal: "SIGINT",
      ...(user && { user }),
      ready: (output) => output.includes("ready to accept connections"),
    });
    const url = `postgres://${superuser}@127.0.0.1:${port}/postgres`;
    return new Postgres(url, binaries, directory, program);
  }

  /** Runs statements behind the backs of those who use it. */
  execute(statements: string, url = this.url): void {
    const args = ["-qX", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statements];
    execFileSync(`${this.#binaries}/psql`, args, { timeout: COMMAND_LIMIT_MS, stdio: "pipe" });
  }

  async end(): Promise<void> {
    await this.#program.stop();
    this.#directory.remove();
  }

  get output(): string {
    return this.#program.output;
  }
}

/** PostgreSQL refuses to run as root. Undefined: we are not root. */
export function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string, name: string) =>
    Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: "pipe" }));
  for (const name of ["postgres", "nobody"]) {
    try {
      return { uid: id("-u", name), gid: id("-g", name) };
    } catch {
      // There is no such user.
    }
  }
  throw new Error("PostgreSQL does not run as root, and there is no other user");
}

/** The directory with the newest server's programs. */
function findBinaries(): string {
  const packaged = "/usr/lib/postgresql";
  const versions = existsSync(packaged) ? readdirSync(packaged) : [];
  const directories = versions
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => `${packaged}/${version}/bin`)
    .concat((process.env.PATH ?? "").split(delimiter));
  const found = directories.find((directory) => existsSync(`${directory}/initdb`));
  if (!found) throw new Error("PostgreSQL's server is missing; run: apt-get install postgresql");
  return found;
}
