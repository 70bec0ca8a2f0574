// Loads a snapshot into the tree without an object per node. Checks the seals (running Adler-32) that prove it whole.
// Layout: docs/protocol.md, "Snapshots".

import { join } from 'node:path';
import { pipeline, Readable, Transform, type TransformCallback } from 'node:stream';
import { setImmediate } from 'node:timers';
import { createGunzip } from 'node:zlib';
import { type Acl, LARGEST_MAX_LENGTH } from '@nodekeeper/protocol';
import { ADLER_START, adler32 } from './adler32.js';
import type { Disk, ReadableFile } from './disk.js';
import { StorageError } from './errors.js';
import type { Compression, SnapshotName } from './file-names.js';
import { openTold } from './told-reads.js';

export const SNAPSHOT_MAGIC = 0x5a4b534e; // ZKSN
export const SNAPSHOT_VERSION = 2;
const CHUNK = 4 * 1024 * 1024;
const COMPRESSED_CHUNK = 256 * 1024;
const LARGEST_SNAPPY_BLOCK = 64 * 1024 * 1024;

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
 * @throws StorageError if it is not whole or cannot be read; what the sink holds is then to be thrown away
 */
export async function loadSnapshot(disk: Disk, dir: string, name: SnapshotName, sink: SnapshotSink): Promise<void> {
  const path = join(dir, name.file);
  const file = openTold(disk, path, REMEDY);
  try {
    const source = await sourceFor(file, name);
    try {
      await new SnapshotScan(source, path, REMEDY).run(sink);
    } finally {
      source.close();
    }
  } finally {
    file.close();
  }
}

/**
 * Loads a snapshot that comes from elsewhere, in any compression; others get their turns meanwhile. The stream is left to its owner.
 * Resolves with the last zxid that may be in it.
 * @throws StorageError if it is not whole or tells no zxid; what the sink holds is then to be thrown away
 */
export async function loadSnapshotStream(stream: Readable, sink: SnapshotSink): Promise<number> {
  const source = await sourceOfStream(stream);
  try {
    const scan = new SnapshotScan(
      source,
      'the snapshot that was sent',
      'Send a whole snapshot of 3.6 or later, taken with digest.enabled=true',
    );
    const { lastZxid, digestZxid } = await scan.run(sink);
    if (digestZxid === undefined && lastZxid === undefined)
      throw scan.error('it tells neither its last zxid nor a digest');
    // Beside a digest the zxid it names can be that at which it began; what came while it was written may be in it.
    const zxid = Math.max(digestZxid ?? 0, lastZxid ?? 0);
    if (!Number.isSafeInteger(zxid) || zxid < 0) throw scan.error(`a last zxid of ${zxid}`);
    return zxid;
  } finally {
    source.close();
  }
}

/** Whether the file looks like a snapshot: a plain one ends with the seal's path. One that cannot be read may be one. */
export function quickTest(disk: Disk, dir: string, name: SnapshotName): boolean {
  try {
    return looksLikeSnapshot(disk, join(dir, name.file), name.compression);
  } catch (e) {
    if (e instanceof StorageError) return true;
    throw e;
  }
}

function looksLikeSnapshot(disk: Disk, path: string, compression: Compression): boolean {
  const file = openIfThere(disk, path);
  if (file === undefined) return false;
  try {
    const head = Buffer.alloc(8);
    if (file.read(head, 0, 8, 0) < 8) return false;
    if (compression === 'gz') return head[0] === 0x1f && head[1] === 0x8b;
    if (compression === 'snappy') return head.equals(SNAPPY_MAGIC);
    if (file.size < 10) return false;
    const tail = Buffer.alloc(5);
    file.read(tail, 0, 5, file.size - 5);
    return tail.equals(SEAL_END);
  } finally {
    file.close();
  }
}

/** An old snapshot may be purged by another thread after it was listed. */
function openIfThere(disk: Disk, path: string): ReadableFile | undefined {
  try {
    return openTold(disk, path, REMEDY);
  } catch (e) {
    if (disk.size(path) === undefined) return undefined;
    throw e;
  }
}

const SEAL_END = Buffer.from([0, 0, 0, 1, 0x2f]);
/** Bytes of a last zxid and its seal; a digest and its seal are more. */
const LAST_ZXID = 8 + 8 + SEAL_END.length;

class SnapshotScan {
  private readonly source: ByteSource;
  private readonly path: string;
  private readonly remedy: string;
  private buf: Buffer;
  private base = 0; // offset in the uncompressed file of buf[0]
  private pos = 0;
  private filled = 0;
  private sum = ADLER_START;
  private summed = 0; // up to here in buf

  constructor(source: ByteSource, path: string, remedy: string) {
    this.source = source;
    this.path = path;
    this.remedy = remedy;
    this.buf = Buffer.allocUnsafeSlow(Math.min(CHUNK, source.size ?? CHUNK));
  }

