// Measures this project's recipes at one case, in a process of its own. Arguments: case, port, seconds of warm-up, seconds.
// Prints its figures as JSON. Before the changes of a cache it prints `ready`, and waits for them.

import { type Client, connect } from '@nodekeeper/client';
import { Cache, DistributedQueue, InterProcessMutex, LeaderLatch, stringSerializer } from '@nodekeeper/recipes';
import {
  CACHE_CHANGES,
  CACHE_NODES,
  type CaseName,
  CONTENDERS,
  type Figures,
  HAND_OVERS,
  QUEUE_ITEMS,
} from './cases.js';

const [name, port, warmup, duration] = process.argv.slice(2) as [CaseName, string, string, string];
const PATH = `/ours-${process.pid}`;
const ITEM = 'x'.repeat(100);
const clients: Client[] = [];

async function open(): Promise<Client> {
  const client = await connect(`127.0.0.1:${port}`);
  clients.push(client);
  return client;
}

/** Does `once` again and again in each of the loops; resolves with how often a second after the warm-up. */
async function rateOf(loops: readonly (() => Promise<void>)[]): Promise<number> {
  let count = 0;
  let isOver = false;
  const running = loops.map(async (once) => {
    while (!isOver) {
      await once();
      count++;
    }
  });
  await sleep(Number(warmup));
  const [before, began] = [count, performance.now()];
  await sleep(Number(duration));
  const rate = ((count - before) / (performance.now() - began)) * 1000;
  isOver = true;
  await Promise.all(running);
  return rate;
}

const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

function locking(client: Client): () => Promise<void> {
  const lock = new InterProcessMutex(client, PATH);
  return async () => {
    const hold = await lock.acquire();
    await hold.release();
  };
}

async function handOver(): Promise<Figures> {
  const [one, two] = [await open(), await open()];
  const times: number[] = [];
  let leader = new LeaderLatch(one, PATH).start();
  await leader.awaitLeadership();
  for (let i = 0; i < HAND_OVERS; i++) {
    const next = new LeaderLatch(i % 2 === 0 ? two : one, PATH).start();
    while ((await next.getParticipants()).length < 2);
    const elected = next.awaitLeadership();
    const began = performance.now();
    void leader.close();
    await elected;
    times.push(performance.now() - began);
    leader = next;
  }
  await leader.close();
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(times.length / 2)] as number };
}

function memory(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 / 1024;
}

async function cache(which: keyof typeof CACHE_NODES): Promise<Figures> {
  const client = await open();
  const before = memory();
  const cached = new Cache(client, `/${which}`);
  const began = performance.now();
  await cached.start();
  const fill = performance.now() - began;
  if (cached.size !== CACHE_NODES[which] + 1) throw new Error(`the cache has ${cached.size} nodes`);
  const used = memory() - before;
  let [changes, first] = [0, 0];
  const all = new Promise<number>((resolve) => {
    cached.on('changed', () => {
      if (changes++ === 0) first = performance.now();
      if (changes === CACHE_CHANGES) resolve(performance.now());
    });
  });
  process.stdout.write('ready\n');
  const cpuBefore = process.cpuUsage();
  const last = await all;
  const { user, system } = process.cpuUsage(cpuBefore);
  await cached.close();
  const rate = (CACHE_CHANGES / (last - first)) * 1000;
  return { fill, memory: used, changes: rate, cpu: (user + system) / CACHE_CHANGES };
}

async function queue(what: 'put' | 'take' | 'take-locked'): Promise<Figures> {
  const client = await open();
  const options = what === 'take-locked' ? { lockPath: `${PATH}-locks` } : {};
  const items = new DistributedQueue(client, PATH, stringSerializer, options);
  if (what === 'put') return { rate: await rateOf([() => items.put(ITEM)]) };
  for (let i = 0; i < QUEUE_ITEMS; i += 500) {
    await Promise.all(Array.from({ length: 500 }, () => items.put(ITEM)));
  }
  let [count, first] = [0, 0];
  const last = await new Promise<number>((resolve) => {
    items.consume(() => {
      if (count++ === 0) first = performance.now();
      if (count === QUEUE_ITEMS) resolve(performance.now());
    });
  });
  await items.close();
  return { rate: (QUEUE_ITEMS / (last - first)) * 1000 };
}

const cases: Record<CaseName, () => Promise<Figures>> = {
  lock: async () => ({ rate: await rateOf([locking(await open())]) }),
  'contended-lock': async () => {
    const all = await Promise.all(Array.from({ length: CONTENDERS }, open));
    return { rate: await rateOf(all.map(locking)) };
  },
  'hand-over': handOver,
  cache: () => cache('cache'),
  'large-cache': () => cache('large-cache'),
  'queue-put': () => queue('put'),
  'queue-take': () => queue('take'),
  'queue-take-locked': () => queue('take-locked'),
};

const figures = await cases[name]();
await Promise.all(clients.map((client) => client.close()));
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit());
