// HTTP connections on which nothing is asked: they end after a while, and the oldest of too many make room, so that nobody who only
// connects keeps out those who ask.

import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Half of those that may be connected at all. */
const MOST_IDLE = 50;

/**
 * Watches a server's connections.
 * @param idleTimeout milliseconds
 * @returns to be told of each connection once its HTTP begins
 */
export function limitIdle(server: HttpServer, idleTimeout: number): (socket: Socket) => void {
  /** In the order in which they fell silent. */
  const idle = new Map<Socket, NodeJS.Timeout>();
  const rests = (socket: Socket): void => {
    idle.set(socket, setTimeout(() => socket.destroy(), idleTimeout).unref());
    const [oldest] = idle.keys();
    if (idle.size > MOST_IDLE) oldest?.destroy();
  };
  const works = (socket: Socket): void => {
    clearTimeout(idle.get(socket));
    idle.delete(socket);
  };
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    works(socket);
    response.once('close', () => {
      if (!socket.destroyed) rests(socket);
    });
  });
  return (socket) => {
    rests(socket);
    socket.once('close', () => works(socket));
  };
}
