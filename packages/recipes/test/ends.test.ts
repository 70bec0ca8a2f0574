// The end of a recipe, or of its client: whoever waits hears of it, and nothing goes on in the background.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { type TestContext, test } from 'node:test';
import timers from 'node:timers';
import { isKeeperError } from '@nodekeeper/client';
import {
  Cache,
  Cluster,
  DistributedQueue,
  followLeader,
  GroupMember,
  isRecipeError,
  LeaderLatch,
  LeaderSelector,
  LiveConfiguration,
  LoadBalancer,
  NameService,
  PersistentNode,
  PersistentTtlNode,
  QueueSharder,
  SetPartitioner,
  SharedCount,
  stringSerializer,
  Topic,
} from '../dist/index.js';
import { Relay } from './relay.js';
import { atEnd, childCount, open, serve, until } from './support.js';

const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as never;
const isClosed = (error: unknown): boolean => isRecipeError(error, 'Closed') || isKeeperError(error, 'Closed');

/** The calls to `setInterval` that are not undone. */
function intervals(t: TestContext): () => { readonly count: number; readonly shortest: number } {
  const alive = new Map<unknown, number>();
  const { setInterval: set, clearInterval: clear } = timers;
  t.mock.method(timers, 'setInterval', (action: () => void, ms: number) => {
    const timer = set(action, ms);
    alive.set(timer, ms);
    return timer;
  });
  t.mock.method(timers, 'clearInterval', (timer: never) => {
    alive.delete(timer);
    clear(timer);
  });
  syncBuiltinESMExports(); // recipes have theirs by name
  atEnd(t, () => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return () => ({ count: alive.size, shortest: Math.min(...alive.values()) });
}

/** Timers that the process waits for. Those of `until` and of clients come and go. */
function timersAlive(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

test('who waits for something hears that the client is closed', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await new LeaderLatch(other, '/latch').start().awaitLeadership();
  const latch = new LeaderLatch(client, '/latch').start();
  const balancer = await new LoadBalancer(client, '/balancer').start();
  const count = await new SharedCount(client, '/count').start();
  const cluster = await new Cluster(client, '/cluster', { id: 'a' }).start();
  const configuration = await new LiveConfiguration(client, '/live', { schema, initial: {} }).start();
  const name = await new NameService(client, '/names').follow('some');
  const streams = [count, cluster, configuration, name].map((recipe) => recipe.changes());
  const waiting = [
    assert.rejects(latch.awaitLeadership(), isClosed),
    assert.rejects(balancer.choose(), isClosed),
    ...streams.map(async (stream) => {
      for await (const _ of stream);
    }),
  ];
  await client.close();
  await Promise.all(waiting);
  await assert.rejects(latch.awaitLeadership(), isClosed);
  assert.equal((await cluster.changes().next()).done, true);
});

test('a stream ends without an error when the client is closed, also before the server has answered that', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const topic = new Topic(client, '/topic', stringSerializer);
  await topic.publish('one');
  const closed = client.close();
  assert.ok(!client.isOver); // and refuses calls already
  const subscription = topic.subscribe({ from: 'oldest' });
  const ends = [followLeader(client, '/latch').next(), subscription.next()];
  for (const { done } of await Promise.all(ends)) assert.ok(done);
  await subscription.ready;
  await closed;
});

test('nothing keeps the process alive when the client is closed', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const before = timersAlive();
  const node = await new PersistentTtlNode(client, '/ttl', 3_600_000).start();
  const options = { thresholdCheck: 3_600_000 };
  const sharder = new QueueSharder(client, '/shards', '/leader', () => ({ close: async () => {} }), options);
  await sharder.start();
  await client.close();
  await until(() => timersAlive() <= before);
  await Promise.all([node.close(), sharder.close()]);
});

test('what is closed while it starts without a connection has not started', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const client = await open(t, relay.port);
  relay.down();
  await once(client, 'suspended');
  const recipes = [
    new PersistentNode(client, '/node'),
    new PersistentTtlNode(client, '/ttl', 1000),
    new Cache(client, '/cache'),
    new SharedCount(client, '/count'),
    new GroupMember(client, '/group', 'me'),
    new LoadBalancer(client, '/balancer'),
    new Cluster(client, '/cluster', { id: 'me' }),
    new SetPartitioner(client, '/set', ['a'], () => {}),
    new LiveConfiguration(client, '/live', { schema, initial: {} }),
    new QueueSharder(client, '/sharder', '/leader', () => ({ close: async () => {} })),
  ];
  const starts = recipes.map((recipe) => assert.rejects(recipe.start(), isClosed, recipe.constructor.name));
  await Promise.all(recipes.map((recipe) => recipe.close()));
  await Promise.all(starts);
  relay.up();
});

