// Every call that has to do with the server takes a limit, and keeps it without a connection.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Client, isKeeperError } from '@nodekeeper/client';
import { startServer } from '@nodekeeper/testing';
import type { WaitOptions } from '../dist/base/wait.js';
import {
  attemptRevoke,
  CachedAtomicLong,
  Cluster,
  Counter,
  DistributedAtomicInteger,
  DistributedAtomicLong,
  DistributedAtomicValue,
  DistributedBarrier,
  DistributedDelayQueue,
  DistributedDoubleBarrier,
  DistributedIdQueue,
  DistributedPriorityQueue,
  DistributedQueue,
  FileSync,
  followLeader,
  GroupMember,
  InterProcessMultiLock,
  InterProcessMutex,
  InterProcessReadWriteLock,
  InterProcessSemaphoreMutex,
  InterProcessSemaphoreV2,
  isRecipeError,
  LeaderLatch,
  LeaderSelector,
  LiveConfiguration,
  LoadBalancer,
  LockingQueue,
  Model,
  NameService,
  NodeCache,
  NonBlockingLease,
  Party,
  PersistentNode,
  PersistentTtlNode,
  Queue,
  QueueSharder,
  SetPartitioner,
  ShallowParty,
  SharedCount,
  SharedValue,
  SimpleDistributedQueue,
  type StandardSchema,
  Topic,
  TreeCache,
  stringSerializer as text,
} from '../dist/index.js';
import { Relay } from './relay.js';
import { atEnd, childCount, dataDir, open, serve, until } from './support.js';

const isTimeout = (error: unknown): boolean => isRecipeError(error, 'Timeout');
const isUnknown = (error: unknown): boolean => isKeeperError(error, 'ConnectionLoss') && error.outcomeUnknown;
const schema: StandardSchema<object> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as object }) },
};
const nothing = (): void => {};

type Call = (wait: WaitOptions) => Promise<unknown>;

