// Recipes that are begun while the server serves reads only: they wait until it takes writes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEnsemble } from '@nodekeeper/testing';
import {
  DistributedAtomicLong,
  DistributedQueue,
  InterProcessMutex,
  LeaderLatch,
  PersistentNode,
  stringSerializer,
} from '../dist/index.js';
import { atEnd, begin } from './support.js';

test('what is begun without a quorum is done once there is one', async (t) => {
  const settings = { 'readonlymode.enabled': true, localSessionsEnabled: true, localSessionsUpgradingEnabled: true };
  const ensemble = await startEnsemble(3, { settings });
  atEnd(t, () => ensemble.close());
  const lost = ensemble.ids.filter((id) => id !== ensemble.followers[0]);
  for (const id of lost) await ensemble.kill(id);
  const client = begin(t, ensemble.connectString, { sessionTimeout: 6000, readOnly: true });
  await client.connected({ timeout: 30_000 });
  assert.equal(client.state, 'connectedReadOnly');
  const latch = new LeaderLatch(client, '/latch').start();
  const node = new PersistentNode(client, '/app/node');
  const queue = new DistributedQueue(client, '/q', stringSerializer);
  const errors: unknown[] = [];
  for (const recipe of [latch, node, queue]) recipe.on('error', (error) => errors.push(error));
  const got = new Promise((resolve) => queue.consume(resolve));
  const all = Promise.all([
    latch.awaitLeadership(),
    node.start(),
    new InterProcessMutex(client, '/m').acquire(),
    new DistributedAtomicLong(client, '/n').increment(),
    queue.put('x'),
    got,
  ]);
  all.catch(() => {});
  // Who gives up now does not wait.
  await assert.rejects(new InterProcessMutex(client, '/m').acquire({ timeout: 50 }), { code: 'Timeout' });
  for (const id of lost) await ensemble.start(id);
  await all;
  assert.deepEqual(errors, []);
  await Promise.all([latch.close(), node.close(), queue.close()]);
});
