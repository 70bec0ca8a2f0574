// What all locks have in common: owners that may enter again, limits in time, loss, and giving back.

import { AsyncLocalStorage } from 'node:async_hooks';
import { type Client, type Data, isKeeperError } from '@nodekeeper/client';
import { RecipeError } from '../base/errors.js';
import { giveBack } from '../base/own-node.js';
import { join, recipePath } from '../base/paths.js';
import { AWAY, deleteForSure, Link, persistUntil } from '../base/persist.js';
import { type Seat, Tenure, type TenureOptions } from '../base/tenure.js';
import { Limit, unlessAborted, type WaitOptions, withLimit } from '../base/wait.js';
import { type Contest, contend } from './contend.js';
import { Hold, type LockHold } from './hold.js';
import { contendersAmong, type LockLayout } from './names.js';
import { watchForRevocation } from './revocation.js';

export interface LockOptions extends TenureOptions {
  /** `curator` if not given. */
  readonly layout?: LockLayout | undefined;
  /** Of the own nodes; for people who look, nobody reads it. */
  readonly data?: Data | undefined;
  /** Makes the lock revocable: called when somebody asks the holder to give it back, see {@link attemptRevoke}. What it
   * throws is told by the client's event `watcherError`. */
  readonly onRevoke?: ((hold: RevocableHold) => void) | undefined;
}

/** What a holder who is asked to give the lock back learns. */
export interface RevocableHold {
  readonly path: string;
  readonly fencingToken: number;
}

export interface AcquireOptions extends WaitOptions {
  /**
   * Any value that stands for who asks. An owner who holds the lock gets it again at once, and has to release it as often.
   * Without one every call is an owner of its own.
   */
  readonly owner?: unknown;
}

/** A call of `run`, as code that runs inside of it sees it. */
interface Run {
  readonly owner: unknown;
  /** Work that was begun inside and goes on afterwards owns nothing any more. */
  isOver: boolean;
  readonly outer: Run | undefined;
}

export type OwnerScope = AsyncLocalStorage<Run>;

export function newOwnerScope(): OwnerScope {
  return new AsyncLocalStorage();
}

/** A lock as one owner holds it, as often as entered. */
interface Grip {
  readonly tenure: Tenure;
  readonly holds: Hold[];
}

/** The common part of mutexes, read locks and write locks. */
export abstract class Lock {
  readonly path: string;
  protected readonly client: Client;
  protected readonly options: LockOptions;
  protected readonly who: { readonly recipe: string; readonly path: string };
  private readonly grips = new Map<unknown, Grip>();
  private readonly underWay = new Map<unknown, Promise<unknown>>();
  private readonly scope: OwnerScope;

  constructor(recipe: string, client: Client, path: string, options: LockOptions, scope = newOwnerScope()) {
    this.path = recipePath(recipe, path);
    this.client = client.untimed;
    this.options = options;
    this.who = { recipe, path };
    this.scope = scope;
  }

  /** How this owner stands in line. */
  protected abstract contest(owner: unknown): Contest;

  /** Whether a child of the path stands in line for this very lock. */
  protected abstract isParticipant(contender: { readonly name: string; readonly isReader: boolean }): boolean;

  /**
   * Resolves when the lock is held. Rejects with a `Timeout` error, the signal's reason, or the server's error; what was in
   * line is then removed. Lost connections and sessions are lived through.
   */
  async acquire(options: AcquireOptions = {}): Promise<LockHold> {
    const hold = await this.obtain(options, true);
    if (hold === undefined) throw new RecipeError('Timeout', this.who.recipe, this.path, 'somebody else holds it');
    return hold;
  }

  /**
   * The same, with undefined if it is not obtained within `timeout` ms; 0, the default, waits neither for other holders nor for a
   * connection.
   */
  async tryAcquire({ timeout = 0, ...options }: AcquireOptions = {}): Promise<LockHold | undefined> {
    if (timeout <= 0) return this.obtain(options, false);
    try {
      return await this.obtain({ ...options, timeout }, true);
    } catch (error) {
      if (error instanceof RecipeError && error.code === 'Timeout' && error.recipe === this.who.recipe)
        return undefined;
      throw error;
    }
  }

  /** Holds the lock while `action` runs. Within it, calls of `run` on this lock enter again. */
  async run<T>(action: (hold: LockHold) => T | Promise<T>, options: AcquireOptions = {}): Promise<T> {
    let outer = this.scope.getStore();
    while (outer?.isOver) outer = outer.outer;
    const owner = options.owner ?? outer?.owner ?? {};
    const hold = await this.acquire({ ...options, owner });
    const run: Run = { owner, isOver: false, outer };
    let result: T;
    try {
      result = await this.scope.run(run, () => action(hold));
      run.isOver = true;
    } catch (error) {
      run.isOver = true;
      await hold[Symbol.asyncDispose]().catch(() => {}); // the action's error says more
      throw error;
    }
    await hold[Symbol.asyncDispose]();
    return result;
  }

