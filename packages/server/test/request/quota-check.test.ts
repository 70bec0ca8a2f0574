// Quotas of which there is too much to read: their texts, and their number.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode } from '@nodekeeper/protocol';
import { quotaGauge } from '../../dist/admin/quota-metrics.js';
import { Harness } from '../tree/harness.js';

const GAUGE = 'quota_count_limit_per_namespace';

function limit(h: Harness, namespace: string, text: string): void {
  assert.equal(h.create(`/zookeeper/quota/${namespace}`), 0);
  assert.equal(h.create(`/zookeeper/quota/${namespace}/zookeeper_limits`, { data: text }), 0);
  assert.equal(h.create(`/zookeeper/quota/${namespace}/zookeeper_stats`, { data: 'count=1,bytes=0' }), 0);
}

test('a long text is no quota that can be read, whatever it says', () => {
  const h = new Harness({ enforceQuota: true });
  h.create('/short');
  h.create('/long');
  const text = `count=5${',x=1'.repeat(250)}`;
  limit(h, 'short', text);
  limit(h, 'long', `${text},x=1,x=1,x=1,x=1,x=1`);
  assert.equal(h.create('/short/n'), 0);
  assert.equal(h.create('/long/n'), ErrorCode.MarshallingError);
  assert.deepEqual([...quotaGauge(h.tree, GAUGE)], [['short', 5]]);
});

test('metrics tell of no more than a thousand namespaces', () => {
  const h = new Harness();
  for (let i = 0; i < 1010; i++) limit(h, `n${i}`, 'count=2');
  h.create('/zookeeper/quota/n7/below');
  h.create('/zookeeper/quota/n7/below/zookeeper_limits', { data: 'count=3' });
  const shown = quotaGauge(h.tree, GAUGE);
  assert.equal(shown.size, 1000);
  assert.equal(shown.get('n7'), 5);
});
