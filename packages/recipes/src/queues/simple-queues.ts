// Queues of plain bytes: ZooKeeper's recipe as Curator's SimpleDistributedQueue has it, and kazoo's Queue and LockingQueue.

import { type Client, isKeeperError } from '@nodekeeper/client';
import { RecipeError } from '../base/errors.js';
import { join } from '../base/paths.js';
import { persistUntil } from '../base/persist.js';
import { type WaitOptions, withLimit } from '../base/wait.js';
import { QueueCore, type QueueLayout, type QueueOptions } from './queue-core.js';

function plainLayout(
  entries: string,
  locks: string | undefined,
  prefix: string,
  isReordered: boolean,
): QueueLayout<Buffer> {
  return {
    entries,
    locks,
    isItem: (name) => name.startsWith(prefix),
    compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
    requeuedAs: (name) => name.replace(/-(-?\d{10})$/, '-'),
    encode: ([item]) => item ?? Buffer.alloc(0),
    decode: (bytes) => [bytes],
    isReordered,
  };
}

/** First in, first out; shared with Curator's SimpleDistributedQueue and with ZooKeeper's own recipe. */
export class SimpleDistributedQueue extends QueueCore<Buffer> {
  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, options: QueueOptions = {}) {
    super('SimpleDistributedQueue', client, path, plainLayout(path, undefined, 'qn-', false), options);
  }

  offer(data: Uint8Array | string, wait: WaitOptions = {}): Promise<void> {
    return this.putAs('qn-', [Buffer.from(data as string)], wait);
  }

  /** Waits until there is an item. Rejects as {@link QueueCore.takeAll}. */
  async take(options: WaitOptions = {}): Promise<Buffer> {
    return (await this.takeAll(options))[0] as Buffer;
  }

  /** Undefined if there is nothing. */
  async poll(options: WaitOptions = {}): Promise<Buffer | undefined> {
    return (await this.pollAll(options))?.[0];
  }

  /** The first item, which stays. */
  peek(options: WaitOptions = {}): Promise<Buffer | undefined> {
    return withLimit(options, this.who, (signal) => this.first(signal));
  }

  private async first(signal: AbortSignal | undefined): Promise<Buffer | undefined> {
    for (const name of await this.names(signal)) {
      try {
        const { data } = await persistUntil(this.client, () => this.client.getData(join(this.path, name)), signal);
        return data ?? Buffer.alloc(0);
      } catch (error) {
        if (!isKeeperError(error, 'NoNode')) throw error;
      }
    }
    return undefined;
  }
}

abstract class KazooQueue extends QueueCore<Buffer> {
  private readonly prefix: string;
  private readonly name: string;

  constructor(
    name: string,
    client: Client,
    path: string,
    entries: string,
    locks: string | undefined,
    options: QueueOptions,
  ) {
    super(name, client, path, plainLayout(entries, locks, 'entry-', true), options);
    this.prefix = 'entry-';
    this.name = name;
  }

  /** @param priority 0 to 999; the lowest comes first; @throws RecipeError BadArgument */
  async put(data: Uint8Array | string, priority = 100, wait: WaitOptions = {}): Promise<void> {
    if (!(Number.isInteger(priority) && priority >= 0 && priority <= 999)) {
      throw new RecipeError('BadArgument', this.name, this.path, `${priority} is no priority`);
    }
    await this.putAs(`${this.prefix}${String(priority).padStart(3, '0')}-`, [Buffer.from(data as string)], wait);
  }
}

/** Shared with kazoo's Queue: an item is gone from the queue before it is worked on. */
export class Queue extends KazooQueue {
  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, options: QueueOptions = {}) {
    super('Queue', client, path, path, undefined, options);
  }

  /** Undefined if there is nothing. */
  async get(options: WaitOptions = {}): Promise<Buffer | undefined> {
    return (await this.pollAll(options))?.[0];
  }

  /** Waits until there is an item. */
  async take(options: WaitOptions = {}): Promise<Buffer> {
    return (await this.takeAll(options))[0] as Buffer;
  }
}

/** Shared with kazoo's LockingQueue: an item stays, locked, until it was worked on. */
export class LockingQueue extends KazooQueue {
  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, options: QueueOptions = {}) {
    super('LockingQueue', client, path, join(path, 'entries'), join(path, 'taken'), options);
  }
}
