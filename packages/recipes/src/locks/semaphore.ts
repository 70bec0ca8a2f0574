// A lock for so many at a time. Source: InterProcessSemaphoreV2 of Apache Curator; Semaphore of kazoo.

import { randomUUID } from 'node:crypto';
import { type Client, type CreatedNode, type Data, isKeeperError } from '@nodekeeper/client';
import { createOnce, giveUp, protectedName } from '../base/create.js';
import { RecipeError } from '../base/errors.js';
import { followChildren } from '../base/follow.js';
import { giveBack } from '../base/own-node.js';
import { join, nameOf, recipePath } from '../base/paths.js';
import {
  AWAY,
  deleteForSure,
  Link,
  persist,
  persistOverSessions,
  persistUntil,
  whileConnected,
} from '../base/persist.js';
import { Tenure, type TenureOptions } from '../base/tenure.js';
import { AnyOf, Limit, unlessAborted, type WaitOptions, type Who, withLimit } from '../base/wait.js';
import { changed } from '../base/watching.js';
import type { SharedValue } from '../counters/shared-value.js';
import { collect } from './collect.js';
import { Hold, type LockHold } from './hold.js';
import { InterProcessMutex } from './mutex.js';
import type { LockLayout } from './names.js';

const RECIPE = 'InterProcessSemaphoreV2';
const FULL = new Error('no lease is free');

export interface SemaphoreOptions extends TenureOptions {
  /** With `kazoo` the nodes are where kazoo's Semaphore has them. `curator` if not given. */
  readonly layout?: LockLayout | undefined;
  /** Of the own lease nodes. */
  readonly data?: Data | undefined;
}

/** One of the leases. */
export interface Lease extends LockHold {
  readonly nodeName: string;
  /** What the lease's node holds. */
  getData(options?: WaitOptions): Promise<Buffer | null>;
}

/**
 * A counting semaphore. Whoever wants a lease waits in line at a mutex first, so leases are given in the order of asking,
 * and only one waits for a lease to be returned. The limit is a number that all must agree on, or a shared count.
 */
export class InterProcessSemaphoreV2 {
  readonly path: string;
  private readonly client: Client;
  private readonly options: SemaphoreOptions;
  private readonly limit: number | SharedValue<number>;
  private readonly mutex: InterProcessMutex;
  private readonly leases: string;
  private readonly newName: () => string;
  private readonly who: { readonly recipe: string; readonly path: string };
  private isDeclared = false;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(
    client: Client,
    path: string,
    maxLeases: number | SharedValue<number>,
    options: SemaphoreOptions = {},
    recipe = RECIPE,
  ) {
    this.path = recipePath(recipe, path);
    this.client = client.untimed;
    this.options = options;
    this.limit = maxLeases;
    this.who = { recipe, path };
    if (typeof maxLeases === 'number' && !(Number.isInteger(maxLeases) && maxLeases > 0)) {
      throw new RecipeError('BadArgument', recipe, path, `the limit must be 1 or more, not ${maxLeases}`);
    }
    const { layout = 'curator' } = options;
    const isKazoo = layout === 'kazoo';
    this.mutex = new InterProcessMutex(client, isKazoo ? `${path}-__lock__` : join(path, 'locks'), {
      layout,
      grace: Number.POSITIVE_INFINITY, // as long as the session lives, nobody else may make a lease
    });
    this.leases = isKazoo ? path : join(path, 'leases');
    this.newName = isKazoo ? () => randomUUID().replaceAll('-', '') : () => protectedName('lease-');
  }

  /** As the number was given, or as the shared count was last seen. */
  get maxLeases(): number {
    return typeof this.limit === 'number' ? this.limit : this.limit.value;
  }

  /** Resolves when a lease is held. Rejects with `Timeout`, the signal's reason, or the server's error. */
  async acquire(options: WaitOptions = {}): Promise<Lease> {
    const [lease] = await this.acquireMany(1, options);
    return lease as Lease;
  }

