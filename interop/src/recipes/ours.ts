// A process that does with this project's recipes what it is told, a line at a time: number, verb and arguments between
// tabs. The second argument is the library whose layouts it uses: curator or kazoo.

import { createInterface } from 'node:readline';
import { connect, retryNTimes } from '@nodekeeper/client';
import {
  attemptRevoke,
  Counter,
  DistributedAtomicInteger,
  DistributedAtomicLong,
  DistributedBarrier,
  DistributedDelayQueue,
  DistributedDoubleBarrier,
  DistributedIdQueue,
  DistributedPriorityQueue,
  DistributedQueue,
  GroupMember,
  InterProcessMutex,
  InterProcessReadWriteLock,
  InterProcessSemaphoreV2,
  LeaderLatch,
  LeaderSelector,
  type LockHold,
  LockingQueue,
  type LockLayout,
  NonBlockingLease,
  Party,
  Queue,
  SetPartitioner,
  ShallowParty,
  SharedCount,
  SimpleDistributedQueue,
  stringSerializer,
} from '@nodekeeper/recipes';

const [port, layoutName] = process.argv.slice(2);
const layout = layoutName as LockLayout;
const client = await connect(`127.0.0.1:${port}`, { timeout: 30_000 });
const holds = new Map<string, LockHold>();
const elections = new Map<string, LeaderLatch | LeaderSelector>();
const barriers = new Map<string, DistributedDoubleBarrier>();
const groups = new Map<string, GroupMember | Party | ShallowParty>();
const partitions = new Map<string, SetPartitioner>();
const consumed = new Map<string, { items: string[]; waiting: ((item: string) => void)[] }>();

interface Acquirable {
  acquire(): Promise<LockHold>;
  tryAcquire(options: { timeout: number }): Promise<LockHold | undefined>;
}

function lockOf(kind: string, path: string): Acquirable {
  const onRevoke = (): void => void holds.get(kind + path)?.release();
  if (kind === 'mutex' || kind === 'any') return new InterProcessMutex(client, path, { layout, onRevoke });
  if (kind === 'read') return new InterProcessReadWriteLock(client, path, { layout }).readLock;
  if (kind === 'write') return new InterProcessReadWriteLock(client, path, { layout }).writeLock;
  return new InterProcessSemaphoreV2(client, path, Number(kind.slice('semaphore'.length)), { layout });
}

function found<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`there is no ${key}`);
  return value;
}

type Verb = (...args: string[]) => Promise<unknown>;

