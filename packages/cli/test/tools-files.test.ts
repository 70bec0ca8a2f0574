// Tools on files, with logs and snapshots that Apache's server wrote. That they print what Apache's toolkits print is tested in
// interop/.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { JuteWriter } from '@nodekeeper/protocol';
import { ADLER_START, adler32 } from '@nodekeeper/server/storage';
import { runCompare } from '../dist/tools/files/compare.js';
import type { Output } from '../dist/tools/output.js';
import { MAIN, temporary } from './support.js';

const STORAGE = fileURLToPath(new URL('../../server/test/fixtures/storage/', import.meta.url));
const DATA = join(STORAGE, 'standalone-3.8.0/version-2');
const LOG = join(DATA, 'log.1');
const SNAPSHOT = join(DATA, 'snapshot.6c');

interface Told {
  readonly code: number | null;
  readonly lines: string[];
  readonly err: string;
}

function tools(...args: string[]): Told {
  return run([MAIN, 'tools', ...args]);
}

function run(args: readonly string[]): Told {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
    input: '',
    maxBuffer: 2 ** 28,
  });
  return { code: status, lines: stdout.split('\n').filter(Boolean), err: stderr };
}

const json = (lines: readonly string[]): Record<string, unknown>[] => lines.map((line) => JSON.parse(line));

test('a log is printed, a transaction on a line', () => {
  const { code, lines } = tools('txnlog', LOG);
  assert.equal(code, 0);
  assert.equal(lines[0], 'ZooKeeper Transactional Log File with dbid 0 txnlog format version 2');
  assert.match(
    lines[1] as string,
    /^\d+\/\d+\/\d\d, \d+:\d\d:\d\d [AP]M UTC session 0x\w+ cxid 0x0 zxid 0x1 createSession 30000$/,
  );
  assert.match(lines.at(-1) as string, /^EOF reached after \d+ txns\.$/);
  const values = json(tools('txnlog', '--json', LOG).lines);
  assert.deepEqual([values[0]?.zxid, values[0]?.type, values[0]?.value], ['0x1', 'createSession', 30000]);
  const multi = json(tools('txnlog', '--json', join(DATA, 'log.18')).lines).find(({ type }) => type === 'multi');
  assert.ok(Array.isArray(multi?.txns));
});

test('a damaged checksum is told, and repaired in a copy', (t) => {
  const file = join(temporary(t), 'log.1');
  const bytes = readFileSync(LOG);
  bytes[16 + 5] = 0x55;
  writeFileSync(file, bytes);
  assert.match(tools('txnlog', file).lines[1] as string, /^CRC ERROR - .* createSession 30000$/);
  const asked = tools('txnlog', '-r', file);
  assert.match(asked.err, /Recovery aborted/);
  const { code, lines } = tools('txnlog', '-r', '-y', file);
  assert.equal(code, 0);
  assert.match(lines[1] as string, /^CRC FIXED - /);
  assert.match(lines.at(-1) as string, /with 1 fixed CRC error\(s\)$/);
  const fixed = readFileSync(`${file}.fixed`);
  assert.deepEqual(fixed, readFileSync(LOG).subarray(0, fixed.length));
  assert.equal(tools('txnlog', '-r', '-y', file).code, 1);
});

for (const [what, at, value] of [
  ['a time that is no date', 20, BigInt(Number.MAX_SAFE_INTEGER)],
  ['a path that is longer than the record', 32, 2n ** 62n],
] as const) {
  test(`a record with ${what} is told as damage, by its offset, and leaves nothing behind`, (t) => {
    const file = join(temporary(t), 'log.6d');
    const bytes = readFileSync(join(DATA, 'log.6d'));
    bytes.writeBigInt64BE(value, 16 + 12 + at);
    writeFileSync(file, bytes);
    for (const args of [[], ['--json'], ['-r', '-y'], ['-r', '-y']]) {
      const { code, err } = tools('txnlog', ...args, file);
      assert.equal(code, 2, args.join(' '));
      assert.match(err, /^[^\n]*the record at offset 16 holds no transaction: [^\n]*\n$/, args.join(' '));
    }
    assert.deepEqual(readdirSync(dirname(file)), ['log.6d']);
  });
}

test('a log is cut behind a zxid that it holds', (t) => {
  const file = join(temporary(t), 'log.1');
  cpSync(LOG, file);
  const { code, lines } = tools('txnlog', '-c', '-z', '0x5', file);
  assert.equal(code, 0);
  assert.equal(lines.at(-1), 'Chopping at 5 new log has 5 records');
  const cut = json(tools('txnlog', '--json', `${file}.chopped5`).lines);
  assert.deepEqual(
    cut.map(({ zxid }) => zxid),
    ['0x1', '0x2', '0x3', '0x4', '0x5'],
  );
  const beyond = tools('txnlog', '-c', '-z', '99999', file);
  assert.equal(beyond.code, 2);
  assert.match(beyond.err, /^EOF reached after \d+ txns\.\nFailed to chop/);
});

