// What a holder of a lock has in hand.

import { RecipeError } from '../base/errors.js';
import type { Tenure } from '../base/tenure.js';

/** A lock that is held. It ends with `release`, or with the block of an `await using`. */
export interface LockHold extends AsyncDisposable {
  /** The node that it is held by. */
  readonly path: string;
  /**
   * zxid of that node's creation (of a writer that has become a reader, the writer's): every later holder has a greater one.
   * What the lock protects should refuse requests with a smaller token than it has seen, as no lock can keep a paused
   * process from going on later. That is for what one holds alone: of readers, and of leases of a semaphore, several hold at once.
   */
  readonly fencingToken: number;
  /** Aborted with a `Lost` error when the lock may be held no longer: session over, connection away for too long. */
  readonly signal: AbortSignal;
  readonly isHeld: boolean;
  /**
   * Gives the lock back; also succeeds if it was lost meanwhile. Resolves when its node is gone; without a connection when the lock
   * would be lost, and then the node goes as soon as there is one. Rejects with a `NotHeld` error the second time; or with the
   * server's error if its node may not be deleted, and then it can be called again.
   */
  release(): Promise<void>;
  /** The same, and nothing if it was released before. */
  [Symbol.asyncDispose](): Promise<void>;
}

export class Hold implements LockHold {
  private readonly tenure: Tenure;
  private readonly who: { readonly recipe: string; readonly path: string };
  private readonly giveBack: () => Promise<void>;
  private isReleased = false;

  constructor(tenure: Tenure, who: { recipe: string; path: string }, giveBack: () => Promise<void>) {
    this.tenure = tenure;
    this.who = who;
    this.giveBack = giveBack;
  }

  get path(): string {
    return this.tenure.seat.path;
  }

  get fencingToken(): number {
    return this.tenure.seat.token;
  }

  get signal(): AbortSignal {
    return this.tenure.signal;
  }

  get isHeld(): boolean {
    return !this.isReleased && !this.tenure.isLost && !this.tenure.over.aborted;
  }

  async release(): Promise<void> {
    if (this.isReleased) throw new RecipeError('NotHeld', this.who.recipe, this.who.path, 'it was released before');
    this.isReleased = true;
    try {
      await this.giveBack();
    } catch (error) {
      this.isReleased = false;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isReleased) await this.release();
  }
}
