// Reading logs: every record of the captured ones, and damage that must not pass for a torn tail.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeRuntime } from '../../dist/runtime.js';
import { nodeDisk, readLog, StorageError, TxnLog } from '../../dist/storage/index.js';
import { FIXTURES, MAX_ENTRY, temporaryDir } from './fixtures.js';

async function logOf(dir: string, sizes: readonly number[], forceSync = false): Promise<Buffer> {
  const log = new TxnLog(
    nodeDisk,
    dir,
    0,
    { preAllocBytes: 0, forceSync, sizeLimitBytes: 0, idleFlushMs: 0, flushDelayMs: 0, maxBatchSize: 1000 },
    { onDurable: () => {}, onFatal: (e) => assert.fail(e), onSync: () => {} },
    nodeRuntime,
  );
  sizes.forEach((size, i) => {
    const entry = Buffer.alloc(size, 0x11);
    entry.writeInt32BE(0, 12);
    entry.writeUInt32BE(i + 1, 16);
    log.append(entry, i + 1);
  });
  await log.close();
  return readFileSync(join(dir, 'log.1'));
}

function count(dir: string, maxEntry = MAX_ENTRY): { records: number; torn: string | undefined } {
  const { records, torn } = readLog(nodeDisk, dir, 'log.1', maxEntry, () => {});
  return { records, torn };
}

test("every record of Apache's logs is read, up to where the server's own list says they end", () => {
  const { logs } = JSON.parse(readFileSync(join(FIXTURES, 'standalone-3.8.0/expected.json'), 'utf8')) as {
    logs: { file: string; records: number; firstZxid: string; lastZxid: string; endOffset: number }[];
  };
  assert.equal(logs.length, 7);
  for (const expected of logs) {
    const zxids: number[] = [];
    const end = readLog(
      nodeDisk,
      join(FIXTURES, 'standalone-3.8.0/version-2'),
      expected.file,
      MAX_ENTRY,
      (_buf, _start, _end, zxid) => zxids.push(zxid),
    );
    assert.deepEqual(
      [zxids.length, end.records, zxids[0], zxids[zxids.length - 1], end.offset, end.torn],
      [
        expected.records,
        expected.records,
        Number(expected.firstZxid),
        Number(expected.lastZxid),
        expected.endOffset,
        undefined,
      ],
      expected.file,
    );
  }
});

test('a whole record larger than is allowed is refused, not cut', async (t) => {
  const dir = temporaryDir(t);
  await logOf(dir, [100, 5000]);
  assert.equal(count(dir, 5000).records, 2);
  assert.throws(
    () => count(dir, 4999),
    (e) => e instanceof StorageError && /5000 bytes/.test(e.message) && /jute.maxbuffer/.test(e.remedy),
  );
});

test('a valid record is found behind damage and behind more zeros than the reader holds at once', async (t) => {
  const dir = temporaryDir(t);
  const whole = await logOf(dir, [100, 100, 100]);
  const second = 16 + 113;
  const third = second + 113;
  for (const gap of [0, 1, 63, 3_000_001, 9_000_003]) {
    writeFileSync(
      join(dir, 'log.1'),
      Buffer.concat([whole.subarray(0, second), Buffer.alloc(113 + gap), whole.subarray(third)]),
    );
    assert.throws(
      () => count(dir, 1000),
      (e) => e instanceof StorageError && e.offset === second,
      `${gap} zeros`,
    );
    const noise = Buffer.alloc(113 + gap, 0x33);
    writeFileSync(join(dir, 'log.1'), Buffer.concat([whole.subarray(0, second), noise, whole.subarray(third)]));
    assert.throws(
      () => count(dir, 1000),
      (e) => e instanceof StorageError && e.offset === second,
      `${gap} bytes of noise`,
    );
  }
});

test('a valid record is found however far behind damage it stands', async (t) => {
  const dir = temporaryDir(t);
  const whole = await logOf(dir, [100, 100, 100]);
  const second = 16 + 113;
  writeFileSync(join(dir, 'log.1'), whole.subarray(0, second));
  const fd = openSync(join(dir, 'log.1'), 'r+');
  writeSync(fd, whole, second + 113, 113, 300 * 1024 * 1024 + 1); // a sparse file: this takes no space
  closeSync(fd);
  assert.throws(
    () => count(dir),
    (e) => e instanceof StorageError && e.offset === second,
  );
});

