// Faults from a seed: the same seed gives the same faults, and in the end everything acknowledged is there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, isKeeperError } from '@nodekeeper/client';
import { CHAOS_KINDS, simulate, startEnsemble } from '../../dist/index.js';

test('a seed decides what happens, and when', async () => {
  await using ensemble = await startEnsemble(3);
  const plans = await Promise.all(
    ['a', 'a', 'b'].map(async (seed) => {
      const chaos = ensemble.chaos({ seed, duration: 60_000 });
      await chaos.stop();
      return chaos.plan;
    }),
  );
  assert.deepEqual(plans[0], plans[1]);
  assert.notDeepEqual(plans[0], plans[2]);
  const faults = plans[0]?.flat() ?? [];
  assert.deepEqual(new Set(faults.map(({ kind }) => kind)), new Set(CHAOS_KINDS));
  for (const [i, { at }] of faults.slice(1).entries()) {
    const before = faults[i];
    assert.ok(before !== undefined && at >= before.at + before.ms, 'of three servers, one at a time is hurt');
  }
});

test('through all faults nothing acknowledged is lost, and in the end everything is well', async () => {
  await using ensemble = await startEnsemble(3);
  const client = await connect(ensemble.connectString, { sessionTimeout: 4000, requestTimeout: 10_000 });
  await client.create('/n');
  const chaos = ensemble.chaos({ seed: 7, duration: 3000, longest: 400, pause: 100 });
  let over = false;
  void chaos.done.then(() => {
    over = true;
  });
  const acknowledged: string[] = [];
  while (!over) {
    try {
      acknowledged.push((await client.create('/n/', { mode: 'persistentSequential' })).path);
    } catch (e) {
      if (!isKeeperError(e)) throw e; // an unknown outcome may have happened; nothing is claimed of it
    }
  }
  await chaos.done;
  assert.ok(chaos.lines.length > 2, chaos.lines.join('\n'));
  assert.match(chaos.lines.at(-1) ?? '', /everything is well/);
  for (const id of ensemble.ids) {
    const reader = await connect(ensemble.connectStringOf(id));
    await reader.sync('/');
    const there = new Set((await reader.getChildren('/n')).children.map((name) => `/n/${name}`));
    assert.deepEqual(
      acknowledged.filter((path) => !there.has(path)),
      [],
    );
    await reader.close();
  }
  await client.close();
});

test('stopped before its time, it leaves everything well', async () => {
  await using ensemble = await startEnsemble(3);
  const chaos = ensemble.chaos({ kinds: ['kill'], pause: 0, longest: 600_000, duration: 600_000 });
  while (ensemble.ids.every((id) => ensemble.isRunning(id))) await new Promise((resolve) => setTimeout(resolve, 2));
  await chaos.stop();
  assert.ok(ensemble.ids.every((id) => ensemble.isRunning(id)));
  assert.notEqual(ensemble.leader, undefined);
});

test('closing the ensemble ends it', { timeout: 20_000 }, async () => {
  const ensemble = await startEnsemble(3);
  const chaos = ensemble.chaos({ kinds: ['slowDisk'], pause: 0, longest: 600_000, duration: 600_000 });
  while (chaos.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  await ensemble.close();
  await assert.rejects(chaos.done, /closed/);
  assert.ok(ensemble.ids.every((id) => !ensemble.isRunning(id)));
});

test('a simulated run is the same for the same seed, and tells what it found', async () => {
  const [first, again, other] = [
    await simulate({ seed: 3, servers: 3 }),
    await simulate({ seed: 3, servers: 3 }),
    await simulate({ seed: 4, servers: 3 }),
  ];
  assert.equal(first.hash, again.hash);
  assert.notEqual(first.hash, other.hash);
  assert.deepEqual(first.violations, []);
  assert.ok(first.lines.length > 0 && first.counts.answered > 0);
});
