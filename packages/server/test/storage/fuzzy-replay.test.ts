// Random requests of every kind go on while snapshots are written: each of them, with the log, gives the tree that was.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Acl, type JuteWriter, OPEN_ACL_UNSAFE, OpCode } from '@nodekeeper/protocol';
import { nodeDisk, writeSnapshot } from '../../dist/storage/index.js';
import type { DataTree } from '../../dist/tree/data-tree.js';
import { F, type NodeId, ROOT } from '../../dist/tree/node-store.js';
import { SnapshotSource } from '../../dist/tree/snapshot-source.js';
import { createBody, Harness } from '../tree/harness.js';
import { logOf, recoverDir, temporaryDir, whileChanging } from './fixtures.js';

const SEEDS = 60;
const OPTIONS = { digestEnabled: true, serializeLastProcessedZxid: false, compression: '' } as const;

/** All that a tree holds, but for the counts of quotas, which replay takes anew. */
function picture(tree: DataTree): Record<string, unknown> {
  const { store } = tree;
  const all: Record<string, unknown> = { digest: tree.digest.toBigInt(), ephemerals: tree.ephemeralCount };
  const walk = (id: NodeId): void => {
    const path = store.path(id);
    const stat = Array.from({ length: F.aclId }, (_, word) => store.get(id, word));
    if (!path.startsWith('/zookeeper'))
      all[path] = [stat, store.data(id)?.toString(), tree.aclList(id), store.nodesBelow(id), store.bytesBelow(id)];
    for (const child of store.children(id)) walk(child);
  };
  walk(ROOT);
  return all;
}

test('a tree is found again from every snapshot, whatever was done while it was written', async (t) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const dir = temporaryDir(t);
    const version2 = join(dir, 'version-2');
    mkdirSync(version2);
    let state = seed * 0x9e3779b9;
    const next = (n: number): number => {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5;
      return ((state ^ (state >>> 13)) >>> 0) % n;
    };
    const path = (): string => Array.from({ length: 1 + next(3) }, () => `/${'abcdef'[next(6)]}`).join('');
    const acl = (): readonly Acl[] =>
      next(3) === 0 ? OPEN_ACL_UNSAFE : [{ perms: 31, scheme: 'world', id: 'anyone' }, user(next(8))];
    const create = () =>
      createBody(path(), { data: next(9) ? 'x'.repeat(next(60)) : null, acl: acl(), flags: next(4) });
    const kinds: (() => readonly [number, (w: JuteWriter) => void])[] = [
      () => [OpCode.create, create()],
      () => [OpCode.create, create()],
      () => [OpCode.createContainer, createBody(path(), { acl: acl(), flags: 4 })],
      () => [OpCode.createTTL, createBody(path(), { acl: acl(), flags: 5, ttl: 1 + next(9999) })],
      () => {
        const body = path();
        return [OpCode.delete, (w) => w.string(body).int(-1)];
      },
      () => {
        const [where, bytes] = [path(), Buffer.alloc(next(80), 'y')];
        return [
          OpCode.setData,
          (w) =>
            w
              .string(where)
              .buffer(bytes)
              .int(next(5) - 1),
        ];
      },
    ];
    const any = () => (kinds[next(kinds.length)] as (typeof kinds)[0])();
    const h = new Harness();
    const step = (): void => {
      const kind = next(20);
      if (kind < 9) h.commit();
      else if (kind === 9) h.closeSession();
      else if (kind < 12) {
        const { perms, scheme, id } = user(next(8));
        const where = path();
        h.prepare(OpCode.setACL, (w) => w.string(where).int(1).int(perms).string(scheme).string(id).int(-1));
      } else if (kind < 15) {
        h.prepare(OpCode.multi, (w) => {
          for (let i = 0; i <= next(4); i++) {
            const [op, body] = any();
            w.int(op).bool(false).int(-1);
            body(w);
          }
          w.int(-1).bool(true).int(-1);
        });
      } else h.prepare(...any());
    };
    const steps = (n: number): void => {
      for (let i = 0; i < n; i++) step();
    };
    steps(200);
    const files: string[] = [];
    for (let i = 0; i < 2; i++) {
      h.commit();
      const source = new SnapshotSource(h.tree, []);
      const content = whileChanging(
        source,
        () => steps(next(40)),
        () => 1 + next(300),
      );
      files.push((await writeSnapshot(nodeDisk, version2, content, OPTIONS, (go) => go())).file);
      steps(100);
    }
    h.commit();
    writeFileSync(join(version2, 'log.1'), logOf(1, h.entries));
    const wanted = picture(h.tree);
    for (const file of files.reverse()) {
      const { db, warnings, unlisted } = await recoverDir(dir);
      assert.deepEqual(picture(db.tree), wanted, `seed ${seed}, ${file}`);
      assert.deepEqual([warnings, db.tree.digestMismatches, unlisted], [[], 0, 0], `seed ${seed}, ${file}`);
      rmSync(join(version2, file));
    }
  }
});

for (const [what, digest] of [
  ['no digest, as that of a tree that came by SNAP', undefined],
  ['that its digest is not known, as Apache’s learners write', { zxid: 0, hi: 0, lo: 0 }],
] as const) {
  test(`behind a snapshot that tells ${what}, digests are compared from the first that matches`, async (t) => {
    const dir = temporaryDir(t);
    const version2 = join(dir, 'version-2');
    mkdirSync(version2);
    const h = new Harness();
    h.create('/a');
    const source = new SnapshotSource(h.tree, []);
    for (const path of ['/b', '/c']) h.create(path);
    const content = {
      ...whileChanging(
        source,
        () => {},
        () => 1000,
      ),
      digest: () => digest,
    };
    await writeSnapshot(nodeDisk, version2, content, OPTIONS);
    for (const path of ['/d', '/e']) h.create(path);
    const last = h.entries[4];
    assert.ok(last);
    writeFileSync(join(version2, 'log.2'), logOf(2, h.entries.slice(1)));
    const right = (await recoverDir(dir)).db.tree;
    assert.deepEqual([right.digestMismatches, right.digestComparedFrom, right.digestsPassedOver], [0, 3, 1]);
    last[last.length - 1] = (last[last.length - 1] ?? 0) ^ 1;
    writeFileSync(join(version2, 'log.2'), logOf(2, h.entries.slice(1)));
    assert.equal((await recoverDir(dir)).db.tree.digestMismatches, 1);
  });
}

function user(n: number): Acl {
  return { perms: 31, scheme: 'digest', id: `u${n}:h` };
}
