// Reads transaction logs back. A torn record at the end is the mark of a crash and is cut; damage in front of valid records is an
// error that is told, never skipped (docs/protocol.md, "Logs").

import { join } from 'node:path';
import { ADLER_START, adler32 } from './adler32.js';
import type { Disk, ReadableFile } from './disk.js';
import { StorageError } from './errors.js';
import { readMarks, type SyncedMark } from './synced-marks.js';
import { openTold } from './told-reads.js';
import { LARGEST_UNDER_WAY, LOG_HEADER_SIZE, LOG_MAGIC, LOG_VERSION, RECORD_END, RECORD_HEAD } from './txn-log.js';

const CHUNK = 1024 * 1024;
const ZEROS = Buffer.alloc(64 * 1024);
/** What a disk writes whole or not at all. */
const SECTOR = 512;
/** The upper half of a checksum. */
const ZEROS_OF_RECORD = 4;
const SMALLEST_ENTRY = 32; // a header and no body
const ZXID_AT = 12;
const TYPE_AT = 28;

const REMEDY =
  'Restore this file from a copy, or start with the data of another server; cutting the log here would lose acknowledged writes';

const UNREADABLE_REMEDY =
  'Check permissions and the disk; if it cannot be read any more, restore it from a copy, or start with the data of another server';

/** Takes an entry: `buf[start, end)` is valid during the call. */
export type EntryVisitor = (
  buf: Buffer,
  start: number,
  end: number,
  zxid: number,
  type: number,
  offset: number,
) => void;

export interface LogEnd {
  /** Where the last good record ends. */
  readonly offset: number;
  /** Where it begins. */
  readonly lastAt: number;
  readonly records: number;
  /** What was met at `offset` if a record is torn there. */
  readonly torn: string | undefined;
}

/**
 * Visits the records of one log.
 * @param maxEntry the largest entry that is believed (jute.maxbuffer plus extrasize)
 * @throws StorageError if valid records stand behind a damaged one, or the file is no log or cannot be read
 */
export function readLog(disk: Disk, dir: string, name: string, maxEntry: number, visit: EntryVisitor): LogEnd {
  const path = join(dir, name);
  const file = openTold(disk, path, UNREADABLE_REMEDY);
  try {
    return new LogScan(file, path, maxEntry, readMarks(disk, dir).get(name)).run(visit);
  } finally {
    file.close();
  }
}

class LogScan {
  private readonly file: ReadableFile;
  private readonly path: string;
  private readonly maxEntry: number;
  private readonly synced: SyncedMark | undefined;
  private buf: Buffer;
  private base = 0; // offset in the file of buf[0]
  private filled = 0;

  constructor(file: ReadableFile, path: string, maxEntry: number, synced: SyncedMark | undefined) {
    this.file = file;
    this.path = path;
    this.maxEntry = maxEntry;
    this.synced = synced;
    this.buf = Buffer.allocUnsafeSlow(Math.min(CHUNK, file.size));
  }

