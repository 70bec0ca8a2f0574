// A relay in front of a leader's quorum port, for one learner. It reads along, so that a test knows by what means the learner was
// brought up to date; it can hold the leader's words back, and cut.
//   QuorumPacket: int type, long zxid, buffer data (-1 for null), vector<Id> authinfo (-1 for null; Id = ustring, ustring)

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { HOST, nextPort } from './ports.js';

const NAMES: Readonly<Record<number, string>> = {
  1: 'REQUEST',
  2: 'PROPOSAL',
  3: 'ACK',
  4: 'COMMIT',
  5: 'PING',
  6: 'REVALIDATE',
  7: 'SYNC',
  8: 'INFORM',
  9: 'COMMITANDACTIVATE',
  10: 'NEWLEADER',
  11: 'FOLLOWERINFO',
  12: 'UPTODATE',
  13: 'DIFF',
  14: 'TRUNC',
  15: 'SNAP',
  16: 'OBSERVERINFO',
  17: 'LEADERINFO',
  18: 'ACKEPOCH',
  19: 'INFORMANDACTIVATE',
};
/** More of one connection is not kept: a test looks at how it begins. */
const MOST = 5000;
const RETRY_MS = 20;
const GIVE_UP_MS = 2000;

export interface SeenPacket {
  readonly from: 'leader' | 'learner';
  readonly name: string;
  readonly zxid: bigint;
}

/** One connection of the learner to the leader. */
export class TappedConnection {
  /** In the order in which they passed; after a SNAP no more of the leader's, as they stand behind the snapshot's bytes. */
  readonly packets: SeenPacket[] = [];
  readonly #sockets: readonly Socket[];
  readonly #readers = { leader: new PacketReader(), learner: new PacketReader() };

  constructor(learner: Socket, leader: Socket, held: () => boolean) {
    this.#sockets = [learner, leader];
    leader.on('data', (chunk: Buffer) => {
      this.#read('leader', chunk);
      if (held()) return; // lost with the connection, as if it had never left the leader's machine
      if (!learner.write(chunk)) leader.pause();
    });
    learner.on('drain', () => leader.resume());
    learner.on('data', (chunk: Buffer) => {
      this.#read('learner', chunk);
      leader.write(chunk);
    });
    for (const socket of this.#sockets) {
      socket.on('error', () => undefined);
      socket.on('close', () => this.destroy());
    }
  }

  #read(from: 'leader' | 'learner', chunk: Buffer): void {
    if (this.packets.length >= MOST) return;
    for (const [type, zxid] of this.#readers[from].take(chunk))
      this.packets.push({ from, name: NAMES[type] ?? `type ${type}`, zxid });
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

export class QuorumTap {
  readonly port: number;
  readonly connections: TappedConnection[] = [];
  readonly #server: Server;
  /** Learners whose leader doesn't listen yet. */
  readonly #waiting = new Set<Socket>();
  #held = false;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** A relay to the quorum port of a leader; it need not listen yet. */
  static async start(target: number): Promise<QuorumTap> {
    const server = createServer();
    const port = await nextPort();
    const tap = new QuorumTap(server, port);
    server.on('connection', (learner) => {
      learner.pause();
      learner.setNoDelay(true);
      learner.on('error', () => undefined);
      tap.#waiting.add(learner);
      learner.once('close', () => tap.#waiting.delete(learner));
      reach(target, learner, (leader) => {
        tap.#waiting.delete(learner);
        tap.connections.push(new TappedConnection(learner, leader, () => tap.#held));
        learner.resume();
      });
    });
    server.listen(port, HOST);
    await once(server, 'listening');
    return tap;
  }

  /** From now on what the leader sends gets lost, while the connection stands. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.cut();
  }

  /** Breaks the connections that stand; new ones are taken. */
  cut(): void {
    for (const connection of this.connections) connection.destroy();
  }

  /**
   * How the learner was brought up to date on each of its connections from number `first` on: `DIFF`, `SNAP`, `TRUNC`, or two of
   * them. More than one if it did not succeed at once.
   */
  syncs(first = 0): string[] {
    return this.connections.slice(first).flatMap(({ packets }) => {
      const names = packets.filter((p) => p.from === 'leader').map((p) => p.name);
      const kinds = names.filter((name) => name === 'DIFF' || name === 'TRUNC' || name === 'SNAP');
      return kinds.length > 0 ? [kinds.join(' ')] : [];
    });
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    for (const socket of this.#waiting) socket.destroy();
    await once(this.#server, 'close');
  }
}

/**
 * Connects to the leader, again and again for a while: a leader that doesn't listen yet refuses, and a learner that was refused
 * comes again soon, but one whose connection is closed begins a new election.
 */
function reach(target: number, learner: Socket, then: (leader: Socket) => void, end = Date.now() + GIVE_UP_MS): void {
  if (Date.now() > end) learner.destroy();
  if (learner.destroyed) return;
  const leader = connect({ host: HOST, port: target, noDelay: true });
  const again = (): void => {
    setTimeout(() => reach(target, learner, then, end), RETRY_MS);
  };
  leader.once('error', again);
  leader.once('connect', () => {
    leader.removeListener('error', again);
    then(leader);
  });
}

/** Finds the packets' beginnings in a stream. */
class PacketReader {
  #buffer: Buffer = Buffer.alloc(0);
  #ended = false;

  take(chunk: Buffer): [type: number, zxid: bigint][] {
    const out: [number, bigint][] = [];
    if (this.#ended) return out;
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const end = packetEnd(this.#buffer);
      if (end === undefined) return out;
      const type = this.#buffer.readInt32BE(0);
      out.push([type, this.#buffer.readBigInt64BE(4)]);
      this.#buffer = this.#buffer.subarray(end);
      if (type === 15) {
        this.#ended = true;
        this.#buffer = Buffer.alloc(0);
        return out;
      }
    }
  }
}

/** Where the packet at the beginning ends; undefined if it isn't complete. */
function packetEnd(b: Buffer): number | undefined {
  if (b.length < 20) return undefined;
  let at = 16 + Math.max(0, b.readInt32BE(12));
  if (b.length < at + 4) return undefined;
  const ids = Math.max(0, b.readInt32BE(at));
  at += 4;
  for (let strings = ids * 2; strings > 0; strings--) {
    if (b.length < at + 4) return undefined;
    at += 4 + Math.max(0, b.readInt32BE(at));
  }
  return b.length >= at ? at : undefined;
}