  /** Gives back what the owner has acquired last. Rejects with a `NotHeld` error if that is nothing. */
  async release(owner: unknown): Promise<void> {
    const hold = this.grips.get(owner)?.holds.at(-1);
    if (hold === undefined) throw new RecipeError('NotHeld', this.who.recipe, this.path, 'this owner does not hold it');
    await hold.release();
  }

  isOwnedBy(owner: unknown): boolean {
    return this.grips.has(owner);
  }

  get isAcquiredInThisProcess(): boolean {
    return this.grips.size > 0;
  }

  /** Paths of the nodes in line, the holder's first. */
  async getParticipantNodes(wait: WaitOptions = {}): Promise<string[]> {
    return contendersAmong(await withLimit(wait, this.who, (signal) => this.children(signal)))
      .filter((contender) => this.isParticipant(contender))
      .map(({ name }) => join(this.path, name));
  }

  private async children(signal: AbortSignal | undefined): Promise<readonly string[]> {
    try {
      return (await persistUntil(this.client, () => this.client.getChildren(this.path), signal)).children;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }

  /** By what the owner holds the lock. */
  protected seatOf(owner: unknown): Seat | undefined {
    return this.grips.get(owner)?.tenure.seat;
  }

  private async obtain(options: AcquireOptions, wait: boolean): Promise<LockHold | undefined> {
    using limit = new Limit(options, this.who);
    const owner = options.owner ?? {};
    for (;;) {
      const known = this.grips.get(owner);
      if (known !== undefined) return this.enter(owner, known);
      const other = this.underWay.get(owner);
      if (other === undefined)
        return wait ? await this.joinLine(owner, true, limit.signal) : await this.joinNow(owner, limit.signal);
      if (!wait) return undefined; // the same owner waits already
      await unlessAborted(
        other.catch(() => {}),
        limit.signal,
      );
    }
  }

  /** Who does not wait does not wait for a connection either. */
  private async joinNow(owner: unknown, signal: AbortSignal): Promise<LockHold | undefined> {
    using link = new Link(this.client, signal);
    try {
      return await this.joinLine(owner, false, link.signal);
    } catch (error) {
      if (error === AWAY) return undefined;
      throw error;
    }
  }

  private async joinLine(owner: unknown, wait: boolean, signal: AbortSignal): Promise<LockHold | undefined> {
    const line = contend(this.client, this.contest(owner), wait, signal);
    this.underWay.set(owner, line);
    let seat: Seat | undefined;
    try {
      seat = await line;
    } finally {
      this.underWay.delete(owner);
    }
    return seat === undefined ? undefined : this.enter(owner, this.take(owner, seat));
  }

  private take(owner: unknown, seat: Seat): Grip {
    const tenure = new Tenure(this.client, seat, this.who, this.options);
    const grip: Grip = { tenure, holds: [] };
    if (tenure.isLost) {
      this.letGo(owner, grip);
      return grip;
    }
    this.grips.set(owner, grip);
    tenure.signal.addEventListener('abort', () => this.letGo(owner, grip), { once: true });
    const { onRevoke } = this.options;
    if (onRevoke !== undefined) {
      watchForRevocation(this.client, tenure, () => onRevoke({ path: seat.path, fencingToken: seat.token }));
    }
    return grip;
  }

  private enter(owner: unknown, grip: Grip): LockHold {
    const hold: Hold = new Hold(grip.tenure, this.who, () => this.giveBack(owner, grip, hold));
    grip.holds.push(hold);
    return hold;
  }

  private async giveBack(owner: unknown, grip: Grip, hold: Hold): Promise<void> {
    grip.holds.splice(grip.holds.indexOf(hold), 1);
    if (grip.holds.length > 0) return;
    this.drop(owner, grip);
    await giveBack(this.client, grip.tenure);
  }

  /** The lock is lost. Its node must not stand in others' way, should the session live on. */
  private letGo(owner: unknown, grip: Grip): void {
    this.drop(owner, grip);
    void deleteForSure(this.client, grip.tenure.seat.path).catch(() => {});
  }

  private drop(owner: unknown, grip: Grip): void {
    if (this.grips.get(owner) === grip) this.grips.delete(owner);
  }
}
