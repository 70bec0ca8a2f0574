// A run is a function of its seed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePlan, simulate } from '../../dist/sim/index.js';

test('the same seed gives the same history, byte for byte', async () => {
  for (const seed of [1, 2, 3]) {
    const first = await simulate(makePlan(seed, { servers: 1 }));
    const second = await simulate(makePlan(seed, { servers: 1 }));
    assert.ok(first.counts.answered > 0);
    assert.equal(first.hash, second.hash);
    assert.deepEqual(first.lines, second.lines);
  }
});

test('another seed gives another history', async () => {
  const first = await simulate(makePlan(1, { servers: 1 }));
  const second = await simulate(makePlan(2, { servers: 1 }));
  assert.notEqual(first.hash, second.hash);
});
