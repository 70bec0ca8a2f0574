// Ports for servers that have to know each other's before they start.

import { createServer } from 'node:net';

// Below the ports that systems give to outgoing connections, which would take one between two uses of it.
const LOWEST = 10_000;
const COUNT = 20_000;
let next = (process.pid * 97) % COUNT;

/** Ports of 127.0.0.1 that nobody listened at a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = LOWEST + (next++ % COUNT);
    if (await isFree(port)) found.push(port);
  }
  return found;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
