// A worker thread that is a bad neighbour to the other clients of a server, until it is told to stop.
// `hog`: reads a node with thousands of requests outstanding. `lister`: lists a node with very many children.

import { parentPort, Worker, workerData } from 'node:worker_threads';
import { ClosedLoopClient } from '../driver/closed-loop.js';
import { getChildren, getData, request } from '../driver/frames.js';
import { type Address, RawConnection } from '../driver/raw-connection.js';
import { RequestRing } from '../driver/request-source.js';

export type NeighbourKind = 'hog' | 'lister';

const WINDOW = { hog: 2000, lister: 2 } as const;

interface Orders extends Address {
  readonly kind: NeighbourKind;
  readonly path: string;
}

/** Starts a neighbour that works on `path`. Resolves when it does; call the result to end it. */
export async function startNeighbour(kind: NeighbourKind, server: Address, path: string): Promise<() => Promise<void>> {
  const orders: Orders = { kind, path, host: server.host, port: server.port };
  const worker = new Worker(new URL(import.meta.url), { workerData: orders });
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('exit', () => resolve());
    worker.once('error', reject);
  });
  ended.catch(() => {}); // told by the returned function
  await Promise.race([new Promise((resolve) => worker.once('message', resolve)), ended]);
  return () => {
    worker.postMessage('stop');
    return ended;
  };
}

async function work(port: NonNullable<typeof parentPort>, orders: Orders): Promise<void> {
  const { kind, path } = orders;
  const frame = request(kind === 'hog' ? getData(path) : getChildren(path));
  const window = WINDOW[kind];
  const source = new RequestRing(Array.from({ length: window }, () => frame));
  const connection = await RawConnection.open(orders);
  const client = new ClosedLoopClient(connection, source, window).start();
  port.postMessage('started');
  await new Promise((resolve) => port.once('message', resolve));
  await client.stop();
  connection.checkErrors(kind);
  await connection.closeSession();
  port.close();
}

if (parentPort !== null) await work(parentPort, workerData as Orders);
