// Snapshots: what is written is read back, also while the tree changes under the writer.
import assert from 'node:assert/strict';
import { appendFileSync, createReadStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { JuteWriter, OpCode } from '@nodekeeper/protocol';
import { ADLER_START, adler32 } from '../../dist/storage/adler32.js';
import {
  type Compression,
  type Disk,
  loadSnapshot,
  nodeDisk,
  parseSnapshotName,
  writeSnapshot,
} from '../../dist/storage/index.js';
import { loadSnapshotStream } from '../../dist/storage/snapshot-reader.js';
import { SnapshotSource } from '../../dist/tree/snapshot-source.js';
import { Harness } from '../tree/harness.js';
import { newDatabase, temporaryDir, whileChanging } from './fixtures.js';

const OPTIONS = { digestEnabled: true, serializeLastProcessedZxid: false };

for (const compression of ['', 'gz', 'snappy'] as Compression[]) {
  test(`a snapshot with compression '${compression}' is read back whole`, async (t) => {
    const dir = temporaryDir(t);
    const h = new Harness();
    for (let i = 0; i < 3000; i++) h.create(`/n${i}`, { data: 'x'.repeat(i % 400) });
    h.create('/null', { data: null });
    h.create('/acl', { acl: [{ perms: 3, scheme: 'ip', id: '127.0.0.1' }] });
    const disk = { ...nodeDisk, rename: () => assert.fail('on this thread, which would wait for the disk') };
    const { file } = await writeSnapshot(disk, dir, new SnapshotSource(h.tree, [[5n, 4000]]), {
      ...OPTIONS,
      compression,
    });
    assert.deepEqual(readdirSync(dir), [file], 'no temporary file is left');
    const db = newDatabase();
    const name = parseSnapshotName(file);
    assert.ok(name);
    await loadSnapshot(nodeDisk, dir, name, db);
    assert.equal(db.tree.digest.toBigInt(), h.tree.digest.toBigInt());
    assert.equal(db.tree.store.count, h.tree.store.count);
    assert.equal(db.tree.store.data(db.tree.store.findString('/null')), null);
    assert.deepEqual(db.tree.aclList(db.tree.store.findString('/acl')), [{ perms: 3, scheme: 'ip', id: '127.0.0.1' }]);
    assert.deepEqual([...db.sessionTimeouts], [[5n, 4000]]);
  });
}

test('a snapshot that is given up is waited for until its name is gone, not until its space is', async (t) => {
  const dir = temporaryDir(t);
  const h = new Harness();
  h.create('/n', { data: 'x' });
  const disk: Disk = {
    ...nodeDisk,
    removeLarge: (path) => {
      nodeDisk.remove(path);
      return () => new Promise(() => {});
    },
  };
  const source = new SnapshotSource(h.tree, []);
  source.giveUp();
  await assert.rejects(writeSnapshot(disk, dir, source, { ...OPTIONS, compression: '' }), /was given up/);
  assert.deepEqual(readdirSync(dir), []);
});

test('a snapshot taken while the tree changes gives the same tree once the log is replayed over it', async (t) => {
  for (let seed = 1; seed <= 36; seed++) {
    // A few parents of few, or one of many, among which names come and go.
    const wide = seed % 3 === 0;
    const dir = temporaryDir(t);
    const h = new Harness();
    let random = seed * 7919;
    const next = (n: number): number => {
      random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
      return (random >>> 8) % n;
    };
    const change = (): void => {
      const path = wide ? `/n0/m${next(400)}` : `/n${next(40)}${next(2) ? `/m${next(5)}` : ''}`;
      const kind = next(6);
      if (kind < 2) h.create(path, { data: 'x'.repeat(next(3000)), flags: next(3) });
      else if (kind < 4) h.delete(path);
      else if (kind === 4) h.set(path, 'y'.repeat(next(3000)));
      else {
        h.run(OpCode.setACL, (w) =>
          w
            .string(path)
            .int(1)
            .int(1 + next(31))
            .string('ip')
            .string(`10.0.0.${next(200)}`)
            .int(-1),
        );
      }
    };
    h.create('/n0');
    for (let i = 0; i < 800; i++) change();
    const from = h.entries.length;
    const source = new SnapshotSource(h.tree, []);
    const changes = (): void => {
      for (let i = 0; i < 8; i++) change();
    };
    const fuzzy = whileChanging(source, changes, () => 1000);
    const { file } = await writeSnapshot(nodeDisk, dir, fuzzy, { ...OPTIONS, compression: '' });
    for (let i = 0; i < 50; i++) change();
    const db = newDatabase();
    const name = parseSnapshotName(file);
    assert.ok(name);
    const paths: string[] = [];
    const node: typeof db.node = (buf, start, end) => paths.push(buf.toString('utf8', start, end));
    await loadSnapshot(nodeDisk, dir, name, { session: () => {}, acl: () => {}, node, digest: () => {} });
    assert.equal(new Set(paths).size, paths.length, 'each node is there once');
    await loadSnapshot(nodeDisk, dir, name, db);
    db.snapshotLoaded(name.zxid);
    for (const entry of h.entries.slice(from)) db.apply(entry, 0, entry.length, 0);
    assert.equal(db.tree.digest.toBigInt(), h.tree.digest.toBigInt(), `seed ${seed}`);
    assert.equal(db.tree.digestMismatches, 0, `seed ${seed}`);
    assert.equal(db.tree.store.count, h.tree.store.count);
    for (const id of h.tree.store.children(1)) {
      const path = h.tree.store.path(id);
      assert.deepEqual(db.tree.aclList(db.tree.store.findString(path)), h.tree.aclList(id), path);
    }
  }
});

test('a node that has come to the record of another one does not get its ACL in a snapshot', async (t) => {
  const dir = temporaryDir(t);
  const h = new Harness();
  h.create('/a', { acl: [{ perms: 30, scheme: 'world', id: 'anyone' }] });
  const source = new SnapshotSource(h.tree, []);
  assert.equal(
    h.run(OpCode.setACL, (w) => w.string('/a').int(1).int(1).string('world').string('anyone').int(-1)),
    0,
  );
  const record = h.tree.store.findString('/a');
  h.delete('/a');
  h.create('/b', { acl: [{ perms: 31, scheme: 'ip', id: '10.0.0.1' }] });
  assert.equal(h.tree.store.findString('/b'), record);
  const { file } = await writeSnapshot(nodeDisk, dir, source, { ...OPTIONS, compression: '' });
  const name = parseSnapshotName(file);
  assert.ok(name);
  const db = newDatabase();
  await loadSnapshot(nodeDisk, dir, name, db);
  assert.equal(db.tree.store.findString('/b'), 0, 'it is left to the log');
});

test('what is loaded from a stream is as new as what came while the snapshot was written', async (t) => {
  const dir = temporaryDir(t);
  const h = new Harness();
  h.create('/a');
  const source = new SnapshotSource(h.tree, []);
  const fuzzy = whileChanging(
    source,
    () => h.set('/a', 'later'),
    () => 1000,
  );
  const options = { digestEnabled: true, serializeLastProcessedZxid: true, compression: '' } as const;
  const { file } = await writeSnapshot(nodeDisk, dir, fuzzy, options);
  const zxid = await loadSnapshotStream(createReadStream(join(dir, file)), newDatabase());
  assert.equal(zxid, h.zxid);
});

for (const [trailers, digestEnabled, serializeLastProcessedZxid, appended] of [
  ['a digest and the last zxid', true, true, false],
  ['a digest', true, false, false],
  ['nothing', false, true, false],
  ['the last zxid alone, as 3.9 writes without digests', false, true, true],
] as const) {
  test(`a snapshot is read that ends with ${trailers}`, async (t) => {
    const dir = temporaryDir(t);
    const h = new Harness();
    h.create('/a');
    const options = { digestEnabled, serializeLastProcessedZxid, compression: '' } as const;
    const { file } = await writeSnapshot(nodeDisk, dir, new SnapshotSource(h.tree, []), options);
    const path = join(dir, file);
    if (appended) {
      appendFileSync(path, new JuteWriter().long53(h.zxid).bytes());
      const all = readFileSync(path);
      appendFileSync(
        path,
        new JuteWriter()
          .long53(adler32(ADLER_START, all, 0, all.length))
          .string('/')
          .bytes(),
      );
    }
    const name = parseSnapshotName(file);
    assert.ok(name);
    const db = newDatabase();
    await loadSnapshot(nodeDisk, dir, name, db);
    assert.equal(db.tree.digest.toBigInt(), h.tree.digest.toBigInt());
    const sent = loadSnapshotStream(createReadStream(path), newDatabase());
    if (digestEnabled || appended) assert.equal(await sent, h.zxid);
    else await assert.rejects(sent, /tells neither its last zxid nor a digest/);
  });
}

test('names with a zxid that Java takes for negative are nobody’s; those of epochs that cannot be counted stop the start', () => {
  assert.equal(parseSnapshotName('snapshot.1fffffffffffff')?.zxid, Number.MAX_SAFE_INTEGER);
  assert.equal(parseSnapshotName('snapshot.fffffffffffffff6'), undefined);
  assert.equal(parseSnapshotName('snapshot.10000000000000000.gz'), undefined);
  assert.equal(parseSnapshotName('snapshot.8000000000000000'), undefined);
  assert.throws(() => parseSnapshotName('snapshot.20000000000001'), RangeError);
  assert.throws(() => parseSnapshotName('snapshot.7fffffffffffffff'), RangeError);
});
