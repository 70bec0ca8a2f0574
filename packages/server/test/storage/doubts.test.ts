// Whether something is missing: what digests tell of an epoch's end, and snapshots and logs that only their names tell of.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nodeDisk, openDataDir, type RecoveryTarget, recover } from '../../dist/storage/index.js';
import { replaceHistory, truncateLog } from '../../dist/storage/rewrite.js';
import { mustRejoin, recoverWhatIsWhole } from '../../dist/storage/set-aside.js';
import { copyOf, logOf, MAX_ENTRY, newDatabase, snapshotOf, temporaryDir } from './fixtures.js';

const EPOCH = 2 ** 32;

/** What the entries of a run tell by their digests. */
type Digest = 'fits' | 'differs' | 'none';

/** A tree of which only the digests matter. */
class Target implements RecoveryTarget {
  digestMismatches = 0;
  digestComparisons = 0;
  snapshotMismatches = false;
  readonly applied: number[] = [];
  private readonly digests: ReadonlyMap<number, Digest>;

  constructor(digests: ReadonlyMap<number, Digest>, snapshotMismatches: boolean) {
    this.digests = digests;
    this.snapshotMismatches = snapshotMismatches;
  }

  reset(): void {}
  snapshotLoaded(): void {}
  session(): void {}
  acl(): void {}
  node(): void {}
  digest(): void {}

  apply(_buf: Buffer, _start: number, _end: number, zxid: number): void {
    const digest = this.digests.get(zxid) ?? 'none';
    if (digest !== 'none') this.digestComparisons++;
    if (digest === 'differs') this.digestMismatches++;
    this.applied.push(zxid);
  }
}

/** Recovers two epochs of two transactions each. */
async function twoEpochs(t: TestContext, digests: readonly Digest[], snapshotMismatches = false) {
  const dir = temporaryDir(t);
  const dirs = openDataDir(nodeDisk, dir, dir, true);
  const zxids = [EPOCH + 1, EPOCH + 2, 2 * EPOCH + 1, 2 * EPOCH + 2];
  const entries = zxids.map((zxid) => {
    const entry = Buffer.alloc(40);
    entry.writeBigInt64BE(BigInt(zxid), 12);
    return entry;
  });
  writeFileSync(join(dirs.snapshots, 'snapshot.0'), snapshotOf([], [{ path: '' }]));
  writeFileSync(join(dirs.logs, 'log.100000001'), logOf(EPOCH + 1, entries.slice(0, 2)));
  writeFileSync(join(dirs.logs, 'log.200000001'), logOf(2 * EPOCH + 1, entries.slice(2)));
  const warnings: string[] = [];
  const target = new Target(new Map(zxids.map((zxid, i) => [zxid, digests[i] ?? 'none'])), snapshotMismatches);
  const onWarning = (message: string): void => void warnings.push(message);
  await recover(nodeDisk, dirs, target, { maxEntry: MAX_ENTRY, trustEmptySnapshot: false, onWarning });
  return { applied: target.applied, warnings };
}

const MISSING = /0x100000002 was the last of its epoch.* transactions are missing/;

test('the first digest after an epoch’s end tells whether something is missing there', async (t) => {
  assert.deepEqual((await twoEpochs(t, ['fits', 'fits', 'fits', 'differs'])).warnings, []);
  await assert.rejects(twoEpochs(t, ['fits', 'fits', 'differs', 'differs']), MISSING);
});

test('an entry without a digest settles nothing', async (t) => {
  await assert.rejects(twoEpochs(t, ['fits', 'fits', 'none', 'differs']), MISSING);
});

test('where digests did not match before, one that does not match shows nothing', async (t) => {
  for (const [digests, snapshotMismatches] of [
    [['differs', 'differs', 'differs', 'differs'], false],
    [['none', 'none', 'differs', 'differs'], true],
  ] as const) {
    const { applied, warnings } = await twoEpochs(t, digests, snapshotMismatches);
    assert.equal(applied.length, 4);
    assert.match(warnings.join(), /nor does the digest of 0x200000001/);
  }
});

