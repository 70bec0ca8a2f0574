// Programs with recipes on the simulator: a function of the seed, checked, and told in time of what they lose.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fault, makePlan, simulate } from '../../dist/sim/index.js';
import { recipesFrom } from '../../dist/sim/recipes/index.js';

test('a run with recipes is a function of its seed, and Node has its clocks back afterwards', async () => {
  const { setTimeout } = globalThis;
  const { now } = Date;
  const plan = makePlan(5, { servers: 3, observers: 0, spares: 0, recipes: recipesFrom('mutex,queue,cache') });
  const [first, second] = [await simulate(plan), await simulate(plan)];
  assert.deepEqual(first.violations, []);
  assert.ok(first.counts.txns > 20);
  assert.equal(first.hash, second.hash);
  assert.equal(globalThis.setTimeout, setTimeout);
  assert.equal(Date.now, now);
});

test('some runs have recipes, most have single calls', () => {
  const plans = Array.from({ length: 200 }, (_, seed) => makePlan(seed));
  const programs = plans.filter(({ recipes }) => recipes.length > 0);
  assert.ok(programs.length > 10 && programs.length < 60, `${programs.length} of 200`);
  assert.ok(programs.every(({ operations }) => operations.length === 0));
  assert.equal(makePlan(3, { recipes: 'none' }).recipes.length, 0);
});

test('a holder that is cut off learns of its loss before the server ends its session, however far the server is', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const plan = makePlan(seed, { servers: 1, observers: 0, spares: 0, recipes: ['mutex'] });
    const faults = plan.clients.map((_, client): Fault => {
      const at = 2500 + client * 1000 + seed * 37;
      return { at, kind: 'cut', from: '10.0.0.1', to: `10.0.1.${client + 1}`, bothWays: true, ms: 1500 };
    });
    const { violations } = await simulate({
      ...plan,
      settings: { ...plan.settings, tickTime: 20, diskSlowness: [1], farness: [100], clockRates: [1] },
      clients: plan.clients.map((client) => ({ ...client, sessionTimeout: 1000, stay: 0 })),
      faults,
    });
    assert.deepEqual(violations, []);
  }
});
