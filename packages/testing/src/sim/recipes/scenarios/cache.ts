// Caches of a tree that several change: never back to what is older, and equal to the tree in the end.

import { isKeeperError } from '@nodekeeper/client';
import { Cache, type CachedNode } from '@nodekeeper/recipes';
import type { Finding } from '../../checks.js';
import type { Decided } from '../decided.js';
import { type Part, type Scenario, until } from '../scenario.js';

const PATH = '/cached';
const NAMES = ['', '/a', '/b', '/a/x', '/a/y', '/b/x'];
/** So many nodes come and go together, each for so many milliseconds at most. */
const SWARM = { nodes: 20, ms: 3 };

interface Shown {
  readonly type: 'created' | 'changed' | 'deleted';
  readonly by: string;
  readonly path: string;
  readonly czxid: number;
  readonly mzxid: number;
  readonly at: number;
}

export function cacheScenario(): Scenario {
  const shown: Shown[] = [];
  const caches = new Map<string, Cache>();
  let isEqual = false;
  let swarmed = 0;
  return {
    async play(part) {
      const cache = new Cache(part.client, PATH);
      cache.on('error', (error) => part.trace(`${PATH}: ${error}`));
      const show =
        (type: Shown['type']) =>
        ({ path, stat: { czxid, mzxid } }: CachedNode<unknown>): void => {
          shown.push({ type, by: part.name, path, czxid, mzxid, at: part.now() });
        };
      cache.on('created', show('created'));
      cache.on('changed', show('changed'));
      cache.on('deleted', show('deleted'));
      caches.set(part.name, cache);
      const filled = started(part, cache);
      while (!part.isOver()) {
        await (part.random.chance(0.2) ? swarm(part) : change(part));
        await part.sleep(part.random.between(0, 60));
      }
      await filled;
      part.ended();
      await until(part, part.othersHaveEnded);
      await until(part, () => isEqual);
      caches.delete(part.name);
      await cache.close();
    },
    missing(decided, isAlive) {
      for (const [name, cache] of caches) {
        const difference = isAlive(name) ? differs(cache, decided) : undefined;
        if (difference !== undefined) return `the cache of ${name} differs: ${difference}`;
      }
      isEqual = true;
      return undefined;
    },
    *check(decided) {
      yield* neverOlder();
      for (const { type, by, path, czxid, at } of shown) {
        const removal = decided.removal(path, czxid);
        if (type === 'deleted' && (removal === undefined || removal.at > at))
          yield { kind: 'cache', message: `${by} is told that ${path} is deleted, and it is there` };
      }
    },
    mayStay: (path) => path.startsWith(PATH),
  };

  async function started(part: Part, cache: Cache): Promise<void> {
    try {
      await cache.start();
    } catch (error) {
      // The session may end before there is a watch; then the program begins anew.
      if (!isKeeperError(error)) throw error;
      part.trace(`${PATH}: ${error.message}`);
      caches.delete(part.name);
    }
  }

  async function change({ client, name, random }: Part): Promise<void> {
    const path = PATH + random.pick(NAMES);
    try {
      const kind = random.int(4);
      if (kind === 0) await client.delete(path);
      else if (kind === 1) await client.setData(path, `${name} ${random.int(1000)}`);
      else await client.create(path, { data: name });
    } catch (error) {
      if (!isKeeperError(error)) throw error; // it is there, is not there, has children, or nobody knows
    }
  }

  /** Nodes that nobody makes again: what is told wrongly of one stays wrong. */
  async function swarm(part: Part): Promise<void> {
    const { client, name, random } = part;
    const pass = async (path: string, ms: number): Promise<void> => {
      await client.create(path);
      await part.sleep(ms);
      await client.delete(path);
    };
    const swarms = ++swarmed;
    const passing = Array.from({ length: SWARM.nodes }, (_, i) =>
      pass(`${PATH}/${name}-${swarms}-${i}`, random.between(0, SWARM.ms)).catch((error) => {
        if (!isKeeperError(error)) throw error; // nobody knows, or there is nothing to be below
      }),
    );
    await Promise.all(passing);
  }

  function* neverOlder(): Generator<Finding> {
    const last = new Map<string, number>();
    for (const { type, by, path, mzxid } of shown) {
      const before = last.get(`${by} ${path}`) ?? 0;
      if (type !== 'deleted' && mzxid <= before)
        yield {
          kind: 'cache',
          message: `${by} is shown ${path} as of 0x${mzxid.toString(16)} after 0x${before.toString(16)}`,
        };
      last.set(`${by} ${path}`, Math.max(mzxid, before));
    }
  }
}

function differs(cache: Cache, { model }: Decided): string | undefined {
  const there = [...model.nodes.keys()].filter((path) => path === PATH || path.startsWith(`${PATH}/`));
  for (const path of there) {
    const node = cache.get(path);
    const due = model.nodes.get(path);
    if (node === undefined) return `${path} is missing`;
    if (node.stat.mzxid !== due?.mzxid) return `${path} is old`;
    if (node.data?.toString() !== due.data.toString()) return `${path} holds ${node.data}`;
  }
  return cache.size === there.length ? undefined : `it has ${cache.size} nodes, and there are ${there.length}`;
}
