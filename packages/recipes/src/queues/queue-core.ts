// What all queues have in common: putting, taking, and consuming with or without locks.
// Source: DistributedQueue of Apache Curator; Queue, LockingQueue of kazoo.

import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { type Client, isKeeperError, onAbort } from '@nodekeeper/client';
import { Callback } from '../base/callback.js';
import { ensureContainers } from '../base/create.js';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, recipePath } from '../base/paths.js';
import {
  isPassing,
  isSessionOver,
  lossesAllowed,
  pauseAfter,
  persist,
  persistInSession,
  persistOverSessions,
  persistUntil,
  untilConnected,
  whileConnected,
} from '../base/persist.js';
import { type Seat, Tenure } from '../base/tenure.js';
import { AnyOf, Limit, pause, unlessAborted, type WaitOptions, type Who, withLimit } from '../base/wait.js';
import { readWatched } from '../base/watching.js';

/** Where a queue's items are, how they are called, and what comes first. */
export interface QueueLayout<T> {
  /** The parent of the items. */
  readonly entries: string;
  /** The parent of the locks of items that are being consumed; without it items are deleted before they are consumed. */
  readonly locks: string | undefined;
  readonly isItem: (name: string) => boolean;
  readonly compare: (a: string, b: string) => number;
  /** Milliseconds until the item may be consumed. */
  readonly delay?: ((name: string) => number) | undefined;
  /** Name of an item that is put again, without its number. */
  readonly requeuedAs: (name: string) => string;
  readonly encode: (items: readonly T[]) => Uint8Array;
  readonly decode: (bytes: Buffer) => T[];
  /** Whether items that come later may have to go first, so that the list is to be read again when it has changed. */
  readonly isReordered: boolean;
}

export interface QueueOptions {
  /** `put` waits as long as there are so many. No limit if not given. */
  readonly maxItems?: number | undefined;
  /**
   * What `put` does when a lost connection leaves open whether the item is in the queue: `reject` tells it by an error whose
   * `outcomeUnknown` is true; `repeat` puts it again, so that it may be there twice, but not without end: an item that is larger than
   * the server takes costs the connection each time. `reject` if not given.
   */
  readonly whenUnknown?: 'reject' | 'repeat' | undefined;
}

export interface ConsumeOptions {
  /** So many handlers at once; 1 if not given, which keeps the order. */
  readonly concurrency?: number | undefined;
  /**
   * Of items that are locked while they are consumed, when the handler rejects: put again at the end, or deleted. `requeue`
   * if not given. Without locks the item is gone.
   */
  readonly onError?: 'requeue' | 'delete' | undefined;
  /** Closes the consumer. */
  readonly signal?: AbortSignal | undefined;
}

/** What a handler learns besides the item. */
export interface ItemContext {
  /** Of items that are locked: aborted when somebody else may get the item too, as the session may be over. */
  readonly signal: AbortSignal;
  /** Of items that are locked: zxid of the lock; whoever gets the item later has a greater one. Else 0. */
  readonly fencingToken: number;
}

export type ItemHandler<T> = (item: T, context: ItemContext) => void | Promise<void>;