test('an older record behind the end, left from a longer use of the space, is no reason to refuse', async (t) => {
  const dir = temporaryDir(t);
  const whole = await logOf(dir, [100, 100]);
  const second = 16 + 113;
  writeFileSync(join(dir, 'log.1'), Buffer.concat([whole, Buffer.alloc(300, 1), whole.subarray(16, second)]));
  assert.equal(count(dir).records, 2);
});

test('each flipped byte of a record in front of another is refused; of the last one where nothing else is missing', async (t) => {
  const dir = temporaryDir(t);
  const whole = await logOf(dir, [60, 60, 60]);
  for (let record = 0; record < 3; record++) {
    const start = 16 + record * 73;
    for (let at = start; at < start + 73; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] as number) ^ 0x40;
      writeFileSync(join(dir, 'log.1'), damaged);
      const isLength = at >= start + 8 && at < start + 12;
      const isEnd = at === start + 72;
      if (record < 2 || !(isLength || isEnd)) assert.throws(() => count(dir), StorageError, `byte ${at}`);
      else {
        const { records, torn } = count(dir);
        assert.equal(records, 2, `byte ${at}`);
        assert.notEqual(torn, undefined);
      }
    }
  }
});

test('a batch of which a sector was never written is cut, later records of it or not', async (t) => {
  const dir = temporaryDir(t);
  const whole = await logOf(dir, [60, 900, 900, 60]);
  const second = 16 + 73;
  for (const sector of [0, 512, 1024, 1536]) {
    const damaged = Buffer.from(whole);
    damaged.fill(0, Math.max(second, sector), Math.min(damaged.length, sector + 512));
    writeFileSync(join(dir, 'log.1'), damaged);
    const { records, torn } = count(dir);
    assert.ok(records >= 1 && records < 4, `sector at ${sector}`);
    assert.notEqual(torn, undefined);
  }
});

test('a sector that is missing with more behind it than one write is damage: what follows was acknowledged', async (t) => {
  const dir = temporaryDir(t);
  const whole = await logOf(dir, [900, ...Array.from({ length: 6 }, () => 1_000_000)]);
  const damaged = Buffer.from(whole);
  damaged.fill(0, 512, 1024);
  writeFileSync(join(dir, 'log.1'), damaged);
  assert.throws(() => count(dir), /damaged in the middle/);
});

test('what was noted as durable is damaged, not torn, however it is lost', async (t) => {
  const dir = temporaryDir(t);
  const whole = await logOf(dir, [60, 900, 900, 60], true);
  const second = 16 + 73;
  const third = second + 913;
  const last = third + 913;
  const lose = (from: number, to: number): Buffer => Buffer.from(whole).fill(0, from, to);
  const refused = (): void =>
    assert.throws(
      () => count(dir),
      (e) => e instanceof StorageError && e.isDamage,
    );
  // A sector, the body of the last record, its end.
  for (const damaged of [lose(512, 1024), lose(last + 12, last + 72), lose(last + 72, last + 73)]) {
    writeFileSync(join(dir, 'log.1'), damaged);
    refused();
  }
  // The last record's length or its whole head.
  const flipped = Buffer.from(whole);
  flipped.writeUInt8(1, last + 9);
  for (const damaged of [flipped, lose(last, last + 12), whole.subarray(0, 0), whole.subarray(0, 15)]) {
    writeFileSync(join(dir, 'log.1'), damaged);
    refused();
  }
  // A mark for a record that is not there is one of another history, and tells nothing.
  for (const damaged of [lose(512, whole.length), whole.subarray(0, third + 20)]) {
    writeFileSync(join(dir, 'log.1'), damaged);
    assert.notEqual(count(dir).torn, undefined);
  }
});

test('what follows the last mark is torn as before', async (t) => {
  const dir = temporaryDir(t);
  const whole = await logOf(dir, [60, 900], true);
  const more = Buffer.concat([whole, whole.subarray(16 + 73)]);
  more.writeUInt32BE(3, whole.length + 12 + 16);
  more.fill(0, whole.length + 300);
  writeFileSync(join(dir, 'log.1'), more);
  assert.deepEqual(count(dir).records, 2);
  assert.notEqual(count(dir).torn, undefined);
});
