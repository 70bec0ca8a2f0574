// What a crash leaves behind the last record is cut off at start, so that the next file goes on cleanly and Apache's servers start too.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeDisk, openDataDir, recover } from '../../dist/storage/index.js';
import { copyOf, FIXTURES, MAX_ENTRY, newDatabase } from './fixtures.js';

async function recoverWith(dir: string, readOnly: boolean) {
  const dirs = openDataDir(nodeDisk, dir, dir, true);
  const warnings: string[] = [];
  const recovered = await recover(nodeDisk, dirs, newDatabase(), {
    maxEntry: MAX_ENTRY,
    trustEmptySnapshot: false,
    onWarning: (message) => warnings.push(message),
    readOnly,
  });
  return { recovered, warnings };
}

for (const variant of ['cut', 'zeroed', 'noeor', 'lenhuge', 'lenneg']) {
  test(`the torn tail of '${variant}' is cut once; a tool that only reads leaves it`, async (t) => {
    const dir = copyOf(t, 'standalone-3.8.0');
    const log = join(dir, 'version-2', 'log.6d');
    copyFileSync(join(FIXTURES, 'damaged', variant, 'log.6d'), log);
    const before = readFileSync(log);
    const { recovered: looked } = await recoverWith(dir, true);
    assert.ok(readFileSync(log).equals(before));
    const { recovered, warnings } = await recoverWith(dir, false);
    assert.deepEqual(recovered, looked);
    assert.equal(warnings.length, 1);
    assert.equal(recovered.tornTail?.file, 'log.6d');
    assert.equal(statSync(log).size, recovered.tornTail.offset);
    assert.ok(readFileSync(log).equals(before.subarray(0, recovered.tornTail.offset)));
    const again = await recoverWith(dir, false);
    assert.equal(again.recovered.lastZxid, recovered.lastZxid);
    assert.equal(again.recovered.tornTail, undefined);
    assert.deepEqual(again.warnings, []);
  });
}

for (const variant of ['emptytail', 'hdrpartial']) {
  test(`the log without a header of '${variant}' is removed`, async (t) => {
    const dir = copyOf(t, 'standalone-3.8.0');
    const log = join(dir, 'version-2', 'log.80');
    copyFileSync(join(FIXTURES, 'damaged', variant, 'log.80'), log);
    await recoverWith(dir, true);
    assert.ok(existsSync(log));
    const { recovered, warnings } = await recoverWith(dir, false);
    assert.equal(recovered.lastZxid, 0x7f);
    assert.equal(warnings.length, 1, 'it is told');
    assert.match(warnings[0] ?? '', /^log\.80 at offset 0: an /);
    assert.ok(!existsSync(log));
  });
}

test('a log that is not damaged keeps its padding', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  await recoverWith(dir, false);
  assert.equal(statSync(join(dir, 'version-2', 'log.6d')).size, 16400);
});

test('what a failed write may have left in the system’s cache is written once more before it counts', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const log = join(dir, 'version-2', 'log.6d');
  const before = readFileSync(log);
  const rewritten: [string, number, number][] = [];
  const disk = {
    ...nodeDisk,
    rewrite: (path: string, from: number, to: number) => {
      rewritten.push([path, from, to]);
      nodeDisk.rewrite(path, from, to);
    },
  };
  const dirs = openDataDir(disk, dir, dir, true);
  const options = { maxEntry: MAX_ENTRY, trustEmptySnapshot: false, onWarning: () => {} };
  await recover(disk, dirs, newDatabase(), options);
  assert.deepEqual(rewritten, [[log, 0, 1538]]);
  assert.ok(readFileSync(log).equals(before));
});
