// A right that is had until a time, and renewed under the same name: for jobs that should stay on one machine.
// Source: NonBlockingLease, MultiNonBlockingLease of kazoo, with their layout.

import { hostname } from 'node:os';
import { type Client, ErrorCode, isKeeperError, KeeperError } from '@nodekeeper/client';
import { RecipeError } from '../base/errors.js';
import { join, recipePath } from '../base/paths.js';
import { lossesAllowed, persist, persistWrite } from '../base/persist.js';
import { Limit, type WaitOptions } from '../base/wait.js';
import type { LockHold } from './hold.js';
import { InterProcessMutex } from './mutex.js';

const RECIPE = 'NonBlockingLease';
const VERSION = 1;
const HOLDER = 'lease_holder';

export interface LeaseTermOptions {
  /** Who has it; the same name renews it. The host's name if not given. */
  readonly identifier?: string | undefined;
  /** The clock, in milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

/** A lease that was obtained. */
export interface LeaseTerm {
  readonly path: string;
  /** Others may have it from then on, by their clocks. */
  readonly end: Date;
}

interface Stored {
  readonly version: number;
  readonly holder: string;
  /** UTC, to the second, without a zone. */
  readonly end: string;
}

/**
 * Does not wait, and does not end with a session: it goes by the clocks of those who want it, which must agree nearly. What
 * must not be done twice needs a lock.
 */
export class NonBlockingLease {
  readonly path: string;
  private readonly client: Client;
  private readonly duration: number;
  private readonly identifier: string;
  private readonly now: () => number;
  private readonly lock: InterProcessMutex;

  /** @param duration milliseconds; @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, duration: number, { identifier, now }: LeaseTermOptions = {}) {
    this.path = recipePath(RECIPE, path);
    if (!(duration > 0)) throw new RecipeError('BadArgument', RECIPE, path, `it cannot last ${duration} ms`);
    this.client = client.untimed;
    this.duration = duration;
    this.identifier = identifier ?? hostname();
    this.now = now ?? Date.now;
    this.lock = new InterProcessMutex(client, path, { layout: 'kazoo', data: this.identifier });
  }

  /** Obtains or renews it. Undefined while somebody else has it, or if the node is of a later version than is known here. */
  async obtain(wait: WaitOptions = {}): Promise<LeaseTerm | undefined> {
    using limit = new Limit(wait, { recipe: RECIPE, path: this.path });
    for (;;) {
      try {
        const term = await this.lock.run((hold) => this.obtainLocked(hold), { signal: limit.signal });
        if (term !== 'again') return term;
      } catch (error) {
        if (!isKeeperError(error, 'SessionExpired') || this.client.isOver) throw error;
      }
    }
  }

  /** `again` if somebody has written meanwhile, which takes the lock: it was lost on the way. */
  private async obtainLocked(hold: LockHold): Promise<LeaseTerm | undefined | 'again'> {
    const path = join(this.path, HOLDER);
    const known = await this.read(path);
    const now = this.now();
    if (known !== undefined) {
      const { stored } = known;
      if (stored.version !== VERSION) return undefined;
      if (stored.holder !== this.identifier && now < Date.parse(`${stored.end}Z`)) return undefined;
    }
    // Fractions of a second have no place in the layout.
    const end = new Date(Math.floor((now + this.duration) / 1000) * 1000);
    const stored: Stored = { version: VERSION, holder: this.identifier, end: end.toISOString().slice(0, 19) };
    const isWritten = await this.write(path, stored, known?.nodeVersion, hold);
    return isWritten ? { path: this.path, end } : 'again';
  }

  private async read(path: string): Promise<{ stored: Stored; nodeVersion: number } | undefined> {
    try {
      const { data, stat } = await persist(() => this.client.getData(path));
      const stored = JSON.parse(data?.toString() ?? '') as Stored | null;
      if (typeof stored !== 'object' || stored === null) throw new SyntaxError(`${stored} is no lease`);
      return { stored, nodeVersion: stat.version };
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return undefined;
      if (error instanceof SyntaxError) {
        throw new RecipeError('BadData', RECIPE, path, `cannot be read: ${error.message}`, error);
      }
      throw error;
    }
  }

  /**
   * Whether the node holds it now. Under the lock nobody else writes, but the lock can be lost before the write leaves, or is
   * repeated: so it is made on the version that was read.
   */
  private async write(path: string, stored: Stored, version: number | undefined, hold: LockHold): Promise<boolean> {
    const data = JSON.stringify(stored);
    const write = async (): Promise<void> => {
      if (!hold.isHeld) throw new KeeperError(ErrorCode.BadVersion, 'setData', path);
      if (version === undefined) await this.client.create(path, { data });
      else await this.client.setData(path, data, { version });
    };
    try {
      await persistWrite(this.client, write, { losses: lossesAllowed(data) });
      return true;
    } catch (error) {
      const codes = ['BadVersion', 'NodeExists', 'NoNode'] as const;
      if (!codes.some((code) => isKeeperError(error, code))) throw error;
      const found = await this.read(path); // it may have been written, and the answer was lost
      return found?.stored.holder === stored.holder && found.stored.end === stored.end;
    }
  }
}

/** One of several leases, whichever can be had. */
export class MultiNonBlockingLease {
  readonly path: string;
  private readonly leases: readonly NonBlockingLease[];

  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, count: number, path: string, duration: number, options: LeaseTermOptions = {}) {
    this.path = recipePath('MultiNonBlockingLease', path);
    if (!(Number.isInteger(count) && count >= 1)) {
      throw new RecipeError('BadArgument', 'MultiNonBlockingLease', path, `there cannot be ${count} leases`);
    }
    const numbers = Array.from({ length: count }, (_, i) => i);
    this.leases = numbers.map((i) => new NonBlockingLease(client, join(path, String(i)), duration, options));
  }

  /** The first that can be had. */
  async obtain(wait: WaitOptions = {}): Promise<LeaseTerm | undefined> {
    for (const lease of this.leases) {
      const term = await lease.obtain(wait);
      if (term !== undefined) return term;
    }
    return undefined;
  }
}
