// Recovery from data directories that Apache's servers wrote, whole and damaged: the same tree, or a refusal that says why.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Acl } from '@nodekeeper/protocol';
import { adler32 } from '../../dist/storage/adler32.js';
import { nodeDisk, openDataDir, StorageError, writeSnapshot } from '../../dist/storage/index.js';
import { F } from '../../dist/tree/node-store.js';
import { ownerId } from '../../dist/tree/owner.js';
import { Harness } from '../tree/harness.js';
import {
  copyOf,
  type Expected,
  expectedOf,
  FIXTURES,
  logOf,
  type Result,
  recoverDir,
  snapshotOf,
  temporaryDir,
} from './fixtures.js';

function assertTree({ db }: Result, expected: Expected): void {
  const { store } = db.tree;
  assert.equal(`0x${db.tree.lastProcessedZxid.toString(16)}`, expected.lastZxid);
  assert.equal(db.tree.digest.toBigInt().toString(), expected.treeDigest.value);
  assert.equal(db.tree.digestMismatches, 0);
  const sessions = [...db.sessionTimeouts].map(([id, timeoutMs]) => ({ id: `0x${id.toString(16)}`, timeoutMs }));
  const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
  assert.deepEqual(sessions.sort(byId), [...expected.sessions].sort(byId));
  for (const node of expected.nodes) {
    const id = store.findString(node.path);
    assert.notEqual(id, 0, node.path);
    assert.equal(store.data(id)?.toString('base64') ?? null, node.data, node.path);
    const hex = (field: number): string => `0x${store.getLong(id, field).toString(16)}`;
    assert.equal(hex(F.czxid), node.stat.czxid, node.path);
    assert.equal(hex(F.mzxid), node.stat.mzxid, node.path);
    assert.equal(hex(F.pzxid), node.stat.pzxid, node.path);
    assert.equal(store.getLong(id, F.ctime), node.stat.ctime);
    assert.equal(store.getLong(id, F.mtime), node.stat.mtime);
    assert.equal(store.get(id, F.version), node.stat.version);
    assert.equal(store.get(id, F.aversion), node.stat.aversion);
    assert.equal(store.get(id, F.cversion), node.persisted.cversion, node.path);
    const owner = BigInt.asUintN(64, ownerId(store.get(id, F.owner), store.get(id, F.owner + 1)));
    assert.equal(owner, BigInt(node.persisted.ephemeralOwner), node.path);
    assert.deepEqual(db.tree.aclList(id), node.acl, node.path);
    const names = Array.from(store.children(id), (child) => store.path(child).slice(store.namePrefix(id)));
    assert.deepEqual(names.sort(), [...node.children].sort(), node.path);
  }
  assert.equal(store.count, expected.nodes.length);
}

test('a directory of 3.8.0 gives the tree its clients saw, with every digest matching', async (t) => {
  assertTree(await recoverDir(copyOf(t, 'standalone-3.8.0')), expectedOf('standalone-3.8.0'));
});

type FuzzyNode = [
  string,
  string | null,
  string,
  string,
  string,
  number,
  number,
  number,
  number,
  number,
  string,
  number,
];

test('a fuzzy snapshot with its log gives the tree its clients saw', async (t) => {
  const expected = JSON.parse(readFileSync(join(FIXTURES, 'fuzzy-3.8.0/expected.json'), 'utf8')) as {
    lastZxid: string;
    treeDigest: { value: string };
    acls: [number, string, string][][];
    nodes: FuzzyNode[];
  };
  const { db } = await recoverDir(copyOf(t, 'fuzzy-3.8.0'));
  const { store } = db.tree;
  assert.equal(`0x${db.tree.lastProcessedZxid.toString(16)}`, expected.lastZxid);
  assert.equal(db.tree.digest.toBigInt().toString(), expected.treeDigest.value);
  assert.equal(db.tree.digestMismatches, 0);
  assert.equal(store.count, expected.nodes.length);
  for (const [path, data, czxid, mzxid, pzxid, , , version, cversion, aversion, , acl] of expected.nodes) {
    const id = store.findString(path);
    const hex = (field: number): string => `0x${store.getLong(id, field).toString(16)}`;
    assert.deepEqual(
      [store.data(id)?.toString('base64') ?? null, hex(F.czxid), hex(F.mzxid), hex(F.pzxid), store.get(id, F.version)],
      [data, czxid, mzxid, pzxid, version],
      path,
    );
    assert.equal(store.get(id, F.cversion) * 2 - store.get(id, F.numChildren), cversion, path);
    assert.equal(store.get(id, F.aversion), aversion, path);
    const list = db.tree.aclList(id)?.map((entry) => [entry.perms, entry.scheme, entry.id]);
    assert.deepEqual(list, expected.acls[acl], path);
  }
});

