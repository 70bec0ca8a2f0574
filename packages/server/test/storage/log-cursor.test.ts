// The log is read for learners while old files of it are purged.
import assert from 'node:assert/strict';
import { unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Disk, nodeDisk } from '../../dist/storage/index.js';
import { LogCursor } from '../../dist/storage/log-cursor.js';
import { LogBatch } from '../../dist/storage/txn-log.js';
import { logOf, temporaryDir } from './fixtures.js';

test('a log that is purged at the moment it is opened counts as the end', (t) => {
  const dir = temporaryDir(t);
  for (const zxid of [1, 2]) {
    const batch = new LogBatch();
    const entry = Buffer.alloc(40);
    entry.writeBigInt64BE(BigInt(zxid), 12);
    batch.append(entry, zxid);
    writeFileSync(join(dir, `log.${zxid}`), Buffer.concat([Buffer.alloc(16), batch.buf.subarray(0, batch.used)]));
  }
  const disk: Disk = {
    ...nodeDisk,
    open: (path) => {
      if (path.endsWith('log.2')) unlinkSync(path);
      return nodeDisk.open(path);
    },
  };
  const cursor = LogCursor.open(disk, dir, 1, 1e6);
  assert.equal(cursor?.next()?.zxid, 1);
  assert.equal(cursor?.next(), undefined);
});

test('damage in front of another file is told, and not read past', (t) => {
  const dir = temporaryDir(t);
  const entries = [1, 2].map((zxid) => {
    const entry = Buffer.alloc(40);
    entry.writeBigInt64BE(BigInt(zxid), 12);
    return entry;
  });
  const whole = logOf(1, entries);
  writeFileSync(join(dir, 'log.3'), logOf(3, []));
  for (const [damaged, at] of [
    [false, whole.length],
    [true, whole.length - 20],
  ] as const) {
    const bytes = Buffer.concat([whole, Buffer.alloc(100)]);
    if (damaged) bytes[at] = 1;
    writeFileSync(join(dir, 'log.1'), bytes);
    const cursor = LogCursor.open(nodeDisk, dir, 1, 1e6);
    assert.equal(cursor?.next()?.zxid, 1);
    assert.equal(cursor.next()?.zxid, damaged ? undefined : 2);
    assert.equal(cursor.next(), undefined);
    assert.equal(cursor.damaged, damaged);
    cursor.close();
  }
});

test('a log that the system does not let be read is told of, and counts as damaged', (t) => {
  const dir = temporaryDir(t);
  writeFileSync(join(dir, 'log.1'), logOf(1, []));
  const refuse = (): never => {
    throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  };
  for (const disk of [
    { ...nodeDisk, open: refuse },
    { ...nodeDisk, open: (path: string) => ({ ...nodeDisk.open(path), read: refuse }) },
  ]) {
    const warnings: string[] = [];
    const cursor = LogCursor.open(disk, dir, 1, 1e6, (message) => warnings.push(message));
    assert.equal(cursor?.next(), undefined);
    assert.equal(cursor?.damaged, true);
    assert.match(warnings.join(), /log\.1 cannot be read for a learner: EIO/);
    cursor.close();
  }
});
