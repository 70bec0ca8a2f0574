// The epoch files after crashes.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { DataDir } from '../../dist/storage/data-dir.js';
import { Epochs } from '../../dist/storage/epochs.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { dataDir } from '../server/raw-client.js';

const EPOCH = 2 ** 32;

function filesOf(t: TestContext, files: Record<string, string>): DataDir {
  const dir = dataDir(t);
  const snapshots = join(dir, 'version-2');
  mkdirSync(snapshots);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(snapshots, name), text);
  return { dataDir: dir, dataLogDir: dir, snapshots, logs: snapshots };
}

const open = (dirs: DataDir, zxid: number): Epochs => new Epochs(nodeDisk, dirs, zxid, () => {});

test('an epoch that was about to be written, its history being there, is taken', (t) => {
  const dirs = filesOf(t, { acceptedEpoch: '5', currentEpoch: '4', 'currentEpoch.tmp': '5' });
  assert.equal(open(dirs, 5 * EPOCH + 3).current, 5);
  assert.equal(open(dirs, 5 * EPOCH + 3).current, 5);
});

for (const text of ['', '1x', '\0\0']) {
  test(`a server starts where the power failed while it wrote its epoch: ${JSON.stringify(text)}`, (t) => {
    const dirs = filesOf(t, { acceptedEpoch: '5', currentEpoch: '4', 'currentEpoch.tmp': text });
    assert.equal(open(dirs, 5 * EPOCH + 3).current, 4);
  });
}

test('what a crash left of an epoch does not speak for a history that came later', (t) => {
  const dirs = filesOf(t, { acceptedEpoch: '7', currentEpoch: '4', 'currentEpoch.tmp': '7' });
  assert.equal(open(dirs, 4 * EPOCH + 9).current, 4);
  // Of a later leader's history only the beginning was received: to claim epoch 7 with it would win over all of epoch 5.
  assert.equal(open(dirs, 5 * EPOCH + 1).current, 4);
  assert.equal(open(dirs, 5 * EPOCH + 1).current, 4);
});

for (const end of ['', '\n', '\r\n', '\r', '\r\nmore']) {
  test(`an epoch is read from the first line, as Java reads lines: ${JSON.stringify(end)}`, (t) => {
    const dirs = filesOf(t, { acceptedEpoch: `5${end}`, currentEpoch: `4${end}` });
    const epochs = open(dirs, 4 * EPOCH + 3);
    assert.deepEqual([epochs.accepted, epochs.current], [5, 4]);
  });
}

test('an epoch that the log has counts as accepted, whatever an old copy of the file says', (t) => {
  const dirs = filesOf(t, { acceptedEpoch: '1', currentEpoch: '1' });
  assert.deepEqual([open(dirs, 3 * EPOCH + 4).accepted, open(dirs, 3 * EPOCH + 4).current], [3, 1]);
  assert.equal(open(dirs, EPOCH).accepted, 3, 'from then on');
});

test('an epoch that zxids cannot hold is none', (t) => {
  for (const name of ['acceptedEpoch', 'currentEpoch']) {
    for (const epoch of ['2097152', '99999999999999999999']) {
      const dirs = filesOf(t, { acceptedEpoch: '5', currentEpoch: '5', [name]: epoch });
      const path = join(dirs.snapshots, name);
      const expected = {
        name: 'StorageError',
        message: new RegExp(`^${path} at offset 0: '${epoch}' is no epoch\\. `),
      };
      assert.throws(() => open(dirs, 5 * EPOCH + 3), expected);
    }
  }
  const last = filesOf(t, { acceptedEpoch: '2097151', currentEpoch: '5' });
  assert.equal(open(last, 5 * EPOCH + 3).accepted, 2097151);
});
