// A value that is changed atomically: optimistically first, then under a lock. Source: DistributedAtomicValue of Apache Curator.

import { performance } from 'node:perf_hooks';
import { type Client, exponentialBackoff, isKeeperError, type RetryPolicy } from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { RecipeError } from '../base/errors.js';
import { parentOf, recipePath } from '../base/paths.js';
import {
  isPassing,
  MAX_LOST_WRITES,
  persist,
  persistUntil,
  persistWrite,
  untilConnected,
  untilNextTry,
} from '../base/persist.js';
import type { Serializer } from '../base/serializer.js';
import { pause, unlessAborted, type WaitOptions, type Who, withLimit } from '../base/wait.js';
import { InterProcessMutex } from '../locks/mutex.js';
import { setIfVersion } from './set-if-version.js';

/** How a change is made that others are quicker than, again and again: under a lock that all must know. */
export interface PromotedToLock {
  readonly path: string;
  /** How long to wait for the lock, in milliseconds. Without end if not given. */
  readonly timeout?: number | undefined;
  /** Of tries under the lock: those who change without it can still be quicker. */
  readonly retry?: RetryPolicy | undefined;
}

export interface AtomicOptions {
  /** Of optimistic tries; 10 with growing pauses if not given. */
  readonly retry?: RetryPolicy | undefined;
  readonly promotedToLock?: PromotedToLock | undefined;
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
 * was made; then the call rejects with the KeeperError, whose `outcomeUnknown` is true, and does not try again. Who gives up with a
 * `Timeout` or a signal's reason has changed nothing.
 */
export class DistributedAtomicValue<T> {
  readonly path: string;
  private readonly who: Who;
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
    this.who = { recipe, path };
    this.client = client.untimed;
    this.serializer = serializer;
    this.options = options;
    const { promotedToLock } = options;
    this.mutex = promotedToLock === undefined ? undefined : new InterProcessMutex(client, promotedToLock.path);
  }

  /** Undefined if there is none. Rejects with BadData if it cannot be read. */
  get(wait: WaitOptions = {}): Promise<T | undefined> {
    return withLimit(wait, this.who, async (signal) => (await this.read(signal)).value);
  }

  /** Gives it a first value. Resolves with false if it has one. */
  async initialize(value: T, wait: WaitOptions = {}): Promise<boolean> {
    const bytes = this.serializer.serialize(value);
    return withLimit(wait, this.who, (signal) => this.createWith(bytes, signal));
  }

  /** Sets it whatever it is. A lost connection may have it set twice. */
  async forceSet(value: T, wait: WaitOptions = {}): Promise<void> {
    const bytes = this.serializer.serialize(value);
    await withLimit(wait, this.who, async (signal) => {
      for (;;) {
        try {
          await persistWrite(this.client, () => this.client.setData(this.path, bytes), { signal });
          return;
        } catch (error) {
          if (!isKeeperError(error, 'NoNode')) throw error;
          if (await this.createWith(bytes, signal)) return;
        }
      }
    });
  }

  /** Sets it if it is `expected`, by the bytes. Tries once. */
  compareAndSet(expected: T, value: T, wait: WaitOptions = {}): Promise<AtomicResult<T>> {
    return withLimit(wait, this.who, (signal) => this.setIf(expected, value, signal));
  }

  private async setIf(expected: T, value: T, signal: AbortSignal | undefined): Promise<AtomicResult<T>> {
    const before = await this.read(signal);
    const wanted = this.serializer.serialize(expected);
    let succeeded = false;
    if (before.bytes?.equals(wanted)) succeeded = await this.write(before, this.serializer.serialize(value), signal);
    const postValue = succeeded ? value : undefined;
    return { succeeded, preValue: before.value, postValue, optimisticTries: 1, promotedTries: 0 };
  }

  /** Sets it, telling what it was just before. */
  trySet(value: T, wait: WaitOptions = {}): Promise<AtomicResult<T>> {
    return this.update(() => value, wait);
  }