/** Hands items to a handler until it is closed. */
export interface QueueConsumer extends AsyncDisposable {
  /**
   * Stops taking; resolves when the handlers that run have ended, and what they were given has left the queue. That it does later if
   * there is no connection. Called by a handler it resolves at once, as that would wait for itself.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export abstract class QueueCore<T> extends RecipeEmitter<Record<never, never>> implements AsyncDisposable {
  readonly path: string;
  protected readonly client: Client;
  protected readonly layout: QueueLayout<T>;
  protected readonly life: Lifecycle;
  protected readonly who: Who;
  private readonly options: QueueOptions;
  private readonly consumers = new Set<Consumer<T>>();

  constructor(recipe: string, client: Client, path: string, layout: QueueLayout<T>, options: QueueOptions = {}) {
    super();
    this.path = recipePath(recipe, path);
    if (layout.locks !== undefined) recipePath(recipe, layout.locks);
    if (layout.locks === path) throw new RecipeError('BadArgument', recipe, path, 'lockPath must be another path');
    const { maxItems = 1 } = options;
    if (!(maxItems >= 1)) throw new RecipeError('BadArgument', recipe, path, `maxItems cannot be ${maxItems}`);
    this.who = { recipe, path };
    this.client = client.untimed;
    this.layout = layout;
    this.options = options;
    this.life = new Lifecycle(recipe, path);
    this.life.start();
  }

  /** How many nodes of items there are. */
  async size(wait: WaitOptions = {}): Promise<number> {
    const look = () => this.client.exists(this.layout.entries);
    const stat = await withLimit(wait, this.who, (signal) => persistUntil(this.client, look, signal));
    return stat?.numChildren ?? 0;
  }

  /**
   * Hands items to `handler`, in the queue's order. What it throws, and items that cannot be read, are told by the event
   * `error`. Several consumers, in one process or many, share the items.
   */
  consume(handler: ItemHandler<T>, options: ConsumeOptions = {}): QueueConsumer {
    this.life.check();
    const { concurrency = 1 } = options;
    if (!(Number.isInteger(concurrency) && concurrency >= 1)) {
      throw new RecipeError('BadArgument', this.who.recipe, this.path, `cannot run ${concurrency} handlers`);
    }
    const consumer = new Consumer<T>(this.client, this.layout, handler, options, {
      recipe: this.who.recipe,
      fail: (error) => this.fail(error),
      unreadable: (name, error) => this.unreadable(name, error),
      onClosed: () => this.consumers.delete(consumer),
    });
    this.consumers.add(consumer);
    return consumer;
  }

  /**
   * Takes the first node of items out of the queue; waits until there is one. Rejects with Timeout, the signal's reason,
   * Closed; or with a KeeperError whose `outcomeUnknown` is true if a lost connection leaves open who has taken it.
   */
  protected async takeAll(options: WaitOptions = {}): Promise<T[]> {
    this.life.check();
    using limit = new Limit(options, this.who);
    using over = new AnyOf(limit.signal, this.life.signal);
    const { signal } = over;
    for (;;) {
      const { names, whenChanged, forget } = await listItems(this.client, this.layout, signal);
      try {
        const { due, next } = lookAtClock(names, this.layout);
        for (const name of due) {
          const data = await takeItem(this.client, this.layout, name, signal);
          if (data === undefined) continue;
          const items = this.decode(name, data);
          if (items.length > 0) return items;
        }
        await changeOrDue(whenChanged, next, signal);
      } finally {
        forget();
      }
    }
  }

  /** The same for who does not wait: undefined if there is nothing to take. */
  protected async pollAll(options: WaitOptions = {}): Promise<T[] | undefined> {
    this.life.check();
    using limit = new Limit(options, this.who);
    using over = new AnyOf(limit.signal, this.life.signal);
    for (const name of lookAtClock(await this.names(over.signal), this.layout).due) {
      const data = await takeItem(this.client, this.layout, name, over.signal);
      if (data !== undefined) return this.decode(name, data);
    }
    return undefined;
  }