/** A member that joined epoch 2 by a snapshot of its beginning, which is damaged, with older files beside it. */
function joinedBySnapshot(t: TestContext, currentEpoch: number) {
  const dir = temporaryDir(t);
  const files = join(dir, 'version-2');
  mkdirSync(files);
  const entry = Buffer.alloc(40);
  entry.writeBigInt64BE(BigInt(EPOCH + 1), 12);
  entry.writeInt32BE(-1, 28);
  writeFileSync(join(files, 'snapshot.0'), snapshotOf([], [{ path: '' }]));
  writeFileSync(join(files, 'log.100000001'), logOf(EPOCH + 1, [entry]));
  writeFileSync(join(files, 'snapshot.200000000'), snapshotOf([], [{ path: '' }]).subarray(0, -3));
  writeFileSync(join(files, 'currentEpoch'), `${currentEpoch}`);
  return openDataDir(nodeDisk, dir, dir, true);
}

test('a damaged snapshot of an epoch’s beginning is missed if the server has joined that epoch', async (t) => {
  const options = { maxEntry: MAX_ENTRY, trustEmptySnapshot: false, onWarning: () => {} };
  await assert.rejects(
    recover(nodeDisk, joinedBySnapshot(t, 2), newDatabase(), options),
    /snapshot\.200000000: the snapshot is damaged, and without it the data end at 0x100000001/,
  );
  const warnings: string[] = [];
  const onWarning = (message: string): void => void warnings.push(message);
  const { lastZxid } = await recover(nodeDisk, joinedBySnapshot(t, 1), newDatabase(), { ...options, onWarning });
  assert.equal(lastZxid, EPOCH + 1);
  assert.match(warnings.join(), /snapshot\.200000000 is no whole snapshot/);
});

test('what was set aside before stays when the same file is damaged again', async (t) => {
  const dirs = joinedBySnapshot(t, 2);
  const options = { maxEntry: MAX_ENTRY, trustEmptySnapshot: false, onWarning: () => {} };
  const path = join(dirs.snapshots, 'snapshot.200000000');
  const first = readFileSync(path);
  await recoverWhatIsWhole(nodeDisk, dirs, newDatabase(), options);
  writeFileSync(path, first.subarray(0, -1));
  await recoverWhatIsWhole(nodeDisk, dirs, newDatabase(), options);
  const aside = readdirSync(dirs.snapshots).filter((name) => name.startsWith('damaged.'));
  assert.deepEqual(aside.sort(), ['damaged.snapshot.200000000', 'damaged.snapshot.200000000.2']);
  assert.deepEqual(readFileSync(join(dirs.snapshots, 'damaged.snapshot.200000000')), first);
});

test('a log whose header is gone is set aside whole, and once', async (t) => {
  for (const left of [0, 7, 16]) {
    const dir = copyOf(t, 'standalone-3.8.0');
    const dirs = openDataDir(nodeDisk, dir, dir, true);
    const log = join(dirs.logs, 'log.6d');
    const whole = readFileSync(log);
    const damaged = left === 16 ? Buffer.alloc(whole.length) : whole.subarray(0, left);
    writeFileSync(log, damaged);
    writeFileSync(join(dirs.logs, 'synced'), 'log.6d 16 80 12345678\n');
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    await recoverWhatIsWhole(nodeDisk, dirs, newDatabase(), {
      maxEntry: MAX_ENTRY,
      trustEmptySnapshot: false,
      onWarning,
    });
    assert.deepEqual(
      readdirSync(dirs.logs).filter((name) => name.includes('log.6d')),
      ['damaged.log.6d'],
    );
    assert.deepEqual(readFileSync(join(dirs.logs, 'damaged.log.6d')), damaged);
    assert.match(warnings.join(), /log\.6d at offset 0: .*set aside: damaged\.log\.6d\. /);
  }
});

/** Logs of one failed transaction each, and a note that tells of durable records in others as well. */
function withNoteOf(t: TestContext, logs: readonly number[], noted: readonly number[]) {
  const dir = temporaryDir(t);
  const dirs = openDataDir(nodeDisk, dir, dir, true);
  writeFileSync(join(dirs.snapshots, 'snapshot.0'), snapshotOf([], [{ path: '' }]));
  for (const zxid of logs) {
    const entry = Buffer.alloc(40);
    entry.writeBigInt64BE(BigInt(zxid), 12);
    entry.writeInt32BE(-1, 28);
    writeFileSync(join(dirs.logs, `log.${zxid.toString(16)}`), logOf(zxid, [entry]));
  }
  const lines = noted.map((zxid) => `log.${zxid.toString(16)} 16 80 12345678\n`);
  writeFileSync(join(dirs.logs, 'synced'), lines.join(''));
  return dirs;
}

