// The tree: nodes, digests and replay. Entries are made by the real preparer, so both sides of a write are held together.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { AddWatchMode, ErrorCode, JuteWriter, OpCode } from '@nodekeeper/protocol';
import type { Expired } from '../../dist/tree/data-tree.js';
import { addLong, F, ROOT } from '../../dist/tree/node-store.js';
import { type ExtendedTypes, OwnerKind, ownerKind, ttlOf } from '../../dist/tree/owner.js';
import type { WatchEvent } from '../../dist/tree/watches.js';
import { AUTHOR_ID, createBody, Harness } from './harness.js';

/** The tree's digest by the book: every node's path, data and stored Stat through zlib's CRC-32. */
function digestByTheBook(h: Harness): bigint {
  const { store } = h.tree;
  let sum = 0n;
  const visit = (id: number): void => {
    const path = store.path(id);
    if (!path.startsWith('/zookeeper/')) {
      const w = new JuteWriter();
      for (const f of [F.czxid, F.mzxid, F.pzxid, F.ctime, F.mtime]) w.long53(store.getLong(id, f));
      for (const f of [F.version, F.cversion, F.aversion, F.owner, F.owner + 1]) w.int(store.get(id, f));
      const data = store.data(id) ?? Buffer.alloc(0);
      sum += BigInt(crc32(Buffer.concat([Buffer.from(path === '/' ? '' : path), data, w.bytes()])));
    }
    for (const child of store.children(id)) visit(child);
  };
  visit(1);
  return BigInt.asUintN(64, sum);
}

function check(h: Harness): void {
  assert.equal(h.tree.digest.toBigInt(), digestByTheBook(h));
  assert.equal(h.tree.digestMismatches, 0, 'the digest predicted by prepare is the one after apply');
}

test('creates, changes and deletes nodes, and the digest follows', () => {
  const h = new Harness();
  assert.equal(h.create('/a', { data: 'one' }), 0);
  assert.equal(h.create('/a/b', { data: null }), 0);
  assert.equal(h.create('/a', {}), ErrorCode.NodeExists);
  assert.equal(h.create('/x/y', {}), ErrorCode.NoNode);
  assert.equal(h.set('/a', 'two', 0), 0);
  assert.equal(h.set('/a', 'three', 0), ErrorCode.BadVersion);
  check(h);
  assert.equal(h.delete('/a'), ErrorCode.NotEmpty);
  assert.equal(h.delete('/a/b'), 0);
  assert.equal(h.delete('/a'), 0);
  check(h);
  assert.equal(h.tree.store.count, 4);
  assert.equal(h.tree.lastProcessedZxid, 9, 'failed writes take a zxid too');
});

test('pipelined writes are judged against what is still on its way', () => {
  const h = new Harness();
  assert.equal(h.prepare(OpCode.create, createBody('/p')), 0);
  assert.equal(h.prepare(OpCode.create, createBody('/p/c-', { flags: 2 })), 0);
  assert.equal(h.preparer.path, '/p/c-0000000000');
  assert.equal(h.prepare(OpCode.create, createBody('/p/c-', { flags: 2 })), 0);
  assert.equal(h.preparer.path, '/p/c-0000000001');
  assert.equal(
    h.prepare(OpCode.delete, (w) => w.string('/p').int(-1)),
    ErrorCode.NotEmpty,
  );
  assert.equal(
    h.prepare(OpCode.setData, (w) => w.string('/p').buffer(null).int(0)),
    0,
  );
  assert.equal(
    h.prepare(OpCode.setData, (w) => w.string('/p').buffer(null).int(0)),
    ErrorCode.BadVersion,
  );
  assert.equal(h.tree.store.findString('/p'), 0, 'nothing is visible before it is committed');
  h.commit();
  check(h);
  assert.equal(h.preparer.pending.size, 0);
});