  /** Closes all consumers. Items stay. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    await Promise.all([...this.consumers].map((consumer) => consumer.close()));
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Puts items into one node. `prefix` is its name without the number. What was sent is waited for, as it may be there. */
  protected async putAs(prefix: string, items: readonly T[], wait: WaitOptions): Promise<void> {
    this.life.check();
    const { maxItems } = this.options;
    const data = this.layout.encode(items);
    using limit = new Limit(wait, this.who);
    const { signal } = limit;
    if (maxItems !== undefined) await this.untilBelow(maxItems, signal);
    const losses = this.options.whenUnknown === 'repeat' ? lossesAllowed(data) : 1;
    let lost = 0;
    for (let attempt = 1; ; attempt++) {
      await untilConnected(this.client, signal);
      try {
        await this.client.create(join(this.layout.entries, prefix), { mode: 'persistentSequential', data });
        return;
      } catch (error) {
        if (isKeeperError(error, 'NoNode')) {
          await ensureEntries(this.client, this.layout, signal);
          continue;
        }
        if (!isPassing(error) && !isKeeperError(error, 'SessionExpired')) throw error;
        if (this.client.isOver) throw error;
        if (error.outcomeUnknown && ++lost === losses) throw error;
        await pause(pauseAfter(attempt), signal);
      }
    }
  }

  /** Names of the items, the first one first. */
  protected async names(signal: AbortSignal | undefined): Promise<string[]> {
    try {
      const list = () => this.client.getChildren(this.layout.entries);
      const { children } = await persistUntil(this.client, list, signal);
      return children.filter(this.layout.isItem).sort(this.layout.compare);
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }

  private async untilBelow(maxItems: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { names, whenChanged, forget } = await listItems(this.client, this.layout, signal);
      try {
        if (names.length < maxItems) return;
        await unlessAborted(whenChanged, signal);
      } finally {
        forget();
      }
    }
  }

  private decode(name: string, data: Buffer): T[] {
    try {
      return this.layout.decode(data);
    } catch (error) {
      this.unreadable(name, error);
      return [];
    }
  }

  private unreadable(name: string, error: unknown): void {
    const path = join(this.layout.entries, name);
    this.fail(new RecipeError('BadData', this.who.recipe, path, `cannot be read: ${error}`, error));
  }
}

interface Listing {
  readonly names: readonly string[];
  readonly whenChanged: Promise<unknown>;
  readonly hasChanged: () => boolean;
  readonly forget: () => void;
}

async function ensureEntries<T>(client: Client, { entries }: QueueLayout<T>, signal: AbortSignal): Promise<void> {
  const ensuring = persistOverSessions(client, () => ensureContainers(client, entries), signal);
  await unlessAborted(ensuring, signal);
}

/** Items in order. The queue is made if there is none, so that it can be watched. */
async function listItems<T>(client: Client, layout: QueueLayout<T>, signal: AbortSignal): Promise<Listing> {
  for (;;) {
    try {
      const { value, fired, hasFired, forget } = await readWatched(client, layout.entries, 'children', signal);
      const names = value.children.filter(layout.isItem).sort(layout.compare);
      return { names, whenChanged: fired, hasChanged: hasFired, forget };
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) await ensureEntries(client, layout, signal);
      else if (!isKeeperError(error, 'SessionExpired') || client.isOver) throw error;
    }
  }
}

/**
 * Which items may be consumed, and in how many milliseconds another one may. The clock is looked at once for each: an item must
 * not be too early at the first look, and due at a second one that looks for those to wait for.
 */
function lookAtClock<T>(names: readonly string[], { delay }: QueueLayout<T>): { due: readonly string[]; next: number } {
  if (delay === undefined) return { due: names, next: Number.POSITIVE_INFINITY };
  const due: string[] = [];
  let next = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const wait = delay(name);
    if (wait <= 0) due.push(name);
    else next = Math.min(next, wait);
  }
  return { due, next };
}

/** How often the clock is looked at while an item is to come due: it may be set, and timers stand still where a machine sleeps. */
const LOOK_AT_CLOCK = 1000;