  async run(sink: SnapshotSink): Promise<{ readonly lastZxid?: number; readonly digestZxid?: number }> {
    await this.need(16);
    if (this.int() !== SNAPSHOT_MAGIC) throw this.error('this is not a snapshot: it does not begin with ZKSN');
    const version = this.int();
    if (version !== SNAPSHOT_VERSION) throw this.error(`version ${version} is not known, 2 is`);
    this.take(8); // dbid
    await this.sessions(sink);
    await this.acls(sink);
    await this.nodes(sink);
    await this.seal();
    if (!(await this.fill(1))) return {};
    // Nothing tells which trailers there are but their length.
    if (!(await this.fill(LAST_ZXID + 1))) return { lastZxid: await this.lastZxid() };
    await this.need(16);
    const digestZxid = this.long53();
    const digestVersion = this.int();
    if (digestVersion === 2) {
      await this.need(8);
      sink.digest(digestZxid, digestVersion, this.int() >>> 0, this.int() >>> 0);
    } else {
      await this.text(); // the first version kept a text
    }
    await this.seal();
    if (!(await this.fill(1))) return { digestZxid };
    return { lastZxid: await this.lastZxid(), digestZxid };
  }

  /** Since 3.9; Apache's servers write it without a digest as well (digest.enabled=false). */
  private async lastZxid(): Promise<number> {
    await this.need(8);
    const zxid = this.long53();
    await this.seal();
    return zxid;
  }

  // int count; per session: long id, int timeout
  private async sessions(sink: SnapshotSink): Promise<void> {
    await this.need(4);
    const count = this.int();
    for (let i = 0; i < count; i++) {
      if (this.lacks(12)) await this.need(12);
      const at = this.take(12);
      sink.session(this.buf.readBigInt64BE(at), this.buf.readInt32BE(at + 8));
    }
  }

  // int count; per entry: long id, vector<ACL>
  private async acls(sink: SnapshotSink): Promise<void> {
    await this.need(4);
    const count = this.int();
    for (let i = 0; i < count; i++) {
      await this.need(12);
      const at = this.take(8);
      const id = this.buf.readInt32BE(at) * 4294967296 + this.buf.readUInt32BE(at + 4);
      const list: Acl[] = [];
      const entries = this.int();
      for (let k = 0; k < entries; k++) list.push(await this.aclEntry());
      sink.acl(id, list);
    }
  }

  private async aclEntry(): Promise<Acl> {
    await this.need(4);
    const perms = this.int();
    const scheme = await this.text();
    const id = await this.text();
    return { perms, scheme, id };
  }

  private async text(): Promise<string | null> {
    await this.need(4);
    const n = this.int();
    if (n === -1) return null;
    this.checkLength(n);
    await this.need(n);
    const at = this.take(n);
    return this.buf.toString('utf8', at, at + n);
  }