test('every snapshot of a directory leads to the same tree', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const version2 = join(dir, 'version-2');
  for (const newest of ['snapshot.6c', 'snapshot.5a', 'snapshot.47', 'snapshot.34', 'snapshot.28', 'snapshot.17']) {
    rmSync(join(version2, newest));
    assertTree(await recoverDir(dir), expectedOf('standalone-3.8.0'));
  }
});

test('compressed snapshots, those of 3.9 and those without digest are read', async (t) => {
  for (const [file, name] of [
    ['snapshot.7f.gz', 'snapshot.7f.gz'],
    ['snapshot.7f.snappy', 'snapshot.7f.snappy'],
    ['snapshot.7f.written-by-3.9.5', 'snapshot.7f'],
    ['snapshot.7f.without-digest', 'snapshot.7f'],
  ] as const) {
    const dir = copyOf(t, 'standalone-3.8.0');
    for (const old of readdirSync(join(dir, 'version-2'))) rmSync(join(dir, 'version-2', old));
    copyFileSync(join(FIXTURES, 'snapshots', file), join(dir, 'version-2', name));
    const result = await recoverDir(dir);
    assert.equal(result.warnings.length, 0, file);
    assert.equal(result.db.tree.digest.toBigInt().toString(), expectedOf('standalone-3.8.0').treeDigest.value, file);
  }
});

interface Variant {
  name: string;
  put: string[];
  remove: string[];
}

const variants = (JSON.parse(readFileSync(join(FIXTURES, 'damaged/variants.json'), 'utf8')) as { variants: Variant[] })
  .variants;
/** The last zxid that must be recovered, or that the server must refuse to start. */
const outcome: Record<string, string> = {
  cut: '0x7d',
  zeroed: '0x7e',
  noeor: '0x7e',
  crc: 'refused', // nothing of it is missing, so it was not torn
  crcmid: 'refused',
  eormid: 'refused',
  lenhuge: '0x7f',
  lenneg: '0x7f',
  emptytail: '0x7f',
  hdrpartial: '0x7f',
  hdronly: '0x7f',
  crcolder: '0x7f',
  midlogmissing: '0x7f',
  snapcut: '0x7f',
  snapcrc: '0x7f',
  nosnap: 'refused',
  gap: 'refused',
};

for (const variant of variants) {
  test(`damage '${variant.name}': ${outcome[variant.name]}`, async (t) => {
    const dir = copyOf(t, 'standalone-3.8.0');
    for (const file of variant.remove) rmSync(join(dir, 'version-2', file));
    for (const file of variant.put)
      copyFileSync(join(FIXTURES, 'damaged', variant.name, file), join(dir, 'version-2', file));
    const expected = outcome[variant.name];
    assert.notEqual(expected, undefined);
    if (expected === 'refused') {
      await assert.rejects(recoverDir(dir), (e) => e instanceof StorageError && e.remedy.length > 0);
      return;
    }
    const result = await recoverDir(dir);
    assert.equal(`0x${result.db.tree.lastProcessedZxid.toString(16)}`, expected);
    if (expected !== '0x7f' || variant.name.startsWith('len'))
      assert.equal(result.warnings.length, 1, 'the cut is told');
  });
}

test('a log cut at any byte of its last records recovers what is whole before it', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const log = join(dir, 'version-2', 'log.6d');
  const whole = readFileSync(log);
  const ends: number[] = []; // where each record ends
  for (let at = 16; at < 1538; ) {
    at += 12 + whole.readInt32BE(at + 8) + 1;
    ends.push(at);
  }
  assert.equal(ends.length, 19);
  for (let cut = ends[15] as number; cut <= 1538; cut++) {
    writeFileSync(log, whole);
    truncateSync(log, cut);
    const { recovered } = await recoverDir(dir);
    assert.equal(recovered.lastZxid, 0x6c + ends.filter((end) => end <= cut).length, `cut at ${cut}`);
    // As after a crash in a preallocated file: the rest of the torn record is zero.
    writeFileSync(log, Buffer.concat([whole.subarray(0, cut), Buffer.alloc(16400 - cut)]));
    const zeroed = (await recoverDir(dir)).recovered;
    assert.ok(zeroed.lastZxid >= recovered.lastZxid && zeroed.lastZxid <= 0x7f, `zeroed at ${cut}`);
  }
});

