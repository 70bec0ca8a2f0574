// Fifty clients under random faults: connections that are cut, requests lost at every step, sessions that end, a server that
// restarts. A history of who held what, when, is checked afterwards.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Client, isKeeperError } from '@nodekeeper/client';
import type { RunningServer } from '@nodekeeper/server';
import {
  DistributedAtomicLong,
  DistributedQueue,
  InterProcessMutex,
  InterProcessReadWriteLock,
  InterProcessSemaphoreV2,
  LeaderLatch,
  stringSerializer,
} from '../dist/index.js';
import { HoldHistory } from './hold-history.js';
import { type OperationName, Relay, STEPS } from './relay.js';
import { atEnd, childCount, dataDir, expire, leftovers, open, serve, until } from './support.js';

const CLIENTS = 50;
const RELAYS = 5;

/** The same faults for the same seed, but for what the clocks do. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Stage {
  server: RunningServer;
  readonly clients: readonly Client[];
  /** Not by a relay. */
  readonly watching: Client;
  /** Does a fault for every few turns that are done, until `over` resolves. `onExpire` is told of sessions that are ended. */
  trouble(
    over: Promise<unknown>,
    done: () => number,
    onExpire: (index: number) => void,
    withRestart: boolean,
  ): Promise<void>;
}

async function stage(t: TestContext, seed: number): Promise<Stage> {
  const dir = dataDir(t);
  const server = await serve(t, { dataDir: dir });
  const port = server.clientPort;
  const relays = await Promise.all(Array.from({ length: RELAYS }, () => Relay.start(t, port)));
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, i) => open(t, relays[i % RELAYS].port, { sessionTimeout: 10_000 })),
  );
  const watching = await open(t, port);
  const random = randomFrom(seed);
  const operations: OperationName[] = ['create', 'delete', 'getChildren', 'getData', 'setData', 'multi'];
  const stage: Stage = {
    server,
    clients,
    watching,
    async trouble(over, done, onExpire, withRestart) {
      let isOver = false;
      void over.finally(() => {
        isOver = true;
      });
      for (let round = 0; !isOver; round++) {
        const relay = relays[random(RELAYS)];
        if (withRestart && round === 4) {
          await stage.server.close();
          stage.server = await serve(t, { dataDir: dir, clientPort: port });
        } else if (random(4) === 0) relay.cut();
        else if (random(6) === 0) {
          const index = random(CLIENTS);
          if (clients[index].isConnected) {
            onExpire(index);
            await expire(stage.server, clients[index]);
          }
        } else void relay.failAt(operations[random(operations.length)], STEPS[random(STEPS.length)], random(20));
        const before = done();
        await until(() => isOver || done() > before + 1, 'somebody gets on');
      }
    },
  };
  return stage;
}

/** Runs `turn` so often for each client, with faults meanwhile. */
async function underTrouble(
  { clients, trouble }: Stage,
  turns: number,
  onExpire: (index: number) => void,
  turn: (client: Client, index: number) => Promise<void>,
  withRestart = false,
): Promise<void> {
  let done = 0;
  const work = Promise.all(
    clients.map(async (client, index) => {
      for (let i = 0; i < turns; i++) {
        await turn(client, index);
        done++;
      }
    }),
  );
  await Promise.all([work, trouble(work, () => done, onExpire, withRestart)]);
}

async function nothingIsLeft(
  { watching, clients }: Stage,
  server: RunningServer,
  nodes: readonly string[],
): Promise<void> {
  await until(() => clients.every((client) => client.isConnected), 'all are connected again');
  await until(async () => {
    const left = await leftovers(watching, server);
    return left.watches === 0 && left.nodes.join() === nodes.join();
  }, `nothing is left but ${nodes.join()}`);
  for (const client of clients) assert.equal(client.listenerCount('state'), 0);
}

for (const [seed, withRestart] of [
  [1, false],
  [2, true],
] as const) {
  test(`a mutex has one holder at any time${withRestart ? ', over a restart of the server' : ''}`, async (t) => {
    const scene = await stage(t, seed);
    const history = new HoldHistory();
    await underTrouble(
      scene,
      2,
      (index) => history.endedFromOutside(`${index}`),
      async (client, index) => {
        const hold = await new InterProcessMutex(client, '/m').acquire();
        const end = history.begin(`${index}`, hold.fencingToken);
        hold.signal.addEventListener('abort', end, { once: true });
        if (hold.signal.aborted) end();
        await client.exists('/m').catch(() => {});
        end();
        await hold.release();
      },
      withRestart,
    );
    assert.equal(history.length, CLIENTS * 2);
    history.check();
    await nothingIsLeft(scene, scene.server, ['/m']);
  });
}

