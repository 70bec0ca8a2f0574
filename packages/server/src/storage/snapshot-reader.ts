// Loads a snapshot into the tree without an object per node. Checks the seals (running Adler-32) that prove it whole.
// Layout: docs/protocol.md, "Snapshots".

import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Acl } from '@nodekeeper/protocol';
import { ADLER_START, adler32 } from './adler32.js';
import type { Disk, ReadableFile } from './disk.js';
import { StorageError } from './errors.js';
import { type SnapshotName, TEMPORARY } from './file-names.js';

export const SNAPSHOT_MAGIC = 0x5a4b534e; // ZKSN
export const SNAPSHOT_VERSION = 2;
const CHUNK = 4 * 1024 * 1024;
const MAX_FIELD = 256 * 1024 * 1024;

/** What a snapshot is loaded into. */
export interface SnapshotSink {
  session(id: bigint, timeoutMs: number): void;
  acl(id: number, list: readonly Acl[]): void;
  /** `dataStart` -1 stands for null data; `stat` is the offset of the 60 bytes czxid..pzxid. Valid during the call. */
  node(
    buf: Buffer,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    stat: number,
  ): void;
  digest(zxid: number, version: number, hi: number, lo: number): void;
}

const REMEDY = 'An older snapshot is tried; if none is good, restore the data directory from a copy or another server';

/**
 * Loads a snapshot.
 * @throws StorageError if it is not whole; what the sink holds is then to be thrown away
 */
export async function loadSnapshot(disk: Disk, dir: string, name: SnapshotName, sink: SnapshotSink): Promise<void> {
  const path = join(dir, name.file);
  if (name.compression === '') {
    parse(disk, path, path, sink);
    return;
  }
  const plain = join(dir, `${TEMPORARY}${name.file}.plain`);
  try {
    const expand = name.compression === 'gz' ? createGunzip() : await unsnappy();
    await pipeline(createReadStream(path), expand, createWriteStream(plain));
    parse(disk, plain, path, sink);
  } catch (e) {
    if (e instanceof StorageError) throw e;
    throw new StorageError(path, undefined, `cannot be decompressed: ${(e as Error).message}`, REMEDY);
  } finally {
    if (disk.size(plain) !== undefined) disk.remove(plain);
  }
}

/** Whether the file looks like a snapshot: a plain one ends with the seal's path. */
export function quickTest(disk: Disk, dir: string, name: SnapshotName): boolean {
  const file = disk.open(join(dir, name.file));
  try {
    const head = Buffer.alloc(8);
    if (file.read(head, 0, 8, 0) < 8) return false;
    if (name.compression === 'gz') return head[0] === 0x1f && head[1] === 0x8b;
    if (name.compression === 'snappy') return head.equals(SNAPPY_MAGIC);
    if (file.size < 10) return false;
    const tail = Buffer.alloc(5);
    file.read(tail, 0, 5, file.size - 5);
    return tail.equals(SEAL_END);
  } finally {
    file.close();
  }
}

const SEAL_END = Buffer.from([0, 0, 0, 1, 0x2f]);

function parse(disk: Disk, path: string, shownPath: string, sink: SnapshotSink): void {
  const file = disk.open(path);
  try {
    new SnapshotScan(file, shownPath).run(sink);
  } finally {
    file.close();
  }
}

class SnapshotScan {
  private readonly file: ReadableFile;
  private readonly path: string;
  private buf = Buffer.allocUnsafeSlow(CHUNK);
  private base = 0;
  private pos = 0;
  private filled = 0;
  private sum = ADLER_START;
  private summed = 0; // up to here in buf

  constructor(file: ReadableFile, path: string) {
    this.file = file;
    this.path = path;
  }

  run(sink: SnapshotSink): void {
    if (this.int() !== SNAPSHOT_MAGIC) throw this.error('this is not a snapshot: it does not begin with ZKSN');
    const version = this.int();
    if (version !== SNAPSHOT_VERSION) throw this.error(`version ${version} is not known, 2 is`);
    this.take(8); // dbid
    this.sessions(sink);
    this.acls(sink);
    this.nodes(sink);
    this.seal();
    if (!this.hasMore()) return;
    const hi = this.int();
    const lo = this.int() >>> 0;
    const digestVersion = this.int();
    if (digestVersion === 2) sink.digest(hi * 4294967296 + lo, digestVersion, this.int() >>> 0, this.int() >>> 0);
    else this.take(this.length()); // the first version kept a text
    this.seal();
    if (!this.hasMore()) return;
    this.take(8); // the last zxid, since 3.9
    this.seal();
  }

  // int count; per session: long id, int timeout
  private sessions(sink: SnapshotSink): void {
    const count = this.int();
    for (let i = 0; i < count; i++) {
      const at = this.take(12);
      sink.session(this.buf.readBigInt64BE(at), this.buf.readInt32BE(at + 8));
    }
  }

