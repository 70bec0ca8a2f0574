// Queues in Curator's layout: plain, by id, by priority, delayed.
// Source: DistributedQueue, DistributedIdQueue, DistributedPriorityQueue, DistributedDelayQueue of Apache Curator.

import { type Client, isKeeperError, type TransactionError } from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { RecipeError } from '../base/errors.js';
import { join } from '../base/paths.js';
import { persistUntil, persistWrite } from '../base/persist.js';
import type { Serializer } from '../base/serializer.js';
import { type WaitOptions, withLimit } from '../base/wait.js';
import { decodeItems, encodeItems } from './item-format.js';
import { QueueCore, type QueueLayout, type QueueOptions } from './queue-core.js';

const ITEM = 'queue-';

export interface DistributedQueueOptions extends QueueOptions {
  /**
   * Parent of the locks of items that are being consumed. With it an item is delivered at least once: a consumer that dies
   * leaves it to another. Without it, at most once. All consumers must agree.
   */
  readonly lockPath?: string | undefined;
}

function layoutOf<T>(
  path: string,
  serializer: Serializer<T>,
  options: DistributedQueueOptions,
  special: Partial<QueueLayout<T>> = {},
): QueueLayout<T> {
  return {
    entries: path,
    locks: options.lockPath,
    isItem: (name) => name.startsWith(ITEM),
    compare: compareStrings,
    requeuedAs: () => ITEM,
    encode: (items) => encodeItems(items, serializer),
    decode: (bytes) => decodeItems(bytes, serializer),
    isReordered: false,
    ...special,
  };
}

function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** First in, first out. */
export class DistributedQueue<T> extends QueueCore<T> {
  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, serializer: Serializer<T>, options: DistributedQueueOptions = {}) {
    super('DistributedQueue', client, path, layoutOf(path, serializer, options), options);
  }

  /** Resolves when the item is in the queue. Waits if the queue is full; then rejects with Timeout or the signal's reason. */
  put(item: T, wait: WaitOptions = {}): Promise<void> {
    return this.putAs(ITEM, [item], wait);
  }

  /** Puts several items as one: they come together, are consumed by one consumer, and share the size limit of a node. */
  putMulti(items: readonly T[], wait: WaitOptions = {}): Promise<void> {
    return this.putAs(ITEM, items, wait);
  }
}

/** Items have an id, by which they can be removed. */
export class DistributedIdQueue<T> extends QueueCore<T> {
  private readonly queuePath: string;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, serializer: Serializer<T>, options: DistributedQueueOptions = {}) {
    const special = {
      compare: (a: string, b: string) => compareStrings(partsOf(a).rest, partsOf(b).rest),
      requeuedAs: (name: string) => idName(partsOf(name).id),
    };
    super('DistributedIdQueue', client, path, layoutOf(path, serializer, options, special), options);
    this.queuePath = path;
  }

  /** `/` and `|` of the id become `_`. @throws RecipeError BadArgument if the id is empty */
  put(item: T, id: string, wait: WaitOptions = {}): Promise<void> {
    return this.putAs(idName(this.checked(id)), [item], wait);
  }

  putMulti(items: readonly T[], id: string, wait: WaitOptions = {}): Promise<void> {
    return this.putAs(idName(this.checked(id)), items, wait);
  }

  /**
   * Removes items that are not being consumed. Resolves with how many there were. Rejects with a KeeperError whose `outcomeUnknown` is
   * true if a lost connection leaves open whether one of them was removed; those before it were.
   */
  async remove(id: string, wait: WaitOptions = {}): Promise<number> {
    this.life.check();
    const wanted = fixed(this.checked(id));
    return withLimit(wait, this.who, async (signal) => {
      let removed = 0;
      for (const name of await this.names(signal)) {
        if (partsOf(name).id === wanted && (await this.removeItem(name, signal))) removed++;
      }
      return removed;
    });
  }

  private async removeItem(name: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { locks } = this.layout;
    const path = join(this.queuePath, name);
    const remove = (): Promise<unknown> => {
      if (locks === undefined) return this.client.delete(path);
      // All or nothing, so that nobody can begin to consume it in between.
      const lock = join(locks, name);
      return this.client.transaction().create(lock, { mode: 'ephemeral' }).delete(path).delete(lock).commit();
    };
    for (;;) {
      try {
        await persistWrite(this.client, remove, { losses: 1, signal });
        return true;
      } catch (error) {
        if (isKeeperError(error, 'NodeExists')) return false; // it is being consumed
        if (!isKeeperError(error, 'NoNode')) throw error;
        const isNoLocks = (error as Partial<TransactionError>).index === 0;
        if (!isNoLocks || locks === undefined) return false;
        await persistUntil(this.client, () => ensureContainers(this.client, locks), signal);
      }
    }
  }

  private checked(id: string): string {
    if (id === '') throw new RecipeError('BadArgument', 'DistributedIdQueue', this.queuePath, 'an id cannot be empty');
    return id;
  }
}

