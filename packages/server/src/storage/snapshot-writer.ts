// Writes a snapshot a slice at a time, each slice in a turn of its own, so that no pause grows with the tree. The file appears
// under its name only when it is whole and durable.

import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { type Acl, JuteWriter, writeAclList } from '@nodekeeper/protocol';
import { ADLER_START, adler32 } from './adler32.js';
import type { Disk, WritableFile } from './disk.js';
import { type Compression, snapshotName, TEMPORARY } from './file-names.js';
import { SNAPPY_HEADER, SNAPSHOT_MAGIC, SNAPSHOT_VERSION } from './snapshot-reader.js';

/** Gives the content; what is listed first is a copy of the moment the snapshot began, nodes may be newer. */
export interface SnapshotContent {
  /** The last zxid applied when the snapshot began: its name. */
  readonly zxid: number;
  sessions(): Iterable<readonly [bigint, number]>;
  acls(): Iterable<readonly [number, readonly Acl[]]>;
  /** Appends nodes in file form until about `bytes` are written; false when all are out. */
  writeNodes(w: JuteWriter, bytes: number): boolean;
  /** The tree's digest and the zxid it belongs to, now; undefined while the tree may hold parts of later transactions. */
  digest(): { readonly zxid: number; readonly hi: number; readonly lo: number } | undefined;
}

export interface SnapshotOptions {
  readonly compression: Compression;
  readonly digestEnabled: boolean;
  /** Adds the last zxid, which 3.9's restore command uses. */
  readonly serializeLastProcessedZxid: boolean;
}

const SLICE = 32 * 1024;
const SYNC_EVERY = 1024 * 1024;
const SNAPPY_BLOCK = 32 * 1024;

/** Turns slices into what stands in the file. */
interface Encoder {
  write(slice: Buffer): Promise<void>;
  end(): Promise<void>;
}

/**
 * Writes a snapshot into `dir` and returns its file name and size in bytes.
 * @param soon calls back in the next turn of the event loop
 * @throws the system's error; nothing is then left under a snapshot's name, unless it was only the name that was not made durable
 */
export async function writeSnapshot(
  disk: Disk,
  dir: string,
  content: SnapshotContent,
  options: SnapshotOptions,
  soon: (action: () => void) => void = setImmediate,
): Promise<{ readonly file: string; readonly bytes: number }> {
  const name = snapshotName(content.zxid, options.compression);
  const temporary = join(dir, TEMPORARY + name);
  const output = await disk.create(temporary);
  let bytes = 0;
  let unsynced = 0;
  const put = async (data: Buffer): Promise<void> => {
    await output.write(data);
    bytes += data.length;
    unsynced += data.length;
    if (unsynced >= SYNC_EVERY) {
      unsynced = 0;
      await output.sync(); // a little now and then, so that the last sync is short
    }
  };
  try {
    const encoder = await encoderFor(options.compression, put);
    await writeContent(content, options, encoder, () => new Promise(soon));
    await encoder.end();
    await output.sync();
    await output.close();
    await done((then) => disk.renameLater(temporary, join(dir, name), then));
  } catch (e) {
    await discard(disk, output, temporary);
    throw e;
  }
  await done((then) => disk.syncDirLater(dir, then));
  return { file: name, bytes };
}

function done(action: (then: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    action((error) => (error === null ? resolve() : reject(error)));
  });
}

async function writeContent(
  content: SnapshotContent,
  options: SnapshotOptions,
  encoder: Encoder,
  nextTurn: () => Promise<void>,
): Promise<void> {
  const w = new JuteWriter(SLICE * 2);
  let sum = ADLER_START;
  const flush = async (): Promise<void> => {
    sum = adler32(sum, w.buf, 0, w.pos);
    await encoder.write(w.bytes());
    w.clear();
    await nextTurn();
  };
  const flushIfFull = async (): Promise<void> => {
    if (w.pos >= SLICE) await flush();
  };
  const seal = async (): Promise<void> => {
    await flush();
    w.long53(sum).string('/');
  };

  w.int(SNAPSHOT_MAGIC).int(SNAPSHOT_VERSION).long(-1n);
  const sessions = [...content.sessions()];
  w.int(sessions.length);
  for (const [id, timeout] of sessions) {
    w.long(id).int(timeout);
    await flushIfFull();
  }
  const acls = [...content.acls()];
  w.int(acls.length);
  for (const [id, list] of acls) {
    w.long53(id);
    writeAclList(w, list);
    await flushIfFull();
  }
  while (content.writeNodes(w, SLICE)) await flush();
  w.string('/');
  await seal();
  const digest = options.digestEnabled ? content.digest() : undefined;
  if (digest !== undefined) {
    const { zxid, hi, lo } = digest;
    w.long53(zxid)
      .int(2)
      .int(hi | 0)
      .int(lo | 0);
    await seal();
    // Not without a digest: who looks for one, as any server of Apache's by default, would take it for that.
    if (options.serializeLastProcessedZxid) {
      w.long53(content.zxid);
      await seal();
    }
  }
  await flush();
}

/** Its space is not waited for: whoever gave a snapshot up has something to do, an election perhaps. */
async function discard(disk: Disk, output: WritableFile, path: string): Promise<void> {
  await output.close().catch(() => {});
  if (disk.size(path) !== undefined)
    disk
      .removeLarge(path)()
      .catch(() => {}); // the file has no name any more
}

async function encoderFor(compression: Compression, put: (data: Buffer) => Promise<void>): Promise<Encoder> {
  if (compression === 'gz') return gzipEncoder(put);
  if (compression === 'snappy') return snappyEncoder(put);
  return { write: put, end: async () => {} };
}

function gzipEncoder(put: (data: Buffer) => Promise<void>): Encoder {
  const gzip = createGzip();
  const drained = (async () => {
    for await (const chunk of gzip) await put(chunk as Buffer);
  })();
  // A failed put ends the loop, which destroys the stream; the waiting write then says only that, so it asks here for the cause.
  drained.catch(() => {});
  return {
    async write(slice) {
      try {
        await new Promise<void>((resolve, reject) => {
          // The slice's memory is used again, the stream may keep it: a copy.
          gzip.write(Buffer.from(slice), (e) => (e ? reject(e) : resolve()));
        });
      } catch (e) {
        await drained;
        throw e;
      }
    },
    end: async () => {
      gzip.end();
      await drained;
    },
  };
}

async function snappyEncoder(put: (data: Buffer) => Promise<void>): Promise<Encoder> {
  const { compress } = await import('snappy');
  await put(SNAPPY_HEADER);
  return {
    async write(slice) {
      for (let at = 0; at < slice.length; at += SNAPPY_BLOCK) {
        const block = await compress(Buffer.from(slice.subarray(at, at + SNAPPY_BLOCK)));
        const length = Buffer.alloc(4);
        length.writeInt32BE(block.length);
        await put(Buffer.concat([length, block]));
      }
    },
    end: async () => {},
  };
}
