// The records of a transaction log, one after the other, whatever state they are in: tools look at damaged logs too.

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { ADLER_START, adler32, LOG_HEADER_SIZE, LOG_MAGIC, RECORD_END, RECORD_HEAD } from '@nodekeeper/server/storage';

/** Bytes of a record that can be read at once, with its end mark. */
const LONGEST = 2 ** 31 - 2;

export interface LogRecord {
  readonly offset: number;
  /** As it is written. */
  readonly checksum: bigint;
  /** As it should be. */
  readonly sum: number;
  /** Valid until the next record is read. */
  readonly entry: Buffer;
  /** Whether the mark of its end is there. */
  readonly isWhole: boolean;
}

export class LogFileError extends Error {
  override readonly name = 'LogFileError';
}

/** A log file that is read from start to end. */
export class LogFile {
  readonly version: number;
  readonly dbid: bigint;
  /** The 16 bytes that it begins with. */
  readonly header: Buffer;
  private readonly fd: number;
  private readonly size: number;

  /** @throws LogFileError if it is no transaction log; the system's error if it cannot be read */
  constructor(path: string) {
    this.size = statSync(path).size;
    this.fd = openSync(path, 'r');
    this.header = this.read(0, LOG_HEADER_SIZE);
    if (this.header.length < LOG_HEADER_SIZE || this.header.readInt32BE(0) !== LOG_MAGIC) {
      this.close();
      throw new LogFileError(`Invalid magic number for ${path.slice(path.lastIndexOf('/') + 1)}`);
    }
    this.version = this.header.readInt32BE(4);
    this.dbid = this.header.readBigInt64BE(8);
  }

  /** Up to the end of the file, or an empty record: what was allocated and not used yet. */
  *records(): Generator<LogRecord> {
    for (let offset = LOG_HEADER_SIZE; ; ) {
      const head = this.read(offset, RECORD_HEAD);
      if (head.length < RECORD_HEAD) return;
      const length = head.readInt32BE(8);
      if (length === 0) return;
      if (length < 0 || offset + RECORD_HEAD + length > this.size) {
        throw new LogFileError(`a record of ${length} bytes at offset ${offset} reaches beyond the end of the file`);
      }
      if (length > LONGEST)
        throw new LogFileError(`a record of ${length} bytes at offset ${offset} is longer than any`);
      const bytes = this.read(offset + RECORD_HEAD, length + 1);
      const entry = bytes.subarray(0, length);
      const checksum = head.readBigInt64BE(0);
      const sum = adler32(ADLER_START, entry, 0, entry.length);
      yield { offset, checksum, sum, entry, isWhole: bytes[length] === RECORD_END };
      offset += RECORD_HEAD + length + 1;
    }
  }

  close(): void {
    closeSync(this.fd);
  }

  private read(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.fd, bytes, 0, length, position));
  }
}

/** A record as it is written. */
export function recordBytes(checksum: bigint, entry: Buffer): Buffer {
  const bytes = Buffer.alloc(RECORD_HEAD + entry.length + 1);
  bytes.writeBigInt64BE(checksum, 0);
  bytes.writeInt32BE(entry.length, 8);
  entry.copy(bytes, RECORD_HEAD);
  bytes[bytes.length - 1] = RECORD_END;
  return bytes;
}
