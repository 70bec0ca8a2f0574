// A program of the user's on the simulator: real client code, virtual time, faults from a seed; what it throws is a violation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKeeperError } from '@nodekeeper/client';
import { type SimulatedClient, simulate } from '../../dist/index.js';

/** Makes nodes in a sequence until it is over, and then looks whether all that was acknowledged is there. */
async function makesNodes({ client, name, isOver }: SimulatedClient): Promise<void> {
  const acknowledged: string[] = [];
  while (!isOver()) {
    try {
      const { path } = await client.create(`/${name}-`, { mode: 'persistentSequential', data: String(Date.now()) });
      acknowledged.push(path);
      await new Promise((resolve) => setTimeout(resolve, 100 * Math.random()));
    } catch (error) {
      if (!isKeeperError(error)) throw error;
    }
  }
  const there = new Set((await client.getChildren('/', { retry: FOREVER })).children.map((child) => `/${child}`));
  for (const path of acknowledged) assert.ok(there.has(path), `${path} was acknowledged, and is not there`);
}

/** Once everything is well, an answer comes. */
const FOREVER = { delay: (): number => 50 };

test('a program runs on simulated machines, the same for the same seed', async () => {
  const simulations = [5, 5, 6].map((seed) => simulate({ seed, servers: 3, clients: 2, program: makesNodes }));
  const runs = await Promise.all(simulations);
  const [first, again, other] = runs;
  assert.deepEqual(
    runs.flatMap(({ violations }) => violations),
    [],
  );
  assert.equal(first?.hash, again?.hash);
  assert.notEqual(first?.hash, other?.hash);
  assert.ok((first?.counts.txns ?? 0) > 20);
});

test('what a program throws is told as a violation', async () => {
  const { violations } = await simulate({
    seed: 5,
    servers: 1,
    clients: 1,
    program: async ({ sleep }) => {
      await sleep(1000);
      assert.fail('this is not as it has to be');
    },
  });
  assert.match(violations[0]?.message ?? '', /this is not as it has to be/);
  assert.ok((violations[0]?.at ?? 0) >= 1000);
});
