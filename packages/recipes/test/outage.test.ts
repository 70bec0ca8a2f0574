// Long outages: sessions end, containers that are left empty go, and who waits goes on all the same.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { Client } from '@nodekeeper/client';
import {
  InterProcessMutex,
  InterProcessSemaphoreV2,
  LeaderLatch,
  LeaderSelector,
  SetPartitioner,
} from '../dist/index.js';
import { Relay } from './relay.js';
import { childCount, expire, open, serve, until } from './support.js';

/** A client that waits, one that holds what it waits for, and an outage so long that nothing of both is left. */
async function stage(t: TestContext) {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const direct = await open(t, server.clientPort);
  const [holder, waiter] = [await open(t, relay.port), await open(t, relay.port)];
  const outage = async (...paths: string[]): Promise<void> => {
    relay.down();
    await until(() => holder.state === 'suspended' && waiter.state === 'suspended');
    const gone: Client[] = [holder, waiter];
    for (const client of gone) await expire(server, client);
    await holder.close();
    for (const path of paths) await direct.deleteRecursive(path);
    relay.up();
  };
  return { direct, holder, waiter, outage };
}

test('who waits for a lock or a lease stands in line again when even the line has gone', async (t) => {
  const { direct, holder, waiter, outage } = await stage(t);
  await new InterProcessMutex(holder, '/lock').acquire();
  await new InterProcessSemaphoreV2(holder, '/sem', 1).acquire();
  const hold = new InterProcessMutex(waiter, '/lock').acquire();
  const lease = new InterProcessSemaphoreV2(waiter, '/sem', 1).acquire();
  await childCount(direct, '/lock', 2);
  await childCount(direct, '/sem/leases', 2);
  await outage('/lock', '/sem');
  assert.ok((await hold).isHeld && (await lease).isHeld);
});

test('who waits to lead stands for election again when even the election has gone', async (t) => {
  const { direct, holder, waiter, outage } = await stage(t);
  await new LeaderLatch(holder, '/latch').start().awaitLeadership();
  const first = new LeaderSelector(
    holder,
    '/selector',
    async ({ signal }) => void (await once(signal, 'abort')),
  ).start();
  await until(() => first.hasLeadership);
  await using latch = new LeaderLatch(waiter, '/latch').start();
  let selected = 0;
  await using _selector = new LeaderSelector(waiter, '/selector', () => void selected++).start();
  await childCount(direct, '/latch', 2);
  await childCount(direct, '/selector', 2);
  await outage('/latch', '/selector');
  await latch.awaitLeadership();
  await until(() => selected === 1);
});

test('a member of a party that has gone takes its share again', async (t) => {
  const { direct, waiter, outage } = await stage(t);
  const shares: number[] = [];
  const work = (items: readonly string[]): void => void shares.push(items.length);
  await using _partitioner = await new SetPartitioner(waiter, '/set', ['a', 'b'], work, { timeBoundary: 1 }).start();
  await until(() => shares.length === 1);
  await outage('/set');
  await until(() => shares.length > 1 && shares.at(-1) === 2);
  await childCount(direct, '/set/party', 1);
});