test('a log that is gone and went further than what is left is missed', async (t) => {
  const warnings: string[] = [];
  const onWarning = (message: string): void => void warnings.push(message);
  const options = { maxEntry: MAX_ENTRY, trustEmptySnapshot: false, onWarning };
  const dirs = withNoteOf(t, [EPOCH + 1], [EPOCH + 1, EPOCH + 2]);
  await assert.rejects(
    recover(nodeDisk, dirs, newDatabase(), options),
    /log\.100000002: the log is gone, and without it the data end at 0x100000001: .*take \S+synced away/,
  );
  const { lastZxid } = await recoverWhatIsWhole(nodeDisk, dirs, newDatabase(), options);
  assert.equal(lastZxid, EPOCH + 1);
  assert.match(warnings.join(), /set aside: damaged\.synced\. /);
  assert.ok(mustRejoin(nodeDisk, dirs));
});

test('a log that was purged is not missed, nor one that was set aside or taken back', async (t) => {
  const options = { maxEntry: MAX_ENTRY, trustEmptySnapshot: false, onWarning: () => {} };
  const purged = withNoteOf(t, [EPOCH + 2], [EPOCH + 1, EPOCH + 2]);
  writeFileSync(join(purged.snapshots, 'snapshot.100000001'), snapshotOf([], [{ path: '' }]));
  assert.equal((await recover(nodeDisk, purged, newDatabase(), options)).lastZxid, EPOCH + 2);

  const covered = withNoteOf(t, [], [EPOCH + 1]);
  writeFileSync(join(covered.snapshots, 'snapshot.100000001'), snapshotOf([], [{ path: '' }]));
  assert.equal((await recover(nodeDisk, covered, newDatabase(), options)).lastZxid, EPOCH + 1);

  const aside = withNoteOf(t, [EPOCH + 1, EPOCH + 2, EPOCH + 3], [EPOCH + 1, EPOCH + 2, EPOCH + 3]);
  writeFileSync(join(aside.logs, 'log.100000002'), '');
  assert.equal((await recoverWhatIsWhole(nodeDisk, aside, newDatabase(), options)).lastZxid, EPOCH + 1);
  const names = readdirSync(aside.logs).filter((name) => name.startsWith('damaged.'));
  assert.deepEqual(names.sort(), ['damaged.log.100000002', 'damaged.log.100000003']);

  const cut = withNoteOf(t, [EPOCH + 1, EPOCH + 2], [EPOCH + 1, EPOCH + 2]);
  assert.ok(truncateLog(nodeDisk, cut, EPOCH + 1, MAX_ENTRY));
  assert.equal((await recover(nodeDisk, cut, newDatabase(), options)).lastZxid, EPOCH + 1);

  const replaced = withNoteOf(t, [EPOCH + 1, EPOCH + 2], [EPOCH + 1, EPOCH + 2]);
  writeFileSync(join(replaced.snapshots, 'snapshot.100000001'), snapshotOf([], [{ path: '' }]));
  replaceHistory(nodeDisk, replaced, 'snapshot.100000001');
  assert.equal((await recover(nodeDisk, replaced, newDatabase(), options)).lastZxid, EPOCH + 1);

  // A line of a log that was purged stays until the note is written again, and the leader's history may end before it.
  const shorter = withNoteOf(t, [EPOCH + 6], [EPOCH + 4, EPOCH + 6]);
  writeFileSync(join(shorter.snapshots, 'snapshot.100000001'), snapshotOf([], [{ path: '' }]));
  replaceHistory(nodeDisk, shorter, 'snapshot.100000001');
  assert.equal((await recover(nodeDisk, shorter, newDatabase(), options)).lastZxid, EPOCH + 1);
});

test('logs that somebody took away with all else are not missed by a server that began anew', async (t) => {
  const options = { maxEntry: MAX_ENTRY, trustEmptySnapshot: false, onWarning: () => {} };
  const dirs = withNoteOf(t, [], [EPOCH + 1]);
  const first = join(dirs.snapshots, 'snapshot.0');
  const begin = readFileSync(first);
  rmSync(first);
  await recover(nodeDisk, dirs, newDatabase(), { ...options, readOnly: true });
  const noted = readFileSync(join(dirs.logs, 'synced'), 'utf8');
  assert.match(noted, /^log\.100000001 /, 'who only reads changes nothing');
  assert.equal((await recover(nodeDisk, dirs, newDatabase(), options)).fresh, true);
  writeFileSync(first, begin);
  assert.equal((await recover(nodeDisk, dirs, newDatabase(), options)).lastZxid, 0);
});
