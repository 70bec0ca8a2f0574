// A gate that keeps everybody waiting as long as its node is there. Source: DistributedBarrier of Apache Curator; Barrier of kazoo.

import { type Client, isKeeperError } from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { parentOf, recipePath } from '../base/paths.js';
import { persistOverSessions } from '../base/persist.js';
import { Limit, type WaitOptions } from '../base/wait.js';
import { changed } from '../base/watching.js';

const RECIPE = 'DistributedBarrier';

export class DistributedBarrier {
  readonly path: string;
  private readonly client: Client;

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string) {
    this.path = recipePath(RECIPE, path);
    this.client = client.untimed;
  }

  /** Closes the gate, unless it is closed. */
  async setBarrier(): Promise<void> {
    for (;;) {
      try {
        await persistOverSessions(this.client, () => this.client.create(this.path));
        return;
      } catch (error) {
        if (isKeeperError(error, 'NodeExists')) return;
        if (!isKeeperError(error, 'NoNode')) throw error;
        await ensureContainers(this.client, parentOf(this.path));
      }
    }
  }

  /** Opens the gate, unless it is open. */
  async removeBarrier(): Promise<void> {
    try {
      await persistOverSessions(this.client, () => this.client.delete(this.path));
    } catch (error) {
      if (!isKeeperError(error, 'NoNode')) throw error;
    }
  }

  /** Resolves when the gate is open. Rejects with Timeout, the signal's reason, or the server's error. */
  async waitOnBarrier(options: WaitOptions = {}): Promise<void> {
    using limit = new Limit(options, { recipe: RECIPE, path: this.path });
    for (;;) {
      try {
        // Reading the data leaves no watch behind on a gate that is open.
        if (!(await changed(this.client, this.path, 'data', limit.signal))) return;
      } catch (error) {
        if (!isKeeperError(error, 'SessionExpired') || this.client.isOver) throw error;
      }
    }
  }
}