test('a node with a time to live that is closed while it starts is not touched afterwards', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const timers = intervals(t);
  const node = new PersistentTtlNode(client, '/ttl', 1000);
  const touch = client.setData.bind(client);
  let closed: Promise<void> | undefined;
  t.mock.method(client, 'setData', (path: string) => {
    closed ??= node.close();
    return touch(path, '');
  });
  await assert.rejects(node.start(), isClosed);
  await closed;
  assert.equal(timers().count, 0);
});

test('a time to live that is longer than timers count is touched in time, and not without rest', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const timers = intervals(t);
  const node = await new PersistentTtlNode(client, '/long', 60 * 86_400_000).start();
  assert.deepEqual(timers(), { count: 1, shortest: 2 ** 31 - 1 });
  await node.close();
});

test('a sharder that is closed while it starts takes part in no election, and leaves no queue open', async (t) => {
  const server = await serve(t);
  const [client, direct] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await direct.ensurePath('/shards/queue-1');
  let held = 0;
  const allocate = () => {
    held++;
    return { close: async () => void held-- };
  };
  const sharder = new QueueSharder(client, '/shards', '/leader', allocate);
  const read = client.getChildren.bind(client);
  let closed: Promise<void> | undefined;
  t.mock.method(client, 'getChildren', (path: string) => {
    closed ??= sharder.close();
    return read(path);
  });
  await assert.rejects(sharder.start(), isClosed);
  await closed;
  await client.sync();
  assert.equal(held, 0);
  assert.equal(await direct.exists('/leader'), null);
});

test('errors in the background are events of all that works there', async (t) => {
  const server = await serve(t);
  const [client, owner] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const { Party } = await import('../dist/index.js');
  await owner.addAuth('digest', 'owner:secret');
  await owner.ensurePath('/p');
  const party = new Party(client, '/p', 'me');
  await party.join();
  const balancer = new LoadBalancer(client, '/b');
  await balancer.offer('x', 'address');
  const names = new NameService(client, '/n');
  await names.bind('name', 'address');
  const ttl = await new PersistentTtlNode(client, '/t/node', 60_000).start();
  atEnd(t, () => ttl.close());
  const errors = [party, balancer, names, ttl].map((recipe) => once(recipe, 'error'));
  const readOnly = [
    { perms: 1, scheme: 'world', id: 'anyone' },
    { perms: 31, scheme: 'auth', id: '' },
  ];
  for (const path of ['/p', '/b/servers', '/n/name', '/t']) await owner.setACL(path, readOnly);
  await owner.deleteRecursive('/t/node');
  for (const path of ['/p', '/b/servers', '/n/name']) {
    const [child] = (await owner.getChildren(path)).children;
    await owner.delete(`${path}/${child}`);
  }
  for (const [error] of await Promise.all(errors)) assert.equal(error.codeName, 'NoAuth');
});

test('what is closed by its own callback does not wait for it', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const closed: string[] = [];
  const by = (name: string, close: () => Promise<void>) => async (): Promise<void> => {
    await client.sync();
    await close();
    closed.push(name);
  };
  for (const options of [{}, { lockPath: '/locks' }]) {
    const queue = new DistributedQueue(client, '/q', stringSerializer, options);
    await queue.put('item');
    queue.consume(by('queue', () => queue.close()));
    await until(() => closed.pop() === 'queue');
    const other = new DistributedQueue(client, '/q', stringSerializer, options);
    await until(async () => (await other.size()) === 0);
    await other.put('item');
    const consumer = other.consume(by('consumer', () => consumer.close()));
    await until(() => closed.pop() === 'consumer');
    await other.close();
    assert.equal(await other.size(), 0); // who closes it from outside has waited
  }
  const lead = by('selector', () => selector.close());
  const selector: LeaderSelector = new LeaderSelector(client, '/s', lead).start();
  await until(() => closed.pop() === 'selector');
  await childCount(client, '/s', 0);
  const work = by('partitioner', () => partitioner.close());
  const partitioner = new SetPartitioner(client, '/p', ['x'], work, { timeBoundary: 1 });
  await partitioner.start();
  await until(() => closed.pop() === 'partitioner');
  await childCount(client, '/p/locks/x', 0);
});