  /**
   * Resolves when so many leases are held; until then those obtained already are kept, unless one of them is lost: then all are asked
   * for again. Rejects holding none; with `WouldDeadlock` if there are never so many.
   */
  async acquireMany(count: number, options: WaitOptions = {}): Promise<Lease[]> {
    if (!Number.isInteger(count) || count < 1) {
      throw new RecipeError('BadArgument', this.who.recipe, this.path, `cannot acquire ${count} leases`);
    }
    if (typeof this.limit === 'number' && count > this.limit) {
      throw new RecipeError(
        'WouldDeadlock',
        this.who.recipe,
        this.path,
        `there are ${this.limit} leases, never ${count}`,
      );
    }
    using limit = new Limit(options, this.who);
    const one = (signal: AbortSignal): Promise<Lease> => this.obtain(signal, true) as Promise<Lease>;
    return await collect(this.client, new Array<typeof one>(count).fill(one), limit.signal);
  }

  /** A lease if there is one within `timeout` ms; with 0, the default, if one is free at the moment and there is a connection. */
  async tryAcquire({ timeout = 0, ...options }: WaitOptions = {}): Promise<Lease | undefined> {
    if (timeout <= 0) return this.tryNow(options);
    try {
      return await this.acquire({ ...options, timeout });
    } catch (error) {
      if (error instanceof RecipeError && error.code === 'Timeout') return undefined;
      throw error;
    }
  }

  /** Whoever has the turn makes way at once, unless all leases are taken: so that is looked at as long as there is no turn. */
  private async tryNow(options: WaitOptions): Promise<Lease | undefined> {
    using limit = new Limit(options, this.who);
    using link = new Link(this.client, limit.signal);
    const full = new AbortController();
    const stop = new AbortController();
    using over = new AnyOf(link.signal, full.signal);
    using followed = new AnyOf(link.signal, stop.signal);
    const following = followChildren(this.client, this.leases, followed.signal, (leases) => {
      if ((leases?.children.length ?? 0) >= this.maxLeases) full.abort(FULL);
    });
    following.catch((error) => full.abort(error));
    try {
      return await this.obtain(link.signal, false, over.signal, () => stop.abort());
    } catch (error) {
      if (error === FULL || error === AWAY) return undefined;
      throw error;
    } finally {
      stop.abort();
    }
  }

