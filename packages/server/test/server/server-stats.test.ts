// Summaries of measured values: how close their quantiles are to the exact ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServerStats, Summary } from '../../dist/server-stats.js';

test('a quantile is at most an eighth above the value that it stands for, and never above the largest', () => {
  const values = fc.array(fc.double({ min: 1 / 32, max: 2 ** 26, noNaN: true }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, q) => {
      const series = new Summary();
      for (const value of all) series.add(value);
      const exact = all.sort((a, b) => a - b)[Math.ceil(all.length * q) - 1] ?? 0;
      const told = series.quantile(q);
      assert.ok(told >= exact && told <= exact * 1.125, `${told} for ${exact}`);
      assert.ok(told <= series.max);
    }),
  );
});

test('what is too small or too large for a bucket of its own is still counted', () => {
  const series = new Summary();
  for (const value of [0, 1e-9, 1e12]) series.add(value);
  assert.equal(series.quantile(0.3), 0);
  assert.ok(series.quantile(0.6) < 1 / 16);
  assert.ok(series.quantile(1) > 2 ** 26);
  assert.equal(series.max, 1e12);
  series.reset();
  assert.equal(series.quantile(1), 0);
  assert.equal(series.count, 0);
});

test('times to a clock that is behind are left out', () => {
  const series = new Summary();
  series.addSince(1000, 1003);
  series.addSince(1000, 999);
  assert.equal(series.count, 1);
  assert.equal(series.sum, 3);
});

test('a reset begins all series and counts anew, but not what is told of the last snapshot', () => {
  const stats = new ServerStats();
  const fresh = JSON.stringify(stats);
  stats.onAnswered(true, 3);
  stats.propagationLatency.add(5);
  stats.onResponse(100);
  stats.staleSessionsExpired = 3;
  stats.snapshotErrors = 1;
  stats.reset();
  assert.equal(JSON.stringify(stats), fresh);
  stats.lastSnapshot = { zxid: 5, at: 1000 };
  stats.reset();
  assert.equal(stats.lastSnapshot.zxid, 5);
});

test('quantiles hold when a server has counted more than 2^32 of them', () => {
  const series = new Summary();
  series.add(1);
  series.add(100);
  // What days of load would do.
  const { buckets } = series as unknown as { buckets: Float64Array };
  const one = buckets.indexOf(1);
  buckets[one] = 2 ** 32 - 1;
  series.count = 2 ** 32;
  series.add(1);
  assert.equal(buckets[one], 2 ** 32);
  assert.ok(series.quantile(0.99) < 1.2);
  assert.equal(series.quantile(1), 100);
});
