// Files that the system does not let be read: no damage, as a disk or a right can come back, and told by their names.
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Disk, nodeDisk, openDataDir, recover, StorageError } from '../../dist/storage/index.js';
import { copyOf, MAX_ENTRY, newDatabase, temporaryDir } from './fixtures.js';

/** A disk on which a file cannot be opened, or only not be read. */
function refusing(name: string, code: 'EACCES' | 'EIO'): Disk {
  const refuse = (): never => {
    throw Object.assign(new Error(`${code}: refused`), { code });
  };
  return {
    ...nodeDisk,
    open: (path) => {
      if (!path.endsWith(name)) return nodeDisk.open(path);
      if (code === 'EACCES') refuse();
      return { ...nodeDisk.open(path), read: refuse };
    },
    readText: (path) => (path.endsWith(name) ? refuse() : nodeDisk.readText(path)),
  };
}

async function recoverFrom(disk: Disk, dir: string) {
  const database = newDatabase();
  const warnings: string[] = [];
  const { lastZxid, snapshotZxid } = await recover(disk, openDataDir(disk, dir, dir, true), database, {
    maxEntry: MAX_ENTRY,
    trustEmptySnapshot: false,
    onWarning: (message) => warnings.push(message),
  });
  return { lastZxid, snapshotZxid, digest: database.tree.digest.toBigInt(), warnings };
}

for (const code of ['EACCES', 'EIO'] as const) {
  test(`instead of a snapshot that cannot be read (${code}) an older one is, if the log reaches from there`, async (t) => {
    const dir = copyOf(t, 'standalone-3.8.0');
    const all = await recoverFrom(nodeDisk, dir);
    assert.equal(all.snapshotZxid, 0x6c);
    const without = await recoverFrom(refusing('snapshot.6c', code), dir);
    assert.deepEqual([without.snapshotZxid, without.lastZxid, without.digest], [0x5a, all.lastZxid, all.digest]);
    assert.match(without.warnings.join(), new RegExp(`snapshot.6c: cannot be read: ${code}`));
    for (const log of ['log.5c', 'log.6d']) rmSync(join(dir, 'version-2', log));
    await assert.rejects(
      recoverFrom(refusing('snapshot.6c', code), dir),
      (e) => e instanceof StorageError && !e.isDamage && /snapshot.6c: cannot be read/.test(e.message),
    );
  });

  test(`a log that cannot be read (${code}) is named, and is no damage`, async (t) => {
    const dir = copyOf(t, 'standalone-3.8.0');
    await assert.rejects(
      recoverFrom(refusing('log.6d', code), dir),
      (e) => e instanceof StorageError && !e.isDamage && e.file === join(dir, 'version-2', 'log.6d'),
    );
  });

  test(`what is noted about logs keeps nobody from starting where it cannot be read (${code})`, async (t) => {
    const dir = copyOf(t, 'standalone-3.8.0');
    writeFileSync(join(dir, 'version-2', 'synced'), '');
    assert.deepEqual((await recoverFrom(refusing('synced', code), dir)).warnings, []);
  });
}

test('errors of a file that is open say which one it is', (t) => {
  const dir = temporaryDir(t);
  const file = nodeDisk.open(dir);
  const about = { code: 'EISDIR', path: dir, message: new RegExp(`read '${dir}'$`) };
  assert.throws(() => file.read(Buffer.alloc(1), 0, 1, 0), about);
  assert.throws(() => nodeDisk.readText(dir), about);
  file.close();
});

test('so do those of a snapshot that is written', { skip: !existsSync('/dev/full') }, async () => {
  const file = await nodeDisk.create('/dev/full');
  await assert.rejects(file.write(Buffer.alloc(1)), {
    code: 'ENOSPC',
    path: '/dev/full',
    message: /write '.dev.full'$/,
  });
  await file.close();
});
