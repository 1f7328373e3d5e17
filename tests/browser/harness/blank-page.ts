/** Origins without content: pages for tests to make requests from. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";

export class BlankPage {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async serve(port: number): Promise<BlankPage> {
    const server = createServer((_request, response) => {
      response.setHeader("content-type", "text/html; charset=utf-8");
      // The icon, so that browsers do not ask for one.
      response.end('<!doctype html><title>Blank</title><link rel="icon" href="data:,">');
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return new BlankPage(server);
  }

  end(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
