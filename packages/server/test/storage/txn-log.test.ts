// The log on a disk that the test holds in its hand: what is written when, what counts as durable, what a failure does.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';
import { type Disk, type LogBatch, nodeDisk, readLog, TxnLog, type TxnLogOptions } from '../../dist/storage/index.js';
import { LARGEST_UNDER_WAY } from '../../dist/storage/txn-log.js';
import { MAX_ENTRY, temporaryDir } from './fixtures.js';

const OPTIONS: TxnLogOptions = {
  preAllocBytes: 0,
  forceSync: true,
  sizeLimitBytes: 0,
  flushDelayMs: 0,
  idleFlushMs: 0,
  maxBatchSize: 1000,
};

/** A log entry: a header with the zxid and filler. */
function entry(zxid: number, size = 60): Buffer {
  const buf = Buffer.alloc(size, 0x5a);
  buf.writeInt32BE(0, 12);
  buf.writeUInt32BE(zxid, 16);
  return buf;
}

interface Operation {
  what: 'create' | 'write' | 'names' | 'zero' | 'close';
  file: string;
  position: number;
  length: number;
  data: Buffer;
  /** What the buffers that were given hold by now. */
  now(): Buffer;
  /** Lets the operation end. */
  end(error?: Error): void;
}

/** Operations wait until the test ends them. */
class HeldDisk {
  readonly waiting: Operation[] = [];
  readonly all: Operation[] = [];
  /** What was noted last. */
  noted = '';
  readonly disk: Disk;

  constructor() {
    this.disk = {
      ...nodeDisk,
      note: (_path, text, done) => {
        this.noted = text;
        done();
      },
      renameLater: (_from, _to, done) => done(null),
      syncDirLater: (dir, done) => this.hold('names', dir, 0, Buffer.alloc(0), done),
      createLog: (path, _durable, done) => {
        this.hold('create', path, 0, Buffer.alloc(0), (error) =>
          done(
            error,
            error !== null
              ? null
              : {
                  write: (parts, position, written) =>
                    this.hold('write', path, position, Buffer.concat(parts), written, parts),
                  zero: (position, length, ready) => this.hold('zero', path, position, Buffer.alloc(length), ready),
                  resize: (_size, resized) => resized(null),
                  close: (closed) => this.hold('close', path, 0, Buffer.alloc(0), closed),
                },
          ),
        );
      },
    };
  }

  private hold(
    what: Operation['what'],
    file: string,
    position: number,
    data: Buffer,
    done: (error: Error | null) => void,
    parts: readonly Buffer[] = [],
  ): void {
    const operation: Operation = {
      what,
      file,
      position,
      length: data.length,
      data,
      now: () => Buffer.concat(parts),
      end: (error) => {
        this.waiting.splice(this.waiting.indexOf(operation), 1);
        done(error ?? null);
      },
    };
    this.waiting.push(operation);
    this.all.push(operation);
  }

  next(what: Operation['what']): Operation {
    const operation = this.waiting.find((one) => one.what === what);
    assert.ok(operation, `no ${what} waits, but ${this.waiting.map((one) => one.what)}`);
    return operation;
  }
}

/** What waits for its time comes when the test says so. */
function waitingRuntime(): { runtime: Runtime; due: (() => void)[] } {
  const due: (() => void)[] = [];
  const after: Runtime['after'] = (_ms, action) => {
    due.push(action);
    return { cancel: () => {} };
  };
  return { runtime: { ...nodeRuntime, after }, due };
}

function held(options: Partial<TxnLogOptions> = {}, runtime = nodeRuntime) {
  const held = new HeldDisk();
  const durable: number[] = [];
  const batches: Buffer[] = [];
  const fatal: Error[] = [];
  const log = new TxnLog(
    held.disk,
    '/logs',
    0,
    { ...OPTIONS, ...options },
    {
      onDurable: (batch: LogBatch) => {
        durable.push(batch.lastZxid);
        batches.push(Buffer.from(batch.buf.subarray(0, batch.used)));
      },
      onFatal: (error) => fatal.push(error),
      onSync: () => {},
    },
    runtime,
  );
  return { held, durable, batches, fatal, log };
}

