// A queue, with locks and without: what is put is delivered, at least or at most once.

import { isKeeperError } from '@nodekeeper/client';
import { DistributedQueue, stringSerializer } from '@nodekeeper/recipes';
import type { Finding } from '../../checks.js';
import type { Decided } from '../decided.js';
import { type Part, type Scenario, until } from '../scenario.js';

interface Delivery {
  readonly consumer: string;
  /** Of the item's lock; 0 without locks. */
  readonly token: number;
  readonly at: number;
  isDone: boolean;
  /** Its handler was told that others may get the item too, and left it to them. */
  isLeft: boolean;
}

/** @param locked whether items are locked while they are consumed */
export function queueScenario(locked: boolean): Scenario {
  const path = locked ? '/locked-queue' : '/queue';
  const lockPath = `${path}-locks`;
  /** What was put for certain. */
  const put = new Set<string>();
  const unknown = new Set<string>();
  const deliveries = new Map<string, Delivery[]>();
  /** Items that consumers cannot tell whether they have taken them. */
  let uncertain = 0;
  const broken: Finding[] = [];
  /** Consumers that died with what they had in hand. */
  const dead = new Set<string>();
  const players = new Set<string>();
  return {
    async play(part) {
      dead.add(part.name);
      players.add(part.name);
      const { client, random } = part;
      const queue = new DistributedQueue(client, path, stringSerializer, locked ? { lockPath } : {});
      queue.on('error', (error) => {
        if (!isKeeperError(error)) broken.push({ kind: 'queue', message: `${part.name}: ${error}` });
        if (isKeeperError(error) && error.outcomeUnknown) uncertain++;
      });
      queue.consume(
        async (item, { fencingToken, signal }) => {
          const delivery = { consumer: part.name, token: fencingToken, at: part.now(), isDone: false, isLeft: false };
          deliveries.set(item, [...(deliveries.get(item) ?? []), delivery]);
          await part.sleep(random.chance(0.1) ? random.between(0, 1500) : random.between(0, 20));
          delivery.isLeft = signal.aborted;
          delivery.isDone = !signal.aborted;
        },
        { concurrency: random.pick([1, 3]) },
      );
      for (let i = 0; !part.isOver(); i++) {
        await putOne(part, queue, `${part.name}-${i}`);
        await part.sleep(random.between(0, 80));
      }
      part.ended();
      await until(part, part.othersHaveEnded);
      await until(part, async () => (await queue.size()) === 0);
      await queue.close();
      dead.delete(part.name);
    },
    *check(decided) {
      yield* broken;
      if (locked) yield* atLeastOnce(decided);
      else yield* atMostOnce();
      for (const item of deliveries.keys())
        if (!put.has(item) && !unknown.has(item)) yield { kind: 'queue', message: `${item} was never put` };
    },
    mayStay: (node) => node === path || node === lockPath || (dead.size === players.size && node.startsWith(path)),
  };

  async function putOne(part: Part, queue: DistributedQueue<string>, item: string): Promise<void> {
    unknown.add(item);
    try {
      await queue.put(item);
      put.add(item);
    } catch (error) {
      if (!isKeeperError(error)) throw error;
      if (!error.outcomeUnknown) unknown.delete(item);
      part.trace(`put ${item}: ${error.message}`);
    }
  }

  function* atLeastOnce(decided: Decided): Generator<Finding> {
    for (const item of dead.size === players.size ? [] : put)
      if (deliveries.get(item)?.some(({ isDone }) => isDone) !== true)
        yield { kind: 'queue', message: `${item} was put, and nobody has worked on it` };
    for (const [item, unsorted] of deliveries) {
      // Whoever was held up between getting the lock and the item works on it late.
      const all = [...unsorted].sort((a, b) => a.token - b.token);
      for (const [i, next] of all.entries()) {
        const before = all[i - 1];
        if (before === undefined) continue;
        const why = `${item} is delivered to ${before.consumer} and then to ${next.consumer}`;
        if (before.token === next.token) yield { kind: 'fencing', message: why };
        const removal = decided.removalBelow(lockPath, before.token);
        if (removal === undefined || removal.at > next.at || !(removal.withSession || before.isLeft))
          yield { kind: 'queue', message: `${why}, and the lock of the first had not gone with its session` };
      }
    }
  }

  function* atMostOnce(): Generator<Finding> {
    for (const [item, { length }] of deliveries)
      if (length > 1) yield { kind: 'queue', message: `${item} is delivered ${length} times` };
    const lost = [...put].filter((item) => !deliveries.has(item));
    if (lost.length > uncertain && dead.size === 0)
      yield { kind: 'queue', message: `${lost.join(', ')} are lost, and ${uncertain} were told to be uncertain` };
  }
}
