// Recipes whose nodes are there, for clients that may not make them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InterProcessSemaphoreV2, Model, QueueSharder, stringSerializer, Topic } from '../dist/index.js';
import { open, serve } from './support.js';

test('who may write in a node, but not beside it, can use it', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  for (const name of ['topic', 'model', 'leases', 'shards/queue-1']) {
    await client.create(`/app/${name}`, { createParents: true });
  }
  await client.ensurePath('/app/leases-__lock__');
  await client.ensurePath('/elsewhere');
  for (const path of ['/app', '/']) await client.setACL(path, [{ perms: 1, scheme: 'world', id: 'anyone' }]);
  assert.equal(await new Topic(client, '/app/topic', stringSerializer).publish('x'), 0);
  assert.equal(await new Model(client, '/app/model', stringSerializer).create('id', 'x'), true);
  const lease = await new InterProcessSemaphoreV2(client, '/app/leases', 1, { layout: 'kazoo' }).tryAcquire();
  assert.ok(lease?.isHeld);
  await lease.release();
  const queue = { close: () => Promise.resolve() };
  await using sharder = await new QueueSharder(client, '/app/shards', '/elsewhere', () => queue).start();
  assert.deepEqual(sharder.queuePaths, ['/app/shards/queue-1']);
});