/** Calls of recipes that need not be started, or are about to be. */
function callsOf(client: Client, file: string): Record<string, Call> {
  const barrier = new DistributedBarrier(client, '/barrier');
  const names = new NameService(client, '/names');
  const balancer = new LoadBalancer(client, '/balancer');
  const topic = new Topic(client, '/topic', text);
  const atomic = new DistributedAtomicValue(client, '/atomic', text);
  const long = new DistributedAtomicLong(client, '/long');
  const integer = new DistributedAtomicInteger(client, '/integer');
  const counter = new Counter(client, '/counter');
  const cached = new CachedAtomicLong(long, 10);
  const latch = new LeaderLatch(client, '/latch');
  const selector = new LeaderSelector(client, '/selector', nothing);
  const mutex = new InterProcessMutex(client, '/mutex');
  const lock = new InterProcessReadWriteLock(client, '/lock');
  const semaphore = new InterProcessSemaphoreV2(client, '/semaphore', 2);
  const party = new Party(client, '/party');
  const shallow = new ShallowParty(client, '/shallow');
  const model = new Model(client, '/model', text);
  const simple = new SimpleDistributedQueue(client, '/simple');
  const bytes = new Queue(client, '/bytes');
  const locking = new LockingQueue(client, '/locking');
  const queue = new DistributedQueue(client, '/queue', text);
  const ids = new DistributedIdQueue(client, '/ids', text);
  const priority = new DistributedPriorityQueue(client, '/priority', text);
  const delayed = new DistributedDelayQueue(client, '/delayed', text);
  return {
    'barrier.setBarrier': (wait) => barrier.setBarrier(wait),
    'barrier.removeBarrier': (wait) => barrier.removeBarrier(wait),
    'barrier.waitOnBarrier': (wait) => barrier.waitOnBarrier(wait),
    'doubleBarrier.enter': (wait) => new DistributedDoubleBarrier(client, '/double', 2).enter(wait),
    'nodeCache.start': (wait) => new NodeCache(client, '/node-cache').start(wait),
    'treeCache.start': (wait) => new TreeCache(client, '/tree-cache').start(wait),
    'model.cached': (wait) => model.cached().start(wait),
    'cluster.start': (wait) => new Cluster(client, '/cluster', { id: 'a' }).start(wait),
    'balancer.start': (wait) => new LoadBalancer(client, '/balancer').start(wait),
    'balancer.offer': (wait) => balancer.offer('a', '127.0.0.1', 1, wait),
    'names.bind': (wait) => names.bind('a', '127.0.0.1', {}, wait),
    'names.resolve': (wait) => names.resolve('a', wait),
    'names.list': (wait) => names.list('a', wait),
    'names.follow': (wait) => names.follow('a', wait),
    'partitioner.start': (wait) => new SetPartitioner(client, '/set', ['a'], nothing).start(wait),
    'topic.publish': (wait) => topic.publish('a', wait),
    'topic.sequences': (wait) => topic.sequences(wait),
    'fileSync.start': (wait) => new FileSync(client, '/file', file).start(wait),
    'configuration.start': (wait) => new LiveConfiguration(client, '/new', { schema, initial: {} }).start(wait),
    'atomic.get': (wait) => atomic.get(wait),
    'atomic.initialize': (wait) => atomic.initialize('a', wait),
    'atomic.forceSet': (wait) => atomic.forceSet('a', wait),
    'atomic.compareAndSet': (wait) => atomic.compareAndSet('a', 'b', wait),
    'atomic.trySet': (wait) => atomic.trySet('a', wait),
    'atomic.update': (wait) => atomic.update(() => 'a', wait),
    'long.add': (wait) => long.add(1, wait),
    'long.subtract': (wait) => long.subtract(1, wait),
    'long.increment': (wait) => long.increment(wait),
    'long.decrement': (wait) => long.decrement(wait),
    'integer.add': (wait) => integer.add(1, wait),
    'integer.subtract': (wait) => integer.subtract(1, wait),
    'integer.increment': (wait) => integer.increment(wait),
    'integer.decrement': (wait) => integer.decrement(wait),
    'counter.add': (wait) => counter.add(1, wait),
    'counter.subtract': (wait) => counter.subtract(1, wait),
    'cached.next': (wait) => cached.next(wait),
    'shared.start': (wait) => new SharedValue(client, '/shared', 'a', text).start(wait),
    'latch.getParticipants': (wait) => latch.getParticipants(wait),
    'latch.getLeader': (wait) => latch.getLeader(wait),
    'selector.getParticipants': (wait) => selector.getParticipants(wait),
    'selector.getLeader': (wait) => selector.getLeader(wait),
    'mutex.acquire': (wait) => mutex.acquire(wait),
    'mutex.run': (wait) => new InterProcessMutex(client, '/run').run(nothing, wait),
    'mutex.getParticipantNodes': (wait) => mutex.getParticipantNodes(wait),
    'readLock.acquire': (wait) => lock.readLock.acquire(wait),
    'writeLock.getParticipantNodes': (wait) => lock.writeLock.getParticipantNodes(wait),
    'multiLock.acquire': (wait) => new InterProcessMultiLock(client, ['/multi']).acquire(wait),
    'semaphore.acquire': (wait) => semaphore.acquire(wait),
    'semaphore.getParticipantNodes': (wait) => semaphore.getParticipantNodes(wait),
    'semaphoreMutex.acquire': (wait) => new InterProcessSemaphoreMutex(client, '/semaphore-mutex').acquire(wait),
    'lease.obtain': (wait) => new NonBlockingLease(client, '/lease', 1000).obtain(wait),
    attemptRevoke: (wait) => attemptRevoke(client, '/mutex/somebody', wait),
    'node.start': (wait) => new PersistentNode(client, '/node').start(wait),
    'ttlNode.start': (wait) => new PersistentTtlNode(client, '/ttl', 10_000).start(wait),
    'member.start': (wait) => new GroupMember(client, '/group', 'a').start(wait),
    'party.join': (wait) => new Party(client, '/party').join(wait),
    'party.members': (wait) => party.members(wait),
    'party.size': (wait) => party.size(wait),
    'shallow.members': (wait) => shallow.members(wait),
    'model.create': (wait) => model.create('a', 'a', wait),
    'model.read': (wait) => model.read('a', wait),
    'model.set': (wait) => model.set('a', 'a', wait),
    'model.update': (wait) => model.update('a', String, wait),
    'model.delete': (wait) => model.delete('a', wait),
    'model.list': (wait) => model.list(wait),
    'simple.offer': (wait) => simple.offer('a', wait),
    'simple.take': (wait) => simple.take(wait),
    'simple.poll': (wait) => simple.poll(wait),
    'simple.peek': (wait) => simple.peek(wait),
    'bytes.put': (wait) => bytes.put('a', 1, wait),
    'bytes.get': (wait) => bytes.get(wait),
    'locking.put': (wait) => locking.put('a', 1, wait),
    'queue.put': (wait) => queue.put('a', wait),
    'queue.size': (wait) => queue.size(wait),
    'ids.put': (wait) => ids.put('a', 'a', wait),
    'ids.remove': (wait) => ids.remove('a', wait),
    'priority.put': (wait) => priority.put('a', 1, wait),
    'delayed.put': (wait) => delayed.put('a', 1, wait),
    'sharder.start': (wait) => new QueueSharder(client, '/sharder', '/leader', () => queue).start(wait),
  };
}