test('what is no log, or is cut short, is told', (t) => {
  const file = join(temporary(t), 'log.1');
  writeFileSync(file, 'not a log at all, but long enough');
  assert.deepEqual(tools('txnlog', file), { code: 2, lines: [], err: 'Invalid magic number for log.1\n' });
  assert.equal(tools('txnlog', join(file, 'none')).code, 2);
  const cut = tools('txnlog', join(STORAGE, 'damaged/cut/log.6d'));
  assert.equal(cut.code, 2);
  assert.match(cut.err, /reaches beyond the end of the file/);
  const long = join(temporary(t), 'log.2');
  const head = Buffer.alloc(12);
  head.writeInt32BE(2 ** 31 - 1, 8);
  writeFileSync(long, Buffer.concat([readFileSync(LOG).subarray(0, 16), head]));
  truncateSync(long, 3 * 2 ** 30);
  const longer = tools('txnlog', long);
  assert.deepEqual([longer.code, longer.err], [2, 'a record of 2147483647 bytes at offset 16 is longer than any\n']);
});

test('a snapshot is printed by node, with its sessions', () => {
  const { code, lines } = tools('snapshot', SNAPSHOT);
  assert.equal(code, 0);
  assert.match(lines[0] as string, /^ZNode Details \(count=\d+\):$/);
  assert.deepEqual(lines.slice(1, 4), ['----', '/', '  cZxid = 0x00000000000000']);
  assert.ok(lines.includes('Session Details (sid, timeout, ephemeralCount):'));
  assert.equal(lines.at(-1), 'Last zxid: 0x6c');
  const [head, ...nodes] = json(tools('snapshot', '--json', SNAPSHOT).lines);
  assert.equal(head?.zxid, '0x6c');
  assert.equal(nodes.length + 1, Number(/\d+/.exec(lines[0] as string)?.[0]));
  assert.ok(nodes.every(({ acl }) => typeof acl === 'string' && acl !== ''));
  assert.equal(nodes[0]?.acl, 'world:anyone:cdrwa');
  const ncdu = JSON.parse(tools('snapshot', '--ncdu', SNAPSHOT).lines.join(''));
  assert.equal(ncdu[3][0].name, '/');
  const damaged = tools('snapshot', join(STORAGE, 'damaged/snapcrc/snapshot.6c'));
  assert.equal(damaged.code, 2);
  assert.doesNotMatch(damaged.err, /older snapshot/, 'that is what a server does');
  assert.match(damaged.err, /checksum|digest|seal/i);
  assert.equal(tools('snapshot', '/none/snapshot.1').code, 2);
});

test('compressed snapshots are read like others', () => {
  const plain = tools('summary', join(STORAGE, 'snapshots/snapshot.7f.without-digest'));
  assert.equal(plain.code, 0);
  for (const ending of ['gz', 'snappy']) {
    const { code, lines } = tools('summary', join(STORAGE, `snapshots/snapshot.7f.${ending}`));
    assert.deepEqual([code, lines.length > 3], [0, true], ending);
  }
});

test('snapshots are compared by the size of subtrees', () => {
  const args = ['-l', join(DATA, 'snapshot.28'), '-r', SNAPSHOT, '-b', '0', '-n', '0'];
  const { code, lines } = tools('compare', ...args);
  assert.equal(code, 0);
  assert.ok(lines.some((line) => /^Node \S* found in both trees\. Delta: -?\d+ bytes, -?\d+ descendants$/.test(line)));
  assert.ok(lines.some((line) => /^Node \S+ found only in right tree\./.test(line)));
  assert.equal(lines.at(-1), 'All layers compared.');
  assert.ok(json(tools('compare', '--json', ...args).lines).some(({ only }) => only === 'right'));
  assert.equal(tools('compare', '-l', SNAPSHOT).code, 2);
});

test('a subtree of a snapshot is summed up', () => {
  const all = json(tools('summary', '--json', SNAPSHOT).lines);
  const root = all[0];
  assert.equal(root?.path, '/');
  const { lines } = tools('summary', SNAPSHOT, '/', '1');
  assert.deepEqual(lines.slice(0, 3), [' /', `   children: ${root?.children}`, `   data: ${root?.data}`]);
  assert.ok(lines.slice(3).every((line) => line.startsWith('-- ') || line.startsWith('--   ')));
  assert.equal(tools('summary', SNAPSHOT, '/none').code, 1);
});

