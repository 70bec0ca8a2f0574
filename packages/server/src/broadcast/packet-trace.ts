// The last packets of a connection between leader and learner, told when it ends: what went on when a server was lost. Source:
// MessageTracker of Apache ZooKeeper, with its options `messageTracker.*`.

import { PacketType } from './packet.js';

const NAMES = new Map<number, string>(Object.entries(PacketType).map(([name, type]) => [type, name.toUpperCase()]));

export interface TracedPacket {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly name: string;
}

/** Is told of a connection that has ended, oldest packets first. */
export type TraceTaker = (remote: string, sent: readonly TracedPacket[], received: readonly TracedPacket[]) => void;

export class PacketTrace {
  private readonly size: number;
  private readonly wallTime: () => number;
  private readonly taker: TraceTaker;
  private readonly sentLast: TracedPacket[] = [];
  private readonly receivedLast: TracedPacket[] = [];

  /** @param size packets that are kept, each way */
  constructor(size: number, wallTime: () => number, taker: TraceTaker) {
    this.size = size;
    this.wallTime = wallTime;
    this.taker = taker;
  }

  sent(type: number): void {
    this.keep(this.sentLast, type);
  }

  received(type: number): void {
    this.keep(this.receivedLast, type);
  }

  private keep(last: TracedPacket[], type: number): void {
    last.push({ at: this.wallTime(), name: NAMES.get(type) ?? String(type) });
    if (last.length > this.size) last.shift();
  }

  /** The connection to `remote` has ended. */
  tell(remote: string): void {
    this.taker(remote, this.sentLast, this.receivedLast);
  }
}
