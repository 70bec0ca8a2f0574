// Ports for servers that have to know each other's before they start.

import { createServer } from 'node:net';
import { threadId } from 'node:worker_threads';

// Below the ports that systems give to outgoing connections, which would take one between two uses of it.
const LOWEST = 10_000;
const COUNT = 20_000;
/** How often others are tried when somebody was quicker. */
const ATTEMPTS = 5;
// Processes begin at some distance from each other, and so do the threads of one.
let next = (process.pid * 97 + threadId * 1009) % COUNT;

/**
 * Calls `use` with ports of 127.0.0.1 that nobody listened at a moment ago, and again with others if one of them is taken by
 * the time that it is used.
 */
export async function withFreePorts<T>(count: number, use: (ports: readonly number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await use(await freePorts(count));
    } catch (e) {
      if (attempt === ATTEMPTS || (e as { code?: string }).code !== 'EADDRINUSE') throw e;
    }
  }
}

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
