// The transactions committed last, without gaps: what a learner that is a little behind is brought up to date from.
// Source: ZKDatabase.committedLog of Apache ZooKeeper.

export interface Committed {
  readonly zxid: number;
  /** Header, transaction and digest, as in a proposal and in the log. */
  readonly entry: Buffer;
}

const MOST_BYTES = 64 * 1024 * 1024;

export class RecentProposals {
  private readonly most: number;
  private list: Committed[] = [];
  private head = 0;
  private bytes = 0;

  /** @param most how many are kept (commitLogCount); fewer if they are very large */
  constructor(most: number) {
    this.most = most;
  }

  get size(): number {
    return this.list.length - this.head;
  }

  get min(): number | undefined {
    return this.list[this.head]?.zxid;
  }

  get max(): number | undefined {
    return this.list[this.list.length - 1]?.zxid;
  }

  /** @throws Error if transactions between the last one and this are missing */
  add(zxid: number, entry: Buffer): void {
    const last = this.max;
    if (last !== undefined && !follows(zxid, last)) {
      throw new Error(`zxid 0x${zxid.toString(16)} is committed after 0x${last.toString(16)}`);
    }
    this.list.push({ zxid, entry });
    this.bytes += entry.length;
    while (this.size > this.most || (this.bytes > MOST_BYTES && this.size > 1)) {
      this.bytes -= (this.list[this.head] as Committed).entry.length;
      this.head++;
    }
    if (this.head > 1024 && this.head > this.size) {
      this.list = this.list.slice(this.head);
      this.head = 0;
    }
  }

  clear(): void {
    this.list = [];
    this.head = 0;
    this.bytes = 0;
  }

  /** Those after a zxid, oldest first. */
  *after(zxid: number): Generator<Committed> {
    for (let i = this.head; i < this.list.length; i++) {
      const committed = this.list[i] as Committed;
      if (committed.zxid > zxid) yield committed;
    }
  }

  /** The newest up to and including a zxid. */
  upTo(zxid: number): Committed | undefined {
    for (let i = this.list.length - 1; i >= this.head; i--) {
      const committed = this.list[i] as Committed;
      if (committed.zxid <= zxid) return committed;
    }
    return undefined;
  }
}

/** Whether nothing can be missing between two transactions: the next number, or the first of a later epoch. */
export function follows(zxid: number, last: number): boolean {
  if (zxid === last + 1) return true;
  return epochOf(zxid) > epochOf(last) && counterOf(zxid) === 1;
}

export const EPOCH = 4294967296;
/** Zxids of epochs below it are exact as numbers. */
export const EPOCH_LIMIT = 2 ** 21;
export const epochOf = (zxid: number): number => Math.floor(zxid / EPOCH);
export const counterOf = (zxid: number): number => zxid - epochOf(zxid) * EPOCH;
