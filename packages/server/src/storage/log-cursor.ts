// Reads the log from some transaction on, while it is being written: for learners that are further behind than memory reaches.

import { join } from 'node:path';
import { ADLER_START, adler32 } from './adler32.js';
import type { Disk, ReadableFile } from './disk.js';
import { logName, sortedLogs } from './file-names.js';
import { systemCode } from './system-error.js';
import { LOG_HEADER_SIZE, RECORD_END, RECORD_HEAD } from './txn-log.js';

const ZXID_AT = 12;

type LogName = ReturnType<typeof sortedLogs>[number];

export interface LogEntry {
  readonly zxid: number;
  /** Header, transaction and digest. */
  readonly entry: Buffer;
}

export class LogCursor {
  private readonly disk: Disk;
  private readonly dir: string;
  private readonly onWarning: (message: string) => void;
  private files: LogName[];
  private file: ReadableFile | undefined;
  /** In the name of the file that is read. */
  private fileZxid = -1;
  private position = 0;
  /** A file that another one follows ends in something that is neither a record nor the end, or the disk does not give it. */
  damaged = false;
  /** The highest zxid given out: Apache's followers may have written entries twice, see repeated-entries.ts. */
  private last = -1;

  private constructor(disk: Disk, dir: string, files: LogName[], onWarning: (message: string) => void) {
    this.disk = disk;
    this.dir = dir;
    this.files = files;
    this.onWarning = onWarning;
  }

  /**
   * A cursor at the beginning of the log file that may hold `zxid`. Undefined if there is none that early, or the files after
   * that one hold more than `limit` bytes.
   * @param onWarning is told of a file that cannot be read
   */
  static open(
    disk: Disk,
    dir: string,
    zxid: number,
    limit: number,
    onWarning: (message: string) => void = () => {},
  ): LogCursor | undefined {
    const logs = sortedLogs(disk.list(dir));
    let first = -1;
    for (let i = 0; i < logs.length; i++) if ((logs[i]?.zxid ?? 0) <= zxid) first = i;
    if (first < 0) return undefined;
    let bytes = 0;
    for (const { file } of logs.slice(first + 1)) bytes += disk.size(join(dir, file)) ?? 0;
    if (bytes > limit) return undefined;
    return new LogCursor(disk, dir, logs.slice(first), onWarning);
  }

  /** The next transaction; undefined at the end of what is written, or before something that is not whole. */
  next(): LogEntry | undefined {
    try {
      return this.advance();
    } catch (e) {
      // What a learner misses in the log it can have in a snapshot: the server that reads it need not end.
      if (systemCode(e) === undefined) throw e;
      this.onWarning(`${join(this.dir, logName(this.fileZxid))} cannot be read for a learner: ${(e as Error).message}`);
      this.damaged = true;
      return undefined;
    }
  }

  private advance(): LogEntry | undefined {
    for (;;) {
      if (this.file === undefined && !this.open()) return undefined;
      const entry = this.file === undefined ? undefined : this.read(this.file);
      if (entry !== undefined) {
        if (entry.zxid <= this.last) continue;
        this.last = entry.zxid;
        return entry;
      }
      if (this.files.length === 0) {
        // The log may have gone on in another file meanwhile; what is in this one comes first.
        this.files = sortedLogs(this.disk.list(this.dir)).filter(({ zxid }) => zxid > this.fileZxid);
        if (this.files.length === 0) return undefined;
        continue;
      }
      if (this.file !== undefined && !this.isEnd(this.file)) {
        this.damaged = true;
        return undefined;
      }
      this.close();
    }
  }

  /** Goes on with the next file. False if there is none any more: it may have been purged. */
  private open(): boolean {
    const name = this.files.shift();
    if (name === undefined) return false;
    this.fileZxid = name.zxid;
    try {
      this.file = this.disk.open(join(this.dir, name.file));
    } catch (e) {
      if (systemCode(e) === 'ENOENT') return false;
      throw e;
    }
    this.position = LOG_HEADER_SIZE;
    return true;
  }

  private read(file: ReadableFile): LogEntry | undefined {
    const head = Buffer.allocUnsafe(RECORD_HEAD);
    if (file.read(head, 0, RECORD_HEAD, this.position) < RECORD_HEAD) return undefined;
    const length = head.readInt32BE(8);
    if (length <= 0) return undefined;
    const entry = Buffer.allocUnsafe(length + 1);
    if (file.read(entry, 0, length + 1, this.position + RECORD_HEAD) < length + 1) return undefined;
    if (entry[length] !== RECORD_END) return undefined;
    if (adler32(ADLER_START, entry, 0, length) !== head.readUInt32BE(4)) return undefined;
    this.position += RECORD_HEAD + length + 1;
    const zxid = entry.readInt32BE(ZXID_AT) * 4294967296 + entry.readUInt32BE(ZXID_AT + 4);
    return { zxid, entry: entry.subarray(0, length) };
  }

  /** Whether nothing was written where the next record would stand. */
  private isEnd(file: ReadableFile): boolean {
    const head = Buffer.alloc(RECORD_HEAD);
    file.read(head, 0, RECORD_HEAD, this.position);
    return head.every((byte) => byte === 0);
  }

  close(): void {
    this.file?.close();
    this.file = undefined;
  }
}
