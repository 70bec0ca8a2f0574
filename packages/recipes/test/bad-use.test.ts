// Bad use: every recipe refuses it with an error that names the recipe and the path.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@nodekeeper/client';
import * as recipes from '../dist/index.js';
import { isRecipeError, jsonSerializer, type RecipeErrorCode, stringSerializer } from '../dist/index.js';
import { open, serve } from './support.js';

const NOT_PATHS = ['', 'relative', '/', '/ends/', '/a//b', '/a/../b', '/a/./b', '/nul\0', 7 as unknown as string];

const schema: recipes.StandardSchema<Record<string, unknown>> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as Record<string, unknown> }) },
};

type Make = (client: Client, path: string) => unknown;

/** Every recipe, by the name that its errors bear. */
const MAKERS: Readonly<Record<string, Make>> = {
  DistributedBarrier: (c, p) => new recipes.DistributedBarrier(c, p),
  DistributedDoubleBarrier: (c, p) => new recipes.DistributedDoubleBarrier(c, p, 2),
  Cache: (c, p) => new recipes.Cache(c, p),
  NodeCache: (c, p) => new recipes.NodeCache(c, p),
  PathChildrenCache: (c, p) => new recipes.PathChildrenCache(c, p),
  TreeCache: (c, p) => new recipes.TreeCache(c, p),
  Cluster: (c, p) => new recipes.Cluster(c, p),
  LoadBalancer: (c, p) => new recipes.LoadBalancer(c, p),
  NameService: (c, p) => new recipes.NameService(c, p),
  SetPartitioner: (c, p) => new recipes.SetPartitioner(c, p, ['a'], () => {}),
  Topic: (c, p) => new recipes.Topic(c, p, stringSerializer),
  FileSync: (c, p) => new recipes.FileSync(c, p, '/tmp/none'),
  LiveConfiguration: (c, p) => new recipes.LiveConfiguration(c, p, { schema, initial: {} }),
  DistributedAtomicInteger: (c, p) => new recipes.DistributedAtomicInteger(c, p),
  DistributedAtomicLong: (c, p) => new recipes.DistributedAtomicLong(c, p),
  Counter: (c, p) => new recipes.Counter(c, p),
  DistributedAtomicValue: (c, p) => new recipes.DistributedAtomicValue(c, p, stringSerializer),
  SharedCount: (c, p) => new recipes.SharedCount(c, p),
  SharedValue: (c, p) => new recipes.SharedValue(c, p, '', stringSerializer),
  LeaderLatch: (c, p) => new recipes.LeaderLatch(c, p),
  LeaderSelector: (c, p) => new recipes.LeaderSelector(c, p, () => {}),
  followLeader: (c, p) => recipes.followLeader(c, p),
  InterProcessMutex: (c, p) => new recipes.InterProcessMutex(c, p),
  InterProcessReadWriteLock: (c, p) => new recipes.InterProcessReadWriteLock(c, p),
  InterProcessSemaphoreV2: (c, p) => new recipes.InterProcessSemaphoreV2(c, p, 1),
  InterProcessSemaphoreMutex: (c, p) => new recipes.InterProcessSemaphoreMutex(c, p),
  InterProcessMultiLock: (c, p) => new recipes.InterProcessMultiLock(c, ['/fine', p]),
  NonBlockingLease: (c, p) => new recipes.NonBlockingLease(c, p, 1000),
  MultiNonBlockingLease: (c, p) => new recipes.MultiNonBlockingLease(c, 2, p, 1000),
  attemptRevoke: (c, p) => recipes.attemptRevoke(c, p),
  Model: (c, p) => new recipes.Model(c, p, jsonSerializer()),
  GroupMember: (c, p) => new recipes.GroupMember(c, p, 'me'),
  Party: (c, p) => new recipes.Party(c, p),
  ShallowParty: (c, p) => new recipes.ShallowParty(c, p),
  PersistentNode: (c, p) => new recipes.PersistentNode(c, p),
  PersistentTtlNode: (c, p) => new recipes.PersistentTtlNode(c, p, 1000),
  DistributedQueue: (c, p) => new recipes.DistributedQueue(c, p, stringSerializer),
  DistributedIdQueue: (c, p) => new recipes.DistributedIdQueue(c, p, stringSerializer),
  DistributedPriorityQueue: (c, p) => new recipes.DistributedPriorityQueue(c, p, stringSerializer),
  DistributedDelayQueue: (c, p) => new recipes.DistributedDelayQueue(c, p, stringSerializer),
  SimpleDistributedQueue: (c, p) => new recipes.SimpleDistributedQueue(c, p),
  Queue: (c, p) => new recipes.Queue(c, p),
  LockingQueue: (c, p) => new recipes.LockingQueue(c, p),
  QueueSharder: (c, p) => new recipes.QueueSharder(c, p, '/leader', () => ({ close: async () => {} })),
};

