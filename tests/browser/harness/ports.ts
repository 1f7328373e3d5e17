/** Ports of loopback servers that must be known before the server is started. */

import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below the range that the system takes ports of connections from (32768 and up on Linux): a port
 * there could be taken, by a connection of the browser, while a server on it is stopped and started.
 */
const FIRST = 20_000;
const COUNT = 12_000;

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error("no free port found");
}

async function isFree(port: number): Promise<boolean> {
  // Without a host: no address of this machine may have it in use.
  const server = createServer();
  try {
    server.listen(port);
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