  /** Paths of the leases that are held, or are about to be. */
  async getParticipantNodes(wait: WaitOptions = {}): Promise<string[]> {
    const list = () => this.client.getChildren(this.leases);
    try {
      const { children } = await withLimit(wait, this.who, (signal) => persistUntil(this.client, list, signal));
      return children.map((name) => join(this.leases, name));
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }

  /** Undefined if it is not to wait, and no lease is free or the session ended on the way. */
  private async obtain(
    signal: AbortSignal,
    wait: boolean,
    turnSignal = signal,
    onTurn: () => void = () => {},
  ): Promise<Lease | undefined> {
    for (;;) {
      await unlessAborted(this.declare(), signal);
      const turn = await this.mutex.acquire({ signal: turnSignal });
      onTurn();
      let lease: Lease | 'gone' | undefined;
      try {
        lease = await this.takeLease(turn, signal, wait);
      } finally {
        await whileConnected(this.client, turn.release()).catch(async (error) => {
          if (typeof lease === 'object') await lease.release().catch(() => {}); // nobody hears of it
          throw error;
        });
      }
      if (lease !== 'gone') return lease;
      if (!wait) return undefined;
    }
  }

  /** `gone` if the session, and so the turn, ended on the way; undefined if no lease is free and it is not to wait. */
  private async takeLease(turn: LockHold, signal: AbortSignal, wait: boolean): Promise<Lease | 'gone' | undefined> {
    const { layout = 'curator', data = '' } = this.options;
    const mode = layout === 'kazoo' ? 'ephemeral' : 'ephemeralSequential';
    const creating = createOnce(this.client, this.leases, this.newName(), { mode, data });
    let created: CreatedNode | undefined;
    try {
      created = await unlessAborted(creating, signal);
      // Of two nodes that wait for a lease neither would ever get one: only who has the turn may leave one there.
      const state = turn.isHeld ? await this.untilFree(created, signal, wait) : 'gone';
      if (state === 'free') return this.leaseOf(created) ?? 'gone';
      await giveUp(this.client, creating);
      return state === 'gone' ? 'gone' : undefined;
    } catch (error) {
      await giveUp(this.client, creating);
      if (isKeeperError(error, 'SessionExpired') && !this.client.isOver) return 'gone';
      throw error;
    }
  }

  /** `full` only if it is not to wait. */
  private async untilFree(
    { path, stat }: CreatedNode,
    signal: AbortSignal,
    wait: boolean,
  ): Promise<'free' | 'full' | 'gone'> {
    const limit = this.limit;
    for (;;) {
      const wake = new AbortController();
      const onChange = (): void => wake.abort();
      if (typeof limit !== 'number') limit.on('change', onChange);
      let state = 'full' as 'free' | 'full' | 'gone';
      using over = new AnyOf(signal, wake.signal);
      try {
        const isThere = await changed(this.client, this.leases, 'children', over.signal, ({ children }) => {
          if (this.client.sessionId !== stat.ephemeralOwner || !children.includes(nameOf(path))) state = 'gone';
          else if (children.length <= this.maxLeases) state = 'free';
          return wait && state === 'full';
        });
        if (!isThere) state = 'gone';
      } catch (error) {
        if (!wake.signal.aborted || signal.aborted) throw error;
      } finally {
        if (typeof limit !== 'number') limit.removeListener('change', onChange);
      }
      if (!wait || state !== 'full') return state;
    }
  }

  private leaseOf({ path, stat }: CreatedNode): Lease | undefined {
    const seat = { path, token: stat.czxid, session: stat.ephemeralOwner };
    const tenure = new Tenure(this.client, seat, this.who, this.options);
    if (tenure.isLost) {
      void deleteForSure(this.client, path).catch(() => {}); // should the session live on
      return undefined;
    }
    return new LeaseHold(this.client, tenure, this.who);
  }

  /** kazoo writes the limit into the node, and refuses another. */
  private async declare(): Promise<void> {
    if (this.isDeclared || this.options.layout !== 'kazoo') return;
    const { client, path } = this;
    let known = '';
    while (known === '') {
      known = await persistOverSessions(client, async () => {
        await client.ensurePath(path);
        const { data, stat } = await client.getData(path);
        if (data !== null && data.length > 0) return data.toString();
        const limit = String(this.maxLeases);
        await client.setData(path, limit, { version: stat.version });
        return limit;
      }).catch((error) => {
        if (isKeeperError(error, 'BadVersion')) return ''; // others were quicker, or ourselves
        throw error;
      });
    }
    if (/^\d+$/.test(known) && Number(known) !== this.maxLeases) {
      throw new RecipeError('BadArgument', this.who.recipe, this.path, `the limit is ${known}, not ${this.maxLeases}`);
    }
    this.isDeclared = true;
  }
}

class LeaseHold extends Hold implements Lease {
  private readonly client: Client;
  private readonly of: Who;

  constructor(client: Client, tenure: Tenure, who: Who) {
    super(tenure, who, () => giveBack(client, tenure));
    this.client = client;
    this.of = who;
    // A lost lease must not be counted, should the session live on.
    const letGo = (): Promise<void> => deleteForSure(client, tenure.seat.path).catch(() => {});
    tenure.signal.addEventListener('abort', () => void letGo(), { once: true });
  }

  get nodeName(): string {
    return nameOf(this.path);
  }

  async getData(options: WaitOptions = {}): Promise<Buffer | null> {
    const read = (signal: AbortSignal | undefined) =>
      unlessAborted(
        persist(() => this.client.getData(this.path), signal),
        signal,
      );
    return (await withLimit(options, this.of, read)).data;
  }
}

/** A mutex that is not re-entrant and may be released by anybody who has the hold: a semaphore of one. */
export class InterProcessSemaphoreMutex {
  readonly path: string;
  private readonly semaphore: InterProcessSemaphoreV2;

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, options: SemaphoreOptions = {}) {
    this.path = path;
    this.semaphore = new InterProcessSemaphoreV2(client, path, 1, options, 'InterProcessSemaphoreMutex');
  }

  acquire(options: WaitOptions = {}): Promise<LockHold> {
    return this.semaphore.acquire(options);
  }

  tryAcquire(options: WaitOptions = {}): Promise<LockHold | undefined> {
    return this.semaphore.tryAcquire(options);
  }
}
