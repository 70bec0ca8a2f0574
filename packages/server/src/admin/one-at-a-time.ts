// Requests to an HTTP server begin one at a time, with other work let in between: one write can hold hundreds of them.

import { setImmediate } from 'node:timers';
import type { FastifyInstance } from 'fastify';

/** So many may wait of a connection; one that has more is closed. */
const MOST_WAITING = 10;

interface Waiting {
  readonly socket: object & { readonly destroyed: boolean };
  readonly begin: () => void;
}

export function beginOneAtATime(app: FastifyInstance): void {
  const queue: Waiting[] = [];
  const waitingOf = new WeakMap<object, number>();
  const count = (socket: object, change: number): number => {
    const waiting = (waitingOf.get(socket) ?? 0) + change;
    waitingOf.set(socket, waiting);
    return waiting;
  };
  const next = (): void => {
    const first = queue.shift();
    if (queue.length > 0) setImmediate(next);
    if (first === undefined) return;
    count(first.socket, -1);
    if (!first.socket.destroyed) first.begin();
  };
  app.addHook('onRequest', (request, _reply, begin) => {
    const { socket } = request.raw;
    if (socket.destroyed) return;
    if (count(socket, 1) > MOST_WAITING) {
      socket.destroy();
      return;
    }
    queue.push({ socket, begin });
    if (queue.length === 1) setImmediate(next);
  });
}
