// Log entries that stand in a log twice. Apache's followers (3.8.0, measured) write proposals again that they had logged before
// a synchronization broke off, so that zxids go back and come forward again with the same bytes.

import { ADLER_START, adler32 } from './adler32.js';
import type { Disk } from './disk.js';
import { readLog } from './txn-log-reader.js';

interface Seen {
  readonly log: number;
  readonly offset: number;
  readonly length: number;
  readonly sum: number;
}

export class RepeatedEntries {
  private readonly disk: Disk;
  private readonly dir: string;
  private readonly logs: readonly { readonly file: string }[];
  private readonly maxEntry: number;
  /** The first entry of each zxid; read when the first zxid goes back, as most logs have none. */
  private firsts: Map<number, Seen> | undefined;

  constructor(disk: Disk, dir: string, logs: readonly { readonly file: string }[], maxEntry: number) {
    this.disk = disk;
    this.dir = dir;
    this.logs = logs;
    this.maxEntry = maxEntry;
  }

  /** Whether the entry at `offset` of log number `log` stands, with the same bytes, in front of it already. */
  has(log: number, offset: number, zxid: number, buf: Buffer, start: number, end: number): boolean {
    this.firsts ??= this.read();
    const first = this.firsts.get(zxid);
    if (first === undefined || first.log > log || (first.log === log && first.offset >= offset)) return false;
    return first.length === end - start && first.sum === adler32(ADLER_START, buf, start, end);
  }

  private read(): Map<number, Seen> {
    const firsts = new Map<number, Seen>();
    for (const [log, { file }] of this.logs.entries()) {
      readLog(this.disk, this.dir, file, this.maxEntry, (buf, start, end, zxid, _type, offset) => {
        if (firsts.has(zxid)) return;
        firsts.set(zxid, { log, offset, length: end - start, sum: adler32(ADLER_START, buf, start, end) });
      });
    }
    return firsts;
  }
}
