// A lock that one owner holds at a time. Source: InterProcessMutex of Apache Curator; Lock of kazoo.

import type { Client } from '@nodekeeper/client';
import type { Contest } from './contend.js';
import { Lock, type LockOptions } from './lock.js';
import { type Contender, namesBefore, newLockName } from './names.js';

/**
 * A mutual exclusion lock that is fair (first come, first served), re-entrant per owner, and shared with every process that
 * uses the same path: with Curator's InterProcessMutex, or with `layout: 'kazoo'` with kazoo's Lock.
 */
export class InterProcessMutex extends Lock {
  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, options: LockOptions = {}) {
    super('InterProcessMutex', client, path, options);
  }

  protected contest(): Contest {
    const { layout = 'curator', data } = this.options;
    return { path: this.path, newName: () => newLockName(layout, 'lock'), data, ahead: namesBefore };
  }

  protected isParticipant({ isReader }: Contender): boolean {
    return !isReader;
  }
}