test('entries that a follower of Apache’s logged twice count once, and other bytes under a used zxid are refused', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  const log = join(dir, 'version-2', 'log.6d');
  const whole = readFileSync(log);
  const starts: number[] = [];
  for (let at = 16; at < 1538; at += 12 + whole.readInt32BE(at + 8) + 1) starts.push(at);
  const [from, to, end] = [starts[10] as number, starts[15] as number, 1538];
  // 6d … 7b, then 77 … 7f again from the middle.
  writeFileSync(log, Buffer.concat([whole.subarray(0, to), whole.subarray(from, end)]));
  assertTree(await recoverDir(dir), expectedOf('standalone-3.8.0'));
  const other = Buffer.from(whole.subarray(starts[11] as number, to));
  other.writeInt32BE(0x77, 12 + 16); // the lower half of its zxid
  other.writeUInt32BE(adler32(1, other, 12, 12 + other.readInt32BE(8)), 4);
  writeFileSync(log, Buffer.concat([whole.subarray(0, to), other]));
  await assert.rejects(recoverDir(dir), /0x77 follows 0x7b/);
});

test('an empty directory is a fresh start', async (t) => {
  const { recovered } = await recoverDir(temporaryDir(t));
  assert.equal(recovered.fresh, true);
});

test('a first snapshot that was cut short is none, a later one is missed', async (t) => {
  const dir = temporaryDir(t);
  mkdirSync(join(dir, 'version-2'));
  const whole = readFileSync(join(FIXTURES, 'standalone-3.8.0/version-2/snapshot.6c'));
  const cut = whole.subarray(0, whole.length - 20);
  writeFileSync(join(dir, 'version-2/snapshot.0'), cut);
  assert.equal((await recoverDir(dir)).recovered.fresh, true);
  writeFileSync(join(dir, 'version-2/snapshot.7f'), cut);
  await assert.rejects(
    recoverDir(dir),
    (e) => e instanceof StorageError && e.isDamage && /snapshot\.7f/.test(e.message),
  );
});

test('a damaged snapshot is not passed over where the log does not reach it', async (t) => {
  const dir = temporaryDir(t);
  const version2 = join(dir, 'version-2');
  mkdirSync(version2);
  const restored = snapshotOf([], [{ path: '' }, { path: '/restored' }]);
  writeFileSync(join(version2, 'snapshot.0'), snapshotOf([], [{ path: '' }]));
  writeFileSync(join(version2, 'log.1'), logOf(1, [failure(1), failure(2)]));
  writeFileSync(join(version2, 'snapshot.64'), restored);
  assert.equal((await recoverDir(dir)).recovered.lastZxid, 0x64);
  restored[40] = ~(restored[40] as number);
  writeFileSync(join(version2, 'snapshot.64'), restored);
  await assert.rejects(recoverDir(dir), (e) => e instanceof StorageError && e.isDamage && /end at 0x2/.test(e.message));
  rmSync(join(version2, 'snapshot.64'));
  // Behind an election, before the epoch has a transaction.
  writeFileSync(join(version2, 'snapshot.100000000'), restored);
  assert.equal((await recoverDir(dir)).recovered.lastZxid, 2);
});

const ADMIN: readonly Acl[] = [{ perms: 31, scheme: 'digest', id: 'admin:hash' }];
const READ: readonly Acl[] = [{ perms: 1, scheme: 'world', id: 'anyone' }];

test('a node with an access control list that the snapshot does not hold has that of the log, for good', async (t) => {
  const dir = temporaryDir(t);
  const version2 = join(dir, 'version-2');
  mkdirSync(version2);
  // As Apache's servers write it: the node came while the snapshot was written, with a list of its own.
  const nodes = [{ path: '' }, { path: '/x', data: 'precious', acl: 2 }, { path: '/y', acl: 2 }];
  writeFileSync(join(version2, 'snapshot.5'), snapshotOf([[1, READ]], nodes));
  const log = new Harness();
  log.zxid = 5;
  log.create('/other', { acl: READ });
  log.create('/x', { data: 'precious', acl: ADMIN });
  writeFileSync(join(version2, 'log.6'), logOf(6, log.entries));
  const { db, unlisted } = await recoverDir(dir);
  const aclOf = (path: string) => db.tree.aclList(db.tree.store.findString(path));
  assert.deepEqual([aclOf('/x'), aclOf('/other')], [ADMIN, READ]);
  assert.deepEqual([unlisted, aclOf('/y')], [1, [{ perms: 0, scheme: 'world', id: 'anyone' }]]);
  const own = { digestEnabled: true, serializeLastProcessedZxid: false, compression: '' } as const;
  await writeSnapshot(nodeDisk, version2, db.snapshot(), own);
  const again = (await recoverDir(dir)).db.tree;
  for (const path of ['/x', '/y', '/other']) assert.notEqual(again.store.findString(path), 0, path);
});

