// A value that is changed atomically: optimistically first, then under a lock. Source: DistributedAtomicValue of Apache Curator.

import { type Client, exponentialBackoff, isKeeperError, type RetryPolicy } from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { RecipeError } from '../base/errors.js';
import { parentOf, recipePath } from '../base/paths.js';
import { isPassing, MAX_LOST_WRITES, pauseAfter, persist, persistOverSessions, persistWrite } from '../base/persist.js';
import type { Serializer } from '../base/serializer.js';
import { pause } from '../base/wait.js';
import { InterProcessMutex } from '../locks/mutex.js';
import { setIfVersion } from './set-if-version.js';

/** How a change is made that others are quicker than, again and again: under a lock that all must know. */
export interface PromotedToLock {
  readonly path: string;
  /** How long to wait for the lock, in milliseconds. Without end if not given. */
  readonly timeout?: number;
  /** Of tries under the lock: those who change without it can still be quicker. */
  readonly retry?: RetryPolicy;
}

export interface AtomicOptions {
  /** Of optimistic tries; 10 with growing pauses if not given. */
  readonly retry?: RetryPolicy;
  readonly promotedToLock?: PromotedToLock;
}

/** What became of a change. */
export interface AtomicResult<T> {
  /** False if others were quicker each time, or the value was not the expected one; nothing was changed then. */
  readonly succeeded: boolean;
  /** Before; undefined if there was none. */
  readonly preValue: T | undefined;
  /** After, if it succeeded. */
  readonly postValue: T | undefined;
  readonly optimisticTries: number;
  readonly promotedTries: number;
}

interface Read<T> {
  readonly value: T | undefined;
  readonly bytes: Buffer | undefined;
  /** Undefined if there is no node. */
  readonly version: number | undefined;
}

const RETRY = exponentialBackoff(2, 10, 200);

/**
 * Every change is made on the value that it was computed from, or not at all. A lost connection may leave open whether it
 * was made; then the call rejects with the KeeperError, whose `outcomeUnknown` is true, and does not try again.
 */
export class DistributedAtomicValue<T> {
  readonly path: string;
  private readonly recipe: string;
  private readonly client: Client;
  private readonly serializer: Serializer<T>;
  private readonly options: AtomicOptions;
  private readonly mutex: InterProcessMutex | undefined;

  /** @throws RecipeError BadPath */
  constructor(
    client: Client,
    path: string,
    serializer: Serializer<T>,
    options: AtomicOptions = {},
    recipe = 'DistributedAtomicValue',
  ) {
    this.path = recipePath(recipe, path);
    this.recipe = recipe;
    this.client = client.untimed;
    this.serializer = serializer;
    this.options = options;
    const { promotedToLock } = options;
    this.mutex = promotedToLock === undefined ? undefined : new InterProcessMutex(client, promotedToLock.path);
  }

  /** Undefined if there is none. Rejects with BadData if it cannot be read. */
  async get(): Promise<T | undefined> {
    return (await this.read()).value;
  }

  /** Gives it a first value. Resolves with false if it has one. */
  async initialize(value: T): Promise<boolean> {
    return this.createWith(this.serializer.serialize(value));
  }

  /** Sets it whatever it is. A lost connection may have it set twice. */
  async forceSet(value: T): Promise<void> {
    const bytes = this.serializer.serialize(value);
    for (;;) {
      try {
        await persistWrite(this.client, () => this.client.setData(this.path, bytes));
        return;
      } catch (error) {
        if (!isKeeperError(error, 'NoNode')) throw error;
        if (await this.createWith(bytes)) return;
      }
    }
  }

  /** Sets it if it is `expected`, by the bytes. Tries once. */
  async compareAndSet(expected: T, value: T): Promise<AtomicResult<T>> {
    const before = await this.read();
    const wanted = this.serializer.serialize(expected);
    let succeeded = false;
    if (before.bytes?.equals(wanted)) succeeded = await this.write(before, this.serializer.serialize(value));
    const postValue = succeeded ? value : undefined;
    return { succeeded, preValue: before.value, postValue, optimisticTries: 1, promotedTries: 0 };
  }