test('a failed multi changes nothing and gives its sequence numbers back', () => {
  const h = new Harness();
  h.create('/q');
  const parts = (w: JuteWriter, failing: boolean): void => {
    w.int(OpCode.create).bool(false).int(-1);
    createBody('/q/s-', { flags: 2 })(w);
    w.int(OpCode.delete)
      .bool(false)
      .int(-1)
      .string(failing ? '/missing' : '/q/s-0000000000')
      .int(-1);
    w.int(-1).bool(true).int(-1);
  };
  assert.equal(
    h.run(OpCode.multi, (w) => parts(w, true)),
    0,
  );
  assert.equal(h.tree.store.findString('/q/s-0000000000'), 0);
  check(h);
  assert.equal(h.create('/q/s-', { flags: 2 }), 0);
  assert.equal(h.preparer.path, '/q/s-0000000000');
  assert.equal(h.delete('/q/s-0000000000'), 0);
  check(h);
});

const ephemeralPaths = ({ tree }: Harness): string[] =>
  Array.from(tree.ephemeralIds(AUTHOR_ID) ?? [], (id) => tree.store.path(id));

test('closing a session deletes its ephemerals, those still on their way included', () => {
  const h = new Harness();
  h.create('/e1', { flags: 1 });
  assert.deepEqual(ephemeralPaths(h), ['/e1']);
  h.prepare(OpCode.create, createBody('/e2', { flags: 1 }));
  h.prepare(OpCode.delete, (w) => w.string('/e1').int(-1));
  h.closeSession();
  h.commit();
  assert.equal(h.tree.store.count, 4);
  assert.equal(h.tree.ephemeralCount, 0);
  check(h);
  assert.equal(h.create('/e3', { flags: 1 }), 0);
  assert.equal(h.create('/e3/x'), ErrorCode.NoChildrenForEphemerals);
});

test('a session whose end has no list takes what the tree knows to be its own', () => {
  const h = new Harness();
  for (const path of ['/e1', '/e2']) h.create(path, { flags: 1 });
  const { idHi, idLo } = h.author;
  const w = new JuteWriter()
    .int(idHi)
    .int(idLo)
    .int(1)
    .long53(++h.zxid)
    .long53(h.time)
    .int(OpCode.closeSession);
  h.tree.apply(w.bytes(), 0, w.pos);
  assert.equal(h.tree.store.count, 4);
  assert.equal(h.tree.ephemeralCount, 0);
  assert.deepEqual(ephemeralPaths(h), []);
  check(h);
});

test('containers and TTL nodes are known by their owner', () => {
  const h = new Harness();
  assert.equal(h.create('/c', { op: OpCode.createContainer, flags: 4 }), 0);
  assert.equal(h.create('/t', { op: OpCode.createTTL, flags: 5, ttl: 5000 }), 0);
  assert.equal(h.create('/u', { op: OpCode.createTTL, flags: 0, ttl: -1 }), ErrorCode.BadArguments);
  assert.equal(h.create('/u', { op: OpCode.createTTL, flags: 5, ttl: 0 }), ErrorCode.BadArguments);
  check(h);
  const expired = (time: number) => Array.from(h.tree.expiredContainers(time, 0), ({ path }) => path);
  assert.deepEqual(expired(h.time), []);
  h.create('/c/x');
  h.delete('/c/x');
  assert.deepEqual(expired(h.time), ['/c']);
  assert.deepEqual(expired(h.time + 6000), ['/c', '/t']);
});

test('owners of TTL nodes are told from sessions, those of 3.5.3 only if asked for', () => {
  const { ephemeral, container, ttl } = OwnerKind;
  const kinds = (types: ExtendedTypes) =>
    [0xff000000, 0x80000000, 0x80000001, 0x01000000].map((hi) => ownerKind(hi | 0, 5, types));
  assert.deepEqual(kinds(false), [ephemeral, ephemeral, ephemeral, ephemeral]);
  assert.deepEqual(kinds(true), [ttl, ephemeral, ephemeral, ephemeral]);
  assert.deepEqual(kinds('3.5.3'), [ttl, ttl, ttl, ephemeral]);
  assert.deepEqual(
    ([false, true, '3.5.3'] as const).map((types) => ownerKind(0x80000000 | 0, 0, types)),
    [container, container, container],
  );
  assert.equal(ttlOf(0x80000000 | 0, 3_600_000), 3_600_000);
});