test('nothing is durable before file, header and batch have reached the disk', () => {
  const { held: disk, durable, log } = held();
  log.append(entry(1), 1);
  log.flush();
  disk.next('create').end();
  assert.deepEqual(durable, []);
  const header = disk.next('write');
  assert.deepEqual([...header.data], [0x5a, 0x4b, 0x4c, 0x47, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.end();
  assert.deepEqual(durable, []);
  assert.deepEqual(
    disk.waiting.map(({ what, file }) => [what, file]),
    [['names', '/logs']],
    'the batch waits until the name is durable',
  );
  disk.next('names').end();
  disk.next('write').end();
  assert.deepEqual(durable, [1]);
});

/** A log whose file is open, with one entry durable. */
function opened(options: Partial<TxnLogOptions> = {}, runtime = nodeRuntime) {
  const all = held(options, runtime);
  all.log.append(entry(1), 1);
  all.log.flush();
  for (const what of ['create', 'write', 'names', 'write'] as const) all.held.next(what).end();
  assert.deepEqual(all.durable, [1]);
  return { ...all, add: (...zxids: number[]) => addAll(all.log, zxids), writes: () => all.held.waiting };
}

function addAll(log: TxnLog, zxids: readonly number[]): void {
  for (const zxid of zxids) log.append(entry(zxid), zxid);
  log.flush();
}

const RECORD = 60 + 13;

test('a failure that Node has no name for has one', async () => {
  const errno = -constants.errno.EDQUOT;
  const unknown = `Unknown system error ${errno}`;
  // Of calls that wait for the disk on a thread of their own, and of those that do not.
  for (const [code, text] of [
    [unknown, `${unknown}: ${unknown}`],
    ['UNKNOWN', 'UNKNOWN: unknown error'],
  ]) {
    const { add, held: disk, log } = opened();
    add(2);
    disk.next('write').end(Object.assign(new Error(`${text}, write`), { code, errno, syscall: 'write' }));
    await assert.rejects(log.close(), {
      code: 'EDQUOT',
      message: `EDQUOT: system error ${errno}, write '/logs/log.1'`,
    });
  }
});

/** As Node tells the failure of a call on an open file: without its name. */
function ioError(): Error {
  return Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO', errno: -5, syscall: 'write' });
}

test('a failure names the file, and keeps its code', async () => {
  const named = (path: string) => ({ code: 'EIO', path, message: `EIO: i/o error, write '${path}'` });
  const begun = held();
  addAll(begun.log, [1]);
  begun.held.next('create').end();
  begun.held.next('write').end(ioError());
  assert.throws(() => {
    throw begun.fatal[0];
  }, named('/logs/tmp-nodekeeper-log.1'));
  const { add, fatal, held: disk, log } = opened();
  add(2);
  disk.next('write').end(ioError());
  await assert.rejects(log.close(), named('/logs/log.1'));
  assert.throws(() => {
    throw fatal[0];
  }, named('/logs/log.1'));
});
const at = (zxid: number): number => 16 + (zxid - 1) * RECORD;

/** As many zxids as are worth a write of their own beside another. */
const FORTY = Array.from({ length: 40 }, (_, i) => i);
const forty = (first: number): number[] => FORTY.map((i) => first + i);

/** Until the log has seen that nothing more comes. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise(setImmediate);
}

test('what is appended while a file is opened is one later batch, written where the first ends', async () => {
  const { held: disk, durable, batches, log } = held();
  log.append(entry(1), 1);
  log.flush();
  log.append(entry(2), 2);
  log.append(entry(3), 3);
  log.flush();
  disk.next('create').end();
  disk.next('write').end();
  disk.next('names').end();
  const first = disk.next('write');
  assert.equal(disk.waiting.length, 1);
  first.end();
  assert.deepEqual(durable, [1]);
  await quiet();
  const second = disk.next('write');
  assert.equal(second.position, first.position + first.length);
  assert.equal(second.length, 2 * first.length);
  second.end();
  assert.deepEqual(durable, [1, 3]);
  assert.deepEqual(batches[0], first.data, 'the bytes stay until the batch is reported');
  assert.deepEqual(batches[1], second.data);
});

test('as much as is on its way sets out beside it, and repeats it: no write leaves a gap, whichever comes first', () => {
  const { add, writes, durable, batches } = opened();
  add(...forty(2), ...forty(42));
  add(...forty(82));
  assert.equal(writes().length, 1, 'less than what is on its way waits');
  add(...forty(122));
  const [first, second] = writes() as [Operation, Operation];
  assert.deepEqual([first.position, first.length], [at(2), 80 * RECORD]);
  assert.deepEqual([second.position, second.length], [at(2), 160 * RECORD]);
  assert.deepEqual(second.data.subarray(0, first.length), first.data);
  for (const from of [162, 202, 242, 282]) add(...forty(from));
  assert.equal(writes().length, 2, 'two writes at most');
  first.end();
  assert.deepEqual(durable, [1, 81]);
  const third = writes()[1] as Operation;
  assert.deepEqual([third.position, third.length], [at(82), 240 * RECORD], 'what is durable is not repeated');
  second.end();
  third.end();
  assert.deepEqual(durable, [1, 81, 161, 321]);
  assert.deepEqual(Buffer.concat(batches.slice(1, 3)), second.data);
});

test('what is noted as durable ends with the write that has ended, not with one beside it', async () => {
  const { runtime, due } = waitingRuntime();
  const { add, writes, held: disk } = opened({}, runtime);
  const noted = async (): Promise<string> => {
    for (const action of due.splice(0)) action();
    await new Promise(setImmediate);
    return disk.noted.trim();
  };
  const last = (zxid: number): RegExp => new RegExp(`^log\\.1 ${at(zxid)} ${at(zxid + 1)} [0-9a-f]{8}$`);
  add(...forty(2));
  add(...forty(42));
  const [first, second] = writes() as [Operation, Operation];
  first.end();
  assert.match(await noted(), last(41));
  second.end();
  assert.match(await noted(), last(81));
});

test('a later write that ends first makes everything durable that it repeats; the earlier one keeps its bytes', () => {
  const { add, writes, durable, log } = opened();
  add(...forty(2));
  add(...forty(42));
  const [first, second] = writes() as [Operation, Operation];
  second.end();
  assert.deepEqual(durable, [1, 41, 81], 'in their order');
  add(...forty(82));
  const third = writes()[1] as Operation;
  assert.deepEqual([third.position, third.length], [at(82), 40 * RECORD]);
  third.end();
  add(...forty(122));
  const fourth = writes()[1] as Operation;
  fourth.end();
  assert.deepEqual(first.now(), first.data, 'what a write reads is not changed under its hands');
  let told = false;
  log.whenDurable(() => {
    told = true;
  });
  add(...forty(162));
  first.end();
  assert.deepEqual(durable, [1, 41, 81, 121, 161]);
  assert.equal(told, false);
  assert.equal(writes().length, 1);
  writes()[0]?.end();
  assert.deepEqual(durable, [1, 41, 81, 121, 161, 201]);
  assert.equal(told, true);
});

test('beside a write no file is begun or grown, and nothing large is repeated', async () => {
  const cases: Record<string, Partial<TxnLogOptions> & { first?: number; second?: number }> = {
    'a new file is asked for': {},
    'the file is full': { sizeLimitBytes: 100 },
    'the file has to grow': { preAllocBytes: 8192, first: 3000, second: 2000 },
    'much is on its way': { first: 100_000 },
  };
  for (const [reason, { first = 60, second = 60, ...options }] of Object.entries(cases)) {
    const { writes, durable, log } = opened(options);
    log.append(entry(2, first), 2);
    log.flush();
    if (reason === 'a new file is asked for') log.roll();
    log.append(entry(3, second), 3);
    log.flush();
    assert.equal(writes().length, 1, reason);
    writes()[0]?.end();
    assert.deepEqual(durable, [1, 2], reason);
    await quiet();
    const opens = reason === 'a new file is asked for' || reason === 'the file is full';
    assert.deepEqual(
      writes().map(({ what }) => what),
      opens ? ['close', 'create'] : ['write'],
      reason,
    );
    while (writes().length > 0) writes()[0]?.end();
    assert.deepEqual(durable, [1, 2, 3], reason);
  }
});

/** Of a log that had so many entries under way at once: their next ones come, each in a turn of its own. By its clock no time passes. */
function after(entries: number, now = () => 0) {
  const all = opened({}, { ...nodeRuntime, now });
  let next = 2;
  const turns = (count: number): void => {
    for (let i = 0; i < count; i++) {
      all.log.append(entry(next), next++);
      all.log.endTurn();
    }
  };
  for (let i = 0; i < entries; i++) all.log.append(entry(next), next++);
  all.log.flush();
  all.writes()[0]?.end();
  return { ...all, turns, lengths: () => all.writes().map(({ length }) => length / RECORD) };
}

test('of a few entries that come one by one as many are a write as were under way of late', () => {
  const { turns, writes, lengths, durable } = after(8);
  turns(7);
  assert.deepEqual(lengths(), []);
  turns(1);
  assert.deepEqual(lengths(), [8]);
  turns(7);
  writes()[0]?.end();
  assert.deepEqual(lengths(), []);
  assert.deepEqual(durable, [1, 9, 17]);
});

test('of many half are a write, and the others the next', async () => {
  const { turns, lengths } = after(100);
  turns(49);
  assert.deepEqual(lengths(), []);
  turns(1);
  assert.deepEqual(lengths(), [50]);
  turns(49);
  await quiet();
  assert.deepEqual(lengths(), [50]);
  turns(1);
  await quiet();
  assert.deepEqual(lengths(), [50, 100]);
});

test('after very many, as of a synchronization, no more than enough are waited for', () => {
  const { turns, lengths } = after(10_000);
  turns(255);
  assert.deepEqual(lengths(), []);
  turns(1);
  assert.deepEqual(lengths(), [256]);
});

test('what is not worth a write sets out when nothing more comes', async () => {
  const { turns, lengths } = after(8);
  turns(1);
  await new Promise(setImmediate);
  turns(1); // something does
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(lengths(), []);
    await new Promise(setImmediate);
  }
  await quiet();
  assert.deepEqual(lengths(), [2]);
});

test('where each turn of the event loop takes long, it is not looked as often whether more comes', async () => {
  let now = 0;
  const { turns, lengths } = after(8, () => now);
  for (const takes of [0.29, 0.02]) {
    turns(1); // something does
    assert.deepEqual(lengths(), []);
    now += takes;
    await new Promise(setImmediate);
  }
  assert.deepEqual(lengths(), [2]);
});

test('fewer are soon enough for a write where fewer are under way', async () => {
  const { turns, writes, lengths } = after(8);
  for (let i = 0; i < 60; i++) {
    turns(4);
    await quiet();
    writes()[0]?.end();
  }
  turns(3);
  assert.deepEqual(lengths(), []);
  turns(1);
  assert.deepEqual(lengths(), [4]);
});

test('no more is under way than what readers take for a write that was interrupted', async () => {
  const { writes, durable, log } = opened();
  for (let zxid = 2; zxid <= 102; zxid++) log.append(entry(zxid, 50_000), zxid);
  log.flush();
  const end = (): void => {
    const sizes = writes().map(({ position, length }) => position + length);
    const under = Math.max(...sizes) - Math.min(...writes().map(({ position }) => position));
    assert.ok(under > 500_000 && under <= LARGEST_UNDER_WAY, `${under} bytes are under way`);
    writes()[0]?.end();
  };
  const untilDurable = async (zxid: number): Promise<void> => {
    while (durable.at(-1) !== zxid) {
      writes()[0]?.end();
      await new Promise(setImmediate);
    }
  };
  for (let i = 0; i < 5; i++) end();
  await untilDurable(102);
  log.append(entry(103, 3_000_000), 103);
  log.append(entry(104), 104);
  log.flush();
  assert.equal(writes()[0]?.length, 3_000_000 + 13, 'one that is larger goes alone');
  await untilDurable(104);
});

test('closing after a failure waits for the other write', async () => {
  const { add, writes, log } = opened();
  add(2);
  add(3);
  const [first, second] = writes() as [Operation, Operation];
  const broken = new Error('EIO');
  second.end(broken);
  let closed = false;
  const closing = assert.rejects(log.close(), broken).then(() => {
    closed = true;
  });
  await new Promise(setImmediate);
  assert.equal(closed, false);
  first.end();
  await closing;
});

test('closing waits for a write whose batch is durable by another', async () => {
  const { add, writes, log } = opened();
  add(2);
  add(3);
  const [first, second] = writes() as [Operation, Operation];
  second.end();
  const closed = log.close();
  await new Promise(setImmediate);
  assert.deepEqual(writes(), [first], 'the file stays open for it');
  first.end();
  await new Promise(setImmediate);
  assert.equal(writes()[0]?.what, 'close');
  writes()[0]?.end();
  await closed;
});

test('of two writes the one that fails is fatal, also after the other made everything durable', () => {
  for (const order of ['failing first', 'failing last']) {
    const { add, writes, durable, fatal } = opened();
    add(2);
    add(3);
    const [first, second] = writes() as [Operation, Operation];
    const broken = new Error('EIO');
    if (order === 'failing first') {
      first.end(broken);
      second.end();
      assert.deepEqual(durable, [1], 'nothing is acknowledged after a failure');
    } else {
      second.end();
      first.end(broken);
      assert.deepEqual(durable, [1, 2, 3]);
    }
    assert.deepEqual(fatal, [broken]);
    add(4);
    assert.equal(writes().length, 0);
  }
});

for (const failing of ['create', 'header', 'names', 'batch', 'zero'] as const) {
  test(`an error of '${failing}' is fatal once and nothing is acknowledged after it`, async () => {
    const { held: disk, durable, fatal, log } = held({ preAllocBytes: 8 * 1024 * 1024 });
    const broken = new Error('EIO');
    log.append(entry(1), 1);
    log.flush();
    log.append(entry(2), 2);
    for (const step of ['create', 'header', 'names', 'batch', 'zero'] as const) {
      const operation = disk.next(step === 'header' || step === 'batch' ? 'write' : step);
      operation.end(step === failing ? broken : undefined);
      if (step === failing) break;
    }
    assert.deepEqual(fatal, [broken]);
    const acknowledged = failing === 'zero' ? [1] : [];
    assert.deepEqual(durable, acknowledged);
    log.flush();
    while (disk.waiting.length > 0) disk.waiting[0]?.end();
    assert.deepEqual(durable, acknowledged);
    assert.equal(fatal.length, 1);
    await assert.rejects(log.close(), broken, 'closing ends, with the cause');
  });
}

test('zeros are written ahead and never meet a batch', () => {
  const { held: disk, durable, log } = held({ preAllocBytes: 16 * 1024 * 1024 });
  let random = 1;
  const next = (n: number): number => {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    return (random >>> 8) % n;
  };
  let zxid = 0;
  for (let step = 0; step < 600; step++) {
    if (next(3) > 0) {
      zxid++;
      log.append(entry(zxid, 40 + next(next(8) === 0 ? 1_900_000 : 200)), zxid);
      if (next(40) === 0) log.roll();
      log.flush();
    }
    const running = disk.waiting.filter((one) => one.what === 'write' || one.what === 'zero');
    for (const a of running) {
      for (const b of running) {
        if (a === b || a.file !== b.file || (a.what === 'write' && b.what === 'write')) continue;
        assert.ok(a.position + a.length <= b.position || b.position + b.length <= a.position, 'zeros meet a batch');
      }
    }
    disk.waiting[next(disk.waiting.length)]?.end();
  }
  while (disk.waiting.length > 0) disk.waiting[0]?.end();
  assert.equal(durable[durable.length - 1], zxid);
  // Play the operations in the order they were begun: no zero may lie on a record.
  const files = new Map<string, Map<number, number>>();
  for (const { what, file, position, length } of disk.all) {
    const written = files.get(file) ?? new Map<number, number>();
    files.set(file, written);
    if (what === 'write') written.set(position, length);
    if (what !== 'zero') continue;
    for (const [start, size] of written) assert.ok(start + size <= position, 'zeros over a record');
  }
  assert.ok(disk.all.some((one) => one.what === 'zero') && files.size > 5);
});

test('a delayed batch goes on its way once it has maxBatchSize entries', () => {
  const { held: disk, log } = held({ flushDelayMs: 60_000, idleFlushMs: 60_000, maxBatchSize: 3 });
  for (let zxid = 1; zxid <= 3; zxid++) {
    assert.equal(disk.waiting.length, 0);
    log.append(entry(zxid), zxid);
    log.flush();
  }
  disk.next('create');
});

test('a delayed batch goes on its way once nothing was added for a while', async () => {
  const { held: disk, log } = held({ flushDelayMs: 3_600_000, idleFlushMs: 1, maxBatchSize: 3 });
  log.append(entry(1), 1);
  log.flush();
  assert.equal(disk.waiting.length, 0);
  while (disk.waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  disk.next('create');
});

test('a zxid that does not rise is refused', () => {
  const { log } = held();
  log.append(entry(5), 5);
  assert.throws(() => log.append(entry(5), 5), /0x5 is logged after 0x5/);
});

test('closing writes what has gathered, also when asked twice, and ends appending', async () => {
  const { held: disk, durable, log } = held();
  log.append(entry(1), 1);
  const closed = Promise.all([log.close(), log.close()]);
  while (durable.length === 0) disk.waiting[0]?.end();
  await new Promise(setImmediate);
  disk.next('close').end();
  await closed;
  assert.deepEqual(durable, [1]);
  assert.throws(() => log.append(entry(2), 2), /closed/);
});

for (const preAllocBytes of [0, 16 * 1024, 64 * 1024 * 1024]) {
  test(`logs on a real disk are read back over rolls, preallocation ${preAllocBytes}`, async (t) => {
    const dir = temporaryDir(t);
    let durable = 0;
    const log = new TxnLog(
      nodeDisk,
      dir,
      0,
      { ...OPTIONS, preAllocBytes },
      {
        onDurable: (batch) => {
          durable = batch.lastZxid;
        },
        onFatal: (e) => assert.fail(e),
        onSync: () => {},
      },
      nodeRuntime,
    );
    for (let zxid = 1; zxid <= 2000; zxid++) {
      log.append(entry(zxid, 32 + (zxid % 700)), zxid);
      if (zxid % 100 === 0) log.flush();
      if (zxid % 500 === 0) {
        log.roll();
        await new Promise(setImmediate);
      }
    }
    await log.close();
    assert.equal(durable, 2000);
    const seen: number[] = [];
    const names = readdirSync(dir)
      .filter((name) => name !== 'synced')
      .sort((a, b) => Number.parseInt(a.slice(4), 16) - Number.parseInt(b.slice(4), 16));
    assert.ok(names.length > 1);
    for (const name of names) {
      const before = seen.length;
      const end = readLog(nodeDisk, dir, name, MAX_ENTRY, (buf, start, stop, zxid) => {
        assert.deepEqual(buf.subarray(start, stop), entry(zxid, 32 + (zxid % 700)));
        seen.push(zxid);
      });
      assert.equal(end.torn, undefined);
      assert.equal(name, `log.${(seen[before] as number).toString(16)}`);
      const rest = readFileSync(join(dir, name)).subarray(end.offset);
      assert.ok(
        rest.every((byte) => byte === 0),
        'padding is zero',
      );
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 2000 }, (_, i) => i + 1),
    );
  });
}

