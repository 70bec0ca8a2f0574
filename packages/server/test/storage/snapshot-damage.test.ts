// Snapshots that are not whole, and disks that fail while one is written.
import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { JuteWriter } from '@nodekeeper/protocol';
import {
  type Compression,
  type Disk,
  loadSnapshot,
  nodeDisk,
  parseSnapshotName,
  type SnapshotContent,
  type SnapshotName,
  type SnapshotSink,
  StorageError,
  writeSnapshot,
} from '../../dist/storage/index.js';
import { FIXTURES, temporaryDir } from './fixtures.js';

const NOWHERE: SnapshotSink = { session: () => {}, acl: () => {}, node: () => {}, digest: () => {} };

function nameOf(file: string): SnapshotName {
  const name = parseSnapshotName(file);
  assert.ok(name);
  return name;
}

test('each flipped byte of a snapshot is found', async (t) => {
  const dir = temporaryDir(t);
  const whole = readFileSync(join(FIXTURES, 'standalone-3.8.0/version-2/snapshot.0'));
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] as number) ^ 1;
    writeFileSync(join(dir, 'snapshot.0'), damaged);
    await assert.rejects(loadSnapshot(nodeDisk, dir, nameOf('snapshot.0'), NOWHERE), StorageError, `byte ${at}`);
  }
});

for (const file of ['snapshot.7f', 'snapshot.7f.gz', 'snapshot.7f.snappy']) {
  test(`a cut ${file} is found at whatever byte it ends`, async (t) => {
    const dir = temporaryDir(t);
    const stored = file === 'snapshot.7f' ? 'snapshot.7f.written-by-3.9.5' : file;
    const whole = readFileSync(join(FIXTURES, 'snapshots', stored));
    const passing: number[] = [];
    for (let size = 0; size < whole.length; size += 19) {
      writeFileSync(join(dir, file), whole.subarray(0, size));
      try {
        await loadSnapshot(nodeDisk, dir, nameOf(file), NOWHERE);
        passing.push(size);
      } catch (e) {
        assert.ok(e instanceof StorageError, `${size}: ${e}`);
      }
    }
    // Only a plain file that ends just behind a seal is complete as an older version's.
    assert.ok(file === 'snapshot.7f' ? passing.length <= 2 : passing.length === 0, `${passing}`);
    assert.deepEqual(readdirSync(dir), [file], 'nothing is left beside it');
  });
}

test('a compressed snapshot is loaded from a disk on which nothing can be written', async (t) => {
  const dir = temporaryDir(t);
  const full = (): never => {
    throw new Error('ENOSPC');
  };
  const disk: Disk = { ...nodeDisk, create: full, createLog: full, replaceText: full };
  for (const file of ['snapshot.7f.gz', 'snapshot.7f.snappy']) {
    copyFileSync(join(FIXTURES, 'snapshots', file), join(dir, file));
    let nodes = 0;
    await loadSnapshot(disk, dir, nameOf(file), { ...NOWHERE, node: () => nodes++ });
    assert.ok(nodes > 10);
  }
});

test('an ACL with null texts is taken as it stands', async (t) => {
  const dir = temporaryDir(t);
  const acls: unknown[] = [];
  const content = contentOf(1);
  content.acls = () => [[1, [{ perms: 31, scheme: null, id: null }]]];
  const { file } = await writeSnapshot(nodeDisk, dir, content, {
    compression: '',
    digestEnabled: true,
    serializeLastProcessedZxid: true,
  });
  await loadSnapshot(nodeDisk, dir, nameOf(file), { ...NOWHERE, acl: (id, list) => acls.push([id, list]) });
  assert.deepEqual(acls, [[1, [{ perms: 31, scheme: null, id: null }]]]);
});

/** Nodes of 1 KB that do not compress. */
function contentOf(slices: number): SnapshotContent & { acls: SnapshotContent['acls'] } {
  let left = slices;
  let random = 1;
  return {
    zxid: 7,
    sessions: () => [],
    acls: () => [],
    digest: () => ({ zxid: 7, hi: 1, lo: 2 }),
    writeNodes(w: JuteWriter, bytes: number): boolean {
      for (const limit = w.pos + bytes; w.pos < limit; ) {
        const data = Buffer.alloc(1024);
        for (let i = 0; i < data.length; i++) {
          random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
          data[i] = random >>> 16;
        }
        w.string('').buffer(data).long53(-1);
        for (let i = 0; i < 15; i++) w.int(0);
      }
      return --left > 0;
    },
  };
}

for (const compression of ['', 'gz', 'snappy'] as Compression[]) {
  for (const failing of ['write', 'sync', 'rename'] as const) {
    test(`an error of '${failing}' with compression '${compression}' is told and leaves no file`, {
      timeout: 10_000,
    }, async (t) => {
      const dir = temporaryDir(t);
      let written = 0;
      const disk: Disk = {
        ...nodeDisk,
        async create(path) {
          const file = await nodeDisk.create(path);
          return {
            async write(from) {
              written += from.length;
              if (failing === 'write' && written > 100_000) throw new Error('ENOSPC');
              await file.write(from);
            },
            async sync() {
              if (failing === 'sync') throw new Error('ENOSPC');
              await file.sync();
            },
            close: () => file.close(),
          };
        },
        renameLater: (_from, _to, done) => done(new Error('ENOSPC')),
      };
      const options = { compression, digestEnabled: true, serializeLastProcessedZxid: false };
      await assert.rejects(writeSnapshot(disk, dir, contentOf(20), options), /ENOSPC/);
      assert.deepEqual(readdirSync(dir), []);
    });
  }
}
