// Ports for ensembles: below the range that the system takes for outgoing connections, so that a member that is down for a
// while finds its ports free when it comes back.

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const LOWEST = 10_000;
const COUNT = 200;
/** Of processes that have ports at the same time. */
const MOST = 50;
export const HOST = '127.0.0.1';

let first: Promise<number> | undefined;
let next = 0;

/** A port on which nobody listens. Each call gives another one, until all were given once. */
export async function nextPort(): Promise<number> {
  first ??= firstPort();
  const from = await first;
  for (let tried = 0; tried < COUNT; tried++) {
    const port = from + (next++ % COUNT);
    const server = await listen(port);
    if (server === undefined) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`no port is free from ${from} to ${from + COUNT - 1}; set INTEROP_PORT to the first of ${COUNT}`);
}

/** Each process has ports of its own: it listens on one for as long as it lives, as a sign to the others, and uses those behind it. */
async function firstPort(): Promise<number> {
  if (process.env.INTEROP_PORT !== undefined) return Number(process.env.INTEROP_PORT);
  for (let tried = 0; tried < MOST; tried++) {
    const sign = LOWEST + ((process.pid + tried) % MOST) * (COUNT + 1);
    const server = await listen(sign);
    if (server === undefined) continue;
    server.unref();
    return sign + 1;
  }
  throw new Error(`all ports from ${LOWEST} on are another's; set INTEROP_PORT to the first of ${COUNT}`);
}

/** Undefined if somebody listens there. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  try {
    server.listen(port, HOST);
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}
