// A relay between client and server that knows requests, and loses the connection at a chosen step of a chosen one.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { atEnd } from './support.js';

/**
 * `beforeSend`: the request does not reach the server. `afterSend`: it does, and nobody waits for what becomes of it.
 * `afterCommit`: the server has answered, and the answer is lost.
 */
export type Step = 'beforeSend' | 'afterSend' | 'afterCommit';
export const STEPS: readonly Step[] = ['beforeSend', 'afterSend', 'afterCommit'];

/** Operations by their numbers in the protocol. */
export const OPERATIONS = {
  create: [1, 15, 19, 21],
  delete: [2],
  exists: [3],
  getData: [4],
  setData: [5],
  getChildren: [8, 12],
  sync: [9],
  multi: [14],
  multiRead: [22],
  addWatch: [106],
} as const;
export type OperationName = keyof typeof OPERATIONS;

interface Fault {
  readonly operation: OperationName;
  readonly step: Step;
  /** How many such requests pass before. */
  skip: number;
  readonly done: () => void;
}

interface Hold {
  readonly operation: OperationName;
  skip: number;
  readonly held: (release: () => void) => void;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Requests that are kept back. */
  held: Buffer[] | undefined;
  /** Requests whose answer is to be lost, by their xid. */
  readonly doomed: Map<number, Fault>;
}

export class Relay {
  readonly port: number;
  private readonly listener: Server;
  private readonly target: number;
  private readonly pairs = new Set<Pair>();
  private faults: Fault[] = [];
  private hold: Hold | undefined;
  private refusing = false;

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

  /** Loses the connection at the next request of this kind, or the one after `skip` more. Resolves when it has. */
  failAt(operation: OperationName, step: Step, skip = 0): Promise<void> {
    return new Promise((done) => {
      this.faults.push({ operation, step, skip, done });
    });
  }

  /**
   * Keeps back the next request of this kind, or the one after `skip` more, and all behind it. Resolves, when it has come, with what
   * lets them go.
   */
  holdAt(operation: OperationName, skip = 0): Promise<() => void> {
    return new Promise((held) => {
      this.hold = { operation, skip, held };
    });
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
  }

  /** Ends each new connection at once, until `up`; those that there are stay. */
  refuse(): void {
    this.refusing = true;
  }

  private relay(client: Socket): void {
    client.on('error', () => {});
    if (this.refusing) {
      client.destroy();
      return;
    }
    const server = connect({ port: this.target, host: '127.0.0.1', noDelay: true });
    server.on('error', () => client.destroy());
    const pair: Pair = { client, server, held: undefined, doomed: new Map() };
    this.pairs.add(pair);
    eachFrame(client, (frame, isFirst) => (isFirst ? server.write(frame) : this.onRequest(pair, frame)));
    eachFrame(server, (frame, isFirst) => (isFirst ? client.write(frame) : this.onReply(pair, frame)));
    const end = (): void => {
      this.pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    client.on('close', end);
    server.on('close', end);
  }

  private onRequest(pair: Pair, frame: Buffer): void {
    if (pair.client.destroyed || pair.server.destroyed) return;
    const operation = frame.readInt32BE(8);
    const { hold } = this;
    if (hold !== undefined && isOne(operation, hold.operation) && hold.skip-- === 0) {
      this.hold = undefined;
      pair.held = [];
      hold.held(() => {
        for (const one of pair.held?.splice(0) ?? []) pair.server.write(one);
        pair.held = undefined;
      });
    }
    if (pair.held !== undefined) {
      pair.held.push(frame);
      return;
    }
    const fault = this.faultFor(operation);
    if (fault === undefined) {
      pair.server.write(frame);
      return;
    }
    if (fault.step === 'beforeSend') {
      // What was sent before is on its way, and stays so.
      pair.server.end();
      pair.client.destroy();
      fault.done();
    } else if (fault.step === 'afterSend') {
      pair.client.destroy();
      pair.server.end(frame);
      fault.done();
    } else {
      pair.doomed.set(frame.readInt32BE(4), fault);
      pair.server.write(frame);
    }
  }

  private onReply(pair: Pair, frame: Buffer): void {
    if (pair.client.destroyed) return;
    const xid = frame.readInt32BE(4);
    const fault = pair.doomed.get(xid);
    if (fault === undefined) {
      pair.client.write(frame);
      return;
    }
    pair.client.destroy();
    pair.server.destroy();
    pair.doomed.delete(xid);
    this.faults.push(...pair.doomed.values()); // their turn comes on the next connection
    fault.done();
  }

  private faultFor(operation: number): Fault | undefined {
    const fault = this.faults.find((one) => isOne(operation, one.operation));
    if (fault === undefined || fault.skip-- > 0) return undefined;
    this.faults = this.faults.filter((one) => one !== fault);
    return fault;
  }

  private async stop(): Promise<void> {
    this.cut();
    this.listener.close();
    await once(this.listener, 'close');
  }
}

function isOne(operation: number, name: OperationName): boolean {
  return (OPERATIONS[name] as readonly number[]).includes(operation);
}

function eachFrame(socket: Socket, handle: (frame: Buffer, isFirst: boolean) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = true;
  socket.on('data', (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const size = 4 + rest.readInt32BE(0);
      const frame = rest.subarray(0, size);
      rest = rest.subarray(size);
      handle(frame, isFirst);
      isFirst = false;
    }
  });
}
