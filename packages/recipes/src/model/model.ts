// Nodes of one kind as values of one type. Source of the idea: the modelled framework of Apache Curator.

import { type Client, isKeeperError, type Stat } from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { RecipeError } from '../base/errors.js';
import { join, nodeName, recipePath } from '../base/paths.js';
import { persistOverSessions } from '../base/persist.js';
import type { Serializer } from '../base/serializer.js';
import { PathChildrenCache } from '../caches/views.js';
import { DistributedAtomicValue } from '../counters/atomic-value.js';

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
  async create(id: string, value: T): Promise<boolean> {
    const at = this.pathOf(id);
    await persistOverSessions(this.client, () => ensureContainers(this.client, this.path));
    return new DistributedAtomicValue(this.client, at, this.serializer, {}, RECIPE).initialize(value);
  }

  /** Undefined if there is none. Rejects with BadData if it cannot be read. */
  async read(id: string): Promise<Modelled<T> | undefined> {
    const path = this.pathOf(id);
    try {
      const { data, stat } = await persistOverSessions(this.client, () => this.client.getData(path));
      return { id, value: this.decode(path, data), stat };
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return undefined;
      throw error;
    }
  }

  /** Writes it, whether there was one or not. */
  set(id: string, value: T): Promise<void> {
    return new DistributedAtomicValue(this.client, this.pathOf(id), this.serializer, {}, RECIPE).forceSet(value);
  }

  /** Changes it on the value that is there, again if others are quicker. Resolves with undefined if there is none. */
  async update(id: string, change: (value: T) => T): Promise<T | undefined> {
    for (;;) {
      const found = await this.read(id);
      if (found === undefined) return undefined;
      const value = change(found.value);
      try {
        await this.client.setData(this.pathOf(id), this.serializer.serialize(value), { version: found.stat.version });
        return value;
      } catch (error) {
        if (!isKeeperError(error, 'BadVersion') && !isKeeperError(error, 'NoNode')) throw error;
      }
    }
  }

  /** Resolves with whether there was one. */
  async delete(id: string): Promise<boolean> {
    try {
      await this.client.delete(this.pathOf(id));
      return true;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return false;
      throw error;
    }
  }

  /** All, in the order of their ids. */
  async list(): Promise<Modelled<T>[]> {
    const ids = await persistOverSessions(this.client, () => this.client.getChildren(this.path)).then(
      ({ children }) => children.sort(),
      (error) => {
        if (isKeeperError(error, 'NoNode')) return [];
        throw error;
      },
    );
    const found = await Promise.all(ids.map((id) => this.read(id)));
    return found.filter((one) => one !== undefined);
  }

  /** All of them in memory, followed; `start` it. */
  cached(): PathChildrenCache<T> {
    return new PathChildrenCache(this.client, this.path, { serializer: this.serializer });
  }

  private decode(path: string, data: Buffer | null): T {
    try {
      return this.serializer.deserialize(data ?? Buffer.alloc(0));
    } catch (error) {
      throw new RecipeError('BadData', RECIPE, path, `cannot be read: ${error}`, error);
    }
  }
}
