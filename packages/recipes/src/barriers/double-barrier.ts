// Begins together, ends together. Source: DistributedDoubleBarrier of Apache Curator; DoubleBarrier of kazoo.

import { randomUUID } from 'node:crypto';
import { type Client, type Data, isKeeperError } from '@nodekeeper/client';
import { createOnce, giveUp } from '../base/create.js';
import { RecipeError } from '../base/errors.js';
import { join, nameOf, recipePath } from '../base/paths.js';
import { deleteForSure, deleteSoon, persist, persistOverSessions } from '../base/persist.js';
import type { Seat } from '../base/tenure.js';
import { Limit, unlessAborted, type WaitOptions } from '../base/wait.js';
import { changed } from '../base/watching.js';

const RECIPE = 'DistributedDoubleBarrier';
const READY = 'ready';

export interface DoubleBarrierOptions {
  /** Of the member's node; kazoo writes an identifier there. */
  readonly data?: Data | undefined;
}

/**
 * `enter` waits until so many members have entered, `leave` until all have left. A member whose session ends while it waits
 * to enter enters again; one whose session ends inside counts as having left.
 */
export class DistributedDoubleBarrier {
  readonly path: string;
  private readonly client: Client;
  private readonly memberCount: number;
  private readonly data: Data;
  private readonly ready: string;
  private state: 'outside' | 'busy' | 'inside' = 'outside';
  private seat: Seat | undefined;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, memberCount: number, { data = '' }: DoubleBarrierOptions = {}) {
    this.path = recipePath(RECIPE, path);
    if (!Number.isInteger(memberCount) || memberCount < 1) {
      throw new RecipeError('BadArgument', RECIPE, path, `there cannot be ${memberCount} members`);
    }
    this.client = client.untimed;
    this.memberCount = memberCount;
    this.data = data;
    this.ready = join(path, READY);
  }

  /** Resolves when so many have entered. Rejects with Timeout, the signal's reason, AlreadyStarted; then it is outside. */
  async enter(options: WaitOptions = {}): Promise<void> {
    if (this.state !== 'outside') throw new RecipeError('AlreadyStarted', RECIPE, this.path, 'it has entered before');
    this.state = 'busy';
    using limit = new Limit(options, { recipe: RECIPE, path: this.path });
    try {
      for (;;) {
        try {
          if (await this.tryEnter(limit.signal)) break;
        } catch (error) {
          if (!isKeeperError(error, 'SessionExpired') || this.client.isOver) throw error;
        }
      }
      this.state = 'inside';
    } catch (error) {
      await this.vanish();
      throw error;
    }
  }

  /** Resolves when all have left. Rejects with Timeout, the signal's reason, NotStarted; then this one has left. */
  async leave(options: WaitOptions = {}): Promise<void> {
    if (this.state !== 'inside') throw new RecipeError('NotStarted', RECIPE, this.path, 'it has not entered');
    this.state = 'busy';
    using limit = new Limit(options, { recipe: RECIPE, path: this.path });
    try {
      for (;;) {
        try {
          if (await this.tryLeave(limit.signal)) break;
        } catch (error) {
          if (!isKeeperError(error, 'SessionExpired') || this.client.isOver) throw error;
        }
      }
    } finally {
      await this.vanish();
    }
  }

  private async vanish(): Promise<void> {
    const { seat } = this;
    this.seat = undefined;
    if (seat !== undefined) await deleteSoon(this.client, seat.path);
    this.state = 'outside';
  }

  /** False if that is to be looked at again. */
  private async tryEnter(signal: AbortSignal): Promise<boolean> {
    if (this.seat?.session !== this.client.sessionId) {
      await unlessAborted(this.removeLeftReady(), signal);
      const creating = createOnce(this.client, this.path, randomUUID(), { mode: 'ephemeral', data: this.data });
      try {
        const { path, stat } = await unlessAborted(creating, signal);
        this.seat = { path, token: stat.czxid, session: stat.ephemeralOwner };
      } catch (error) {
        await giveUp(this.client, creating);
        throw error;
      }
    }
    // Who is the last to come finds all there, as the own node is made before looking.
    const members = await unlessAborted(this.members(), signal);
    if (this.seat !== undefined && !members.includes(nameOf(this.seat.path))) {
      this.seat = undefined; // somebody has deleted it
      return false;
    }
    if (members.length >= this.memberCount) {
      await unlessAborted(this.becomeReady(), signal);
      return true;
    }
    let isReady = false;
    await changed(this.client, this.ready, 'exists', signal, (stat) => {
      isReady = stat !== null;
      return !isReady;
    });
    return isReady;
  }

  /**
   * Members that all ended inside have left it behind, and it would let this one in alone. Before the own node is there nobody
   * can have made it for this round.
   */
  private async removeLeftReady(): Promise<void> {
    const [first, second] = await this.children();
    if (first === READY && second === undefined) await this.removeReady();
  }

  private async becomeReady(): Promise<void> {
    await persist(() => this.client.create(this.ready)).catch((error) => {
      if (!isKeeperError(error, 'NodeExists')) throw error;
    });
  }

  /** The one with the lowest name waits for the highest, all others leave and wait for the lowest. */
  private async tryLeave(signal: AbortSignal): Promise<boolean> {
    const own = this.seat === undefined ? undefined : nameOf(this.seat.path);
    const members = await unlessAborted(this.members(), signal);
    const [lowest] = members;
    const highest = members.at(-1);
    if (lowest === undefined || (members.length === 1 && lowest === own)) {
      await unlessAborted(this.removeOwn(), signal);
      await unlessAborted(this.removeReady(), signal);
      return true;
    }
    const awaited = lowest === own ? highest : lowest;
    if (lowest !== own) await unlessAborted(this.removeOwn(), signal);
    await changed(this.client, join(this.path, awaited as string), 'data', signal);
    return false;
  }

  /** The node is nobody's own: it stays if the session ends meanwhile, and would let the next round in at once. */
  private async removeReady(): Promise<void> {
    await persistOverSessions(this.client, () => this.client.delete(this.ready)).catch((error) => {
      if (!isKeeperError(error, 'NoNode')) throw error;
    });
  }

  private async removeOwn(): Promise<void> {
    if (this.seat !== undefined) await deleteForSure(this.client, this.seat.path);
    this.seat = undefined;
  }

  /** Names in order. */
  private async members(): Promise<string[]> {
    return (await this.children()).filter((name) => name !== READY).sort();
  }

  private async children(): Promise<string[]> {
    try {
      return (await persist(() => this.client.getChildren(this.path))).children;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }
}
