// Shrinking: what is left is what the failure needs, and can be named on the command line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePlan, type Plan, type Result } from '../../dist/sim/index.js';
import { formatPlaces, parsePlaces, select, shrink, wholeOf } from '../../dist/sim/shrink.js';

/** A run that fails if two certain faults and one certain operation are in the plan. */
function failsWith(whole: Plan, faults: readonly number[], operation: number) {
  return async (plan: Plan): Promise<Result> => {
    const there =
      faults.every((place) => plan.faults.includes(whole.faults[place] as Plan['faults'][number])) &&
      plan.operations.includes(whole.operations[operation] as Plan['operations'][number]);
    const violations = there ? [{ kind: 'durability', message: 'lost', at: 0 }] : [];
    return { plan, violations, lines: [], hash: '', counts: { events: 0, calls: 0, answered: 0, txns: 0 } };
  };
}

test('a plan is cut down to the faults and operations that the failure needs', async () => {
  let seed = 1;
  while (makePlan(seed).faults.length < 8) seed++;
  const plan = makePlan(seed);
  const run = failsWith(plan, [2, 6], 11);
  const { selection, result } = await shrink(plan, await run(plan), run);
  assert.deepEqual(selection, { faults: [2, 6], operations: [11] });
  assert.deepEqual(result.plan, select(plan, selection));
});

test('another kind of failure does not count', async () => {
  const plan = makePlan(1);
  const run = failsWith(plan, [], 3);
  const failing = await run(plan);
  const other = async (smaller: Plan): Promise<Result> => ({
    ...(await run(smaller)),
    violations: [{ kind: 'liveness', message: 'stuck', at: 0 }],
  });
  const { selection } = await shrink(plan, failing, other);
  assert.deepEqual(selection, wholeOf(plan));
});

test('places are written as ranges and read back', () => {
  for (const places of [[], [3], [0, 1, 2], [1, 3, 4, 5, 9]])
    assert.deepEqual(parsePlaces(formatPlaces(places)), places);
  assert.equal(formatPlaces([1, 3, 4, 5, 9]), '1,3-5,9');
  assert.throws(() => parsePlaces('1;2'), /numbers and ranges/);
});
