// Cutting the log: what is cut does not come back, and what cannot be cut stays as it is.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { DataDir } from '../../dist/storage/data-dir.js';
import type { Disk } from '../../dist/storage/disk.js';
import { LogCursor } from '../../dist/storage/log-cursor.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { finishReplacing, replaceHistory, truncateLog } from '../../dist/storage/rewrite.js';
import { LOG_MAGIC, LOG_VERSION, LogBatch } from '../../dist/storage/txn-log.js';
import { dataDir } from '../server/raw-client.js';
import { until } from '../server/until.js';

const EPOCH = 2 ** 32;
const MAX = 1024 * 1024;

/** A data directory with empty snapshots of some zxids, and logs that begin with the first of some zxids. */
function filesOf(t: TestContext, snapshots: readonly number[], logs: readonly (readonly number[])[]): DataDir {
  const dir = dataDir(t);
  const files = join(dir, 'version-2');
  mkdirSync(files);
  for (const zxid of snapshots) writeFileSync(join(files, `snapshot.${zxid.toString(16)}`), '');
  for (const zxids of logs) {
    const header = Buffer.alloc(16);
    header.writeInt32BE(LOG_MAGIC, 0);
    header.writeInt32BE(LOG_VERSION, 4);
    const batch = new LogBatch();
    for (const zxid of zxids) {
      const entry = Buffer.alloc(40);
      entry.writeBigInt64BE(BigInt(zxid), 12);
      batch.append(entry, zxid);
    }
    const name = `log.${(zxids[0] ?? 0).toString(16)}`;
    writeFileSync(join(files, name), Buffer.concat([header, batch.buf.subarray(0, batch.used), Buffer.alloc(100)]));
  }
  return { dataDir: dir, dataLogDir: dir, snapshots: files, logs: files };
}

function logged(dirs: DataDir): number[] {
  const out: number[] = [];
  const all = LogCursor.open(nodeDisk, dirs.logs, EPOCH + 1, Number.MAX_SAFE_INTEGER);
  for (let next = all?.next(); next !== undefined; next = all?.next()) out.push(next.zxid);
  all?.close();
  return out;
}

const snapshotsIn = (dirs: DataDir): string[] => readdirSync(dirs.snapshots).filter((name) => name.startsWith('snap'));

test('what follows a transaction goes, in its file and in later ones, with the snapshots of it', (t) => {
  const dirs = filesOf(t, [0, EPOCH + 2, EPOCH + 4], [[EPOCH + 1, EPOCH + 2, EPOCH + 3], [EPOCH + 4], [2 * EPOCH + 1]]);
  assert.equal(truncateLog(nodeDisk, dirs, EPOCH + 2, MAX), true);
  assert.deepEqual(logged(dirs), [EPOCH + 1, EPOCH + 2]);
  assert.deepEqual(snapshotsIn(dirs), ['snapshot.0', `snapshot.${(EPOCH + 2).toString(16)}`]);
});

test('the log is cut at an epoch’s start that only a snapshot shows', (t) => {
  const dirs = filesOf(t, [0, 2 * EPOCH], [[EPOCH + 1, EPOCH + 2, 2 * EPOCH + 1, 2 * EPOCH + 2], [2 * EPOCH + 3]]);
  assert.equal(truncateLog(nodeDisk, dirs, 2 * EPOCH, MAX), true);
  assert.deepEqual(logged(dirs), [EPOCH + 1, EPOCH + 2]);
});

test('nothing changes where the transaction is not known, or no snapshot is as old', (t) => {
  for (const [snapshots, zxid] of [
    [[0], EPOCH + 7],
    [[EPOCH + 2], EPOCH + 1],
  ] as const) {
    const dirs = filesOf(t, snapshots, [[EPOCH + 1, EPOCH + 2, 2 * EPOCH + 1]]);
    assert.equal(truncateLog(nodeDisk, dirs, zxid, MAX), false);
    assert.deepEqual(logged(dirs), [EPOCH + 1, EPOCH + 2, 2 * EPOCH + 1]);
    assert.equal(snapshotsIn(dirs).length, 1);
  }
});

test('a replacement that was interrupted goes on, unless another server has written since', (t) => {
  for (const [since, left] of [
    [undefined, [2]],
    [`log.${(EPOCH + 9).toString(16)}`, [0, 2]],
  ] as const) {
    const dirs = filesOf(t, [0, 2], [[EPOCH + 1], [EPOCH + 2]]);
    let removed = 0;
    const dying: Disk = {
      ...nodeDisk,
      remove: (path) => {
        if (removed++ === 1) throw new Error('the end');
        nodeDisk.remove(path);
      },
    };
    assert.throws(() => replaceHistory(dying, dirs, 'snapshot.2'), /the end/);
    if (since !== undefined) writeFileSync(join(dirs.logs, since), '');
    finishReplacing(nodeDisk, dirs);
    assert.deepEqual(
      snapshotsIn(dirs).sort(),
      left.map((zxid) => `snapshot.${zxid}`),
    );
    assert.equal(readdirSync(dirs.logs).includes('replaced-by'), false);
    finishReplacing(nodeDisk, dirs);
  }
});

for (const [how, due] of [
  ['replaced', 'name name name name name durable space space space space space'],
  ['cut', 'name name durable name name durable space space space space'],
] as const) {
  test(`the space of what is ${how} is given back by and by, once the names are gone for good`, async (t) => {
    const dirs = filesOf(t, [0, EPOCH + 2, 2 * EPOCH], [[EPOCH + 1], [EPOCH + 2], [EPOCH + 3]]);
    const done: string[] = [];
    const disk: Disk = {
      ...nodeDisk,
      removeLarge: (path) => {
        done.push('name');
        const free = nodeDisk.removeLarge(path);
        return async () => {
          await free();
          done.push('space');
        };
      },
      syncDir: (dir) => {
        nodeDisk.syncDir(dir);
        if (done.at(-1) === 'name') done.push('durable');
      },
    };
    if (how === 'replaced') replaceHistory(disk, dirs, `snapshot.${(2 * EPOCH).toString(16)}`);
    else assert.ok(truncateLog(disk, dirs, EPOCH + 1, MAX));
    assert.equal(done.at(-1), 'durable', 'nobody waits for it');
    await until(() => done.length === due.split(' ').length);
    assert.equal(done.join(' '), due);
  });
}

test('files do not give way to a snapshot that somebody has removed', (t) => {
  const dirs = filesOf(t, [1], [[2, 3]]);
  assert.throws(() => replaceHistory(nodeDisk, dirs, 'snapshot.2'), /snapshot\.2 has gone/);
  assert.deepEqual(readdirSync(dirs.logs).sort(), ['log.2', 'snapshot.1']);
});