test('old snapshots and the logs that only they need are deleted', (t) => {
  const dir = temporary(t);
  cpSync(join(STORAGE, 'standalone-3.8.0'), dir, { recursive: true });
  const before = readdirSync(join(dir, 'version-2'));
  const dry = tools('purge', dir, '-n', '3', '--dry-run');
  assert.ok(dry.lines.length > 0);
  assert.ok(dry.lines.every((line) => line.startsWith('Would remove file: ')));
  assert.deepEqual(readdirSync(join(dir, 'version-2')), before);
  const { code, lines } = tools('purge', dir, '-n', '3');
  assert.equal(code, 0);
  assert.match(lines[0] as string, /^Removing file: \w+ \d+, \d{4}, \d+:\d\d:\d\d [AP]M\t/);
  const left = readdirSync(join(dir, 'version-2'));
  assert.equal(left.filter((name) => name.startsWith('snapshot.')).length, 3);
  assert.equal(left.length, before.length - lines.length);
  assert.deepEqual(tools('purge', dir, '-n', '2').err, 'count should be greater than or equal to 3\n');
});

test('a command line that says too little has exit code 2', (t) => {
  assert.equal(tools('txnlog', '-c', LOG).code, 2);
  assert.equal(tools('txnlog', '-c', '-z', 'abc', LOG).code, 2);
  assert.equal(tools('purge', temporary(t), '-n', '2').code, 2);
  assert.equal(tools('purge', '/none', '-n', '3').code, 2);
});

test('nodes with a time to live are named as by the toolkit', () => {
  const lines = readdirSync(DATA)
    .filter((name) => name.startsWith('log.'))
    .flatMap((name) => tools('txnlog', join(DATA, name)).lines);
  assert.ok(lines.some((line) => line.includes(' createTtl ')));
  assert.ok(!lines.some((line) => line.includes('createTTL')));
});

/** A snapshot of a tree with one node on each level, without sessions and digest. */
function deepSnapshot(levels: number): Buffer {
  const w = new JuteWriter().int(0x5a4b534e).int(2).long(-1n).int(0).int(0);
  for (let level = 0; level <= levels; level++) {
    w.string('/d'.repeat(level)).buffer(Buffer.from('x')).long(-1n);
    for (let field = 0; field < 15; field++) w.int(0); // its Stat
  }
  w.string('/');
  const nodes = Buffer.from(w.bytes());
  return Buffer.concat([
    nodes,
    new JuteWriter()
      .long53(adler32(ADLER_START, nodes, 0, nodes.length))
      .string('/')
      .bytes(),
  ]);
}

test('a tree of thousands of levels is told, whatever room there is for recursion', (t) => {
  const LEVELS = 2000;
  const file = join(temporary(t), 'snapshot.1');
  writeFileSync(file, deepSnapshot(LEVELS));
  const deep = (...args: string[]): Told => run(['--stack-size=200', MAIN, 'tools', ...args]);
  const all = deep('snapshot', '--json', file);
  assert.deepEqual([all.code, all.lines.length], [0, LEVELS + 2], all.err);
  assert.equal(deep('snapshot', file).code, 0);
  const sizes = deep('snapshot', '--ncdu', file);
  assert.equal(sizes.code, 0, sizes.err);
  assert.match(
    String(sizes.lines),
    new RegExp(`^\\[1,0,\\{[^}]*\\}(,\\[\\{[^}]*\\}){${LEVELS}},\\{[^}]*\\}\\]{${LEVELS + 1}}$`),
  );
  const sums = json(deep('summary', '--json', file, '/', '1').lines);
  assert.deepEqual(sums, [
    { path: '/', level: 0, children: LEVELS, data: LEVELS + 1 },
    { path: '/d', level: 1, children: LEVELS - 1, data: LEVELS },
  ]);
  const same = deep('compare', '-l', file, '-r', file, '-b', '0', '-n', '0');
  assert.equal(same.code, 0, same.err);
  assert.ok(same.lines.includes(`Max depth: ${LEVELS + 1}`));
});

test('a comparison waits for who reads it', async (t) => {
  const file = join(temporary(t), 'snapshot.1');
  writeFileSync(file, deepSnapshot(3000));
  let lines = 0;
  let read = (): void => {};
  const silent = (): void => {};
  const output: Output = {
    ...{ json: false, part: silent, note: silent, progress: silent, value: silent },
    line: () => void lines++,
    taken: () => new Promise((resolve) => (read = resolve)),
  };
  const comparing = runCompare({ left: file, right: file, bytes: 0, nodes: 0, debug: true }, output);
  const before = lines;
  while (lines === before) {
    await new Promise(setImmediate);
    read();
  }
  await new Promise(setImmediate);
  const soFar = lines;
  await new Promise(setImmediate);
  assert.equal(lines, soFar);
  output.taken = () => Promise.resolve();
  read();
  await comparing;
  assert.ok(lines > soFar + 3000);
});

test('long output ends when nobody reads it any more', async (t) => {
  const file = join(temporary(t), 'snapshot.1');
  writeFileSync(file, deepSnapshot(3000));
  for (const how of ['--json', '--ncdu', '--data']) {
    const child = spawn(process.execPath, [MAIN, 'tools', 'snapshot', how, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill());
    await once(child.stdout, 'data');
    child.stdout.destroy();
    assert.deepEqual(await once(child, 'exit'), [0, null], how);
  }
});
