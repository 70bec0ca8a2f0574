// Nodes of one kind as values of one type. Source of the idea: the modelled framework of Apache Curator.

import { type Client, isKeeperError, type Stat } from '@nodekeeper/client';
import { RecipeError } from '../base/errors.js';
import { join, nodeName, recipePath } from '../base/paths.js';
import { persistUntil, persistWrite } from '../base/persist.js';
import type { Serializer } from '../base/serializer.js';
import { type WaitOptions, withLimit } from '../base/wait.js';
import { PathChildrenCache } from '../caches/views.js';
import { DistributedAtomicValue } from '../counters/atomic-value.js';
import { setIfVersion } from '../counters/set-if-version.js';

const RECIPE = 'Model';

export interface Modelled<T> {
  readonly id: string;
  readonly value: T;
  readonly stat: Stat;
}

/** The children of a node, each one a value; its name is the value's id. */
export class Model<T> {
  readonly path: string;
  private readonly client: Client;
  private readonly serializer: Serializer<T>;

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, serializer: Serializer<T>) {
    this.path = recipePath(RECIPE, path);
    this.client = client.untimed;
    this.serializer = serializer;
  }

  /** Where the value with this id is. @throws RecipeError BadArgument */
  pathOf(id: string): string {
    return join(this.path, nodeName(RECIPE, this.path, id));
  }

  /** Resolves with false if there is one with this id. */
  async create(id: string, value: T, wait: WaitOptions = {}): Promise<boolean> {
    return this.at(id).initialize(value, wait);
  }

  /** Undefined if there is none. Rejects with BadData if it cannot be read. */
  async read(id: string, wait: WaitOptions = {}): Promise<Modelled<T> | undefined> {
    const path = this.pathOf(id);
    return withLimit(wait, { recipe: RECIPE, path }, (signal) => this.readWithin(id, signal));
  }

  private async readWithin(id: string, signal: AbortSignal | undefined): Promise<Modelled<T> | undefined> {
    const path = this.pathOf(id);
    try {
      const { data, stat } = await persistUntil(this.client, () => this.client.getData(path), signal);
      return { id, value: this.decode(path, data), stat };
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return undefined;
      throw error;
    }
  }

  /** Writes it, whether there was one or not. */
  async set(id: string, value: T, wait: WaitOptions = {}): Promise<void> {
    await this.at(id).forceSet(value, wait);
  }

  /**
   * Changes it on the value that is there, again if others are quicker. Resolves with undefined if there is none. Rejects with the
   * KeeperError of a lost connection, `outcomeUnknown`, if even reading the node again cannot tell whether it was changed.
   */
  async update(id: string, change: (value: T) => T, wait: WaitOptions = {}): Promise<T | undefined> {
    const path = this.pathOf(id);
    return withLimit(wait, { recipe: RECIPE, path }, async (signal) => {
      for (;;) {
        const found = await this.readWithin(id, signal);
        if (found === undefined) return undefined;
        const value = change(found.value);
        const bytes = this.serializer.serialize(value);
        if ((await setIfVersion(this.client, path, bytes, found.stat.version, signal)) !== undefined) return value;
      }
    });
  }

  /** Resolves with whether there was one. Rejects with a KeeperError, `outcomeUnknown`, if a lost connection leaves that open. */
  async delete(id: string, wait: WaitOptions = {}): Promise<boolean> {
    const path = this.pathOf(id);
    const remove = () => this.client.delete(path);
    try {
      await withLimit(wait, { recipe: RECIPE, path }, (signal) =>
        persistWrite(this.client, remove, { losses: 1, signal }),
      );
      return true;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return false;
      throw error;
    }
  }

  /** All, in the order of their ids. */
  list(wait: WaitOptions = {}): Promise<Modelled<T>[]> {
    return withLimit(wait, { recipe: RECIPE, path: this.path }, async (signal) => {
      const ids = await this.ids(signal);
      const found = await Promise.all(ids.map((id) => this.readWithin(id, signal)));
      return found.filter((one) => one !== undefined);
    });
  }

  private async ids(signal: AbortSignal | undefined): Promise<string[]> {
    try {
      const { children } = await persistUntil(this.client, () => this.client.getChildren(this.path), signal);
      return children.sort();
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }

  /** All of them in memory, followed; `start` it. */
  cached(): PathChildrenCache<T> {
    return new PathChildrenCache(this.client, this.path, { serializer: this.serializer });
  }

  private at(id: string): DistributedAtomicValue<T> {
    return new DistributedAtomicValue(this.client, this.pathOf(id), this.serializer, {}, RECIPE);
  }

  private decode(path: string, data: Buffer | null): T {
    try {
      return this.serializer.deserialize(data ?? Buffer.alloc(0));
    } catch (error) {
      throw new RecipeError('BadData', RECIPE, path, `cannot be read: ${error}`, error);
    }
  }
}