  run(visit: EntryVisitor): LogEnd {
    if (this.file.size < LOG_HEADER_SIZE) {
      const problem = this.file.size === 0 ? 'an empty file' : 'an incomplete header';
      // A file of this server's has its header before its name, and keeps that when it is cut.
      if (this.synced !== undefined) throw this.error(0, `${problem}, and there were records on disk already`, REMEDY);
      return { offset: 0, lastAt: 0, records: 0, torn: problem };
    }
    this.need(0, LOG_HEADER_SIZE);
    const magic = this.buf.readInt32BE(0);
    if (magic !== LOG_MAGIC) {
      throw this.error(
        0,
        'this is not a transaction log: it does not begin with ZKLG',
        'Move the file away if it does not belong here',
      );
    }
    const version = this.buf.readInt32BE(4);
    if (version !== LOG_VERSION)
      throw this.error(4, `version ${version} is not known, 2 is`, 'Use a server that knows it');
    let offset = LOG_HEADER_SIZE;
    let lastAt = offset;
    let records = 0;
    let lastZxid = -1;
    for (;;) {
      const at = this.need(offset, RECORD_HEAD);
      if (at < 0) return { offset, lastAt, records, torn: undefined };
      const sum = this.buf.readUInt32BE(at + 4);
      const sumHigh = this.buf.readInt32BE(at);
      const n = this.buf.readInt32BE(at + 8);
      if (n === 0) {
        if (sum === 0) return { offset, lastAt, records, torn: this.torn(offset, lastZxid, undefined) };
        return { offset, lastAt, records, torn: this.torn(offset, lastZxid, 'a record without length') };
      }
      if (n > this.maxEntry && this.isWhole(offset, n, sum)) {
        // No damage: a member that set its log aside for that would forget what it acknowledged.
        throw new StorageError(
          this.path,
          offset,
          `a whole record of ${n} bytes, more than the ${this.maxEntry} that are allowed`,
          'Set jute.maxbuffer at least as high as when it was written',
        );
      }
      if (n < SMALLEST_ENTRY || n > this.maxEntry) {
        return { offset, lastAt, records, torn: this.torn(offset, lastZxid, `a record of ${n} bytes`) };
      }
      const start = this.need(offset, RECORD_HEAD + n + 1);
      if (start < 0)
        return { offset, lastAt, records, torn: this.torn(offset, lastZxid, 'the end of the file inside a record') };
      const from = start + RECORD_HEAD;
      const end = from + n;
      if (this.buf[end] !== RECORD_END)
        return { offset, lastAt, records, torn: this.torn(offset, lastZxid, 'a record without its end mark') };
      if (sumHigh !== 0 || adler32(ADLER_START, this.buf, from, end) !== sum) {
        const problem = 'a record with a wrong checksum';
        if (!this.hasUnwrittenSector(offset, offset + this.recordSize(n)))
          throw this.error(offset, `${problem}, of which nothing is missing: it was written, and is damaged`, REMEDY);
        return { offset, lastAt, records, torn: this.torn(offset, lastZxid, problem) };
      }
      lastZxid = zxidAt(this.buf, from);
      visit(this.buf, from, end, lastZxid, this.buf.readInt32BE(from + TYPE_AT), offset);
      records++;
      lastAt = offset;
      offset += RECORD_HEAD + n + 1;
    }
  }

  /**
   * Judges damage at `offset`. What was durable is an error; else it is torn if nothing valid follows, or if what is damaged was
   * never written, and an error otherwise. A disk writes the sectors of one write in any order: of a batch, later records can be
   * there and earlier ones not.
   */
  private torn(offset: number, lastZxid: number, problem: string | undefined): string | undefined {
    if (this.wasDurable(offset)) {
      const what = problem ?? 'an empty record';
      throw this.error(offset, `${what} in what was on disk already: the log is damaged`, REMEDY);
    }
    const next = this.nextValid(offset, lastZxid);
    if (next === undefined) return problem;
    // With more behind it than what can have been under way, a gap is damage.
    const limit = offset + LARGEST_UNDER_WAY;
    const lastBatch = next < limit && this.nextValid(limit, lastZxid) === undefined;
    if (lastBatch && this.hasUnwrittenSector(offset, next))
      return 'a write of which some sectors never reached the disk';
    throw this.error(
      offset,
      `${problem ?? 'an empty record'}, and a valid record behind it at offset ${next}: the log is damaged in the middle`,
      REMEDY,
    );
  }

  /** Whether a record that stood at `offset` or behind it is known to have been durable, and has its checksum or its entry still. */
  private wasDurable(offset: number): boolean {
    const { synced } = this;
    if (synced === undefined || synced.start < offset) return false;
    const head = Buffer.alloc(RECORD_HEAD);
    if (this.file.read(head, 0, RECORD_HEAD, synced.start) < RECORD_HEAD) return false;
    const entry = synced.start + RECORD_HEAD;
    return head.readUInt32BE(4) === synced.sum || this.hasSum(entry, synced.end - 1, synced.sum);
  }

  /** Whether a sector between the offsets, or the rest of the first one, is as it was before anything was written. */
  private hasUnwrittenSector(from: number, to: number): boolean {
    const sector = Buffer.alloc(SECTOR);
    for (let start = from; start < to; ) {
      const end = start - (start % SECTOR) + SECTOR;
      if (end > to + ZEROS_OF_RECORD) return false;
      const length = end - start;
      this.file.read(sector, 0, length, start);
      // The first bytes of a record are always zero and show nothing.
      if (length > ZEROS_OF_RECORD && sector.compare(ZEROS, 0, length, 0, length) === 0) return true;
      start = end;
    }
    return false;
  }