test('numbers of access control lists in a snapshot do not meet those given here', async (t) => {
  const dir = temporaryDir(t);
  const version2 = join(dir, 'version-2');
  mkdirSync(version2);
  // Of 3.4, which has no /zookeeper/config: its first list is the users'.
  writeFileSync(join(version2, 'snapshot.5'), snapshotOf([[1, ADMIN]], [{ path: '' }, { path: '/secret', acl: 1 }]));
  const log = new Harness();
  log.zxid = 5;
  log.create('/public', { acl: READ });
  writeFileSync(join(version2, 'log.6'), logOf(6, log.entries));
  const { tree } = (await recoverDir(dir)).db;
  const aclOf = (path: string) => tree.aclList(tree.store.findString(path));
  assert.deepEqual([aclOf('/secret'), aclOf('/public'), aclOf('/zookeeper/config')], [ADMIN, READ, READ]);
});

test('a snapshot that holds a node twice is read: the log tells how it ends', async (t) => {
  const dir = temporaryDir(t);
  const version2 = join(dir, 'version-2');
  mkdirSync(version2);
  const nodes = [{ path: '' }, { path: '/a', data: 'old', acl: 1 }, { path: '/a', data: 'new' }];
  writeFileSync(join(version2, 'snapshot.5'), snapshotOf([[1, ADMIN]], nodes));
  const { tree } = (await recoverDir(dir)).db;
  const id = tree.store.findString('/a');
  assert.deepEqual([tree.store.data(id)?.toString(), tree.aclOf(id)], ['new', -1]);
});

test('a directory for logs that is missing while there are snapshots is not begun anew', (t) => {
  const dir = temporaryDir(t);
  mkdirSync(join(dir, 'data/version-2'), { recursive: true });
  mkdirSync(join(dir, 'log'));
  const open = () => openDataDir(nodeDisk, join(dir, 'data'), join(dir, 'log'), true);
  writeFileSync(join(dir, 'data/version-2/snapshot.5'), snapshotOf([], [{ path: '' }]));
  assert.throws(open, /Mount what dataLogDir stands for, .* for a member of an ensemble \S+must-rejoin, too/);
  mkdirSync(join(dir, 'log/version-2'));
  open();
});

/** An entry of a request that failed. */
function failure(zxid: number): Buffer {
  const entry = Buffer.alloc(36);
  entry.writeBigInt64BE(BigInt(zxid), 12);
  entry.writeInt32BE(-1, 28); // type error
  entry.writeInt32BE(-101, 32);
  return entry;
}

test('an epoch begins with its first transaction: another one shows that some are missing', async (t) => {
  const dir = copyOf(t, 'standalone-3.8.0');
  writeFileSync(join(dir, 'version-2/log.100000001'), logOf(0x100000001, [failure(0x100000001)]));
  assert.equal((await recoverDir(dir)).recovered.lastZxid, 0x100000001);
  rmSync(join(dir, 'version-2/log.100000001'));
  writeFileSync(join(dir, 'version-2/log.100000003'), logOf(0x100000003, [failure(0x100000003)]));
  await assert.rejects(recoverDir(dir), /0x100000003 follows 0x7f: transactions between them are missing/);
});

test('zxids that go beyond those that can be told apart are named as what they are', async (t) => {
  const dir = temporaryDir(t);
  mkdirSync(join(dir, 'version-2'));
  const last = Number.MAX_SAFE_INTEGER;
  writeFileSync(join(dir, 'version-2/snapshot.1ffffffffffffe'), snapshotOf([], [{ path: '' }]));
  const log = join(dir, `version-2/log.${last.toString(16)}`);
  writeFileSync(log, logOf(last, [failure(last)]));
  assert.equal((await recoverDir(dir)).recovered.lastZxid, last);
  for (const next of [2n ** 53n, 2n ** 53n + 1n, 2n ** 60n]) {
    const beyond = failure(0);
    beyond.writeBigInt64BE(next, 12);
    writeFileSync(log, logOf(last, [failure(last), beyond]));
    await assert.rejects(
      recoverDir(dir),
      /zxids go on behind 0x1fffffffffffff to where epochs from 2097152 on are, which are not supported/,
    );
  }
});
