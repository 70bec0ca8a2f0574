// SetPartitioner, QueueSharder: every item has one member; no queue gets too long.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  DistributedQueue,
  isRecipeError,
  QueueSharder,
  SetPartitioner,
  ShallowParty,
  stringSerializer,
} from '../dist/index.js';
import { atEnd, expire, leftovers, open, serve, until } from './support.js';

test('members divide a set, anew when they change, and never share an item', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const items = ['a', 'b', 'c', 'd', 'e', 'f'];
  const owners = new Map<string, number>();
  const shares = [0, 0, 0];
  const partitioners = clients.map((client, i) => {
    const work = async (share: readonly string[], signal: AbortSignal): Promise<void> => {
      for (const item of share) {
        assert.equal(owners.get(item), undefined, `${item} has two members`);
        owners.set(item, i);
      }
      shares[i]++;
      if (!signal.aborted) await new Promise((over) => signal.addEventListener('abort', over));
      for (const item of share) owners.delete(item);
    };
    const partitioner = new SetPartitioner(client, '/p', items, work, { identifier: `m${i}`, timeBoundary: 50 });
    atEnd(t, () => partitioner.close());
    return partitioner;
  });
  await partitioners[0].start();
  await until(() => partitioners[0].current.length === 6);
  await partitioners[1].start();
  await partitioners[2].start();
  await until(() => partitioners.every(({ current }) => current.length === 2));
  assert.deepEqual(partitioners[1].current, ['b', 'e']);
  const before = shares[1];
  await expire(server, clients[1]);
  await until(() => shares[1] > before && partitioners.every(({ current }) => current.length === 2), 'a share again');
  await partitioners[2].close();
  await until(() => partitioners[0].current.length === 3 && partitioners[1].current.length === 3);
  assert.equal(owners.size, 6);
  await Promise.all(partitioners.map((partitioner) => partitioner.close()));
  assert.deepEqual(await new ShallowParty(clients[0], '/p/party').members(), []);
  await until(async () => (await leftovers(clients[0], server)).watches === 0);
  await assert.rejects(partitioners[0].start(), (e) => isRecipeError(e, 'Closed') && e.recipe === 'SetPartitioner');
});

test('a member that cannot go on leaves the party, and the others get its items', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all([0, 1].map(() => open(t, server.clientPort)));
  const [broken, well] = clients.map((client, i) => {
    const partition = (): readonly string[] => {
      throw new Error('no share');
    };
    const options = { identifier: `m${i}`, timeBoundary: 50, ...(i === 0 ? { partition } : {}) };
    const partitioner = new SetPartitioner(client, '/p', ['a', 'b'], () => {}, options);
    atEnd(t, () => partitioner.close());
    return partitioner;
  });
  const failed = once(broken, 'error');
  await Promise.all([broken.start(), well.start()]);
  assert.match(String(await failed), /no share/);
  await until(() => well.current.length === 2);
  assert.deepEqual(await new ShallowParty(clients[1], '/p/party').members(), ['m1']);
});

test('another queue is added when one is full', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const options = { newQueueThreshold: 10, thresholdCheck: 20, maxQueues: 2 };
  const got: string[] = [];
  const allocate = (path: string) => new DistributedQueue(client, path, stringSerializer);
  await using sharder = await new QueueSharder(client, '/shards', '/shards-leader', allocate, options).start();
  const first = sharder.getQueue();
  for (let i = 0; i < 20; i++) await first.put(`${i}`);
  await until(() => sharder.queuePaths.length === 2);
  assert.notEqual(sharder.getQueue(), first);
  const consume = (path: string) => {
    const queue = new DistributedQueue(other, path, stringSerializer);
    queue.consume((item) => void got.push(item));
    return queue;
  };
  await using consumers = await new QueueSharder(other, '/shards', '/shards-leader', consume, options).start();
  await sharder.getQueue().put('last');
  await until(() => got.length === 21);
  assert.equal(consumers.queuePaths.length, 2);
  assert.throws(
    () => new QueueSharder(client, '/s', '/sl', allocate, { maxQueues: 0 }),
    (e) => isRecipeError(e, 'BadArgument'),
  );
});
