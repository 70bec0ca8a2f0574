// Pending changes against a plain list of what each write did: records that are used again must never show another's state.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import fc from 'fast-check';
import { type NodeChange, PendingChanges } from '../../dist/request/changes.js';
import { F } from '../../dist/tree/node-store.js';
import { AUTHOR, createBody, Harness } from '../tree/harness.js';

/** A node as some write leaves it: what the test looks at. */
type State = Readonly<Pick<NodeChange, 'path' | 'zxid' | 'exists' | 'ephemeral' | 'version'>>;

/** Pending changes together with the list that they are to agree with. The tree has every second path and never changes. */
class Pair {
  readonly paths: readonly string[];
  private readonly changes: PendingChanges;
  private readonly tree = new Map<string, State>();
  private list: State[] = [];
  private zxid = 10_000;
  private unique = 0;

  constructor(count: number) {
    const h = new Harness();
    this.changes = new PendingChanges(h.tree);
    this.paths = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? `/ä${i}` : `/n${i}`));
    for (const path of this.paths.filter((_, i) => i % 2 === 0)) {
      h.create(path);
      this.tree.set(path, { path, zxid: 0, exists: true, ephemeral: false, version: 0 });
    }
  }

  /** One write: each part finds two nodes, as those of a multi do, then changes one and makes or deletes the other. */
  write(parts: readonly (readonly [number, number, boolean])[], fails: boolean): void {
    const { changes, list } = this;
    const [length, zxid] = [list.length, ++this.zxid];
    changes.begin();
    const mark = changes.mark();
    for (const [one, other, ephemeral] of parts) {
      const path = this.paths[one] as string;
      const node = this.find(path);
      const above = this.find(this.paths[other] as string);
      if (above !== undefined && one !== other) {
        const version = ++this.unique;
        changes.change(above, zxid).stat[F.version] = version;
        const at = list.findLastIndex((state) => state.path === above.path);
        const own = list[at]?.zxid === zxid; // then it goes on in the same record
        const state = { path: above.path, zxid, exists: true, ephemeral: own && list[at]?.ephemeral === true, version };
        list.splice(own ? at : list.length, 1, state);
      }
      this.compare(path, node);
      const version = ++this.unique;
      list.push({ path, zxid, exists: node === undefined, ephemeral, version });
      if (node !== undefined) changes.remove(path, zxid, ephemeral);
      if (node !== undefined) continue;
      const created = changes.created(path, zxid);
      assert.ok(created.stat.every((word) => word === 0) && created.acl === undefined && created.aclId === 0);
      created.stat[F.version] = version;
      created.ephemeral = ephemeral;
      changes.add(created);
    }
    if (!fails) return;
    changes.rollback(mark);
    list.length = length;
  }

  /** So many of the pending writes are applied. */
  apply(writes: number): void {
    const applied = [...new Set(this.list.map(({ zxid }) => zxid))].slice(0, writes).at(-1) ?? 0;
    this.changes.applied(applied);
    this.list = this.list.filter(({ zxid }) => zxid > applied);
  }

  check(): void {
    const { changes, list } = this;
    changes.begin();
    for (const path of this.paths) this.find(path);
    const told = [...changes.values()].map((change) => [change.path, change.zxid, change.exists, change.ephemeral]);
    const expected = list.map((state) => [state.path, state.zxid, state.exists, state.ephemeral]);
    assert.deepEqual(told, expected);
  }

  private find(path: string): NodeChange | undefined {
    const node = this.changes.find(path);
    this.compare(path, node);
    return node;
  }

  private compare(path: string, node: NodeChange | undefined): void {
    const state = this.list.findLast((other) => other.path === path) ?? this.tree.get(path);
    const expected = state?.exists === true ? [path, state.version] : undefined;
    assert.deepEqual(node && [node.path, node.version], expected);
  }
}