  // repeated: ustring path, buffer data, long aclId, 60 bytes; ended by the path `/`
  private async nodes(sink: SnapshotSink): Promise<void> {
    for (;;) {
      if (this.lacks(4)) await this.need(4);
      const pathLength = this.checkLength(this.int());
      if (this.lacks(pathLength + 4)) await this.need(pathLength + 4);
      if (pathLength === 1 && this.buf[this.pos] === 0x2f) {
        this.pos += 1;
        return;
      }
      const dataLength = this.buf.readInt32BE(this.pos + pathLength);
      if (dataLength < -1 || dataLength > LARGEST_MAX_LENGTH) throw this.error(`data of ${dataLength} bytes`);
      const stored = Math.max(dataLength, 0);
      const size = pathLength + 4 + stored + 8 + 60;
      if (this.lacks(size)) await this.need(size);
      const at = this.take(size);
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

  // long Adler-32 of everything before, ustring `/`
  private async seal(): Promise<void> {
    this.addToSum();
    const expected = this.sum;
    await this.need(8);
    const at = this.take(8);
    const actual = this.buf.readUInt32BE(at + 4);
    if (this.buf.readInt32BE(at) !== 0 || actual !== expected)
      throw this.error('the checksum does not match: the snapshot is damaged');
    if ((await this.text()) !== '/') throw this.error('the seal is not complete');
  }

  private int(): number {
    return this.buf.readInt32BE(this.take(4));
  }

  private long53(): number {
    const hi = this.int();
    return hi * 4294967296 + (this.int() >>> 0);
  }

  private checkLength(n: number): number {
    if (n < 0 || n > LARGEST_MAX_LENGTH) throw this.error(`a field of ${n} bytes`);
    return n;
  }

  /** Steps over `n` bytes that are there; returns where they begin in `buf`. */
  private take(n: number): number {
    const at = this.pos;
    this.pos = at + n;
    return at;
  }

  private lacks(n: number): boolean {
    return this.pos + n > this.filled;
  }

  private addToSum(): void {
    this.sum = adler32(this.sum, this.buf, this.summed, this.pos);
    this.summed = this.pos;
  }

  /** Makes `n` bytes available at the cursor. */
  private async need(n: number): Promise<void> {
    if (!(await this.fill(n))) throw this.error('the file ends early: the snapshot was never finished');
  }

  /** As {@link need}; false if the file ends before. */
  private async fill(n: number): Promise<boolean> {
    if (!this.lacks(n)) return true;
    this.addToSum();
    const target = n > this.buf.length ? Buffer.allocUnsafeSlow(n * 2) : this.buf;
    this.buf.copy(target, 0, this.pos, this.filled);
    this.buf = target;
    this.base += this.pos;
    this.filled -= this.pos;
    this.pos = 0;
    this.summed = 0;
    while (this.filled < n) {
      const reading = this.source.read(this.buf, this.filled, this.buf.length - this.filled);
      const got = typeof reading === 'number' ? reading : await this.decompressed(reading);
      if (got === 0) return false;
      this.filled += got;
    }
    return true;
  }

  private async decompressed(reading: Promise<number>): Promise<number> {
    try {
      return await reading;
    } catch (e) {
      if (e instanceof StorageError) throw e; // it is the file that could not be read
      throw this.error(`cannot be decompressed: ${(e as Error).message}`);
    }
  }

  error(problem: string): StorageError {
    return new StorageError(this.path, this.base + this.pos, problem, this.remedy, true);
  }
}

/** The uncompressed bytes in order. */
interface ByteSource {
  /** In bytes, where that is known. */
  readonly size?: number;
  /** Reads up to `length` bytes; 0 at the end. Answers at once where nothing has to be waited for. */
  read(into: Buffer, offset: number, length: number): number | Promise<number>;
  close(): void;
}

async function sourceFor(file: ReadableFile, name: SnapshotName): Promise<ByteSource> {
  if (name.compression !== '')
    return expandedSource(file, name.compression === 'gz' ? createGunzip() : await unsnappy());
  let position = 0;
  return {
    size: file.size,
    read(into, offset, length) {
      const got = file.read(into, offset, length, position);
      position += got;
      return got;
    },
    close: () => {},
  };
}

function expandedSource(file: ReadableFile, expand: Transform): ByteSource {
  let closed = false;
  const input = Readable.from(
    (function* () {
      for (let position = 0; !closed; ) {
        const piece = Buffer.allocUnsafeSlow(COMPRESSED_CHUNK);
        const got = file.read(piece, 0, piece.length, position);
        if (got === 0) return;
        position += got;
        yield piece.subarray(0, got);
      }
    })(),
    { objectMode: false },
  );
  pipeline(input, expand, () => {}); // an error ends the iteration below
  return sourceOfPieces(expand[Symbol.asyncIterator](), () => {
    closed = true;
    input.destroy();
    expand.destroy();
  });
}

/** Looks at the first bytes to tell how the stream is compressed. */
async function sourceOfStream(stream: Readable): Promise<ByteSource> {
  const pieces = stream[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < SNAPPY_MAGIC.length) {
    const next = await pieces.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value as Buffer]);
  }
  const all = Readable.from(
    (async function* () {
      yield head;
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
        yield next.value as Buffer;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })(),
    { objectMode: false },
  );
  const close = (): void => {
    all.destroy();
  };
  const gzipped = head[0] === 0x1f && head[1] === 0x8b;
  if (!gzipped && !head.subarray(0, 8).equals(SNAPPY_MAGIC)) return sourceOfPieces(all[Symbol.asyncIterator](), close);
  const expand = gzipped ? createGunzip() : await unsnappy();
  pipeline(all, expand, () => {}); // as above
  return sourceOfPieces(expand[Symbol.asyncIterator](), () => {
    close();
    expand.destroy();
  });
}

function sourceOfPieces(pieces: AsyncIterator<unknown>, close: () => void): ByteSource {
  let piece: Buffer = Buffer.alloc(0);
  let at = 0;
  return {
    async read(into, offset, length) {
      while (at === piece.length) {
        const next = await pieces.next();
        if (next.done === true) return 0;
        piece = next.value as Buffer;
        at = 0;
      }
      const got = piece.copy(into, offset, at, Math.min(piece.length, at + length));
      at += got;
      return got;
    },
    close,
  };
}

/** How snappy-java frames a stream: magic, int version, int compatible version, then int length and one block each. */
const SNAPPY_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
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
          if (n <= 0 || n > LARGEST_SNAPPY_BLOCK) throw new Error(`a block of ${n} bytes`);
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
