/** A program that tests stop and start again, on the same port and in the same directory. */

import { Directory, type Logged, type Program } from "./process.ts";

export abstract class Restartable<Options> implements Logged {
  abstract readonly name: string;
  readonly port: number;
  /**
   * By name, not by address: cookies know no ports, so a browser that sent any to the API would
   * send it those of the app.
   */
  readonly url: string;
  protected readonly directory = new Directory();
  #options: Options | undefined;
  readonly #programs: Program[] = [];

  protected constructor(port: number) {
    this.port = port;
    this.url = `http://localhost:${port}`;
  }

  protected abstract run(options: Options): Promise<Program>;

  /** Starts it, or starts it again on the same port and the same database. */
  async start(options?: Options): Promise<void> {
    this.#options = options ?? this.#options;
    if (!this.#options) throw new Error(`the ${this.name} was never told what to start with`);
    this.#programs.push(await this.run(this.#options));
  }

  get isRunning(): boolean {
    return this.#programs.at(-1)?.ended === false;
  }

  async stop(): Promise<void> {
    await this.#programs.at(-1)?.stop();
  }

  /** Stops it for good. */
  async end(): Promise<void> {
    await this.stop();
    this.directory.remove();
  }

  get output(): string {
    return this.#programs.map((program) => program.output).join("-- started again --\n");
  }
}
