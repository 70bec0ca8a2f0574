// A TCP relay between client and server, with the faults that networks have.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { atEnd } from './support.js';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class Relay {
  readonly port: number;
  /** Where connections lead. */
  target: number;
  /** Connections accepted so far. */
  accepted = 0;
  private readonly listener: Server;
  private readonly pairs = new Set<Pair>();
  private refusing = false;
  private silent = false;
  private deaf = false;
  private chunk: { bytes: number; every: number } | undefined;
  /** Timers of slow connections. */
  private readonly timers = new Set<ReturnType<typeof setInterval>>();

  private constructor(listener: Server, port: number, target: number) {
    this.listener = listener;
    this.port = port;
    this.target = target;
  }

  static async start(t: TestContext, target: number): Promise<Relay> {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('the relay has no port');
    const relay = new Relay(listener, address.port, target);
    listener.on('connection', (socket) => relay.relay(socket));
    atEnd(t, () => relay.stop());
    return relay;
  }

  /** Ends all connections; new ones are welcome. */
  cut(): void {
    for (const { client, server } of this.pairs) {
      client.destroy();
      server.destroy();
    }
  }

  /** Ends all connections, and each new one at once, until `up`. */
  down(): void {
    this.refusing = true;
    this.cut();
  }

  up(): void {
    this.refusing = false;
    this.silent = false;
    this.deaf = false;
  }

  /** Keeps connections open and passes nothing on, either way: a half-open connection. */
  freeze(): void {
    this.silent = true;
    this.deaf = true;
  }

  /** Passes requests on, and keeps the answers. */
  loseAnswers(): void {
    this.silent = true;
  }

  /** Passes on only so much of each direction, so often in milliseconds. */
  slow(bytes: number, every: number): void {
    this.chunk = { bytes, every };
  }

  private relay(client: Socket): void {
    this.accepted++;
    client.on('error', () => {});
    if (this.refusing) {
      client.destroy();
      return;
    }
    const server = connect({ port: this.target, host: '127.0.0.1' });
    server.on('error', () => client.destroy());
    const pair = { client, server };
    this.pairs.add(pair);
    this.pass(client, server, () => this.deaf);
    this.pass(server, client, () => this.silent);
    const end = (): void => {
      this.pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    client.on('close', end);
    server.on('close', end);
  }

  private pass(from: Socket, to: Socket, isLost: () => boolean): void {
    if (this.chunk === undefined) {
      from.on('data', (data) => {
        if (!isLost()) to.write(data);
      });
      return;
    }
    const { bytes, every } = this.chunk;
    const timer = setInterval(() => {
      const data: Buffer | null = from.read(Math.min(bytes, from.readableLength) || undefined) ?? null;
      if (data !== null && !isLost()) to.write(data);
    }, every);
    this.timers.add(timer);
    from.on('readable', () => {});
    from.on('close', () => clearInterval(timer));
  }

  private async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.cut();
    this.listener.close();
    await once(this.listener, 'close');
  }
}
