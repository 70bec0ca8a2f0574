// What was really decided: every transaction that any server wrote to its log, by zxid, and what later leaders or a restart took
// back. Nothing that a client was told of may ever be taken back.

import { readTxn, type Txn, tell } from './txn.js';

export const EPOCH = 4294967296;

interface Known {
  readonly entry: Buffer;
  readonly txn: Txn;
  readonly server: string;
  readonly at: number;
}

/** A transaction that stands. */
export interface Decided extends Txn {
  /** Who wrote it to its log first, and when, in milliseconds. */
  readonly server: string;
  readonly at: number;
}

export interface TruthHost {
  readonly now: number;
  /** Whether one server on its own decides, which gives the zxids of a lost tail out again. */
  readonly alone: boolean;
  violated(kind: string, message: string): void;
  trace(text: string): void;
}

export class Truth {
  private readonly host: TruthHost;
  private readonly byZxid = new Map<number, Known>();
  /** The established leaders by epoch, with the zxid at which the history that they began with ends. */
  private readonly leaders = new Map<number, { readonly server: string; readonly base: number }>();
  /** The highest zxid that a client was told, and who was. */
  private told = { zxid: 0, what: 'nothing' };

  constructor(host: TruthHost) {
    this.host = host;
  }

  /** A server writes an entry to its log. */
  logged(server: string, entry: Buffer): void {
    const txn = readTxn(entry);
    const { zxid } = txn;
    const known = this.byZxid.get(zxid);
    if (known?.entry.equals(entry) === true) return;
    if (known !== undefined) {
      if (!this.host.alone) {
        this.host.violated(
          'one-history',
          `${hex(zxid)} is '${tell(known.txn)}' on ${known.server}, '${tell(txn)}' on ${server}`,
        );
        return;
      }
      this.recovered(server, zxid - 1);
    }
    this.host.trace(`${server} logs ${hex(zxid)}: ${tell(txn)}`);
    this.byZxid.set(zxid, { entry: Buffer.from(entry), txn, server, at: this.host.now });
  }

  /** A server that decides alone has found its history to end at a zxid: what was behind it is gone. */
  recovered(server: string, last: number): void {
    this.compareWithTold(last, Number.POSITIVE_INFINITY, `${server} ends at ${hex(last)}`);
    for (const zxid of [...this.byZxid.keys()]) {
      if (zxid <= last) continue;
      this.host.trace(`${hex(zxid)} is gone`);
      this.byZxid.delete(zxid);
    }
  }

  /** A server is the leader of an epoch, with a quorum that has its history: what others have beside that never counts. */
  established(server: string, epoch: number, base: number): void {
    const other = this.leaders.get(epoch);
    if (other !== undefined)
      this.host.violated(
        'one-leader',
        `${other.server} and then ${server} are established as leaders of epoch ${epoch}`,
      );
    const killer = this.killer(base);
    if (killer !== undefined)
      this.host.violated(
        'one-history',
        `${server} leads epoch ${epoch} from ${hex(base)} on, but ${killer} began without that`,
      );
    this.compareWithTold(base, epoch * EPOCH, `${server} leads epoch ${epoch} from ${hex(base)} on`);
    this.leaders.set(epoch, { server, base });
  }

  private compareWithTold(last: number, next: number, why: string): void {
    const { zxid, what } = this.told;
    if (zxid > last && zxid < next) this.host.violated('durability', `${hex(zxid)} was shown (${what}), but ${why}`);
  }

  /** A client was shown the state at a zxid. */
  shown(zxid: number, what: string): void {
    if (zxid % EPOCH === 0) {
      // The beginning of an epoch shows what its leader began with.
      const leader = this.leaders.get(zxid / EPOCH);
      if (leader !== undefined) this.shown(leader.base, what);
      return;
    }
    const killer = this.killer(zxid);
    if (killer !== undefined) {
      this.host.violated('durability', `${hex(zxid)} is shown (${what}), but ${killer} began without it`);
      return;
    }
    if (zxid > this.told.zxid) this.told = { zxid, what };
  }

  /** The leader that began without a transaction of an earlier epoch. */
  private killer(zxid: number): string | undefined {
    for (const [epoch, { server, base }] of this.leaders) {
      if (zxid > base && zxid < epoch * EPOCH) return `${server}, the leader of epoch ${epoch},`;
    }
    return undefined;
  }

  /** Who leads an epoch. */
  leaderOf(epoch: number): string | undefined {
    return this.leaders.get(epoch)?.server;
  }

  /** Whether any server logged the end of a session, even one whose log did not count. */
  wasToBeClosed(session: bigint): boolean {
    for (const { txn } of this.byZxid.values()) {
      if (txn.change.kind === 'closeSession' && txn.session === session) return true;
    }
    return false;
  }

  /** The sessions that are open at the end. */
  openSessions(): Set<bigint> {
    const open = new Set<bigint>();
    for (const { session, change } of this.history()) {
      if (change.kind === 'createSession') open.add(session);
      else if (change.kind === 'closeSession') open.delete(session);
    }
    return open;
  }

  /** All that stands, in order. */
  history(): Decided[] {
    const all = [...this.byZxid.values()].map(({ txn, server, at }) => ({ ...txn, server, at }));
    return all.filter(({ zxid }) => this.killer(zxid) === undefined).sort((a, b) => a.zxid - b.zxid);
  }
}

export function hex(zxid: number): string {
  return `0x${zxid.toString(16)}`;
}
