// Counters. Source: DistributedAtomicLong, DistributedAtomicInteger, CachedAtomicLong of Apache Curator; Counter of kazoo.

import type { Client } from '@nodekeeper/client';
import { RecipeError } from '../base/errors.js';
import { decimalSerializer, int32Serializer, int64Serializer } from '../base/serializer.js';
import { unlessAborted, type WaitOptions, withLimit } from '../base/wait.js';
import { type AtomicOptions, type AtomicResult, DistributedAtomicValue } from './atomic-value.js';

/** 64 bits with a sign, as Curator lays them out. It is 0 as long as there is no node. */
export class DistributedAtomicLong extends DistributedAtomicValue<bigint> {
  constructor(client: Client, path: string, options: AtomicOptions = {}) {
    super(client, path, int64Serializer, options, 'DistributedAtomicLong');
  }

  /** Beyond 64 bits it wraps, as Java's long. */
  add(delta: bigint | number, wait: WaitOptions = {}): Promise<AtomicResult<bigint>> {
    return this.update((before) => BigInt.asIntN(64, (before ?? 0n) + BigInt(delta)), wait);
  }

  subtract(delta: bigint | number, wait: WaitOptions = {}): Promise<AtomicResult<bigint>> {
    return this.add(-BigInt(delta), wait);
  }

  increment(wait: WaitOptions = {}): Promise<AtomicResult<bigint>> {
    return this.add(1n, wait);
  }

  decrement(wait: WaitOptions = {}): Promise<AtomicResult<bigint>> {
    return this.add(-1n, wait);
  }
}

/** 32 bits with a sign, as Curator lays them out; also SharedCount's node, and kazoo's Counter with `support_curator`. */
export class DistributedAtomicInteger extends DistributedAtomicValue<number> {
  constructor(client: Client, path: string, options: AtomicOptions = {}) {
    super(client, path, int32Serializer, options, 'DistributedAtomicInteger');
  }

  /** Beyond 32 bits it wraps, as Java's int. */
  add(delta: number, wait: WaitOptions = {}): Promise<AtomicResult<number>> {
    return this.update((before) => ((before ?? 0) + delta) | 0, wait);
  }

  subtract(delta: number, wait: WaitOptions = {}): Promise<AtomicResult<number>> {
    return this.add(-delta, wait);
  }

  increment(wait: WaitOptions = {}): Promise<AtomicResult<number>> {
    return this.add(1, wait);
  }

  decrement(wait: WaitOptions = {}): Promise<AtomicResult<number>> {
    return this.add(-1, wait);
  }
}

/** Decimal digits of any length, as kazoo's Counter has them by default. */
export class Counter extends DistributedAtomicValue<bigint> {
  constructor(client: Client, path: string, options: AtomicOptions = {}) {
    super(client, path, decimalSerializer, options, 'Counter');
  }

  add(delta: bigint | number, wait: WaitOptions = {}): Promise<AtomicResult<bigint>> {
    return this.update((before) => (before ?? 0n) + BigInt(delta), wait);
  }

  subtract(delta: bigint | number, wait: WaitOptions = {}): Promise<AtomicResult<bigint>> {
    return this.add(-BigInt(delta), wait);
  }
}

/** A block that is being taken, for all who wait for it. */
interface Refill {
  readonly done: Promise<void>;
  readonly stop: AbortController;
  waiting: number;
}

/** Numbers that nobody else gets, taken from a shared counter a block at a time. Those not used up are lost. */
export class CachedAtomicLong {
  private readonly number: DistributedAtomicLong;
  private readonly blockSize: bigint;
  private upcoming = 0n;
  private end = 0n;
  private refill: Refill | undefined;

  /** @throws RecipeError BadArgument */
  constructor(number: DistributedAtomicLong, blockSize: number) {
    if (!Number.isInteger(blockSize) || blockSize < 1) {
      throw new RecipeError('BadArgument', 'CachedAtomicLong', number.path, `a block cannot be of ${blockSize}`);
    }
    this.number = number;
    this.blockSize = BigInt(blockSize);
  }

  /** Rejects with a `Timeout` error if others were quicker each time, or as {@link DistributedAtomicLong.add}. */
  async next(wait: WaitOptions = {}): Promise<bigint> {
    while (this.upcoming >= this.end) {
      this.refill ??= this.beginRefill();
      const { refill } = this;
      refill.waiting++;
      try {
        await withLimit(wait, { recipe: 'CachedAtomicLong', path: this.number.path }, (signal) =>
          unlessAborted(refill.done, signal),
        );
      } finally {
        if (--refill.waiting === 0) {
          refill.stop.abort(); // nobody wants it any more, if it is not there
          this.forget(refill);
        }
      }
    }
    return this.upcoming++;
  }

  private beginRefill(): Refill {
    const stop = new AbortController();
    const done = this.takeBlock(stop.signal).finally(() => this.forget(refill));
    const refill: Refill = { done, stop, waiting: 0 };
    return refill;
  }

  private forget(refill: Refill): void {
    if (this.refill === refill) this.refill = undefined;
  }

  private async takeBlock(signal: AbortSignal): Promise<void> {
    const { succeeded, preValue = 0n, postValue } = await this.number.add(this.blockSize, { signal });
    if (!succeeded || postValue === undefined) {
      throw new RecipeError('Timeout', 'CachedAtomicLong', this.number.path, 'others were quicker each time');
    }
    this.upcoming = preValue;
    this.end = postValue;
  }
}