test('a container that was made again, or a TTL node that was written, is not deleted for what was due', () => {
  const h = new Harness();
  h.create('/c', { op: OpCode.createContainer, flags: 4 });
  h.create('/c/child');
  h.delete('/c/child');
  h.create('/t', { op: OpCode.createTTL, flags: 5, ttl: 5000 });
  const due = [...h.tree.expiredContainers(h.time + 6000, 0)];
  assert.equal(due.length, 2);
  h.delete('/c');
  h.create('/c');
  h.set('/t', 'written');
  const judge = (node: Expired): number => h.preparer.prepareDeleteContainer(node, ++h.zxid, h.time++);
  assert.deepEqual(due.map(judge), [ErrorCode.BadVersion, ErrorCode.BadVersion]);
  assert.deepEqual([...h.tree.expiredContainers(h.time + 6000, 0)].map(judge), [ErrorCode.Ok]);
});

test('a container whose deletion would be larger than an entry may be stays', () => {
  const before = new Harness();
  before.create(`/${'c'.repeat(2000)}`, { op: OpCode.createContainer, flags: 4 });
  const h = new Harness({ maxEntry: 1000 });
  for (const entry of before.entries) h.tree.apply(entry, 0, entry.length);
  h.zxid = before.zxid;
  const [due] = [...h.tree.expiredContainers(h.time + 6000, 1000)];
  assert.ok(due !== undefined);
  assert.equal(h.preparer.prepareDeleteContainer(due, ++h.zxid, h.time++), ErrorCode.BadArguments);
  assert.ok(h.preparer.entry.pos < 100);
  assert.equal(h.preparer.pending.size, 0);
});

test('replaying the log gives the same tree, and replaying it twice too', () => {
  const h = new Harness();
  let random = 12345;
  const next = (n: number): number => {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    return random % n;
  };
  for (let i = 0; i < 3000; i++) {
    const path = `/n${next(8)}${next(2) ? `/m${next(8)}` : ''}`;
    const kind = next(5);
    if (kind < 2) h.create(path, { data: 'x'.repeat(next(300)), flags: next(4) });
    else if (kind === 2) h.delete(path);
    else if (kind === 3) h.set(path, 'y'.repeat(next(2000)));
    else
      h.run(OpCode.setACL, (w) =>
        w
          .string(path)
          .int(1)
          .int(1 + next(31))
          .string('ip')
          .string('127.0.0.1')
          .int(-1),
      );
  }
  check(h);
  const again = new Harness();
  for (const entry of h.entries) again.tree.apply(entry, 0, entry.length);
  check(again);
  assert.equal(again.tree.digest.toBigInt(), h.tree.digest.toBigInt());
  assert.equal(again.tree.store.count, h.tree.store.count);
});

test('what a snapshot holds below a node that the log deletes goes with it, be it thousands of levels', () => {
  const h = new Harness();
  const levels = 6000;
  for (let i = 1; i <= levels; i++) {
    h.create('/a'.repeat(i), { flags: i === levels ? 1 : 0, acl: [{ perms: 31, scheme: 'world', id: 'anyone' }] });
    h.entries.length = 0;
  }
  const w = new JuteWriter()
    .int(0)
    .int(7)
    .int(1)
    .long53(++h.zxid)
    .long53(h.time)
    .int(OpCode.delete)
    .string('/a');
  h.tree.apply(w.bytes(), 0, w.pos);
  const fresh = new Harness().tree;
  assert.deepEqual([h.tree.store.count, h.tree.ephemeralCount], [fresh.store.count, 0]);
  assert.equal(h.tree.store.nodesBelow(ROOT), fresh.store.nodesBelow(ROOT));
  assert.equal(h.create('/a'), 0);
  assert.equal(h.tree.digestMismatches, 0);
});

