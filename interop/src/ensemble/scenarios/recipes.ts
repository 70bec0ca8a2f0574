// This project's recipes on an ensemble that loses its leader.

import { type Client, connect, isKeeperError } from '@nodekeeper/client';
import {
  Cache,
  DistributedAtomicLong,
  DistributedQueue,
  InterProcessMutex,
  LeaderLatch,
  stringSerializer,
} from '@nodekeeper/recipes';
import type { Ensemble } from '../ensemble.js';
import type { Scenario, Stage } from '../scenario.js';
import { until } from '../until.js';

const CLIENTS = 50;
/** Of a leader's death, and what must be done between two of them. */
const DEATHS = 2;
const TURNS = 60;
const LIMIT_MS = 180_000;

export const recipes: Scenario = {
  id: 'recipes',
  title: 'locks, an election, a counter, a queue and a cache of fifty clients go on when leaders die',
  async run(stage) {
    const ensemble = await stage.three();
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => connect(ensemble.hosts, { sessionTimeout: 10_000, timeout: LIMIT_MS })),
    );
    try {
      await work(stage, ensemble, clients);
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  },
};

/** At most one at a time, with growing tokens. */
class Single {
  private readonly what: string;
  private holder: number | undefined;
  private token = 0;
  turns = 0;

  constructor(what: string) {
    this.what = what;
  }

  /** Returns what is called when the holder gives it back or hears that it is lost. */
  begin(holder: number, token: number): () => void {
    if (this.holder !== undefined) throw new Error(`${this.what}: ${holder} has it, and ${this.holder} has it too`);
    if (token <= this.token) throw new Error(`${this.what}: token ${token} after ${this.token}`);
    this.holder = holder;
    this.token = token;
    this.turns++;
    return () => {
      if (this.holder === holder && this.token === token) this.holder = undefined;
    };
  }
}

async function work(stage: Stage, ensemble: Ensemble, clients: readonly Client[]): Promise<void> {
  const lock = new Single('the mutex');
  const election = new Single('the election');
  const sums = { made: 0, unsure: 0 };
  const items = { put: new Set<string>(), got: new Map<string, number>() };
  const cache = await new Cache(clients[0], '/recipes').start();
  const queues = clients.map((client) => {
    const queue = new DistributedQueue(client, '/recipes-queue', stringSerializer, {
      lockPath: '/recipes-queue-locks',
    });
    queue.on('error', () => {}); // a connection that is lost
    queue.consume((item) => void items.got.set(item, (items.got.get(item) ?? 0) + 1));
    return queue;
  });
  let isOver = false;
  const working = Promise.all(
    clients.map(async (client, index) => {
      for (let turn = 0; !isOver; turn++) {
        await holdLock(client, index, lock);
        await count(client, sums);
        await put(queues[index], `${index}-${turn}`, items.put);
        if (index < 5) await lead(client, index, election);
      }
    }),
  );
  working.catch(() => {}); // it is awaited below
  for (let death = 0; death < DEATHS; death++) {
    await more(working, lock, election);
    const leader = await ensemble.leader();
    await leader.kill();
    await more(working, lock, election);
    leader.start();
    await leader.inRole('follower');
  }
  isOver = true;
  await working;
  await until('every item is delivered', LIMIT_MS, () => [...items.put].every((item) => items.got.has(item)));
  await Promise.all(queues.map((queue) => queue.close()));
  await checkSums(clients[0], sums);
  await until('the cache is equal', LIMIT_MS, async () => (await sizeOf(clients[0])) === cache.size);
  await cache.close();
  const doubled = [...items.got.values()].filter((times) => times > 1).length;
  if (doubled > 0) throw new Error(`${doubled} items were delivered twice, although no session has ended`);
  stage.note(`${lock.turns} locks, ${election.turns} leaders, ${sums.made} counted, ${items.got.size} items`);
}

async function more(working: Promise<unknown>, lock: Single, election: Single): Promise<void> {
  const [locks, leaders] = [lock.turns, election.turns];
  const enough = until('the recipes go on', LIMIT_MS, () => lock.turns > locks + TURNS && election.turns > leaders);
  await Promise.race([enough, working.then(() => enough)]);
}

async function holdLock(client: Client, index: number, lock: Single): Promise<void> {
  const hold = await new InterProcessMutex(client, '/recipes/lock').acquire();
  const end = lock.begin(index, hold.fencingToken);
  hold.signal.addEventListener('abort', end, { once: true });
  await client.exists('/recipes').catch(() => {});
  end();
  await hold.release();
}

async function count(client: Client, sums: { made: number; unsure: number }): Promise<void> {
  try {
    if ((await new DistributedAtomicLong(client, '/recipes/count').increment()).succeeded) sums.made++;
  } catch (error) {
    if (!isKeeperError(error)) throw error;
    if (error.outcomeUnknown) sums.unsure++;
  }
}

async function put(queue: DistributedQueue<string>, item: string, known: Set<string>): Promise<void> {
  try {
    await queue.put(item);
    known.add(item);
  } catch (error) {
    if (!isKeeperError(error)) throw error;
  }
}

async function lead(client: Client, index: number, election: Single): Promise<void> {
  const latch = new LeaderLatch(client, '/recipes/election').start();
  const { fencingToken, signal } = await latch.awaitLeadership();
  if (!signal.aborted) {
    const end = election.begin(index, fencingToken);
    signal.addEventListener('abort', end, { once: true });
    await client.exists('/recipes').catch(() => {});
    end();
  }
  await latch.close();
}

async function checkSums(client: Client, { made, unsure }: { made: number; unsure: number }): Promise<void> {
  await client.sync('/recipes/count'); // others have counted through other members
  const value = Number(await new DistributedAtomicLong(client, '/recipes/count').get());
  if (value < made || value > made + unsure) throw new Error(`counted ${value}, told of ${made}, unsure of ${unsure}`);
}

/** Nodes from `/recipes` on. */
async function sizeOf(client: Client): Promise<number> {
  return (await client.getAllChildrenNumber('/recipes')) + 1;
}
