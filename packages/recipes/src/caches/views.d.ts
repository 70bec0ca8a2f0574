import type { Client } from '@nodekeeper/client';
import type { Serializer } from '../base/serializer.js';
import { Cache, type CachedNode, type CacheOptions } from './cache.js';
export interface ViewOptions<T> {
    /** Makes `value` of the data. */
    readonly serializer?: Serializer<T>;
}
/** One node. */
export declare class NodeCache<T = Buffer | null> extends Cache<T> {
    constructor(client: Client, path: string, options?: ViewOptions<T>);
    /** Undefined if there is no such node. */
    get current(): CachedNode<T> | undefined;
}
/** The children of a node, without what is below them; the node itself is part of it. */
export declare class PathChildrenCache<T = Buffer | null> extends Cache<T> {
    constructor(client: Client, path: string, options?: ViewOptions<T>);
    /** By name. */
    get current(): Map<string, CachedNode<T>>;
}
/** A node and what is below it, as deep and as far as the options say. */
export declare class TreeCache<T = Buffer | null> extends Cache<T> {
    constructor(client: Client, path: string, options?: CacheOptions<T>);
}
