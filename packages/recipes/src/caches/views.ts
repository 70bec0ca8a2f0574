// The cache as one wants it for a node, for children, for a tree. The names are Apache Curator's.

import type { Client } from '@nodekeeper/client';
import type { Serializer } from '../base/serializer.js';
import { Cache, type CachedNode, type CacheOptions } from './cache.js';

export interface ViewOptions<T> {
  /** Makes `value` of the data. */
  readonly serializer?: Serializer<T> | undefined;
}

/** One node. */
export class NodeCache<T = Buffer | null> extends Cache<T> {
  constructor(client: Client, path: string, options: ViewOptions<T> = {}) {
    super(client, path, { ...options, maxDepth: 0 }, 'NodeCache');
  }

  /** Undefined if there is no such node. */
  get current(): CachedNode<T> | undefined {
    return this.get(this.path);
  }
}

/** The children of a node, without what is below them; the node itself is part of it. */
export class PathChildrenCache<T = Buffer | null> extends Cache<T> {
  constructor(client: Client, path: string, options: ViewOptions<T> = {}) {
    super(client, path, { ...options, maxDepth: 1 }, 'PathChildrenCache');
  }

  /** By name. */
  get current(): Map<string, CachedNode<T>> {
    return this.children(this.path);
  }
}

/** A node and what is below it, as deep and as far as the options say. */
export class TreeCache<T = Buffer | null> extends Cache<T> {
  constructor(client: Client, path: string, options: CacheOptions<T> = {}) {
    super(client, path, options, 'TreeCache');
  }
}