  /** The offset of a record behind `offset` that is whole and newer; undefined if there is none up to the end of the file. */
  private nextValid(offset: number, lastZxid: number): number | undefined {
    // Room for two records, so that what is left of a window is moved at most once per record's length.
    const room = Math.min(2 * this.recordSize(this.maxEntry), this.file.size);
    if (this.buf.length < room) this.grow(room, offset);
    for (let pos = offset + 1; ; ) {
      let at = this.need(pos, this.recordSize(SMALLEST_ENTRY));
      if (at < 0) return undefined;
      const { buf } = this;
      const last = this.filled - this.recordSize(SMALLEST_ENTRY);
      let n = 0;
      while (at <= last) {
        // The upper half of a checksum is zero.
        if (buf[at + 3] !== 0) at += 4;
        else if (buf[at] !== 0 || buf[at + 1] !== 0 || buf[at + 2] !== 0) at++;
        else {
          n = buf.readInt32BE(at + 8);
          if (n >= SMALLEST_ENTRY && n <= this.maxEntry) break;
          at += n === 0 && this.isZero(at) ? ZEROS.length - RECORD_HEAD + 1 : 1; // preallocated space is skipped fast
        }
      }
      pos = this.base + at;
      if (at > last) continue;
      if (this.isRecord(pos, n, lastZxid)) return pos;
      pos++;
    }
  }

  private isZero(at: number): boolean {
    return at + ZEROS.length <= this.filled && this.buf.compare(ZEROS, 0, ZEROS.length, at, at + ZEROS.length) === 0;
  }

  private isRecord(offset: number, n: number, lastZxid: number): boolean {
    const at = this.need(offset, this.recordSize(n));
    if (at < 0) return false;
    const { buf } = this;
    const from = at + RECORD_HEAD;
    if (buf[from + n] !== RECORD_END || zxidAt(buf, from) <= lastZxid) return false;
    return adler32(ADLER_START, buf, from, from + n) === buf.readUInt32BE(at + 4);
  }

  /** Whether a record too long for the buffer stands at `offset` undamaged. */
  private isWhole(offset: number, n: number, expected: number): boolean {
    const end = offset + RECORD_HEAD + n;
    if (end >= this.file.size) return false;
    const mark = Buffer.alloc(1);
    if (this.file.read(mark, 0, 1, end) !== 1 || mark[0] !== RECORD_END) return false;
    return this.hasSum(offset + RECORD_HEAD, end, expected);
  }

  /** Whether the bytes between the offsets are there and have this checksum. */
  private hasSum(from: number, to: number, expected: number): boolean {
    const piece = Buffer.allocUnsafeSlow(Math.min(CHUNK, Math.max(0, to - from)));
    let sum = ADLER_START;
    for (let pos = from; pos < to; ) {
      const got = this.file.read(piece, 0, Math.min(CHUNK, to - pos), pos);
      if (got === 0) return false;
      sum = adler32(sum, piece, 0, got);
      pos += got;
    }
    return sum === expected;
  }

  private recordSize(n: number): number {
    return RECORD_HEAD + n + 1;
  }

  /** Takes a larger buffer, keeping what was read from `offset` on. */
  private grow(capacity: number, offset: number): void {
    const at = offset - this.base;
    const grown = Buffer.allocUnsafeSlow(capacity);
    if (at < this.filled) this.buf.copy(grown, 0, at, this.filled);
    this.buf = grown;
    this.filled = Math.max(0, this.filled - at);
    this.base = offset;
  }

  /** Makes `length` bytes at `offset` available; returns where they begin in `buf`, or -1 if the file ends before. */
  private need(offset: number, length: number): number {
    const at = offset - this.base;
    if (at + length <= this.filled) return at;
    if (length > this.buf.length) {
      this.grow(Math.max(length, this.buf.length * 2), offset);
    } else {
      if (at < this.filled) this.buf.copy(this.buf, 0, at, this.filled);
      this.filled = Math.max(0, this.filled - at);
      this.base = offset;
    }
    while (this.filled < length) {
      const got = this.file.read(this.buf, this.filled, this.buf.length - this.filled, this.base + this.filled);
      if (got === 0) return -1;
      this.filled += got;
    }
    return 0;
  }

  private error(offset: number, problem: string, remedy: string): StorageError {
    return new StorageError(this.path, offset, problem, remedy, true);
  }
}

function zxidAt(buf: Buffer, entry: number): number {
  return buf.readInt32BE(entry + ZXID_AT) * 4294967296 + buf.readUInt32BE(entry + ZXID_AT + 4);
}