test('the memory of very many entries that came at once is not kept', async (t) => {
  const dir = temporaryDir(t);
  const seen = new Set<LogBatch>();
  let usedAgain = 0;
  const onDurable = (batch: LogBatch): void => {
    if (seen.has(batch)) usedAgain++;
    seen.add(batch);
  };
  const hooks = { onDurable, onSync: () => {}, onFatal: (e: Error) => assert.fail(e) };
  const log = new TxnLog(nodeDisk, dir, 0, OPTIONS, hooks, nodeRuntime);
  const burst = (from: number): Promise<void> => {
    for (let zxid = from; zxid < from + 200; zxid++) log.append(entry(zxid, 100_000), zxid);
    return new Promise((resolve) => log.whenDurable(resolve));
  };
  await burst(1);
  assert.ok(seen.size > 20);
  await burst(201);
  assert.ok(usedAgain <= 3, `${usedAgain} buffers of 1 MB were kept`);
  await log.close();
});

test('no file has a log’s name before its header is durable', async (t) => {
  const dir = temporaryDir(t);
  const renamed: string[] = [];
  const disk: Disk = {
    ...nodeDisk,
    createLog: (path, durable, done) => {
      assert.doesNotMatch(basename(path), /^log\./);
      nodeDisk.createLog(path, durable, done);
    },
    renameLater: (from, to, done) => {
      assert.equal(statSync(from).size, 16);
      renamed.push(basename(to));
      nodeDisk.renameLater(from, to, done);
    },
    rename: () => assert.fail('on this thread, which would wait for the disk'),
  };
  const log = new TxnLog(
    disk,
    dir,
    0,
    OPTIONS,
    { onDurable: () => {}, onSync: () => {}, onFatal: (e) => assert.fail(e) },
    nodeRuntime,
  );
  for (const zxid of [1, 2]) {
    log.roll();
    log.append(entry(zxid), zxid);
    await new Promise<void>((resolve) => log.whenDurable(resolve));
  }
  await log.close();
  assert.deepEqual(renamed, ['log.1', 'log.2']);
  assert.deepEqual(readdirSync(dir).sort(), ['log.1', 'log.2', 'synced']);
});

