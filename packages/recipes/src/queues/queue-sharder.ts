// Several queues as one, so that none gets too long: another is added when they fill up. Source: QueueSharder of Apache Curator.

import { randomUUID } from 'node:crypto';
import { type Client, isKeeperError, onAbort } from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, recipePath } from '../base/paths.js';
import { persistOverSessions, persistUntil, whileConnected } from '../base/persist.js';
import { onClientEnd } from '../base/session-hub.js';
import { pause, startOrClose, unlessAborted, type WaitOptions } from '../base/wait.js';
import { LeaderLatch } from '../election/leader-latch.js';

const RECIPE = 'QueueSharder';
const PREFIX = 'queue-';

export interface QueueSharderOptions {
  /** A queue with more items gets no more, and another one is added; 10 000 if not given. */
  readonly newQueueThreshold?: number | undefined;
  /** How often that is looked at, in milliseconds; 30 000 if not given. */
  readonly thresholdCheck?: number | undefined;
  /** No more queues than so many; 10 if not given. */
  readonly maxQueues?: number | undefined;
}

/** Producers put into {@link getQueue}; consumers consume all queues: `allocate` begins to. */
export class QueueSharder<Q extends { close(): Promise<void> }>
  extends RecipeEmitter<Record<never, never>>
  implements AsyncDisposable
{
  readonly path: string;
  private readonly client: Client;
  private readonly allocate: (path: string) => Q;
  private readonly options: { readonly [K in keyof QueueSharderOptions]-?: number };
  private readonly life: Lifecycle;
  private readonly latch: LeaderLatch;
  private readonly queues = new Map<string, Q>();
  /** Those that have room. */
  private readonly preferred = new Set<string>();
  private running: Promise<void> | undefined;

  /**
   * @param allocate makes a queue at a path, and has it consumed if this process consumes
   * @param leaderPath where is decided who adds queues
   * @throws RecipeError BadPath, BadArgument
   */
  constructor(
    client: Client,
    path: string,
    leaderPath: string,
    allocate: (path: string) => Q,
    { newQueueThreshold = 10_000, thresholdCheck = 30_000, maxQueues = 10 }: QueueSharderOptions = {},
  ) {
    super();
    this.path = recipePath(RECIPE, path);
    if (!(newQueueThreshold >= 1 && thresholdCheck > 0 && maxQueues >= 1)) {
      throw new RecipeError('BadArgument', RECIPE, path, 'thresholds and numbers of queues must be above 0');
    }
    this.client = client.untimed;
    this.allocate = allocate;
    this.options = { newQueueThreshold, thresholdCheck, maxQueues };
    this.life = new Lifecycle(RECIPE, path);
    this.latch = new LeaderLatch(client, leaderPath);
    this.latch.on('error', (error) => this.fail(error));
  }

  /** Resolves when there is a queue. Rejects with AlreadyStarted, Closed, or the server's error. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    await startOrClose(this, wait, { recipe: RECIPE, path: this.path }, () => this.begin());
    return this;
  }

  private async begin(): Promise<void> {
    const { signal } = this.life;
    await persistUntil(this.client, () => ensureContainers(this.client, this.path), signal);
    for (const path of await unlessAborted(this.existing(), signal)) this.add(path);
    this.life.check();
    if (this.queues.size === 0) this.add(this.newPath());
    this.latch.start();
    this.running = this.run();
  }

  /** One of the queues that have room, at random; if none has, one of all. @throws RecipeError NotStarted, Closed */
  getQueue(): Q {
    this.life.check();
    const paths = [...(this.preferred.size > 0 ? this.preferred : this.queues.keys())];
    return this.queues.get(paths[Math.floor(Math.random() * paths.length)] as string) as Q;
  }

  get queuePaths(): readonly string[] {
    return [...this.queues.keys()];
  }

  /** Closes all queues. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    if (this.running !== undefined) {
      await whileConnected(this.client, this.running);
      await this.latch.close();
    }
    await Promise.all([...this.queues.values()].map((queue) => queue.close()));
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private newPath(): string {
    return join(this.path, PREFIX + randomUUID());
  }

  private add(path: string): void {
    if (this.life.isClosed || this.queues.has(path)) return; // nobody would close it
    this.queues.set(path, this.allocate(path));
    this.preferred.add(path);
  }

  private async existing(): Promise<string[]> {
    const { children } = await persistOverSessions(this.client, () => this.client.getChildren(this.path));
    return children.filter((name) => name.startsWith(PREFIX)).map((name) => join(this.path, name));
  }

  private async run(): Promise<void> {
    const over = new AbortController();
    const forgets = [onClientEnd(this.client, () => over.abort()), onAbort(this.life.signal, () => over.abort())];
    while (!over.signal.aborted) {
      try {
        await pause(this.options.thresholdCheck, over.signal);
        await this.look();
      } catch (error) {
        if (!over.signal.aborted && !isKeeperError(error, 'NoNode')) this.fail(error);
      }
    }
    for (const forget of forgets) forget();
  }

  private async look(): Promise<void> {
    let isFull = false;
    for (const path of await this.existing()) {
      this.add(path);
      const stat = await persistOverSessions(this.client, () => this.client.exists(path));
      const { newQueueThreshold } = this.options;
      if (stat === null) continue;
      if (stat.numChildren >= newQueueThreshold) {
        this.preferred.delete(path);
        isFull = true;
      } else if (stat.numChildren <= newQueueThreshold / 2) this.preferred.add(path);
    }
    if (isFull && this.latch.hasLeadership && this.queues.size < this.options.maxQueues) {
      const path = this.newPath();
      await ensureContainers(this.client, path); // so that the others find it
      this.add(path);
    }
  }
}
