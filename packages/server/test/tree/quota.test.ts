// Quotas as text: read as Java's StatsTrack does, and what would end Apache's servers known as such.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuota, spoilsCounts } from '../../dist/tree/quota.js';

const NONE = { count: -1, bytes: -1, countHardLimit: -1, byteHardLimit: -1 };

test('what Java reads is read', () => {
  assert.deepEqual(parseQuota(''), NONE);
  assert.deepEqual(parseQuota(','), NONE);
  assert.deepEqual(parseQuota('count=2,bytes=5=;byteHardLimit=3;countHardLimit=+4'), {
    count: 2,
    bytes: 5,
    countHardLimit: 4,
    byteHardLimit: 3,
  });
  assert.deepEqual(parseQuota('count=2,;,'), { ...NONE, count: 2 });
  assert.deepEqual(parseQuota('count==7'), NONE);
  assert.deepEqual(parseQuota('other=1,count=9223372036854775807'), { ...NONE, count: 2 ** 63 });
  assert.deepEqual(parseQuota('count=-٠٩,bytes=１2'), { ...NONE, count: -9, bytes: 12 });
  assert.deepEqual(parseQuota(`count=-${'0'.repeat(1_000_000)}9`), { ...NONE, count: -9 });
});

test('what Java cannot read is no quota', () => {
  for (const text of [
    'junk',
    'count=',
    '=',
    ',count=1',
    'count=x',
    'count=1.5',
    'count= 1',
    'count=9223372036854775808',
    'count=٩223372036854775808',
    'count=𝟎',
  ])
    assert.equal(parseQuota(text), undefined, text);
});

test('counts that Java cannot read spoil the node that keeps them, and no other', () => {
  const stats = '/zookeeper/quota/a/b/zookeeper_stats';
  const spoils = (path: string, text: string | null): boolean =>
    spoilsCounts(path, Buffer.from(`..${text ?? ''}..`), 2, text?.length ?? -1);
  assert.equal(spoils(stats, null), true);
  assert.equal(spoils(stats, 'count='), true);
  assert.equal(spoils(stats, ''), false);
  assert.equal(spoils(stats, 'count=1,bytes=2'), false);
  assert.equal(spoils('/zookeeper/quota/a/b/zookeeper_limits', null), false);
  assert.equal(spoils('/a', null), false);
});