test('pending changes agree with a list of all writes, whatever fails and is applied in between', () => {
  const part = fc.tuple(fc.nat(11), fc.nat(11), fc.boolean());
  const write = fc.tuple(fc.array(part, { minLength: 1, maxLength: 6 }), fc.boolean(), fc.nat(3));
  const property = fc.property(fc.array(write, { maxLength: 40, size: 'max' }), (writes) => {
    const pair = new Pair(12);
    for (const [parts, fails, applied] of writes) {
      pair.write(parts, fails);
      pair.apply(applied);
      pair.check();
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test('the table of pending changes grows', () => {
  const pair = new Pair(3000);
  for (let i = 0; i < 3000; i += 3) pair.write([[i, (i + 1) % 3000, i % 2 === 0]], i % 7 === 3);
  pair.write(
    Array.from(pair.paths, (_, i) => [i, 2999 - i, i % 5 === 0] as const),
    true,
  );
  pair.check();
  pair.apply(500);
  pair.check();
});

/** Two sessions. */
const SESSIONS = [AUTHOR, { idHi: AUTHOR.idHi, idLo: AUTHOR.idLo + 1 }] as const;

test('a session that is closed takes with it what is its own by then, whatever is on its way', () => {
  const paths = ['/a', '/b', '/c', '/d'];
  const kinds = ['create', 'create', 'keep', 'delete', 'set', 'multi', 'fail', 'commit', 'close'] as const;
  const step = fc.tuple(fc.constantFrom(...kinds), fc.nat(paths.length - 1), fc.nat(1));
  const property = fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
    const h = new Harness();
    const owners = new Map<string, number | undefined>();
    for (const [kind, at, who] of steps) {
      const path = paths[at] as string;
      h.author = SESSIONS[who] as typeof AUTHOR;
      const create = createBody(path, { flags: kind === 'keep' ? 0 : 1 });
      const takesEffect = owners.has(path) === (kind === 'delete' || kind === 'set');
      if (kind === 'commit') h.commit();
      else if (kind === 'close') {
        h.closeSession();
        for (const [other, owner] of owners) if (owner === who) owners.delete(other);
      } else if (kind === 'set') h.prepare(OpCode.setData, (w) => w.string(path).buffer(null).int(-1));
      else if (kind === 'delete') {
        h.prepare(OpCode.delete, (w) => w.string(path).int(-1));
        owners.delete(path);
      } else if (kind === 'multi' || kind === 'fail') {
        h.prepare(OpCode.multi, (w) => {
          w.int(OpCode.create).bool(false).int(-1);
          create(w);
          w.int(OpCode.check)
            .bool(false)
            .int(-1)
            .string(kind === 'fail' ? '/none' : '/')
            .int(-1);
          w.int(-1).bool(true).int(-1);
        });
        if (kind === 'multi' && takesEffect) owners.set(path, who);
      } else {
        h.prepare(OpCode.create, create);
        if (takesEffect) owners.set(path, kind === 'keep' ? undefined : who);
      }
    }
    h.commit();
    const left = paths.filter((path) => h.tree.store.findString(path) !== 0);
    assert.deepEqual(
      left,
      paths.filter((path) => owners.has(path)),
    );
    assert.equal(h.tree.digestMismatches, 0);
  });
  fc.assert(property, { numRuns: 500 });
});

test('to close a session takes no longer for all that close beside it', () => {
  /** Processor time to close so many sessions with 20 ephemerals each before the first end is committed, in microseconds. */
  const timeFor = (sessions: number): number => {
    const h = new Harness();
    for (let i = 0; i < sessions; i++) {
      h.author = { idHi: AUTHOR.idHi, idLo: 1000 + i };
      for (let j = 0; j < 20; j++) h.create(`/s${i}-${j}`, { flags: 1 });
    }
    const began = process.cpuUsage();
    for (let i = 0; i < sessions; i++) {
      h.author = { idHi: AUTHOR.idHi, idLo: 1000 + i };
      h.closeSession();
    }
    const { user, system } = process.cpuUsage(began);
    h.commit();
    assert.equal(h.tree.store.find(Buffer.from('/s0-0'), 0, 5), 0);
    return user + system;
  };
  timeFor(200); // warm
  const few = Math.min(timeFor(200), timeFor(200), timeFor(200));
  const many = timeFor(3200);
  assert.ok(many < few * 64, `${many / few} times the time for 16 times the sessions`);
});

test('to take a failed multi back takes no longer for all that is on its way beside it', () => {
  /** Processor time for some multis that fail while so many creates are on their way, in microseconds. */
  const timeFor = (pending: number): number => {
    const h = new Harness();
    for (let i = 0; i < pending; i++) h.prepare(OpCode.create, createBody(`/n${i}`, {}));
    const began = process.cpuUsage();
    for (let i = 0; i < 300; i++) {
      const error = h.prepare(OpCode.multi, (w) => {
        w.int(OpCode.create).bool(false).int(-1);
        createBody('/new', {})(w);
        w.int(OpCode.check).bool(false).int(-1).string('/none').int(-1);
        w.int(-1).bool(true).int(-1);
      });
      assert.equal(error, 0);
    }
    const { user, system } = process.cpuUsage(began);
    return user + system;
  };
  timeFor(100); // warm
  const beside = (pending: number) => Math.min(timeFor(pending), timeFor(pending), timeFor(pending));
  const [few, many] = [beside(100), beside(20_000)];
  assert.ok(many < few * 10, `${many / few} times the time beside 200 times as many`);
});

test('of nodes that go with their session nothing is kept on the way but that it ends', () => {
  const h = new Harness();
  const nodes = 10_000; // more than are used again
  for (let i = 0; i < nodes; i++) h.create(`/n${i}`, { flags: 1 });
  h.closeSession();
  assert.equal([...h.preparer.pending.values()].length, 1, 'the root, which loses them');
  for (const path of ['/n0', `/n${nodes - 1}`]) {
    assert.equal(
      h.prepare(OpCode.delete, (w) => w.string(path).int(-1)),
      ErrorCode.NoNode,
    );
  }
  assert.equal(h.prepare(OpCode.create, createBody('/n1')), 0);
  h.commit();
  assert.equal(h.tree.digestMismatches, 0);
  assert.equal(h.tree.store.count, new Harness().tree.store.count + 1);
  assert.equal(h.create('/n0', { data: 'x' }), 0);
});