const fixed = (id: string): string => id.replace(/[/|]/g, '_');
const idName = (id: string): string => `${ITEM}|${fixed(id)}|`;

function partsOf(name: string): { id: string; rest: string } {
  const first = name.indexOf('|');
  const second = name.indexOf('|', first + 1);
  if (first < 0 || second < 0) return { id: name, rest: name };
  return { id: name.slice(first + 1, second), rest: name.slice(0, first) + name.slice(second + 1) };
}

/** The lowest priority number comes first. */
export class DistributedPriorityQueue<T> extends QueueCore<T> {
  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, serializer: Serializer<T>, options: DistributedQueueOptions = {}) {
    const special = { isReordered: true, requeuedAs: (name: string) => name.replace(/-?\d{10}$/, '') };
    super('DistributedPriorityQueue', client, path, layoutOf(path, serializer, options, special), options);
  }

  /** @param priority a signed integer of 32 bits; @throws RecipeError BadArgument */
  put(item: T, priority: number, wait: WaitOptions = {}): Promise<void> {
    return this.putMulti([item], priority, wait);
  }

  async putMulti(items: readonly T[], priority: number, wait: WaitOptions = {}): Promise<void> {
    if ((priority | 0) !== priority) {
      throw new RecipeError('BadArgument', 'DistributedPriorityQueue', this.path, `${priority} is no priority`);
    }
    // Eight digits that sort as the number does: the negative ones first.
    const digits = (priority >>> 0).toString(16).toUpperCase().padStart(8, '0');
    await this.putAs(`${ITEM}${priority >= 0 ? '1' : '0'}${digits}`, items, wait);
  }
}

/** Items are consumed when their time has come, by the clock of the consumer. */
export class DistributedDelayQueue<T> extends QueueCore<T> {
  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, serializer: Serializer<T>, options: DistributedQueueOptions = {}) {
    const special = {
      compare: (a: string, b: string) => dueTime(a) - dueTime(b) || compareStrings(a, b),
      delay: (name: string) => dueTime(name) - Date.now(),
    };
    super('DistributedDelayQueue', client, path, layoutOf(path, serializer, options, special), options);
  }

  /** @param due milliseconds since 1970, or a Date; @throws RecipeError BadArgument */
  put(item: T, due: number | Date, wait: WaitOptions = {}): Promise<void> {
    return this.putMulti([item], due, wait);
  }

  async putMulti(items: readonly T[], due: number | Date, wait: WaitOptions = {}): Promise<void> {
    const time = Number(due);
    if (!(Number.isSafeInteger(time) && time > 0)) {
      throw new RecipeError('BadArgument', 'DistributedDelayQueue', this.path, `${due} is no time`);
    }
    await this.putAs(`${ITEM}|${time.toString(16).toUpperCase().padStart(8, '0')}|`, items, wait);
  }
}

function dueTime(name: string): number {
  return Number.parseInt(/\|([0-9A-F]+)\|[^|]*$/i.exec(name)?.[1] ?? '0', 16);
}