test('a semaphore has no more holders than its limit', async (t) => {
  const scene = await stage(t, 3);
  const history = new HoldHistory();
  await underTrouble(
    scene,
    1,
    (index) => history.endedFromOutside(`${index}`),
    async (client, index) => {
      const lease = await new InterProcessSemaphoreV2(client, '/s', 4).acquire();
      const end = history.begin(`${index}`, lease.fencingToken);
      lease.signal.addEventListener('abort', end, { once: true });
      if (lease.signal.aborted) end();
      await client.exists('/s').catch(() => {});
      end();
      await lease.release();
    },
  );
  history.check(4);
  await nothingIsLeft(scene, scene.server, ['/s', '/s/leases', '/s/locks']);
});

test('a writer is alone, whatever the readers do', async (t) => {
  const scene = await stage(t, 4);
  const writers = new HoldHistory();
  const reading = new Map<number, boolean>();
  await underTrouble(
    scene,
    2,
    (index) => {
      writers.endedFromOutside(`${index}`);
      reading.delete(index);
    },
    async (client, index) => {
      const { readLock, writeLock } = new InterProcessReadWriteLock(client, '/rw');
      const isWriter = index % 4 === 0;
      const hold = await (isWriter ? writeLock : readLock).acquire();
      const end = isWriter ? writers.begin(`${index}`, hold.fencingToken) : () => reading.delete(index);
      hold.signal.addEventListener('abort', end, { once: true });
      if (hold.signal.aborted) end();
      else if (isWriter) assert.equal(reading.size, 0, 'somebody reads while one writes');
      else reading.set(index, true);
      await client.exists('/rw').catch(() => {});
      end();
      await hold.release();
    },
  );
  writers.check();
  await nothingIsLeft(scene, scene.server, ['/rw']);
});

test('an election has one leader at any time', async (t) => {
  const scene = await stage(t, 5);
  const history = new HoldHistory();
  await underTrouble(
    scene,
    1,
    (index) => history.endedFromOutside(`${index}`),
    async (client, index) => {
      const latch = new LeaderLatch(client, '/e').start();
      const { fencingToken, signal } = await latch.awaitLeadership();
      if (!signal.aborted) {
        const end = history.begin(`${index}`, fencingToken);
        signal.addEventListener('abort', end, { once: true });
        await client.exists('/e').catch(() => {});
        end();
      }
      await latch.close();
    },
  );
  history.check();
  await nothingIsLeft(scene, scene.server, ['/e']);
});

test('a counter has every change that was told to be made, and none twice', async (t) => {
  const scene = await stage(t, 6);
  let made = 0;
  let unsure = 0;
  const options = { promotedToLock: { path: '/n-lock' } };
  await underTrouble(
    scene,
    2,
    () => {},
    async (client) => {
      try {
        if ((await new DistributedAtomicLong(client, '/n', options).increment()).succeeded) made++;
      } catch (error) {
        if (!isKeeperError(error) || !(error.outcomeUnknown || isKeeperError(error, 'SessionExpired'))) throw error;
        if (error.outcomeUnknown) unsure++;
      }
    },
  );
  const value = Number(await new DistributedAtomicLong(scene.watching, '/n').get());
  assert.ok(value >= made && value <= made + unsure, `${value}, told of ${made}, left open ${unsure}`);
  await nothingIsLeft(
    scene,
    scene.server,
    value > 0 ? ((await scene.watching.exists('/n-lock')) === null ? ['/n'] : ['/n', '/n-lock']) : [],
  );
});

test('a queue with locks delivers every item that is in it', async (t) => {
  const scene = await stage(t, 7);
  const put = new Set<string>();
  const unknown = new Set<string>();
  const got = new Map<string, number>();
  const tokens = new Map<string, number>();
  const queues = scene.clients.map(
    (client) => new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/ql' }),
  );
  for (const queue of queues) {
    atEnd(t, () => queue.close());
    queue.on('error', () => {});
    queue.consume((item, { fencingToken }) => {
      got.set(item, (got.get(item) ?? 0) + 1);
      assert.ok(fencingToken > (tokens.get(item) ?? 0), 'tokens grow from delivery to delivery');
      tokens.set(item, fencingToken);
    });
  }
  let ended = 0;
  let count = 0;
  await underTrouble(
    scene,
    4,
    () => ended++,
    async (_client, index) => {
      const item = `${index}-${count++}`;
      try {
        await queues[index].put(item);
        put.add(item);
      } catch (error) {
        if (!isKeeperError(error)) throw error;
        if (error.outcomeUnknown) unknown.add(item);
      }
    },
  );
  await until(() => [...put].every((item) => got.has(item)), 'all are delivered');
  await childCount(scene.watching, '/q', 0);
  const doubled = [...got.values()].filter((times) => times > 1).length;
  assert.ok(doubled <= ended, `${doubled} were delivered twice, and ${ended} sessions had ended`);
  for (const item of got.keys()) assert.ok(put.has(item) || unknown.has(item));
  await Promise.all(queues.map((queue) => queue.close()));
  await nothingIsLeft(scene, scene.server, ['/q', '/ql']);
});
