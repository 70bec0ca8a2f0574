// Ports for ensembles: below the range that the system takes for outgoing connections, so that a member that is down for a
// while finds its ports free when it comes back.

import { once } from 'node:events';
import { createServer } from 'node:net';

const COUNT = 200;
/** Each run has ports of its own, as far as chance has it: several may be under way on one machine. */
const FIRST = Number(process.env.INTEROP_PORT ?? firstPortOf(process.pid));
export const HOST = '127.0.0.1';

/** Where the ports of a run begin. 50 numbers in a row get different ones. */
export function firstPortOf(run: number): number {
  return 10_000 + (run % 50) * COUNT;
}

let next = 0;

/** A port on which nobody listens. Each call gives another one, until all were given once. */
export async function nextPort(): Promise<number> {
  for (let tried = 0; tried < COUNT; tried++) {
    const port = FIRST + (next++ % COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port is free from ${FIRST} to ${FIRST + COUNT - 1}; set INTEROP_PORT to the first of ${COUNT}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, HOST);
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}