  // int count; per entry: long id, vector<ACL>
  private acls(sink: SnapshotSink): void {
    const count = this.int();
    for (let i = 0; i < count; i++) {
      const at = this.take(8);
      const id = this.buf.readInt32BE(at) * 4294967296 + this.buf.readUInt32BE(at + 4);
      const list: Acl[] = [];
      const entries = this.int();
      for (let k = 0; k < entries; k++) list.push(this.aclEntry());
      sink.acl(id, list);
    }
  }

  private aclEntry(): Acl {
    const perms = this.int();
    const scheme = this.text();
    const id = this.text();
    return { perms, scheme, id };
  }

  private text(): string {
    const n = this.length();
    const at = this.take(n);
    return this.buf.toString('utf8', at, at + n);
  }

  // repeated: ustring path, buffer data, long aclId, 60 bytes; ended by the path `/`
  private nodes(sink: SnapshotSink): void {
    for (;;) {
      const pathLength = this.length();
      // Everything of the node but its data, whose length follows: one check for most.
      let at = this.need(pathLength + 4);
      if (pathLength === 1 && this.buf[at] === 0x2f) {
        this.pos += 1;
        return;
      }
      const dataLength = this.buf.readInt32BE(at + pathLength);
      if (dataLength < -1 || dataLength > MAX_FIELD) throw this.error(`data of ${dataLength} bytes`);
      const stored = dataLength < 0 ? 0 : dataLength;
      const size = pathLength + 4 + stored + 8 + 60;
      at = this.take(size);
      const { buf } = this;
      const dataStart = at + pathLength + 4;
      const tail = dataStart + stored;
      const aclId = buf.readInt32BE(tail) * 4294967296 + buf.readUInt32BE(tail + 4);
      try {
        sink.node(buf, at, at + pathLength, dataLength < 0 ? -1 : dataStart, tail, aclId, tail + 8);
      } catch (e) {
        throw this.error((e as Error).message);
      }
    }
  }

  private seal(): void {
    this.addToSum();
    const expected = this.sum;
    const at = this.take(8);
    const actual = this.buf.readUInt32BE(at + 4);
    if (this.buf.readInt32BE(at) !== 0 || actual !== expected)
      throw this.error('the checksum does not match: the snapshot is damaged');
    if (this.text() !== '/') throw this.error('the seal is not complete');
  }

  private hasMore(): boolean {
    return this.base + this.pos < this.file.size;
  }

  private int(): number {
    return this.buf.readInt32BE(this.take(4));
  }

  private length(): number {
    const n = this.int();
    if (n < 0 || n > MAX_FIELD) throw this.error(`a field of ${n} bytes`);
    return n;
  }

  private take(n: number): number {
    const at = this.need(n);
    this.pos = at + n;
    return at;
  }

  private addToSum(): void {
    this.sum = adler32(this.sum, this.buf, this.summed, this.pos);
    this.summed = this.pos;
  }

  /** Makes `n` bytes available at the cursor; returns where they begin in `buf`. */
  private need(n: number): number {
    if (this.pos + n <= this.filled) return this.pos;
    this.addToSum();
    const left = this.filled - this.pos;
    const target = n > this.buf.length ? Buffer.allocUnsafeSlow(n * 2) : this.buf;
    this.buf.copy(target, 0, this.pos, this.filled);
    this.buf = target;
    this.base += this.pos;
    this.pos = 0;
    this.summed = 0;
    this.filled = left;
    while (this.filled < n) {
      const got = this.file.read(this.buf, this.filled, this.buf.length - this.filled, this.base + this.filled);
      if (got === 0) throw this.error('the file ends early: the snapshot was never finished');
      this.filled += got;
    }
    return 0;
  }

  private error(problem: string): StorageError {
    return new StorageError(this.path, this.base + this.pos, problem, REMEDY);
  }
}

/** How snappy-java frames a stream: magic, int version, int compatible version, then int length and one block each. */
export const SNAPPY_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
export const SNAPPY_HEADER = Buffer.concat([SNAPPY_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);

async function unsnappy(): Promise<Transform> {
  const { uncompressSync } = await import('snappy');
  let rest: Buffer = Buffer.alloc(0);
  let started = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      try {
        if (!started) {
          if (rest.length < SNAPPY_HEADER.length) {
            done();
            return;
          }
          if (!rest.subarray(0, 8).equals(SNAPPY_MAGIC)) throw new Error('no snappy stream');
          started = true;
          at = SNAPPY_HEADER.length;
        }
        while (rest.length - at >= 4) {
          const n = rest.readInt32BE(at);
          if (rest.length - at - 4 < n) break;
          this.push(uncompressSync(rest.subarray(at + 4, at + 4 + n)));
          at += 4 + n;
        }
        rest = rest.subarray(at);
        done();
      } catch (e) {
        done(e as Error);
      }
    },
    flush(done) {
      done(rest.length === 0 ? null : new Error('the stream ends inside a block'));
    },
  });
}
