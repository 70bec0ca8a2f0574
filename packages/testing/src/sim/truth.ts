// What was really decided: every transaction that any server wrote to its log, by zxid, and what later leaders or a restart took
// back. Nothing that a client was told of may ever be taken back.

import { readTxn, type Txn, tell } from './txn.js';

export const EPOCH = 4294967296;

interface Known {
  readonly entry: Buffer;
  readonly txn: Txn;
  readonly server: string;
}

export class Truth {
  private readonly byZxid = new Map<number, Known>();
  private readonly leaders = new Map<number, { readonly server: string; readonly base: number }>();
  private readonly violated: (kind: string, message: string) => void;
  private readonly trace: (text: string) => void;
  /** The highest zxid that a client was told, and who was. */
  private told = { zxid: 0, what: 'nothing' };
  /** Whether one server on its own decides, which gives the zxids of a lost tail out again. */
  private readonly alone: boolean;

  constructor(alone: boolean, violated: (kind: string, message: string) => void, trace: (text: string) => void) {
    this.alone = alone;
    this.violated = violated;
    this.trace = trace;
  }

  /** A server writes an entry to its log. */
  logged(server: string, entry: Buffer): void {
    const txn = readTxn(entry);
    const { zxid } = txn;
    const known = this.byZxid.get(zxid);
    if (known?.entry.equals(entry) === true) return;
    if (known !== undefined) {
      if (!this.alone) {
        this.violated(
          'one-history',
          `0x${zxid.toString(16)} is '${tell(known.txn)}' on ${known.server}, '${tell(txn)}' on ${server}`,
        );
        return;
      }
      this.takeBack(zxid - 1, zxid, `${server} gives its zxid out again`);
    }
    this.trace(`${server} logs 0x${zxid.toString(16)}: ${tell(txn)}`);
    this.byZxid.set(zxid, { entry: Buffer.from(entry), txn, server });
  }

  /** From now on history is what stands up to `last`, then what has a zxid from `next` on. */
  takeBack(last: number, next: number, why: string): void {
    if (this.told.zxid > last && this.told.zxid < next) {
      this.violated(
        'durability',
        `0x${this.told.zxid.toString(16)} was shown (${this.told.what}), but ${why}: history ends at 0x${last.toString(16)}`,
      );
    }
    for (const zxid of [...this.byZxid.keys()]) {
      if (zxid <= last || zxid >= next) continue;
      this.trace(`0x${zxid.toString(16)} is taken back: ${why}`);
      this.byZxid.delete(zxid);
    }
  }

  /** A server is the leader of an epoch, with a quorum that has its history. */
  established(server: string, epoch: number, base: number): void {
    const other = this.leaders.get(epoch);
    if (other !== undefined)
      this.violated('one-leader', `${other.server} and then ${server} are established as leaders of epoch ${epoch}`);
    const newest = Math.max(0, ...this.leaders.keys());
    if (epoch < newest)
      this.violated('one-leader', `${server} is established as leader of epoch ${epoch} after epoch ${newest}`);
    this.leaders.set(epoch, { server, base });
    this.takeBack(base, epoch * EPOCH, `${server} leads epoch ${epoch} without it`);
  }

  /** A client was shown the state at a zxid. */
  shown(zxid: number, what: string): void {
    if (zxid % EPOCH === 0) {
      // The beginning of an epoch shows what its leader began with.
      const leader = this.leaders.get(zxid / EPOCH);
      if (leader !== undefined) this.shown(leader.base, what);
      return;
    }
    if (zxid > this.told.zxid) this.told = { zxid, what };
  }

  get lastShown(): number {
    return this.told.zxid;
  }

  get(zxid: number): Txn | undefined {
    return this.byZxid.get(zxid)?.txn;
  }

  /** All that stands, in order. */
  history(): Txn[] {
    return [...this.byZxid.values()].map(({ txn }) => txn).sort((a, b) => a.zxid - b.zxid);
  }
}
