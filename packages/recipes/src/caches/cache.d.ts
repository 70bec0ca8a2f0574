import { type Client, type EventStream, type Stat, type StateChange } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import type { Serializer } from '../base/serializer.js';
import { type WaitOptions } from '../base/wait.js';
export interface CacheOptions<T> {
    /** How many levels below the path are kept: 0 for the node alone. All if not given. */
    readonly maxDepth?: number;
    /** Whether a node, and what is below it, is kept; the path itself always is. All if not given. */
    readonly selector?: (path: string) => boolean;
    /** Makes `value` of the data. */
    readonly serializer?: Serializer<T>;
}
/** A node as the cache has it. It is never changed: a change of the node brings another one. */
export interface CachedNode<T> {
    readonly path: string;
    readonly data: Buffer | null;
    readonly stat: Stat;
    /** What the serializer makes of the data, the first time it is asked. @throws RecipeError BadData, BadArgument */
    readonly value: T;
}
export type CacheEvent<T> = {
    readonly type: 'created';
    readonly node: CachedNode<T>;
} | {
    readonly type: 'changed';
    readonly node: CachedNode<T>;
    readonly previous: CachedNode<T>;
} | {
    readonly type: 'deleted';
    readonly node: CachedNode<T>;
} | {
    readonly type: 'initialized';
} | {
    readonly type: 'state';
    readonly change: StateChange;
};
export interface CacheEvents<T> {
    created: [node: CachedNode<T>];
    changed: [node: CachedNode<T>, previous: CachedNode<T>];
    deleted: [node: CachedNode<T>];
    /** All that was there when it was started is in the cache. */
    initialized: [];
    /** Of the session. While it is `suspended` the cache may be behind. */
    state: [change: StateChange];
    /** Every one of these. */
    event: [event: CacheEvent<T>];
}
/**
 * Follows a subtree. What the cache shows is what some server showed, never older than what it has shown before, node by
 * node; states that lasted too short are not seen. After a lost connection or session everything is read again, and what
 * was missed is told as if it happened then. Needs a server of 3.6 or later.
 */
export declare class Cache<T = Buffer | null> extends RecipeEmitter<CacheEvents<T>> implements AsyncDisposable {
    readonly path: string;
    protected readonly client: Client;
    private readonly recipe;
    private readonly options;
    private readonly life;
    private readonly nodes;
    /** Names of the children of those that have any. */
    private readonly names;
    private readonly reader;
    private readonly depthOfRoot;
    private watch;
    private forgetState;
    private isScanning;
    private isScanWanted;
    /** Counts scans, so that what a scan does not find can be told from what it does. */
    private scan;
    private failure;
    private isFilled;
    /** @throws RecipeError BadPath, BadArgument */
    constructor(client: Client, path: string, options?: CacheOptions<T>, recipe?: string);
    /**
     * Begins to follow. Resolves when the cache is filled. Rejects with AlreadyStarted, Closed, or the server's error.
     * A lost connection only takes longer.
     */
    start(): Promise<this>;
    /** Whether all that was there when it was started is in the cache. */
    get isInitialized(): boolean;
    /** Resolves when the cache is filled. Rejects with Timeout, the signal's reason, Closed, or the server's error. */
    initialized(options?: WaitOptions): Promise<void>;
    get(path: string): CachedNode<T> | undefined;
    get size(): number;
    /** All nodes, parents before their children. Nodes that change meanwhile may be seen either way. */
    all(): Generator<CachedNode<T>, void, undefined>;
    /** Names of the cached children of a node. */
    childNames(path: string): string[];
    /** The cached children of a node, by name. */
    children(path: string): Map<string, CachedNode<T>>;
    /** Changes from now on, until the cache is closed. */
    changes(): EventStream<CacheEvent<T>>;
    /** Ends the following and forgets the nodes. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    private onEvent;
    private isKept;
    private onRead;
    private drop;
    private register;
    private wantScan;
    private runScans;
    private scanAll;
    private listBelow;
    /** Deepest first, as a server deletes. */
    private dropUnseen;
    private throwFailure;
    private onFailure;
    private end;
}