/** Calls of recipes that were started before. */
async function startedCallsOf(client: Client): Promise<Record<string, Call>> {
  const cluster = await new Cluster(client, '/started/cluster', { id: 'a' }).start();
  const configuration = await new LiveConfiguration(client, '/started/configuration', { schema, initial: {} }).start();
  const count = await new SharedCount(client, '/started/count').start();
  const node = await new PersistentNode(client, '/started/node').start();
  const ttlNode = await new PersistentTtlNode(client, '/started/ttl', 10_000).start();
  const member = await new GroupMember(client, '/started/group', 'a').start();
  const balancer = await new LoadBalancer(client, '/started/balancer').start();
  const latch = new LeaderLatch(client, '/started/latch').start();
  const leading = await latch.awaitLeadership();
  const lease = await new InterProcessSemaphoreV2(client, '/started/semaphore', 1, { grace: 10_000 }).acquire();
  assert.ok(leading.fencingToken > 0);
  return {
    'cluster.report': (wait) => cluster.report({ load: 1 }, wait),
    'configuration.update': (wait) => configuration.update({ a: 1 } as object, wait),
    'configuration.edit': (wait) => configuration.edit(() => ({ a: 1 }), wait),
    'configuration.history': (wait) => configuration.history(wait),
    'configuration.rollBack': (wait) => configuration.rollBack(0, wait),
    'count.refresh': (wait) => count.refresh(wait),
    'count.setCount': (wait) => count.setCount(1, wait),
    'count.trySetCount': (wait) => count.trySetCount(count.versionedValue, 1, wait),
    'node.setData': (wait) => node.setData('a', wait),
    'ttlNode.setData': (wait) => ttlNode.setData('a', wait),
    'member.setThisData': (wait) => member.setThisData('a', wait),
    'balancer.choose': (wait) => balancer.choose(wait),
    'lease.getData': (wait) => lease.getData(wait),
  };
}

test('without a connection every call gives up in time, changes nothing, and leaves nothing', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const client = await open(t, relay.port, { sessionTimeout: 20_000 });
  const started = await startedCallsOf(client);
  const calls = { ...callsOf(client, join(dataDir(t), 'file')), ...started };
  relay.down();
  if (client.state !== 'suspended') await once(client, 'suspended');
  const enough = new Error('enough');
  await Promise.all(
    Object.entries(calls).flatMap(([name, call]) => [
      assert.rejects(call({ timeout: 50 }), isTimeout, name),
      assert.rejects(call({ signal: AbortSignal.abort(enough) }), (error) => error === enough, name),
    ]),
  );
  assert.equal(client.state, 'suspended');
  relay.up();
  await client.connected();
  await client.sync();
  const { children } = await client.getChildren('/');
  const inLine = ['double', 'lease', 'lock', 'multi', 'mutex', 'run', 'semaphore', 'semaphore-mutex'];
  for (const name of children) {
    if (name === 'started' || name === 'zookeeper') continue;
    assert.ok(inLine.includes(name), name);
    // The place in line goes as soon as there is a connection.
    await childCount(client, `/${name}${name === 'semaphore' || name === 'semaphore-mutex' ? '/locks' : ''}`, 0);
  }
});