test('notes are written one after the other, and a log that is closed writes no more', async (t) => {
  const dir = temporaryDir(t);
  const notes: { text: string; done: () => void }[] = [];
  const disk: Disk = { ...nodeDisk, note: (_path, text, done) => notes.push({ text, done }) };
  const { runtime, due } = waitingRuntime();
  const hooks = { onDurable: () => {}, onSync: () => {}, onFatal: (e: Error) => assert.fail(e) };
  const log = new TxnLog(disk, dir, 0, OPTIONS, hooks, runtime);
  const write = async (zxid: number): Promise<void> => {
    log.append(entry(zxid), zxid);
    await new Promise<void>((resolve) => log.whenDurable(resolve));
  };
  await write(1);
  due.shift()?.();
  await write(2);
  due.shift()?.();
  await write(3);
  await new Promise(setImmediate);
  assert.equal(notes.length, 1);
  let closed = false;
  const closing = log.close().then(() => {
    closed = true;
  });
  for (let written = 0; written < notes.length; written++) {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    assert.equal(closed, false);
    assert.equal(notes.length, written + 1);
    notes[written]?.done();
    await new Promise(setImmediate);
  }
  await closing;
  const ends = notes.map(({ text }) => /^log\.1 \d+ (\d+) /.exec(text)?.[1]);
  assert.equal(ends.at(-1), String(16 + 3 * 73));
});

test('a log that was purged is not noted any more', async (t) => {
  const dir = temporaryDir(t);
  const hooks = { onDurable: () => {}, onSync: () => {}, onFatal: (e: Error) => assert.fail(e) };
  const log = new TxnLog(nodeDisk, dir, 0, OPTIONS, hooks, nodeRuntime);
  for (const zxid of [1, 2, 3]) {
    if (zxid === 3) rmSync(join(dir, 'log.1'));
    log.roll();
    log.append(entry(zxid), zxid);
    await new Promise<void>((resolve) => log.whenDurable(resolve));
  }
  await log.close();
  const noted = readFileSync(join(dir, 'synced'), 'utf8');
  assert.deepEqual(noted.match(/^log\.\d/gm), ['log.2', 'log.3']);
});
