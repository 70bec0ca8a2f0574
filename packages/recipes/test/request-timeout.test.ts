// The client's `requestTimeout` is for a program's own calls: recipes go on until there is an answer, or leave nothing behind.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { startServer } from '@nodekeeper/testing';
import { Cache, InterProcessMutex, LeaderLatch } from '../dist/index.js';
import { Relay } from './relay.js';
import { atEnd, childCount, open, serve, until } from './support.js';

const requestTimeout = 30;
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2 * requestTimeout));

test('an outage longer than the limit of a request fails neither who acquires nor who releases', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port, { requestTimeout }), await open(t, server.clientPort)];
  const hold = await new InterProcessMutex(client, '/held').acquire();
  relay.down();
  await once(client, 'suspended');
  await assert.rejects(client.getData('/held'), { codeName: 'OperationTimeout' });
  const released = hold.release();
  const acquired = new InterProcessMutex(client, '/wanted').acquire();
  await Promise.race([released, acquired, later()]);
  relay.up();
  await Promise.all([released, acquired]);
  await childCount(direct, '/held', 0);
  assert.equal(client.listenerCount('state'), 0);
});

test('nor does it end an election', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const client = await open(t, relay.port, { requestTimeout });
  await using latch = new LeaderLatch(client, '/latch', { grace: 0 }).start();
  const first = await latch.awaitLeadership();
  relay.down();
  await once(first.signal, 'abort');
  await later();
  relay.up();
  assert.ok((await latch.awaitLeadership()).fencingToken > first.fencingToken);
});

test('slow answers take time, and no more', async (t) => {
  const server = await startServer();
  atEnd(t, () => server.close());
  const [client, direct] = [
    await open(t, server.connectString, { requestTimeout }),
    await open(t, server.connectString),
  ];
  await direct.create('/node', { data: 'old' });
  await using cache = await new Cache(client, '/node').start();
  server.delayReplies(3 * requestTimeout);
  await direct.setData('/node', 'new');
  await until(() => String(cache.get('/node')?.data) === 'new');
  server.delayReplies(0);
  server.slowDisk(3 * requestTimeout);
  await using _hold = await new InterProcessMutex(client, '/slow').acquire();
  server.healDisk();
  assert.equal((await direct.getChildren('/slow')).children.length, 1);
});