  /** Sets it, telling what it was just before. */
  trySet(value: T): Promise<AtomicResult<T>> {
    return this.update(() => value);
  }

  /** Sets it to what `change` makes of the value just before, which is undefined if there is none. */
  async update(change: (before: T | undefined) => T): Promise<AtomicResult<T>> {
    const { retry = RETRY, promotedToLock } = this.options;
    const optimistic = await this.tryOften(change, retry);
    if (optimistic.result.succeeded || this.mutex === undefined || promotedToLock === undefined) {
      return { ...optimistic.result, optimisticTries: optimistic.tries, promotedTries: 0 };
    }
    const { timeout = Number.POSITIVE_INFINITY } = promotedToLock;
    const hold = await this.mutex.tryAcquire({ timeout });
    if (hold === undefined) return { ...optimistic.result, optimisticTries: optimistic.tries, promotedTries: 0 };
    await using _hold = hold;
    const promoted = await this.tryOften(change, promotedToLock.retry ?? RETRY);
    return { ...promoted.result, optimisticTries: optimistic.tries, promotedTries: promoted.tries };
  }

  private async tryOften(
    change: (before: T | undefined) => T,
    retry: RetryPolicy,
  ): Promise<{ result: Pick<AtomicResult<T>, 'succeeded' | 'preValue' | 'postValue'>; tries: number }> {
    const began = performance.now();
    for (let tries = 1; ; tries++) {
      const before = await this.read();
      const value = change(before.value);
      const succeeded = await this.write(before, this.serializer.serialize(value));
      const delay = succeeded ? undefined : retry.delay(tries, performance.now() - began);
      if (delay === undefined) {
        return { result: { succeeded, preValue: before.value, postValue: succeeded ? value : undefined }, tries };
      }
      await pause(delay);
    }
  }

  private async read(): Promise<Read<T>> {
    try {
      const { data, stat } = await persistOverSessions(this.client, () => this.client.getData(this.path));
      const bytes = data ?? Buffer.alloc(0);
      return { value: this.decode(bytes), bytes, version: stat.version };
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return { value: undefined, bytes: undefined, version: undefined };
      throw error;
    }
  }

  private decode(bytes: Buffer): T {
    try {
      return this.serializer.deserialize(bytes);
    } catch (error) {
      throw new RecipeError('BadData', this.recipe, this.path, `cannot be read: ${error}`, error);
    }
  }

  private async write(before: Read<T>, bytes: Uint8Array): Promise<boolean> {
    if (before.version === undefined) return this.createWith(bytes);
    return (await setIfVersion(this.client, this.path, bytes, before.version)) !== undefined;
  }

  /** False if there is a node. Rejects with `outcomeUnknown` if that may be ours. */
  private async createWith(bytes: Uint8Array): Promise<boolean> {
    let lost = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.client.create(this.path, { data: bytes });
        return true;
      } catch (error) {
        if (isKeeperError(error, 'NodeExists')) return false;
        if (isKeeperError(error, 'NoNode')) {
          await ensureContainers(this.client, parentOf(this.path));
          continue;
        }
        const isNextSession = isKeeperError(error, 'SessionExpired') && !this.client.isOver; // it was not executed in the last one
        if (!isNextSession && !isPassing(error)) throw error;
        if (error.outcomeUnknown && (++lost === MAX_LOST_WRITES || (await this.mayBeOurs(bytes)))) throw error;
        await pause(pauseAfter(attempt));
      }
    }
  }

  private async mayBeOurs(bytes: Uint8Array): Promise<boolean> {
    try {
      const [, found] = await persist(() => Promise.all([this.client.sync(this.path), this.client.getData(this.path)]));
      return found.stat.version > 0 || found.data?.equals(bytes) === true;
    } catch (error) {
      return !isKeeperError(error, 'NoNode');
    }
  }
}