test('every node knows how many nodes and bytes are below it, whatever was done', () => {
  const h = new Harness();
  const { store } = h.tree;
  const walk = (id: number): { nodes: number; bytes: number } => {
    let nodes = 0;
    let bytes = 0;
    for (const child of store.children(id)) {
      const below = walk(child);
      nodes += 1 + below.nodes;
      bytes += store.get(child, F.dataLength) + below.bytes;
      assert.deepEqual([store.nodesBelow(child), store.bytesBelow(child)], [below.nodes, below.bytes]);
    }
    return { nodes, bytes };
  };
  let random = 99;
  const next = (n: number): number => {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    return (random >> 8) % n;
  };
  for (let i = 0; i < 4000; i++) {
    let path = '';
    for (let depth = 1 + next(4); depth > 0; depth--) path += `/n${next(5)}`;
    const kind = next(4);
    if (kind < 2) h.create(path, { data: next(3) === 0 ? null : 'x'.repeat(next(300)) });
    else if (kind === 2) h.delete(path);
    else h.set(path, 'y'.repeat(next(2000)));
    if (i % 500 !== 0) continue;
    const { nodes, bytes } = walk(1);
    assert.deepEqual([store.nodesBelow(1), store.bytesBelow(1)], [nodes, bytes]);
    assert.equal(nodes, store.count - 1);
  }
});

test('sums of bytes go beyond 32 bits and back', () => {
  const words = new Int32Array(2);
  const value = (): number => (words[0] as number) * 4294967296 + ((words[1] as number) >>> 0);
  let sum = 0;
  for (const delta of [5, 4294967290, 1, 2 ** 45, -3, -(2 ** 45), -4294967290, 2 ** 31, -(2 ** 31), -3]) {
    addLong(words, 0, delta);
    sum += delta;
    assert.equal(value(), sum);
  }
  assert.equal(sum, 0);
});

test('records and blocks of deleted nodes are used again', () => {
  const h = new Harness();
  for (let i = 0; i < 500; i++) h.create(`/n${i}`, { data: 'x'.repeat(100) });
  const used = h.tree.store.arena.used;
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 500; i++) h.delete(`/n${i}`);
    for (let i = 0; i < 500; i++) h.create(`/n${i}`, { data: 'x'.repeat(100) });
  }
  assert.equal(h.tree.store.arena.used, used);
  check(h);
});

test('removed nodes keep their names for those who began to list them before, and nothing else', () => {
  const h = new Harness();
  const { store } = h.tree;
  const add = (path: string): number => {
    h.create(path, { data: 'x'.repeat(100_000) });
    return store.findString(path);
  };
  const [a, b, c] = ['/a', '/b', '/c'].map(add) as [number, number, number];
  const nothing = (): void => assert.fail('too much is kept');
  const before = store.arena.used;
  const first = store.hold(nothing);
  h.delete('/a');
  assert.ok(before - store.arena.used >= 100_000, 'the data are gone at once');
  const second = store.hold(nothing);
  h.delete('/b');
  assert.deepEqual(
    [a, b].map((id) => store.path(id)),
    ['/a', '/b'],
  );
  const one = store.limboBytes / 2;
  store.unhold(first);
  assert.equal(store.limboBytes, one);
  assert.equal(store.path(b), '/b');
  const third = store.hold(nothing);
  h.delete('/c');
  store.unhold(third);
  assert.equal(store.limboBytes, 2 * one, 'the second began before');
  assert.equal(store.path(c), '/c');
  store.unhold(second);
  assert.equal(store.limboBytes, 0);
  check(h);
});

test('who holds too many removed nodes has to let go of them', () => {
  const h = new Harness();
  const { store } = h.tree;
  const hold = store.hold(() => store.unhold(hold));
  const path = `/${'x'.repeat(1_000_000)}`;
  for (let i = 0; i < 70; i++) {
    h.create(path);
    h.delete(path);
  }
  assert.ok(store.limboBytes < 64 * 1024 * 1024);
  check(h);
});