/** Resolves when there is another list, or when so many milliseconds have passed by the clock. */
async function changeOrDue(whenChanged: Promise<unknown>, next: number, signal: AbortSignal): Promise<void> {
  if (next === Number.POSITIVE_INFINITY) {
    await unlessAborted(whenChanged, signal);
    return;
  }
  const due = new AbortController();
  using over = new AnyOf(signal, due.signal);
  const until = Date.now() + next;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const left = until - Date.now();
    if (left <= 0) due.abort();
    else timer = setTimeout(look, Math.min(left, LOOK_AT_CLOCK));
  };
  look();
  try {
    await unlessAborted(whenChanged, over.signal);
  } catch (error) {
    if (signal.aborted || !due.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Reads and deletes an item in one packet. Undefined if another was quicker. Rejects with the signal's reason, when nothing was
 * taken; or with `outcomeUnknown` if a lost connection leaves open who has deleted it. One that may not be read stays: the check
 * needs the same permission.
 */
async function takeItem<T>(
  client: Client,
  layout: QueueLayout<T>,
  name: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const path = join(layout.entries, name);
  for (let attempt = 1; ; attempt++) {
    await untilConnected(client, signal);
    const reading = client.getData(path);
    const taking = client.transaction().check(path).delete(path).commit();
    const [read, taken] = await Promise.allSettled([reading, taking]);
    if (taken.status === 'fulfilled') {
      if (read.status === 'fulfilled') return read.value.data ?? Buffer.alloc(0);
      throw read.reason;
    }
    const error = taken.reason;
    if (isKeeperError(error, 'NoNode')) return undefined;
    if (isKeeperError(error, 'NoAuth') && read.status === 'rejected') throw read.reason;
    if (!isPassing(error) && !(isKeeperError(error, 'SessionExpired') && !client.isOver)) throw error;
    if (error.outcomeUnknown && !(await stillThere(client, path, signal))) throw error;
    await pause(pauseAfter(attempt), signal);
  }
}

/** False also if that cannot be found out before the signal is aborted. */
async function stillThere(client: Client, path: string, signal: AbortSignal): Promise<boolean> {
  const looking = persistOverSessions(client, () => Promise.all([client.sync(path), client.exists(path)]), signal);
  const [, stat] = await unlessAborted(looking, signal).catch((error) => {
    if (!signal.aborted) throw error;
    return [undefined, null];
  });
  return stat !== null;
}

/** How many items are passed over at most after one that another has taken. */
const MAX_JUMP = 16;

/**
 * For so many milliseconds the list of a queue that is reordered serves a consumer that shares the items with others, or for a few
 * times as long as it took to read it: where that takes long, they would read lists only.
 */
const LIST_LASTS = 50;
const LIST_LASTS_LONGEST = 1000;
const READINGS = 5;

interface ConsumerHooks {
  /** The class of the queue. */
  readonly recipe: string;
  fail(error: unknown): void;
  unreadable(name: string, error: unknown): void;
  onClosed(): void;
}

const NO_LOCK: ItemContext = { signal: new AbortController().signal, fencingToken: 0 };

/**
 * How the handlers of a node's items have ended. `interrupted`: they returned with their signal aborted, be it that they had done
 * their work all the same, or that they left it to who gets the item next. Nobody may, if the session lives on: then it is delivered again.
 */
type HandlersEnd = 'done' | 'failed' | 'interrupted';

class Consumer<T> implements QueueConsumer {
  private readonly client: Client;
  private readonly layout: QueueLayout<T>;
  private readonly handler: ItemHandler<T>;
  private readonly options: ConsumeOptions;
  private readonly hooks: ConsumerHooks;
  /** What the locks of this consumer hold, so that it knows them. */
  private readonly id = randomUUID().replaceAll('-', '');
  /** Items whose handlers have ended, and that are about to leave the queue. */
  private readonly settling = new Set<Promise<void>>();
  /** Handlers that run. */
  private readonly handling = new Set<Promise<unknown>>();
  private readonly callback = new Callback();
  private readonly closing = new AbortController();
  private readonly running: Promise<void>;
  private readonly forget: (() => void) | undefined;
  /** Whether others were quicker with an item of the last list. */
  private hasMissed = false;

  constructor(
    client: Client,
    layout: QueueLayout<T>,
    handler: ItemHandler<T>,
    options: ConsumeOptions,
    hooks: ConsumerHooks,
  ) {
    this.client = client;
    this.layout = layout;
    this.handler = handler;
    this.options = options;
    this.hooks = hooks;
    this.forget = options.signal && onAbort(options.signal, () => void this.close());
    this.running = this.run();
    if (options.signal?.aborted) void this.close();
  }

  async close(): Promise<void> {
    this.closing.abort(new Error('the consumer was closed'));
    this.forget?.();
    const ended = this.end();
    if (!this.callback.isInside) await ended;
  }

  private async end(): Promise<void> {
    await Promise.all(this.handling);
    await whileConnected(
      this.client,
      this.running.then(() => Promise.all(this.settling)),
    );
    await Promise.all(this.handling); // of an item that was on its way
    this.hooks.onClosed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private get isClosing(): boolean {
    return this.closing.signal.aborted;
  }

  private async run(): Promise<void> {
    while (!this.isClosing && !this.client.isOver) {
      try {
        await this.consumeListed();
      } catch (error) {
        if (isKeeperError(error, 'SessionExpired') && !this.client.isOver) continue;
        if (!this.isClosing) this.hooks.fail(error);
        if (!isKeeperError(error) || this.client.isOver) return;
        await this.pauseAfterFailure();
      }
    }
  }

  /** What fails at once would fail without end. */
  private async pauseAfterFailure(): Promise<void> {
    if (!this.client.isOver) await pause(pauseAfter(10), this.closing.signal).catch(() => {});
  }

  private async consumeListed(): Promise<void> {
    const askedAt = performance.now();
    const listing = await listItems(this.client, this.layout, this.closing.signal);
    try {
      const listedAt = performance.now();
      const lasts = Math.min(LIST_LASTS_LONGEST, Math.max(LIST_LASTS, READINGS * (listedAt - askedAt)));
      const { due, next } = lookAtClock(listing.names, this.layout);
      let at = 0;
      let consumed = 0;
      let misses = 0;
      let failure: { readonly error: unknown } | undefined;
      let refused: { readonly error: unknown } | undefined;
      const missed: string[] = [];
      const work = async (): Promise<void> => {
        while (at < due.length && !this.isClosing && failure === undefined) {
          const name = due[at++] as string;
          const isOurs = await this.consumeItem(name).catch((error) => {
            if (!mayNotRead(error)) throw error;
            refused ??= { error }; // those behind it shall not suffer
          });
          if (isOurs === undefined) continue;
          if (isOurs) {
            consumed++;
            misses = 0;
          } else {
            // Others work on the same list: what is farther down is less sought after.
            const jump = Math.floor(Math.random() * Math.min(misses++, MAX_JUMP));
            missed.push(name, ...due.slice(at, at + jump));
            at += jump;
          }
          if (this.layout.isReordered && listing.hasChanged()) {
            // Of many consumers each would read the list for every item that one of them takes, and all would want its first one.
            const isShared = this.hasMissed || missed.length > 0;
            if (!isShared || performance.now() - listedAt >= lasts) return;
          }
        }
      };
      const { concurrency = 1 } = this.options;
      // All of them, whatever becomes of one: those that are begun after it must not come on top of handlers that run.
      const workers = Array.from({ length: concurrency }, () =>
        work().catch((error) => {
          failure ??= { error };
        }),
      );
      await Promise.all(workers);
      await Promise.all(this.settling); // else the next list would have them still
      this.hasMissed = missed.length > 0;
      if (failure !== undefined) throw failure.error;
      if (consumed > 0 || this.isClosing) return;
      if (refused !== undefined) throw refused.error;
      await this.untilMore(listing, next, missed);
    } finally {
      listing.forget();
    }
  }

  /** Resolves when it is worth looking again. Who holds the lock of an item that was missed may die, which changes no item. */
  private async untilMore({ whenChanged }: Listing, next: number, missed: readonly string[]): Promise<void> {
    const { locks } = this.layout;
    if (missed.length === 0) {
      await changeOrDue(whenChanged, next, this.closing.signal);
      return;
    }
    if (locks === undefined) return; // they are on their way out of the list
    const watched = await readWatched(this.client, locks, 'children', this.closing.signal).catch((error) => {
      if (!isKeeperError(error, 'NoNode')) throw error; // no locks: the items have gone
    });
    if (watched === undefined) return;
    try {
      const held = new Set(watched.value.children);
      if (missed.some((name) => !held.has(name))) return;
      await changeOrDue(Promise.race([whenChanged, watched.fired]), next, this.closing.signal);
    } finally {
      watched.forget();
    }
  }

  /** Returns whether it was this consumer's. */
  private async consumeItem(name: string): Promise<boolean> {
    try {
      if (this.layout.locks !== undefined) return await this.consumeLocked(name, join(this.layout.locks, name));
      const data = await takeItem(this.client, this.layout, name, this.closing.signal);
      if (data === undefined) return false;
      await this.handle(name, data, NO_LOCK);
      return true;
    } catch (error) {
      if (isKeeperError(error) && error.outcomeUnknown) {
        this.hooks.fail(error);
        return false;
      }
      throw error;
    }
  }

  private async consumeLocked(name: string, lock: string): Promise<boolean> {
    const path = join(this.layout.entries, name);
    const locked = await this.lockAndRead(path, lock);
    if (locked === undefined) return false;
    if (this.isClosing) {
      this.settle(this.unlock(lock)); // nobody may wait any more for what is begun now
      return false;
    }
    const { seat, data } = locked;
    const tenure = new Tenure(this.client, seat, { recipe: this.hooks.recipe, path });
    if (tenure.isLost) {
      await this.unlock(lock); // should the session live on
      return false;
    }
    const context = { signal: tenure.signal, fencingToken: seat.token };
    const end = await this.handle(name, data ?? Buffer.alloc(0), context);
    tenure.end();
    const { onError = 'requeue' } = this.options;
    // Its answer comes before that to the next lock, which leaves in the same packet.
    const leaving =
      end === 'interrupted'
        ? this.unlock(lock)
        : end === 'done' || onError === 'delete'
          ? this.finish(path, seat)
          : this.requeue(name, path, seat, data);
    this.settle(leaving.catch((error) => this.giveBack(lock, error)));
    return true;
  }

  /** The item could not leave the queue. It is free for all again; this consumer pauses, as it would fail without end. */
  private async giveBack(lock: string, error: unknown): Promise<void> {
    this.hooks.fail(error);
    await this.unlock(lock);
    await this.pauseAfterFailure();
  }

  private settle(settling: Promise<void>): void {
    const settled = settling
      .catch((error) => this.hooks.fail(error))
      .finally(() => {
        this.settling.delete(settled);
      });
    this.settling.add(settled);
  }

  /** Undefined if the lock is another's, or the item is gone. */
  private async lockAndRead(path: string, lock: string): Promise<{ seat: Seat; data: Buffer | null } | undefined> {
    const locking = this.lock(lock);
    const reading = this.client.getData(path).catch(() => undefined); // in the same packet, behind the lock
    const [locked, early] = [await locking, await reading];
    if (locked === undefined) return undefined;
    const { seat, tries } = locked;
    try {
      // Read before a later try got the lock, it could be what the holder before has consumed meanwhile.
      const read = tries === 1 && early !== undefined ? early : await persist(() => this.client.getData(path));
      return { seat, data: read.data };
    } catch (error) {
      await this.unlock(lock);
      if (isKeeperError(error, 'NoNode')) return undefined;
      throw error;
    }
  }

  /** The lock, if it is ours. */
  private async lock(path: string): Promise<{ seat: Seat; tries: number } | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        const { stat } = await this.client.create(path, { mode: 'ephemeral', data: this.id });
        return { seat: { path, token: stat.czxid, session: stat.ephemeralOwner }, tries };
      } catch (error) {
        if (isKeeperError(error, 'NodeExists')) {
          const seat = tries > 1 ? await this.ownLock(path) : undefined;
          return seat === undefined ? undefined : { seat, tries };
        }
        if (isKeeperError(error, 'NoNode')) await ensureContainers(this.client, this.layout.locks ?? '/');
        else if (!isPassing(error)) throw error;
        else await pause(pauseAfter(tries));
      }
    }
  }

  private async ownLock(path: string): Promise<Seat | undefined> {
    try {
      const { data, stat } = await persist(() => this.client.getData(path));
      const isOurs = data?.toString() === this.id && stat.ephemeralOwner === this.client.sessionId;
      return isOurs ? { path, token: stat.czxid, session: stat.ephemeralOwner } : undefined;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return undefined;
      throw error;
    }
  }

  /** What became of the node's items. Those that cannot be read are done with. */
  private async handle(name: string, data: Buffer, context: ItemContext): Promise<HandlersEnd> {
    let items: T[];
    try {
      items = this.layout.decode(data);
    } catch (error) {
      this.hooks.unreadable(name, error);
      return 'done';
    }
    const handling = this.handleAll(items, context);
    this.handling.add(handling);
    const end = await handling;
    this.handling.delete(handling);
    return end;
  }

  private async handleAll(items: readonly T[], context: ItemContext): Promise<HandlersEnd> {
    try {
      await this.callback.run(async () => {
        for (const item of items) {
          await this.handler(item, context);
          if (context.signal.aborted) return;
        }
      });
      return context.signal.aborted ? 'interrupted' : 'done';
    } catch (error) {
      this.hooks.fail(error);
      return 'failed';
    }
  }

  /** Deletes the item and its lock together. In a later session the lock is another's, if there is one; the item is done though. */
  private async finish(path: string, { path: lock, session }: Seat): Promise<void> {
    try {
      await persistInSession(this.client, session, () => this.client.transaction().delete(path).delete(lock).commit());
    } catch (error) {
      if (!isKeeperError(error, 'NoNode') && !isKeeperError(error, 'SessionExpired')) throw error;
      await persistOverSessions(this.client, () => this.client.delete(path)).catch(unlessMissing);
      if (isKeeperError(error, 'NoNode')) await this.unlock(lock);
    }
  }

  /** The item goes to the end in one transaction, so that it is there once. */
  private async requeue(name: string, path: string, { path: lock, session }: Seat, data: Buffer | null): Promise<void> {
    const again = join(this.layout.entries, this.layout.requeuedAs(name));
    const settings = { mode: 'persistentSequential', data } as const;
    try {
      // Repeated after a lost connection it fails, if it was executed, as the item is gone.
      await persistInSession(this.client, session, () =>
        this.client.transaction().delete(path).create(again, settings).delete(lock).commit(),
      );
    } catch (error) {
      if (isKeeperError(error, 'SessionExpired')) return; // the lock is gone, and somebody else has the item
      if (!isKeeperError(error, 'NoNode')) throw error;
      await this.unlock(lock);
    }
  }

  /** The lock goes if it is this consumer's. */
  private async unlock(lock: string): Promise<void> {
    try {
      const seat = await this.ownLock(lock);
      if (seat !== undefined) await persistInSession(this.client, seat.session, () => this.client.delete(lock));
    } catch (error) {
      if (!isKeeperError(error, 'NoNode') && !isSessionOver(error)) throw error;
    }
  }
}

/** Of an item that stays where it is. */
function mayNotRead(error: unknown): boolean {
  return isKeeperError(error, 'NoAuth') && error.operation === 'getData';
}

function unlessMissing(error: unknown): void {
  if (!isKeeperError(error, 'NoNode')) throw error;
}
