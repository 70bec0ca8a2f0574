// A TCP relay between a client and the server under test, so that a check can lose its connection at will.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class Relay {
  readonly port: number;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #refusing = false;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Listens on a free port of the loopback and relays to `target` there. */
  static async start(target: number): Promise<Relay> {
    // A client may close its side after a four-letter word, and still wait for the answer.
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the relay has no port');
    const relay = new Relay(server, address.port);
    server.on('connection', (client) => relay.#relay(client, target));
    return relay;
  }

  /** Closes every connection there is; new ones are welcome. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Closes every connection, and each new one at once, until `up`. */
  down(): void {
    this.#refusing = true;
    this.cut();
  }

  up(): void {
    this.#refusing = false;
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #relay(client: Socket, target: number): void {
    if (this.#refusing) {
      client.destroy();
      return;
    }
    const server = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.pipe(server);
    server.pipe(client);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#open.add(socket);
      // Without a listener an error would end the process; the close that follows it says all we need.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#open.delete(socket);
        other.destroy();
      });
    }
  }
}