test('with a connection all of them answer within a limit that is long enough', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const waits = new Set(['barrier.waitOnBarrier', 'doubleBarrier.enter', 'balancer.choose', 'simple.take']);
  const calls = { ...callsOf(client, join(dataDir(t), 'file')), ...(await startedCallsOf(client)) };
  const { signal } = new AbortController();
  for (const [name, call] of Object.entries(calls)) {
    if (!waits.has(name)) await call({ timeout: 60_000, signal });
  }
});

test('a change that was sent is not given up; without an answer it says that it may be made', async (t) => {
  const server = await startServer();
  atEnd(t, () => server.close());
  const client = await open(t, server.connectString, { sessionTimeout: 600 });
  const value = await new SharedValue(client, '/value', 'before', text).start();
  server.freeze();
  const set = assert.rejects(value.setValue('after', { timeout: 20 }), isUnknown);
  await once(client, 'suspended');
  await set;
  server.thaw();
  await client.connected();
  await value.setValue('later', { timeout: 10_000 });
  assert.equal((await value.refresh()).value, 'later');
});

test('nor is it after the connection was lost with it', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const client = await open(t, relay.port);
  const topic = new Topic(client, '/topic', text);
  const names = { atomic: new DistributedAtomicLong(client, '/long'), model: new Model(client, '/model', text) };
  await names.atomic.increment();
  await names.model.set('a', 'before');
  await topic.publish('first');
  const calls: [Parameters<Relay['failAt']>[0], Call][] = [
    ['create', (wait) => topic.publish('second', wait)],
    ['setData', (wait) => names.atomic.increment(wait)],
    ['setData', (wait) => names.model.update('a', () => 'after', wait)],
    ['setData', (wait) => names.model.set('a', 'after', wait)],
    ['delete', (wait) => names.model.delete('a', wait)],
  ];
  for (const [operation, call] of calls) {
    const failed = relay.failAt(operation, 'afterCommit');
    const rejected = assert.rejects(call({ timeout: 200 }), isUnknown, operation);
    relay.refuse();
    await failed;
    await rejected;
    relay.up();
    await client.connected();
  }
  assert.deepEqual(await topic.sequences(), [0, 1]);
  assert.equal(await names.atomic.get(), 2n);
  assert.equal(await names.model.read('a'), undefined);
});

test('options that are undefined count as not given', async (t) => {
  const server = await serve(t);
  const none = undefined;
  const client = await open(t, server.clientPort, {
    sessionTimeout: none,
    reconnect: none,
    renewSession: none,
    retry: none,
    tls: none,
    onEvent: none,
  });
  assert.equal((await client.create('/a', { data: none, mode: none, acl: none, protect: none })).path, '/a');
  const { signal } = new AbortController();
  await using queue = new DistributedQueue(client, '/queue', text, { lockPath: none, maxItems: none });
  await using _consumer = queue.consume(nothing, { concurrency: none, onError: none, signal: none });
  await using cluster = await new Cluster(client, '/cluster', { id: 'a', report: { load: none } }).start({ signal });
  assert.equal(cluster.members.get('a')?.load, 0);
  await cluster.report({ load: 2, state: none });
  await cluster.report({ load: none });
  await until(() => cluster.members.get('a')?.load === 2);
  assert.deepEqual(cluster.leastLoaded()?.id, 'a');
  assert.equal(await new Topic(client, '/topic', text, { retention: none }).publish('a', { timeout: none }), 0);
  await new Topic(client, '/topic', text).subscribe({ from: none, signal: none }).return();
  await followLeader(client, '/latch', { signal: none, election: none }).return?.();
});
