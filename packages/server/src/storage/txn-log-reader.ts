// Reads transaction logs back. A torn record at the end is the mark of a crash and is cut; damage in front of valid records is an
// error that is told, never skipped (docs/protocol.md, "Logs").

import { join } from 'node:path';
import { ADLER_START, adler32 } from './adler32.js';
import type { Disk, ReadableFile } from './disk.js';
import { StorageError } from './errors.js';
import { LOG_HEADER_SIZE, LOG_MAGIC, LOG_VERSION, RECORD_END, RECORD_HEAD } from './txn-log.js';

const CHUNK = 1024 * 1024;
const ZEROS = Buffer.alloc(CHUNK);
const SEARCH_LIMIT = 256 * 1024 * 1024;
const ZXID_AT = 12;
const TYPE_AT = 28;

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
  readonly records: number;
  /** What was met at `offset` if a record is torn there. */
  readonly torn: string | undefined;
}

/**
 * Visits the records of one log.
 * @param maxEntry the largest entry that is believed (jute.maxbuffer plus extrasize)
 * @throws StorageError if valid records stand behind a damaged one, or the file is no log
 */
export function readLog(disk: Disk, dir: string, name: string, maxEntry: number, visit: EntryVisitor): LogEnd {
  const path = join(dir, name);
  const file = disk.open(path);
  try {
    return new LogScan(file, path, maxEntry).run(visit);
  } finally {
    file.close();
  }
}

class LogScan {
  private readonly file: ReadableFile;
  private readonly path: string;
  private readonly maxEntry: number;
  private buf = Buffer.allocUnsafeSlow(CHUNK);
  private base = 0; // offset in the file of buf[0]
  private filled = 0;

  constructor(file: ReadableFile, path: string, maxEntry: number) {
    this.file = file;
    this.path = path;
    this.maxEntry = maxEntry;
  }

  run(visit: EntryVisitor): LogEnd {
    if (this.file.size < LOG_HEADER_SIZE)
      return { offset: 0, records: 0, torn: this.file.size === 0 ? undefined : 'an incomplete header' };
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
    let records = 0;
    let lastZxid = -1;
    for (;;) {
      const at = this.need(offset, RECORD_HEAD);
      if (at < 0) return { offset, records, torn: undefined };
      const sum = this.buf.readUInt32BE(at + 4);
      const sumHigh = this.buf.readInt32BE(at);
      const n = this.buf.readInt32BE(at + 8);
      if (n === 0) {
        if (sum === 0) return { offset, records, torn: this.torn(offset, lastZxid, undefined) };
        return { offset, records, torn: this.torn(offset, lastZxid, 'a record without length') };
      }
      if (n < TYPE_AT + 4 || n > this.maxEntry) {
        return { offset, records, torn: this.torn(offset, lastZxid, `a record of ${n} bytes`) };
      }
      const start = this.need(offset, RECORD_HEAD + n + 1);
      if (start < 0)
        return { offset, records, torn: this.torn(offset, lastZxid, 'the end of the file inside a record') };
      const from = start + RECORD_HEAD;
      const end = from + n;
      if (this.buf[end] !== RECORD_END)
        return { offset, records, torn: this.torn(offset, lastZxid, 'a record without its end mark') };
      if (sumHigh !== 0 || adler32(ADLER_START, this.buf, from, end) !== sum) {
        return { offset, records, torn: this.torn(offset, lastZxid, 'a record with a wrong checksum') };
      }
      lastZxid = zxidAt(this.buf, from);
      visit(this.buf, from, end, lastZxid, this.buf.readInt32BE(from + TYPE_AT), offset);
      records++;
      offset += RECORD_HEAD + n + 1;
    }
  }

  /** Judges damage at `offset`: torn if nothing valid follows, an error otherwise. */
  private torn(offset: number, lastZxid: number, problem: string | undefined): string | undefined {
    const next = this.nextValid(offset, lastZxid);
    if (next === undefined) return problem;
    throw this.error(
      offset,
      `${problem ?? 'an empty record'}, and a valid record behind it at offset ${next}: the log is damaged in the middle`,
      'Restore this file from a copy, or start with the data of another server; cutting the log here would lose acknowledged writes',
    );
  }

  /** The offset of a record behind `offset` that is whole and newer; undefined if there is none. */
  private nextValid(offset: number, lastZxid: number): number | undefined {
    const from = this.skipZeros(offset);
    const length = Math.min(this.file.size - from, SEARCH_LIMIT);
    if (length <= RECORD_HEAD) return undefined;
    const rest = Buffer.allocUnsafeSlow(length);
    const got = readFully(this.file, rest, from);
    for (let at = from === offset ? 1 : 0; at + RECORD_HEAD + TYPE_AT + 5 <= got; at++) {
      if (rest[at] !== 0 || rest[at + 1] !== 0 || rest[at + 2] !== 0 || rest[at + 3] !== 0) continue;
      const n = rest.readInt32BE(at + 8);
      if (n < TYPE_AT + 4 || n > this.maxEntry) continue;
      const entry = at + RECORD_HEAD;
      if (entry + n >= got || rest[entry + n] !== RECORD_END) continue;
      if (zxidAt(rest, entry) <= lastZxid) continue;
      if (adler32(ADLER_START, rest, entry, entry + n) === rest.readUInt32BE(at + 4)) return from + at;
    }
    return undefined;
  }

  /** The preallocated rest of a log is zero: steps over it, up to where a record that does not begin in it could begin. */
  private skipZeros(offset: number): number {
    const chunk = Buffer.allocUnsafeSlow(CHUNK);
    let at = offset;
    for (;;) {
      const got = this.file.read(chunk, 0, CHUNK, at);
      if (got === 0) return this.file.size;
      if (!chunk.subarray(0, got).equals(ZEROS.subarray(0, got))) return at === offset ? offset : at - RECORD_HEAD;
      at += got;
    }
  }

  /** Makes `length` bytes at `offset` available; returns where they begin in `buf`, or -1 if the file ends before. */
  private need(offset: number, length: number): number {
    const at = offset - this.base;
    if (at + length <= this.filled) return at;
    if (length > this.buf.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, this.buf.length * 2));
      this.buf.copy(grown, 0, at, this.filled);
      this.buf = grown;
    } else {
      this.buf.copy(this.buf, 0, at, this.filled);
    }
    this.filled -= at;
    this.base = offset;
    while (this.filled < length) {
      const got = this.file.read(this.buf, this.filled, this.buf.length - this.filled, this.base + this.filled);
      if (got === 0) return -1;
      this.filled += got;
    }
    return 0;
  }

  private error(offset: number, problem: string, remedy: string): StorageError {
    return new StorageError(this.path, offset, problem, remedy);
  }
}

function zxidAt(buf: Buffer, entry: number): number {
  return buf.readInt32BE(entry + ZXID_AT) * 4294967296 + buf.readUInt32BE(entry + ZXID_AT + 4);
}

function readFully(file: ReadableFile, into: Buffer, position: number): number {
  let got = 0;
  while (got < into.length) {
    const n = file.read(into, got, into.length - got, position + got);
    if (n === 0) break;
    got += n;
  }
  return got;
}
