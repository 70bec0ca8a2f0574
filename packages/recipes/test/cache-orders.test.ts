// Caches in whatever order events, answers, losses of connections and ends of sessions come, from servers that lag behind each other:
// equal to the tree in the end. What fails once fails again with its seed.

import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { Client } from '@nodekeeper/client';
import { Cache } from '../dist/index.js';
import { ModelServers, randomFrom } from './model-servers.js';

/** Which seed is the first, and how many. */
const { NODEKEEPER_SEED = '1', NODEKEEPER_SEEDS = '150' } = process.env;
const STEPS = 600;
/** Until nothing has come of anything for so many turns, all was told; that takes no more turns than the limit. */
const IDLE = 20;
const LIMIT = 10_000;
const ROOT = '/c';
const PATHS = ['', '/a', '/b', '/a/x', '/a/y', '/b/x', '/a/x/1', '/a/x/2'].map((path) => ROOT + path);
const KINDS = ['create', 'create', 'set', 'delete'] as const;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function run(seed: number, tick: () => void): Promise<void> {
  const random = randomFrom(seed);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  const servers = new ModelServers(random);
  const client = new Client(servers.connectString, {
    open: servers.open,
    resolver: { lookup: (host) => Promise.resolve([host]), resolveSrv: () => Promise.resolve([]) },
    reconnect: { minDelay: 1, maxDelay: 2 },
    maxOutstanding: random(3) === 0 ? 1 + random(3) : undefined,
  }).start();
  const maxDepth = random(3) === 0 ? 1 : undefined;
  const cache = new Cache(client, ROOT, { maxDepth });
  const told = new Map<string, number>();
  cache.on('created', ({ path, stat }) => void told.set(path, stat.mzxid));
  cache.on('changed', ({ path, stat }) => void told.set(path, stat.mzxid));
  cache.on('deleted', ({ path }) => void told.delete(path));
  const started = cache.start();

  const oneIn = random(3) === 0 ? 60 : 600;
  for (let step = 0, made = 0; step < STEPS; step++) {
    if (random(4) === 0) servers.change(pick(KINDS), pick(PATHS));
    // Nodes that nobody makes again: what the cache has wrong of one stays wrong.
    if (random(4) === 0) servers.change('create', `${pick(PATHS)}/once-${made++}`);
    if (random(4) === 0) for (const path of PATHS) servers.change('delete', `${path}/once-${random(made + 1)}`);
    if (random(oneIn) === 0) servers.loseConnections();
    const before = random(2) === 0 ? turn() : undefined; // what comes next, before the client's own immediates or behind them
    for (let i = random(6); i > 0; i--) servers.step();
    tick();
    await (before ?? turn());
  }

  const settle = async (isOver: () => boolean): Promise<void> => {
    for (let turns = 0, idle = 0; idle < IDLE; idle = isOver() ? idle + 1 : 0) {
      assert.ok(turns++ < LIMIT, `seed ${seed} comes to no end`);
      servers.settle();
      tick();
      await turn();
    }
  };
  await settle(() => client.isConnected && client.backlog === 0);
  await started;
  const isKept = (path: string): boolean => maxDepth === undefined || path.split('/').length <= 3;
  const due = servers.listed(ROOT).filter(([path]) => isKept(path));
  const shown = [...cache.all()].map(({ path, stat }) => [path, stat.mzxid] as const);
  assert.deepEqual(new Map(shown), new Map(due), `seed ${seed}`);
  assert.deepEqual(told, new Map(due), `seed ${seed}: what was told`);
  await cache.close();
  const closing = client.close();
  await settle(() => client.state === 'closed');
  await closing;
}

test('a cache is equal to the tree in the end, whatever the order of what it is told', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  syncBuiltinESMExports(); // client and recipes have theirs by name
  t.after(() => {
    t.mock.timers.reset();
    syncBuiltinESMExports();
  });
  const first = Number(NODEKEEPER_SEED);
  for (let seed = first; seed < first + Number(NODEKEEPER_SEEDS); seed++) {
    const random = randomFrom(-seed);
    const chance = t.mock.method(Math, 'random', () => random(2 ** 30) / 2 ** 30); // which server comes next
    await run(seed, () => t.mock.timers.tick(1));
    chance.mock.restore();
  }
});