/** The caches may have the root. */
const MAY_BE_ROOT = ['Cache', 'NodeCache', 'PathChildrenCache', 'TreeCache'];

function is(error: unknown, code: RecipeErrorCode, recipe: string, path: unknown): true {
  assert.ok(isRecipeError(error, code), `${recipe} ${path}: ${error}`);
  assert.deepEqual([error.recipe, error.path], [recipe, String(path)]);
  assert.match(error.message, new RegExp(`^${recipe} `));
  return true;
}

for (const [name, make] of Object.entries(MAKERS)) {
  test(`${name} refuses what is no path`, async () => {
    const client = new Client('127.0.0.1:1');
    for (const path of NOT_PATHS) {
      if (path === '/' && MAY_BE_ROOT.includes(name)) continue;
      await assert.rejects(
        async () => make(client, path),
        (error) => is(error, 'BadPath', name, path),
      );
    }
  });
}

test('every recipe is among these', () => {
  const classes = Object.entries(recipes).filter(
    ([name, value]) =>
      typeof value === 'function' && /^[A-Z]/.test(name) && !/^(RecipeError|CachedAtomicLong)$/.test(name),
  );
  for (const [name] of classes) assert.ok(name in MAKERS, name);
});

interface Startable {
  start(): unknown;
  close(): Promise<void>;
}

/** Recipes that work in the background, with something that needs them to be started. */
const STARTED: Readonly<Record<string, (recipe: never) => unknown>> = {
  Cache: (one: recipes.Cache) => one.changes(),
  NodeCache: (one: recipes.NodeCache) => one.changes(),
  PathChildrenCache: (one: recipes.PathChildrenCache) => one.changes(),
  TreeCache: (one: recipes.TreeCache) => one.changes(),
  Cluster: (one: recipes.Cluster) => one.changes(),
  LoadBalancer: (one: recipes.LoadBalancer) => one.choose({ timeout: 1 }),
  LiveConfiguration: (one: recipes.LiveConfiguration<Record<string, unknown>>) => one.update({}),
  SharedCount: (one: recipes.SharedCount) => one.setCount(1),
  SharedValue: (one: recipes.SharedValue<string>) => one.setValue(''),
  LeaderLatch: (one: recipes.LeaderLatch) => one.awaitLeadership(),
  LeaderSelector: (one: recipes.LeaderSelector) => one.requeue(),
  PersistentNode: (one: recipes.PersistentNode) => one.setData(''),
  PersistentTtlNode: (one: recipes.PersistentTtlNode) => one.setData(''),
  QueueSharder: (one: recipes.QueueSharder<{ close(): Promise<void> }>) => one.getQueue(),
  GroupMember: (one: recipes.GroupMember) => one.setThisData(''),
};
/** Of these nothing can be asked but to begin and to end. */
const ONLY_STARTED = ['SetPartitioner', 'FileSync'];

test('a recipe that works in the background refuses to be started twice, and to be used before and after', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  for (const name of [...Object.keys(STARTED), ...ONLY_STARTED]) {
    const path = `/use/${name}`;
    const recipe = (MAKERS[name] as Make)(client, path) as Startable;
    const use = async (): Promise<unknown> => STARTED[name]?.(recipe as never);
    const start = async (): Promise<unknown> => recipe.start();
    const refuses = (action: () => Promise<unknown>, code: RecipeErrorCode): Promise<void> =>
      assert.rejects(action, (error) => is(error, code, name, path));
    if (name in STARTED) await refuses(use, 'NotStarted');
    await start();
    await refuses(start, 'AlreadyStarted');
    await recipe.close();
    await recipe.close(); // no harm
    await refuses(start, 'Closed');
    if (name in STARTED) await refuses(use, 'Closed');
  }
});
