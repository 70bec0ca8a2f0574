// Several locks as one: all or none. Source: InterProcessMultiLock of Apache Curator.

import type { Client } from '@nodekeeper/client';
import { isRecipeError, RecipeError } from '../base/errors.js';
import { recipePath } from '../base/paths.js';
import { AnyOf, Limit, type WaitOptions } from '../base/wait.js';
import { collect, type Releasable, releaseAll } from './collect.js';
import { InterProcessMutex } from './mutex.js';

export type { Releasable } from './collect.js';

const RECIPE = 'InterProcessMultiLock';

/** What a multi-lock needs of its parts. */
export interface AcquirableLock {
  readonly path: string;
  acquire(options?: WaitOptions): Promise<Releasable>;
  tryAcquire(options?: WaitOptions): Promise<Releasable | undefined>;
}

/** All of the locks, held. */
export interface MultiHold extends AsyncDisposable {
  /** Of each lock, in their order. */
  readonly fencingTokens: readonly number[];
  /** Aborted when the first of them is lost. */
  readonly signal: AbortSignal;
  /** Whether all of them are held. */
  readonly isHeld: boolean;
  /** Releases all, the last one first. Rejects with the first error; the others are released all the same. */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Acquires locks one after the other, in the order given. Everybody must use the same order, else two of them can wait for
 * each other.
 */
export class InterProcessMultiLock {
  private readonly client: Client;
  private readonly locks: readonly AcquirableLock[];
  private readonly who: { readonly recipe: string; readonly path: string };

  /**
   * @param locks locks, or paths of mutexes
   * @throws RecipeError BadPath, BadArgument, WouldDeadlock if a mutex is there twice
   */
  constructor(client: Client, locks: readonly (AcquirableLock | string)[]) {
    this.client = client.untimed;
    this.locks = locks.map((lock) =>
      typeof lock === 'object' ? lock : new InterProcessMutex(client, recipePath(RECIPE, lock)),
    );
    this.who = { recipe: RECIPE, path: this.locks.map(({ path }) => path).join(', ') };
    if (locks.length === 0) throw new RecipeError('BadArgument', this.who.recipe, '', 'no locks are given');
    const mutexes = this.locks.filter((lock) => lock instanceof InterProcessMutex).map(({ path }) => path);
    const twice = mutexes.find((path, i) => mutexes.indexOf(path) !== i);
    if (twice !== undefined) {
      throw new RecipeError(
        'WouldDeadlock',
        this.who.recipe,
        this.who.path,
        `${twice} is there twice, and would wait for itself`,
      );
    }
  }

  /**
   * Resolves when all are held. `timeout` is for all together. If one cannot be had, none is kept; if one is lost while another is
   * waited for, all are asked for again.
   */
  async acquire(options: WaitOptions = {}): Promise<MultiHold> {
    using limit = new Limit(options, this.who);
    return await this.collect((lock, signal) => lock.acquire({ signal }), limit.signal);
  }

  /**
   * The same, with undefined if not all are obtained within `timeout` ms; 0, the default, waits neither for holders nor for a
   * connection.
   */
  async tryAcquire({ timeout = 0, ...options }: WaitOptions = {}): Promise<MultiHold | undefined> {
    try {
      if (timeout > 0) return await this.acquire({ ...options, timeout });
      return await this.collect(async (lock, signal) => {
        const hold = await lock.tryAcquire({ signal });
        if (hold === undefined)
          throw new RecipeError('Timeout', this.who.recipe, this.who.path, `${lock.path} is held`);
        return hold;
      }, options.signal);
    } catch (error) {
      if (isRecipeError(error, 'Timeout') && error.recipe === this.who.recipe) return undefined;
      throw error;
    }
  }

  private async collect(
    obtain: (lock: AcquirableLock, signal: AbortSignal) => Promise<Releasable>,
    limit: AbortSignal | undefined,
  ): Promise<MultiHold> {
    const steps = this.locks.map((lock) => (signal: AbortSignal) => obtain(lock, signal));
    return new Multi(await collect(this.client, steps, limit), this.who);
  }
}

class Multi implements MultiHold {
  private readonly lost: AnyOf;
  private readonly holds: readonly Releasable[];
  private readonly who: { readonly recipe: string; readonly path: string };
  private isReleased = false;

  constructor(holds: readonly Releasable[], who: { recipe: string; path: string }) {
    this.holds = holds;
    this.who = who;
    this.lost = new AnyOf(...holds.map(({ signal }) => signal));
  }

  get signal(): AbortSignal {
    return this.lost.signal;
  }

  get fencingTokens(): readonly number[] {
    return this.holds.map((hold) => hold.fencingToken);
  }

  get isHeld(): boolean {
    return !this.isReleased && this.holds.every((hold) => hold.isHeld);
  }

  async release(): Promise<void> {
    if (this.isReleased) throw new RecipeError('NotHeld', this.who.recipe, this.who.path, 'it was released before');
    this.isReleased = true;
    this.lost[Symbol.dispose]();
    await releaseAll(this.holds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isReleased) await this.release();
  }
}
