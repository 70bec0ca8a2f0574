// This project's tools beside Apache's toolkits: what both print of the same logs and snapshots, and what they write.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apacheClassPath } from '../servers/index.js';

const MAIN = fileURLToPath(new URL('../../../packages/cli/bin/nodekeeper.js', import.meta.url));
const FIXTURES = fileURLToPath(new URL('../../../packages/server/test/fixtures/storage/', import.meta.url));
const DATA = ['standalone-3.8.0/version-2', 'fuzzy-3.8.0/version-2', 'ensemble-member-3.8.0/data/version-2'];
const PERSISTENCE = 'org.apache.zookeeper.server.persistence';
const SERVER = 'org.apache.zookeeper.server';
/** The classes that Apache's scripts start need commons-io as well. */
const CLASS_PATH = `${apacheClassPath()}:/usr/share/java/commons-io.jar`;

let passed = 0;
let failed = 0;

interface Run {
  readonly out: string;
  readonly code: number | null;
}

function run(file: string, args: readonly string[], input: string): Run {
  const env = { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' };
  const { stdout, stderr, status } = spawnSync(file, args, { encoding: 'utf8', env, input, maxBuffer: 1 << 28 });
  return { out: stdout + stderr, code: status };
}

function apache(main: string, args: readonly string[], input = ''): Run {
  const flags = ['-Dfile.encoding=UTF-8', '-Dorg.slf4j.simpleLogger.defaultLogLevel=off', '-XX:TieredStopAtLevel=1'];
  return run('java', [...flags, '-cp', CLASS_PATH, main, ...args], input);
}

function ours(args: readonly string[], input = ''): Run {
  return run(process.execPath, [MAIN, 'tools', ...args], input);
}

function check(name: string, expected: Run, actual: Run, mask: (text: string) => string = (text) => text): void {
  const [a, b] = [mask(expected.out), mask(actual.out)];
  if (a === b && expected.code === actual.code) {
    passed++;
    return;
  }
  failed++;
  const [x, y] = [a.split('\n'), b.split('\n')];
  const at = x.findIndex((line, i) => line !== y[i]);
  console.log(`not ok - ${name}: exit ${actual.code}, Apache's ${expected.code}; line ${at + 1}`);
  console.log(`  Apache's: ${x[at]}\n  ours:     ${y[at]}`);
}

function same(name: string, expected: Buffer, actual: Buffer): void {
  if (expected.equals(actual)) passed++;
  else {
    failed++;
    console.log(`not ok - ${name}: the files differ, ${expected.length} bytes and ${actual.length}`);
  }
}

/** Since 3.9 this operation has another name. */
const maskTypes = (text: string): string => text.replaceAll('createTTL', 'createTtl');
/** Apache's goes through children in the order of a hash table; since 3.9 the digest is told. */
const maskOrder = (text: string): string =>
  text
    .split(/^----\n/m)
    .map((part) =>
      part
        .split('\n')
        .filter((line) => !line.startsWith('Target zxid digest'))
        .sort()
        .join('\n'),
    )
    .sort()
    .join('----\n');
const maskTimes = (text: string): string => text.replace(/in \d+\.\d+ seconds/g, 'in … seconds');

const work = mkdtempSync(join(tmpdir(), 'tools-'));
try {
  for (const folder of DATA) {
    const dir = join(FIXTURES, folder);
    const names = readdirSync(dir);
    const logs = names.filter((name) => name.startsWith('log.')).map((name) => join(dir, name));
    const snapshots = names.filter((name) => name.startsWith('snapshot.')).map((name) => join(dir, name));
    for (const log of logs)
      check(`txnlog ${log}`, apache(`${PERSISTENCE}.TxnLogToolkit`, [log]), ours(['txnlog', log]), maskTypes);
    for (const snapshot of snapshots) {
      const main = `${SERVER}.SnapshotFormatter`;
      check(`snapshot ${snapshot}`, apache(main, [snapshot]), ours(['snapshot', snapshot]), maskOrder);
      check(`snapshot -d ${snapshot}`, apache(main, ['-d', snapshot]), ours(['snapshot', '-d', snapshot]), maskOrder);
    }
    const [first, last] = [snapshots[0] as string, snapshots.at(-1) as string];
    for (const [l, r] of [
      [first, last],
      [last, first],
      [last, last],
    ] as const) {
      for (const limits of [
        ['-b', '0', '-n', '0'],
        ['-b', '10', '-n', '2', '-d'],
      ]) {
        const args = ['-l', l, '-r', r, ...limits];
        check(
          `compare ${args.join(' ')}`,
          apache(`${SERVER}.SnapshotComparer`, args),
          ours(['compare', ...args]),
          maskTimes,
        );
      }
    }
    compareDialogue(first, last);
  }
  const log = join(FIXTURES, DATA[0] as string, 'log.1');
  compareChop(log);
  compareRepair(log);
  comparePurge();
} finally {
  rmSync(work, { recursive: true, force: true });
}

function compareDialogue(left: string, right: string): void {
  const args = ['-l', left, '-r', right, '-b', '5', '-n', '1', '-i'];
  const input = '\n/zookeeper\nnonsense\n0\n99\n/none\n\n\n\n\n\n\n\n\n\n\n\n\n\n';
  check(
    `compare -i ${left}`,
    apache(`${SERVER}.SnapshotComparer`, args, input),
    ours(['compare', ...args], input),
    maskTimes,
  );
}

function compareChop(source: string): void {
  for (const zxid of ['10', '0x5', '100000']) {
    const files = ['apache', 'ours'].map((side) => join(work, `${side}.${zxid}.log`)) as [string, string];
    for (const file of files) cpSync(source, file);
    const theirs = apache(`${PERSISTENCE}.TxnLogToolkit`, ['-c', '-z', zxid, files[0]]);
    const own = ours(['txnlog', '-c', '-z', zxid, files[1]]);
    // Where there is nothing to cut, Apache's tool says so, copies all, and ends well.
    const isCut = theirs.out.includes('Chopping');
    if (isCut !== (own.code === 0)) check(`chop at ${zxid}`, theirs, own);
    if (!isCut) continue;
    check(`chop at ${zxid}`, theirs, own);
    const number = Number(zxid);
    same(
      `what is cut at ${zxid}`,
      readFileSync(`${files[0]}.chopped${number}`),
      readFileSync(`${files[1]}.chopped${number}`),
    );
  }
}

function compareRepair(source: string): void {
  const bytes = readFileSync(source);
  // The checksum of the first record, and a byte of its data.
  bytes[16 + 6] = (bytes[16 + 6] as number) ^ 0xff;
  const files = ['apache', 'ours'].map((side) => join(work, `${side}.damaged.log`)) as [string, string];
  for (const file of files) writeFileSync(file, bytes);
  const mask = (text: string): string => maskTypes(text).replace(/\/\S*\.damaged/g, 'damaged');
  const main = `${PERSISTENCE}.TxnLogToolkit`;
  check('a damaged log', apache(main, [files[0]]), ours(['txnlog', files[1]]), mask);
  check('a repair', apache(main, ['-r', '-y', files[0]]), ours(['txnlog', '-r', '-y', files[1]]), mask);
  // Apache's tool fills the file up with zeros.
  const [theirs, own] = files.map((file) => readFileSync(`${file}.fixed`)) as [Buffer, Buffer];
  same('what is repaired', theirs.subarray(0, own.length), own);
  check(
    'a repair of what is repaired',
    apache(main, [`${files[0]}.fixed`]),
    ours(['txnlog', `${files[1]}.fixed`]),
    mask,
  );
  check('a repair that is there', apache(main, ['-r', '-y', files[0]]), ours(['txnlog', '-r', '-y', files[1]]), mask);
  for (const file of files) rmSync(`${file}.fixed`);
  check(
    'a repair with questions',
    apache(main, ['-r', '-v', files[0]], 'x\nno\n'),
    ours(['txnlog', '-r', '-v', files[1]], 'x\nno\n'),
    mask,
  );
}

function comparePurge(): void {
  const dirs = ['apache', 'ours'].map((side) => join(work, side)) as [string, string];
  for (const dir of dirs) cpSync(join(FIXTURES, 'standalone-3.8.0'), dir, { recursive: true });
  const mask = (text: string): string =>
    text
      .split('\n')
      .map((line) => line.replace(/: .*\t.*version-2/, ':'))
      .sort()
      .join('\n');
  check(
    'purge',
    apache(`${SERVER}.PurgeTxnLog`, [dirs[0], dirs[0], '-n', '3']),
    ours(['purge', dirs[1], dirs[1], '-n', '3']),
    mask,
  );
  const [theirs, own] = dirs.map((dir) => readdirSync(join(dir, 'version-2')).sort().join('\n')) as [string, string];
  same('what purge leaves', Buffer.from(theirs), Buffer.from(own));
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