test('of a path with very many levels only those are looked for that a watch or a quota may have', (t) => {
  const h = new Harness();
  const told: string[] = [];
  const watcher = { mayRead: () => true, onEvent: ({ path }: WatchEvent) => told.push(path) };
  for (const path of ['/', '/x', '/x/xx'])
    h.tree.watches.addPersistent(path, watcher, AddWatchMode.persistentRecursive);
  for (const path of ['/x', '/x/x/x']) h.tree.quotas.add(path);
  const deep = '/x'.repeat(2000);
  const slices = t.mock.method(String.prototype, 'slice');
  h.tree.watches.dataChanged(deep, 1, -1);
  assert.equal(h.tree.quotas.governing(deep), '/x/x/x');
  assert.equal(h.tree.quotas.governing('/x/y'), '/x');
  assert.ok(slices.mock.callCount() < 10, `${slices.mock.callCount()} beginnings of a path with 2,000`);
  assert.deepEqual(told, [deep]);
  h.tree.watches.removeWatcher(watcher);
  h.tree.quotas.delete('/x/x/x');
  h.tree.watches.dataChanged(deep, 2, -1);
  assert.equal(h.tree.quotas.governing(deep), '/x');
  assert.equal(told.length, 1);
});

test('who leaves with very many watches is told nothing more, and they go bit by bit', () => {
  const { watches } = new Harness().tree;
  const told: string[] = [];
  const watcher = (name: string) => ({ mayRead: () => true, onEvent: () => told.push(name) });
  const [leaving, also, stays] = [watcher('leaving'), watcher('also'), watcher('stays')];
  for (let i = 0; i < 50_000; i++) watches.addData(`/n${i}`, leaving);
  for (const path of ['/n49998', '/n49999'])
    for (const one of [leaving, also, stays]) watches.addPersistent(path, one, AddWatchMode.persistentRecursive);
  assert.equal(watches.removeWatcher(leaving), true);
  assert.equal(watches.removeWatcher(also), true);
  assert.ok(watches.count > 25_000);
  watches.dataChanged('/n49999', 1, -1);
  watches.dataChanged('/n49998/below', 1, -1);
  watches.dataChanged('/n40000', 1, -1);
  assert.deepEqual(told, ['stays', 'stays']);
  let sweeps = 0;
  while (watches.sweep()) sweeps++;
  assert.ok(sweeps > 10);
  assert.equal(watches.count, 2);
  assert.equal(watches.dataPathCount, 2);
  assert.equal(watches.removeWatcher(stays), false);
  assert.equal(watches.count, 0);
});

test('what paths that are watched take is counted once for each watcher and path, until nothing of it is left', () => {
  const { watches } = new Harness().tree;
  const watcher = () => ({ mayRead: () => true, onEvent: () => {} });
  const [one, other] = [watcher(), watcher()];
  watches.addData('/aaaa', one);
  const each = watches.bytes;
  assert.ok(each > '/aaaa'.length);
  watches.addChild('/aaaa', one);
  watches.addPersistent('/aaaa', one, AddWatchMode.persistent);
  watches.addPersistent('/aaaa', one, AddWatchMode.persistentRecursive);
  assert.equal(watches.bytes, each);
  watches.addData('/aaaa', other);
  watches.addData(`/${'b'.repeat(1000)}`, other);
  assert.equal(watches.bytesOf(one), each);
  assert.equal(watches.bytes, 3 * each + 996);
  for (const type of [1, 4, 5]) watches.remove('/aaaa', one, type);
  watches.dataChanged('/aaaa', 1, -1);
  assert.deepEqual([watches.bytesOf(one), watches.bytesOf(other), watches.bytes], [0, each + 996, each + 996]);
  watches.removeWatcher(other);
  assert.deepEqual([watches.bytesOf(other), watches.bytes, watches.count], [0, 0, 0]);
});

test('digests are told where the tree is that of a history only, not while nodes of a snapshot may be ahead', () => {
  const h = new Harness();
  h.tree.digestComparedFrom = 200; // as a snapshot says that was taken until then
  for (const zxid of [128, 256]) {
    h.zxid = zxid - 1;
    h.create(`/n${zxid}`);
  }
  assert.deepEqual(
    h.tree.digestLog.map(({ zxid }) => zxid),
    [256],
  );
});
