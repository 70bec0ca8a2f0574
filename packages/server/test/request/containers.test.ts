// Containers and TTL nodes go as soon as they are found, and no faster than the rate allows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerManager } from '../../dist/request/containers.js';
import type { OriginatingProcessor } from '../../dist/request/originating.js';
import type { DataTree, Expired } from '../../dist/tree/data-tree.js';

function manager(found: readonly string[], maxPerMinute: number) {
  const deleted: string[] = [];
  const tree = {
    lastProcessedZxid: 0,
    expiredContainers: () => found.map((path) => ({ path, mzxid: 1 })),
  } as unknown as DataTree;
  const processor = {
    lastZxid: 0,
    deleteContainer({ path }: Expired) {
      deleted.push(path);
      processor.lastZxid++;
    },
  };
  const containers = new ContainerManager(tree, processor as unknown as OriginatingProcessor, 0, maxPerMinute);
  /** What is deleted at that time. */
  const at = (now: number): string => {
    containers.deleteSome(now);
    return deleted.splice(0).join('');
  };
  return { containers, at };
}

test('the first goes at once, the others one after the other', () => {
  const { containers, at } = manager(['a', 'b', 'c', 'd'], 600);
  assert.equal(at(900), '');
  containers.collect(0);
  assert.deepEqual([950, 1000, 1049, 1050, 1150, 1400, 1450].map(at), ['a', '', '', 'b', 'c', 'd', '']);
});

test('time in which nothing was due is not made up for', () => {
  const found = Array.from({ length: 100 }, () => 'x');
  const { containers, at } = manager(found, 12_000); // 20 in 100 ms
  assert.equal(at(1000), '');
  containers.collect(0);
  assert.equal(at(60_000).length, 20);
  assert.equal(at(60_050).length, 10);
  assert.equal(at(90_000).length, 20);
});
