// Recovery from data directories of Apache's servers from 3.5 to 3.9, each with snapshots and logs, killed in the middle: every
// kind of node and of transaction, as each of them writes it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { F } from '../../dist/tree/node-store.js';
import { copyOf, FIXTURES, recoverDir } from './fixtures.js';

/** Path, data in base64, czxid, mzxid, pzxid, version, cversion, aversion, ACL. */
type Node = readonly [string, string | null, string, string, string, number, number, number, string];

interface Expected {
  readonly lastZxid: string;
  readonly nodes: readonly Node[];
}

for (const version of ['3.5.10', '3.6.4', '3.7.2', '3.9.5']) {
  test(`a directory of ${version} gives the tree its clients saw`, async (t) => {
    const name = `standalone-${version}`;
    const expected = JSON.parse(readFileSync(join(FIXTURES, name, 'expected.json'), 'utf8')) as Expected;
    const { db } = await recoverDir(copyOf(t, name));
    const { store } = db.tree;
    assert.equal(`0x${db.tree.lastProcessedZxid.toString(16)}`, expected.lastZxid);
    assert.equal(db.tree.digestMismatches, 0);
    assert.equal(store.count, expected.nodes.length);
    for (const [path, data, czxid, mzxid, pzxid, dataVersion, cversion, aversion, acl] of expected.nodes) {
      const id = store.findString(path);
      assert.notEqual(id, 0, path);
      const hex = (field: number): string => `0x${store.getLong(id, field).toString(16)}`;
      const list = db.tree.aclList(id)?.map((entry) => `${entry.scheme}:${entry.id}:${entry.perms}`);
      assert.deepEqual(
        [store.data(id)?.toString('base64') ?? null, hex(F.czxid), hex(F.mzxid), hex(F.pzxid), list?.join()],
        [data, czxid, mzxid, pzxid, acl],
        path,
      );
      // Clients are told of the creations and deletions of children together.
      const told = store.get(id, F.cversion) * 2 - store.get(id, F.numChildren);
      const versions = [store.get(id, F.version), told, store.get(id, F.aversion)];
      assert.deepEqual(versions, [dataVersion, cversion, aversion], path);
    }
    assert.equal(db.tree.ephemeralCount, 2);
  });
}
