// Limits hold and closing ends without a connection: what is left to do is done when there is one again.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { isKeeperError } from '@nodekeeper/client';
import { startServer } from '@nodekeeper/testing';
import {
  DistributedDoubleBarrier,
  DistributedQueue,
  InterProcessMultiLock,
  InterProcessMutex,
  InterProcessSemaphoreV2,
  isRecipeError,
  LeaderLatch,
  SetPartitioner,
  SimpleDistributedQueue,
  stringSerializer,
} from '../dist/index.js';
import { Relay } from './relay.js';
import { atEnd, childCount, deferred, open, serve, until } from './support.js';

const isTimeout = (error: unknown): boolean => isRecipeError(error, 'Timeout');

async function stage(t: TestContext) {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  const cut = async (): Promise<void> => {
    relay.down();
    if (client.state !== 'suspended') await once(client, 'suspended');
  };
  return { relay, client, direct, cut };
}

test('who acquires on a server that has fallen silent gives up when that is found out, if it stays away', async (t) => {
  const server = await startServer();
  atEnd(t, () => server.close());
  const [client, other] = [
    await open(t, server.connectString, { sessionTimeout: 600 }),
    await open(t, server.connectString),
  ];
  await new InterProcessMutex(other, '/held').acquire();
  const controller = new AbortController();
  const waiting = new InterProcessMutex(client, '/held').acquire({ signal: controller.signal });
  await childCount(other, '/held', 2);
  server.freeze();
  const calls = [
    assert.rejects(waiting, /enough/),
    assert.rejects(new InterProcessMutex(client, '/a').acquire({ timeout: 50 }), isTimeout),
    assert.rejects(new InterProcessMutex(client, '/b').acquire({ signal: AbortSignal.timeout(50) }), /TimeoutError/),
    new InterProcessMutex(client, '/c').tryAcquire({ timeout: 50 }),
  ];
  controller.abort(new Error('enough'));
  await once(client, 'suspended');
  await Promise.all(calls);
  server.thaw();
  await childCount(other, '/a', 0);
  await childCount(other, '/held', 1);
});

test('what is half obtained when the connection goes is given up in time, and gone later', async (t) => {
  const { relay, client, direct, cut } = await stage(t);
  await new InterProcessSemaphoreV2(direct, '/sem', 1).acquire();
  await new InterProcessMutex(direct, '/second').acquire();
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [
    new InterProcessSemaphoreV2(client, '/sem', 1).acquire({ signal }),
    new InterProcessMultiLock(client, ['/first', '/second']).acquire({ signal }),
    new DistributedDoubleBarrier(client, '/barrier', 2).enter({ signal }),
  ].map((call) => assert.rejects(call, /enough/));
  for (const [path, count] of Object.entries({ '/sem/leases': 2, '/second': 2, '/barrier': 1 }))
    await childCount(direct, path, count);
  await cut();
  controller.abort(new Error('enough'));
  await Promise.all(calls);
  relay.up();
  for (const [path, count] of Object.entries({ '/sem/leases': 1, '/second': 1, '/barrier': 0, '/first': 0 }))
    await childCount(direct, path, count);
});

test('who gives back without a connection waits as long as it would be held, and who does not wait gets nothing', async (t) => {
  const { relay, client, direct, cut } = await stage(t);
  const strict = { grace: 0 };
  const lost = await new InterProcessMutex(client, '/lost', strict).acquire();
  const held = await new InterProcessMutex(client, '/held', { grace: 50 }).acquire();
  const lease = await new InterProcessSemaphoreV2(client, '/sem', 1, strict).acquire();
  const [entered, leave] = [deferred(), deferred()];
  const run = new InterProcessMutex(client, '/run', strict).run(() => {
    entered.resolve();
    return leave.promise;
  });
  await entered.promise;
  await cut();
  leave.resolve();
  await Promise.all([lost.release(), lease.release(), held.release()]);
  await run;
  assert.equal(await new InterProcessMutex(client, '/try').tryAcquire(), undefined);
  assert.equal(await new InterProcessMultiLock(client, ['/try']).tryAcquire(), undefined);
  assert.equal(await new InterProcessSemaphoreV2(client, '/free', 1).tryAcquire(), undefined);
  relay.up();
  for (const path of ['/lost', '/held', '/run', '/sem/leases']) await childCount(direct, path, 0);
  assert.equal(await direct.exists('/free'), null);
});

test('who does not wait does not wait for a connection that is lost on the way', async (t) => {
  const { relay, client } = await stage(t);
  await client.ensurePath('/lock');
  const failed = relay.failAt('create', 'afterSend');
  relay.refuse();
  const tried = new InterProcessMutex(client, '/lock').tryAcquire();
  await failed;
  assert.equal(await tried, undefined);
});

test('who puts or takes without a connection gives up in time', async (t) => {
  const { relay, client, cut } = await stage(t);
  const queue = new SimpleDistributedQueue(client, '/queue');
  await queue.offer('one');
  const failed = relay.failAt('multi', 'afterSend');
  const takes = queue.take({ timeout: 100 });
  relay.refuse();
  await failed;
  // Who has taken it is not known.
  await assert.rejects(takes, (error) => isKeeperError(error, 'ConnectionLoss') && error.outcomeUnknown);
  await cut();
  await assert.rejects(queue.take({ timeout: 20 }), isTimeout);
  await assert.rejects(queue.offer('two', { timeout: 20 }), isTimeout);
  await assert.rejects(queue.offer('two', { signal: AbortSignal.abort(new Error('enough')) }), /enough/);
  relay.up();
  await client.connected();
  assert.equal(await queue.size(), 0);
});

test('a latch closes without a connection after it has lost its leadership', async (t) => {
  const { relay, client, direct, cut } = await stage(t);
  const latch = new LeaderLatch(client, '/latch', { grace: 0 }).start();
  await latch.awaitLeadership();
  await cut();
  await latch.close();
  relay.up();
  await childCount(direct, '/latch', 0);
});

test('a partitioner closes without a connection', async (t) => {
  const { relay, client, direct, cut } = await stage(t);
  const partitioner = new SetPartitioner(client, '/set', ['a'], () => {}, { timeBoundary: 1 });
  await partitioner.start();
  await until(() => partitioner.current.length === 1);
  await cut();
  await partitioner.close();
  relay.up();
  await childCount(direct, '/set/party', 0);
  await childCount(direct, '/set/locks/a', 0);
});

test('a consumer closes without a connection when its handlers have ended', async (t) => {
  const { relay, client, direct, cut } = await stage(t);
  const queue = new DistributedQueue(client, '/queue', stringSerializer, { lockPath: '/locks' });
  for (const item of ['a', 'b']) await queue.put(item);
  let running = 0;
  let finish = (): void => {};
  const consumer = queue.consume(async () => {
    running++;
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    running--;
  });
  await until(() => running === 1);
  await cut();
  const closed = consumer.close();
  const isFirst = await Promise.race([closed.then(() => false), client.sync().then(String, () => true), delay()]);
  assert.ok(isFirst, 'it waits for the handler');
  finish();
  await closed;
  relay.up();
  await childCount(direct, '/queue', 1); // what was worked on leaves the queue, and nothing more
  await childCount(direct, '/locks', 0);
  assert.equal(running, 0);
});

function delay(): Promise<boolean> {
  return new Promise((resolve) => setTimeout(() => resolve(true), 20));
}