const verbs: Record<string, Verb> = {
  async acquire(kind = '', path = '', timeout = '') {
    const hold = await lockOf(kind, path).tryAcquire({ timeout: Number(timeout) });
    if (hold !== undefined) holds.set(kind + path, hold);
    return hold !== undefined;
  },
  async release(kind = '', path = '') {
    await found(holds, kind + path).release();
  },
  async node(kind = '', path = '') {
    return found(holds, kind + path).path;
  },
  async holds(kind = '', path = '') {
    return found(holds, kind + path).isHeld;
  },
  async revoke(path = '') {
    await attemptRevoke(client, path);
  },
  async hammer(kind = '', path = '', counter = '', times = '') {
    for (let i = 0; i < Number(times); i++) {
      const hold = await lockOf(kind, path).acquire();
      const value = Number((await client.getData(counter)).data?.toString());
      await client.setData(counter, String(value + 1));
      await hold.release();
    }
  },
  async lead(kind = '', path = '', id = '') {
    const over = (signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    const election =
      kind === 'latch'
        ? new LeaderLatch(client, path, { id })
        : new LeaderSelector(client, path, ({ signal }) => over(signal), { id, layout });
    elections.set(kind + path, election);
    election.start();
  },
  leads: async (kind = '', path = '') => found(elections, kind + path).hasLeadership,
  leader: async (kind = '', path = '') => (await found(elections, kind + path).getLeader())?.id,
  async resign(kind = '', path = '') {
    await found(elections, kind + path).close();
  },
  async add(kind = '', path = '', delta = '') {
    const retry = retryNTimes(1000, 5);
    if (kind === 'shared') {
      await using count = await new SharedCount(client, path).start();
      while (!(await count.trySetCount(count.versionedValue, count.count + Number(delta))));
      return count.count;
    }
    if (kind === 'int')
      return (await new DistributedAtomicInteger(client, path, { retry }).add(Number(delta))).postValue;
    const counter =
      kind === 'long' ? new DistributedAtomicLong(client, path, { retry }) : new Counter(client, path, { retry });
    return (await counter.add(BigInt(delta))).postValue;
  },
  async put(kind = '', path = '', item = '', more = '') {
    const text = stringSerializer;
    if (kind === 'simple') await new SimpleDistributedQueue(client, path).offer(item);
    else if (kind === 'priority') await new DistributedPriorityQueue(client, path, text).put(item, Number(more));
    else if (kind === 'delay') await new DistributedDelayQueue(client, path, text).put(item, Number(more));
    else if (kind === 'id') await new DistributedIdQueue(client, path, text).put(item, more);
    else if (kind === 'plain') await new Queue(client, path).put(item, Number(more || 100));
    else if (kind === 'locking') await new LockingQueue(client, path).put(item, Number(more || 100));
    else await new DistributedQueue(client, path, text).put(item);
  },
  async take(kind = '', path = '') {
    if (kind === 'simple') return new SimpleDistributedQueue(client, path).take({ timeout: 20_000 });
    if (kind === 'plain') return new Queue(client, path).take({ timeout: 20_000 });
    let state = consumed.get(path);
    if (state === undefined) {
      state = { items: [], waiting: [] };
      consumed.set(path, state);
      consume(kind, path, state);
    }
    const { items, waiting } = state;
    return items.length > 0 ? items.shift() : new Promise((resolve) => waiting.push(resolve));
  },
  async enter(path = '', count = '') {
    const barrier = new DistributedDoubleBarrier(client, path, Number(count));
    barriers.set(path, barrier);
    await barrier.enter();
  },
  async leave(path = '') {
    await found(barriers, path).leave();
  },
  async gate(path = '', what = '') {
    const barrier = new DistributedBarrier(client, path);
    if (what === 'set') await barrier.setBarrier();
    else if (what === 'remove') await barrier.removeBarrier();
    else await barrier.waitOnBarrier();
  },
  async join(kind = '', path = '', id = '') {
    if (kind === 'group') {
      groups.set(kind + path, await new GroupMember(client, path, id, id).start());
      return;
    }
    const party = new (kind === 'shallow' ? ShallowParty : Party)(client, path, id);
    await party.join();
    groups.set(kind + path, party);
  },
  async members(kind = '', path = '') {
    const group = found(groups, kind + path);
    const names = group instanceof GroupMember ? [...group.getCurrentMembers().keys()] : await group.members();
    return names.sort().join(',');
  },
  async lease(path = '', seconds = '', id = '') {
    return (
      (await new NonBlockingLease(client, path, Number(seconds) * 1000, { identifier: id }).obtain()) !== undefined
    );
  },
  async partition(path = '', id = '', items = '') {
    const work = (_: readonly string[], signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    const options = { identifier: id, timeBoundary: 1000 };
    partitions.set(path, await new SetPartitioner(client, path, items.split(','), work, options).start());
  },
  share: async (path = '') => [...found(partitions, path).current].sort().join(),
  async unpartition(path = '') {
    await found(partitions, path).close();
  },
  async part(kind = '', path = '') {
    const group = found(groups, kind + path);
    if (group instanceof GroupMember) await group.close();
    else await group.leave();
  },
};

function consume(kind: string, path: string, state: { items: string[]; waiting: ((item: string) => void)[] }): void {
  const take = (item: unknown): void => {
    const reader = state.waiting.shift();
    if (reader === undefined) state.items.push(String(item));
    else reader(String(item));
  };
  if (kind === 'locking') new LockingQueue(client, path).consume(take);
  else if (kind === 'priority') new DistributedPriorityQueue(client, path, stringSerializer).consume(take);
  else if (kind === 'delay') new DistributedDelayQueue(client, path, stringSerializer).consume(take);
  else if (kind === 'id') new DistributedIdQueue(client, path, stringSerializer).consume(take);
  else {
    const options = kind === 'locked' ? { lockPath: `${path}-locks` } : {};
    new DistributedQueue(client, path, stringSerializer, options).consume(take);
  }
}

async function answer([number, name = '', ...args]: string[]): Promise<void> {
  try {
    const verb = verbs[name];
    if (verb === undefined) throw new Error(`no verb ${name}`);
    console.log(`${number}\tok\t${(await verb(...args)) ?? ''}`);
  } catch (error) {
    console.log(`${number}\terror\t${String(error).replace(/\s+/g, ' ')}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) void answer(line.split('\t'));
await client.close();
