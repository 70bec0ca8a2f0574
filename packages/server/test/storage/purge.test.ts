// Purging: the newest whole snapshots stay, with every log that one of them needs.
import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Disk, nodeDisk, openDataDir, purge, recover } from '../../dist/storage/index.js';
import { replaceHistory } from '../../dist/storage/rewrite.js';
import { copyOf, MAX_ENTRY, newDatabase, recoverDir } from './fixtures.js';

function open(dir: string) {
  return openDataDir(nodeDisk, dir, dir, true);
}

test('three snapshots stay and the logs that the oldest of them needs', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const deleted = await purge(nodeDisk, open(dir), 3);
  assert.deepEqual(deleted.sort(), [
    'log.1',
    'log.18',
    'log.29',
    'snapshot.0',
    'snapshot.17',
    'snapshot.28',
    'snapshot.34',
  ]);
  assert.deepEqual(readdirSync(join(dir, 'version-2')).sort(), [
    'log.36',
    'log.48',
    'log.5c',
    'log.6d',
    'snapshot.47',
    'snapshot.5a',
    'snapshot.6c',
  ]);
  assert.equal((await recoverDir(dir)).recovered.lastZxid, 0x7f);
});

test('a damaged snapshot does not count among those that stay', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const newest = join(dir, 'version-2', 'snapshot.6c');
  const bytes = readFileSync(newest);
  bytes[4000] = (bytes[4000] as number) ^ 1; // its end is intact: only the seal shows it
  writeFileSync(newest, bytes);
  const deleted = await purge(nodeDisk, open(dir), 3);
  assert.deepEqual(deleted.sort(), ['log.1', 'log.18', 'snapshot.0', 'snapshot.17', 'snapshot.28']);
  assert.equal((await recoverDir(dir)).recovered.lastZxid, 0x7f);
});

test('old files that are purged by another thread meanwhile are missed by nobody', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const dirs = open(dir);
  // As listed a moment before.
  const disk = { ...nodeDisk, list: (of: string) => [...nodeDisk.list(of), 'snapshot.1', 'log.1'] };
  await purge(nodeDisk, dirs, 3);
  const options = { maxEntry: MAX_ENTRY, trustEmptySnapshot: false, onWarning: () => {} };
  assert.equal((await recover(disk, dirs, newDatabase(), options)).lastZxid, 0x7f);
  replaceHistory(disk, dirs, 'snapshot.6c');
  assert.deepEqual(readdirSync(dirs.snapshots), ['snapshot.6c']);
});

test('all names are gone before space is given back, and logs, which may be being read, are never cut', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const dirs = open(dir);
  const log = openSync(join(dirs.logs, 'log.18'), 'r');
  t.after(() => closeSync(log));
  const { size } = fstatSync(log);
  const shrunk: string[][] = [];
  const disk: Disk = {
    ...nodeDisk,
    removeLarge: (path) => {
      nodeDisk.remove(path);
      return async () => {
        shrunk.push(readdirSync(dirs.snapshots));
      };
    },
  };
  await purge(disk, dirs, 3);
  const left = readdirSync(dirs.snapshots);
  assert.ok(!left.includes('log.18'));
  assert.deepEqual(shrunk, [left, left, left, left]);
  assert.equal(fstatSync(log).size, size);
});

test('nothing is deleted while there are fewer whole snapshots than shall stay', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  assert.deepEqual(await purge(nodeDisk, open(dir), 8), []);
});

test('nothing is deleted before the names of the snapshots that stay are durable', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const dirs = open(dir);
  const done: string[] = [];
  const removed = (): (() => Promise<void>) => {
    done.push('remove');
    return async () => {};
  };
  const disk = { ...nodeDisk, syncDir: (of: string) => done.push(of), remove: removed, removeLarge: removed };
  await purge(disk, dirs, 3);
  assert.deepEqual(done.slice(0, 2), [dirs.snapshots, 'remove']);
  const failing = {
    ...nodeDisk,
    syncDir: () => {
      throw new Error('EIO');
    },
  };
  const before = readdirSync(dirs.snapshots);
  await assert.rejects(purge(failing, dirs, 3), /EIO/);
  assert.deepEqual(readdirSync(dirs.snapshots), before);
});

test('a history that took the place of the one that is purged stays', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const dirs = open(dir);
  let replaced = false;
  const disk: Disk = {
    ...nodeDisk,
    // By another thread, when the snapshots have been read.
    syncDir: (of) => {
      if (!replaced) {
        replaced = true;
        replaceHistory(nodeDisk, dirs, 'snapshot.28');
      }
      nodeDisk.syncDir(of);
    },
  };
  assert.deepEqual(await purge(disk, dirs, 3), []);
  assert.deepEqual(readdirSync(dirs.snapshots), ['snapshot.28']);
});

test('a history that is about to take the place of the one that is purged stays', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const dirs = open(dir);
  const snapshot = readFileSync(join(dirs.snapshots, 'snapshot.28'));
  const disk: Disk = {
    ...nodeDisk,
    // By another thread, when the snapshots have been read: it has its name, and the others theirs for a moment more.
    syncDir: (of) => {
      writeFileSync(join(dirs.snapshots, 'snapshot.27'), snapshot);
      nodeDisk.syncDir(of);
    },
  };
  await purge(disk, dirs, 3);
  replaceHistory(nodeDisk, dirs, 'snapshot.27');
  assert.deepEqual(readdirSync(dirs.snapshots), ['snapshot.27']);
});
