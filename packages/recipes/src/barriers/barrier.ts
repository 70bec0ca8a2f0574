// A gate that keeps everybody waiting as long as its node is there. Source: DistributedBarrier of Apache Curator; Barrier of kazoo.

import { type Client, isKeeperError } from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { parentOf, recipePath } from '../base/paths.js';
import { persistUntil, persistWrite } from '../base/persist.js';
import { Limit, type WaitOptions, withLimit } from '../base/wait.js';
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
  async setBarrier(wait: WaitOptions = {}): Promise<void> {
    await withLimit(wait, { recipe: RECIPE, path: this.path }, async (signal) => {
      for (;;) {
        try {
          await persistWrite(this.client, () => this.client.create(this.path), {
            losses: Number.POSITIVE_INFINITY,
            signal,
          });
          return;
        } catch (error) {
          if (isKeeperError(error, 'NodeExists')) return;
          if (!isKeeperError(error, 'NoNode')) throw error;
          await persistUntil(this.client, () => ensureContainers(this.client, parentOf(this.path)), signal);
        }
      }
    });
  }

  /** Opens the gate, unless it is open. */
  async removeBarrier(wait: WaitOptions = {}): Promise<void> {
    const remove = () => this.client.delete(this.path);
    try {
      await withLimit(wait, { recipe: RECIPE, path: this.path }, (signal) =>
        persistWrite(this.client, remove, { losses: Number.POSITIVE_INFINITY, signal }),
      );
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