  /** Sets it to what `change` makes of the value just before, which is undefined if there is none. */
  update(change: (before: T | undefined) => T, wait: WaitOptions = {}): Promise<AtomicResult<T>> {
    return withLimit(wait, this.who, (signal) => this.updateWithin(change, signal));
  }

  private async updateWithin(
    change: (before: T | undefined) => T,
    signal: AbortSignal | undefined,
  ): Promise<AtomicResult<T>> {
    const { retry = RETRY, promotedToLock } = this.options;
    const optimistic = await this.tryOften(change, retry, signal);
    if (optimistic.result.succeeded || this.mutex === undefined || promotedToLock === undefined) {
      return { ...optimistic.result, optimisticTries: optimistic.tries, promotedTries: 0 };
    }
    const { timeout = Number.POSITIVE_INFINITY } = promotedToLock;
    const hold = await this.mutex.tryAcquire({ timeout, signal });
    if (hold === undefined) return { ...optimistic.result, optimisticTries: optimistic.tries, promotedTries: 0 };
    await using _hold = hold;
    const promoted = await this.tryOften(change, promotedToLock.retry ?? RETRY, signal);
    return { ...promoted.result, optimisticTries: optimistic.tries, promotedTries: promoted.tries };
  }

  private async tryOften(
    change: (before: T | undefined) => T,
    retry: RetryPolicy,
    signal: AbortSignal | undefined,
  ): Promise<{ result: Pick<AtomicResult<T>, 'succeeded' | 'preValue' | 'postValue'>; tries: number }> {
    const began = performance.now();
    for (let tries = 1; ; tries++) {
      const before = await this.read(signal);
      const value = change(before.value);
      const succeeded = await this.write(before, this.serializer.serialize(value), signal);
      const delay = succeeded ? undefined : retry.delay(tries, performance.now() - began);
      if (delay === undefined) {
        return { result: { succeeded, preValue: before.value, postValue: succeeded ? value : undefined }, tries };
      }
      await pause(delay, signal);
    }
  }

  private async read(signal: AbortSignal | undefined): Promise<Read<T>> {
    try {
      const { data, stat } = await persistUntil(this.client, () => this.client.getData(this.path), signal);
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
      throw new RecipeError('BadData', this.who.recipe, this.path, `cannot be read: ${error}`, error);
    }
  }

  private async write(before: Read<T>, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
    if (before.version === undefined) return this.createWith(bytes, signal);
    return (await setIfVersion(this.client, this.path, bytes, before.version, signal)) !== undefined;
  }

  /** False if there is a node. Rejects with `outcomeUnknown` if that may be ours. */
  private async createWith(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
    let lost = 0;
    if (signal !== undefined) await untilConnected(this.client, signal);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.client.create(this.path, { data: bytes });
        return true;
      } catch (error) {
        if (isKeeperError(error, 'NodeExists')) return false;
        if (isKeeperError(error, 'NoNode')) {
          await persistUntil(this.client, () => ensureContainers(this.client, parentOf(this.path)), signal);
          continue;
        }
        const isNextSession = isKeeperError(error, 'SessionExpired') && !this.client.isOver; // it was not executed in the last one
        if (!isNextSession && !isPassing(error)) throw error;
        if (error.outcomeUnknown && (++lost === MAX_LOST_WRITES || (await this.mayBeOurs(bytes, signal)))) throw error;
        await untilNextTry(this.client, attempt, signal);
      }
    }
  }

  /** True also if that cannot be found out before the signal is aborted. */
  private async mayBeOurs(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      const looking = persist(() => Promise.all([this.client.sync(this.path), this.client.getData(this.path)]), signal);
      const [, found] = await unlessAborted(looking, signal);
      return found.stat.version > 0 || found.data?.equals(bytes) === true;
    } catch (error) {
      return !isKeeperError(error, 'NoNode');
    }
  }
}
