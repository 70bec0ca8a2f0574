// A copy of a subtree in memory, kept equal by one persistent watch. Source: CuratorCache of Apache Curator.

import {
  type Client,
  type EventStream,
  isKeeperError,
  type NodeData,
  type PersistentEvent,
  type PersistentWatchHandle,
  type Stat,
  type StateChange,
} from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, nameOf, parentOf, recipePath } from '../base/paths.js';
import { isSessionOver, pauseAfter } from '../base/persist.js';
import type { Serializer } from '../base/serializer.js';
import { onStateChange } from '../base/session-hub.js';
import { everyChange } from '../base/unread.js';
import { Limit, pause, startOrClose, unlessAborted, type WaitOptions } from '../base/wait.js';
import { BatchReader } from './batch-reader.js';
import { dataOf, mzxidOf, numChildrenOf, type Packed, Packer, pzxidOf, statOf } from './packed-node.js';

/** A server that is too busy is asked again after as long a pause as after so many failures. */
const THROTTLED = 7;

export interface CacheOptions<T> {
  /** How many levels below the path are kept: 0 for the node alone. All if not given. */
  readonly maxDepth?: number | undefined;
  /** Whether a node, and what is below it, is kept; the path itself always is. All if not given. */
  readonly selector?: ((path: string) => boolean) | undefined;
  /** Makes `value` of the data. */
  readonly serializer?: Serializer<T> | undefined;
}

/** A node as the cache has it. It is never changed: a change of the node brings another one. */
export interface CachedNode<T> {
  readonly path: string;
  readonly data: Buffer | null;
  /**
   * As it was when the data were read. What a watch does not tell is not followed: `numChildren`, `cversion` and `pzxid`, which change
   * with the children, and `aversion`; see {@link Cache.childNames}.
   */
  readonly stat: Stat;
  /** What the serializer makes of the data, the first time it is asked. @throws RecipeError BadData, BadArgument */
  readonly value: T;
}

export type CacheEvent<T> =
  | { readonly type: 'created'; readonly node: CachedNode<T> }
  | { readonly type: 'changed'; readonly node: CachedNode<T>; readonly previous: CachedNode<T> }
  | { readonly type: 'deleted'; readonly node: CachedNode<T> }
  | { readonly type: 'initialized' }
  | { readonly type: 'state'; readonly change: StateChange };

export interface CacheEvents<T> {
  created: [node: CachedNode<T>];
  changed: [node: CachedNode<T>, previous: CachedNode<T>];
  deleted: [node: CachedNode<T>];
  /** All that was there when it was started is in the cache. */
  initialized: [];
  /** After a gap, a lost connection or session, all was read again: the cache is as it would be without. */
  current: [];
  /** Of the session. While it is `suspended` the cache may be behind, until `current` follows. */
  state: [change: StateChange];
  /** Every one of these. */
  event: [event: CacheEvent<T>];
}

/**
 * Follows a subtree. What the cache shows is what some server showed, never older than what it has shown before, node by
 * node; states that lasted too short are not seen. After a lost connection or session everything is read again, and what
 * was missed is told as if it happened then. Needs a server of 3.6 or later.
 */
export class Cache<T = Buffer | null> extends RecipeEmitter<CacheEvents<T>> implements AsyncDisposable {
  readonly path: string;
  protected readonly client: Client;
  private readonly recipe: string;
  private readonly options: CacheOptions<T>;
  private readonly life: Lifecycle;
  private readonly nodes = new Map<string, Entry<T>>();
  /** How many there were when there were most. */
  private mostNodes = 0;
  /** Names of the children of those that have any; made when they are asked for the first time, and kept from then on. */
  private index: Map<string, Set<string>> | undefined;
  private readonly reader: BatchReader;
  /** Names of nodes that were read before their parents, by the parent: when that is there they are read again. */
  private readonly orphans = new Map<string, Set<string>>();
  private readonly packer = new Packer();
  private readonly form: ValueForm<T>;
  private readonly depthOfRoot: number;
  private watch: PersistentWatchHandle | undefined;
  private forgetState: () => void = () => {};
  private isScanning = false;
  private isScanWanted = false;
  /** Counts scans, so that what a scan does not find can be told from what it does. */
  private scan = 0;
  private failure: unknown;
  private isFilled = false;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, options: CacheOptions<T> = {}, recipe = 'Cache') {
    super();
    this.path = path === '/' ? path : recipePath(recipe, path);
    this.recipe = recipe;
    this.client = client.untimed;
    this.options = options;
    this.life = new Lifecycle(recipe, path);
    this.depthOfRoot = depthOf(path);
    this.form = { recipe, serializer: options.serializer };
    const { maxDepth = 0 } = options;
    if (!(maxDepth >= 0)) throw new RecipeError('BadArgument', recipe, path, `maxDepth cannot be ${maxDepth}`);
    this.reader = new BatchReader(this.client, {
      onRead: (at, node) => this.onRead(at, node),
      onFailure: (at, error) => this.onFailure(at, error),
    });
  }

  /**
   * Begins to follow. Resolves when the cache is filled. Rejects with AlreadyStarted, Closed, or the server's error.
   * A lost connection only takes longer.
   */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    await startOrClose(this, wait, { recipe: this.recipe, path: this.path }, () => this.begin());
    return this;
  }

  private async begin(): Promise<void> {
    this.forgetState = onStateChange(this.client, (change) => {
      this.tell('state', change);
      this.tell('event', { type: 'state', change });
    });
    this.watch = await this.client.addWatch(this.path, (event) => this.onEvent(event), {
      recursive: this.options.maxDepth !== 0,
      signal: this.life.signal,
    });
    this.wantScan();
    await this.initialized();
  }

  /** Aborted when it follows no more: it was closed, or the client was. */
  get closed(): AbortSignal {
    return this.life.signal;
  }

  /** Whether all that was there when it was started is in the cache. */
  get isInitialized(): boolean {
    return this.isFilled;
  }

  /** Resolves when the cache is filled. Rejects with Timeout, the signal's reason, Closed, or the server's error. */
  async initialized(options: WaitOptions = {}): Promise<void> {
    if (this.isFilled) return;
    using limit = new Limit(options, { recipe: this.recipe, path: this.path });
    let finish: () => void = () => {};
    const settled = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.once('initialized', finish as never);
    this.life.signal.addEventListener('abort', finish, { once: true });
    try {
      if (!this.life.isClosed) await unlessAborted(settled, limit.signal);
    } finally {
      this.removeListener('initialized', finish as never);
      this.life.signal.removeEventListener('abort', finish);
    }
    if (!this.isFilled) throw this.failure ?? this.life.signal.reason;
  }

  get(path: string): CachedNode<T> | undefined {
    return this.nodes.get(path);
  }

  get size(): number {
    return this.nodes.size;
  }

  /** All nodes, parents before their children. Nodes that change meanwhile may be seen either way. */
  *all(): Generator<CachedNode<T>, void, undefined> {
    yield* this.nodes.values();
  }

  /** Names of the cached children of a node. */
  childNames(path: string): string[] {
    return [...(this.names().get(path) ?? [])];
  }

  /** The cached children of a node, by name. */
  children(path: string): Map<string, CachedNode<T>> {
    const found = new Map<string, CachedNode<T>>();
    for (const name of this.names().get(path) ?? []) {
      const node = this.nodes.get(join(path, name));
      if (node !== undefined) found.set(name, node);
    }
    return found;
  }

  /**
   * Changes from now on, until the cache is closed. When more than 10,000 are left unread, and as many more as the cache has had
   * nodes, the reader gets an Overflow, and no more: what is now is in the cache.
   */
  changes(): EventStream<CacheEvent<T>> {
    this.life.check();
    return this.streamOf(
      'event',
      everyChange({ recipe: this.recipe, path: this.path }, () => this.mostNodes),
    );
  }

  /** Ends the following and forgets the nodes. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    this.watch?.close();
    this.forgetState();
    this.endStreams();
    this.nodes.clear();
    this.orphans.clear();
    this.index = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- what is told ----

  private onEvent(event: PersistentEvent): void {
    if (this.life.isClosed) return;
    if (event.type === 'resync') this.wantScan();
    else if (event.type === 'nodeDeleted') this.gone(event.path);
    else if (event.type === 'none') this.end(new RecipeError('Closed', this.recipe, this.path, 'the client is closed'));
    else if (event.type !== 'nodeChildrenChanged' && this.isKept(event.path)) this.reader.read(event.path);
  }

  private isKept(path: string): boolean {
    if (path === this.path) return true;
    const { maxDepth = Number.POSITIVE_INFINITY, selector } = this.options;
    if (depthOf(path) - this.depthOfRoot > maxDepth) return false;
    if (selector === undefined) return true;
    for (let at = path; at !== this.path; at = parentOf(at)) if (!selector(at)) return false;
    return true;
  }

  private onRead(path: string, read: NodeData | null): void {
    if (this.life.isClosed) return;
    const previous = this.nodes.get(path);
    if (read === null) {
      this.gone(path);
      return;
    }
    // What is read may be ahead of the events that have it read, so that the parent, made anew, is still to come.
    if (previous === undefined && path !== this.path && !this.nodes.has(parentOf(path))) {
      register(this.orphans, path);
      return;
    }
    const { stat } = read;
    if (previous !== undefined) {
      previous.scan = this.scan;
      if (previous.isAsOld(stat)) return;
    }
    const node = new Entry<T>(path, this.packer.pack(read), this.scan, this.form);
    this.nodes.set(path, node);
    this.mostNodes = Math.max(this.mostNodes, this.nodes.size);
    if (previous === undefined) {
      if (this.index !== undefined && path !== this.path) register(this.index, path);
      this.tell('created', node);
      this.tell('event', { type: 'created', node });
      this.readOrphans(path);
    } else if (previous.mzxid !== stat.mzxid) {
      this.tell('changed', node, previous);
      this.tell('event', { type: 'changed', node, previous });
    }
  }

  private readOrphans(parent: string): void {
    const names = this.orphans.get(parent);
    this.orphans.delete(parent);
    for (const name of names ?? []) this.reader.read(join(parent, name));
  }

  /** In a gap what was below it may have gone, too: at the end of the scan that is told before. */
  private gone(path: string): void {
    const node = this.nodes.get(path);
    if (node !== undefined && this.isScanning) node.scan = this.scan - 1;
    else this.drop(path);
  }

  private drop(path: string): void {
    unregister(this.orphans, path);
    const node = this.nodes.get(path);
    if (node === undefined) return;
    this.nodes.delete(path);
    if (this.index !== undefined) unregister(this.index, path);
    this.tell('deleted', node);
    this.tell('event', { type: 'deleted', node });
  }

  private names(): Map<string, Set<string>> {
    if (this.index === undefined) {
      this.index = new Map();
      for (const path of this.nodes.keys()) if (path !== this.path) register(this.index, path);
    }
    return this.index;
  }

  // ---- reading all ----

  private wantScan(): void {
    this.isScanWanted = true;
    if (!this.isScanning) void this.runScans();
  }

  private async runScans(): Promise<void> {
    this.isScanning = true;
    while (this.isScanWanted && !this.life.isClosed) {
      this.isScanWanted = false;
      try {
        await this.scanAll();
      } catch (error) {
        // A lost connection: a resync follows when there is one again.
        if (isKeeperError(error, 'ConnectionLoss') || isKeeperError(error, 'SessionExpired')) continue;
        if (isKeeperError(error, 'ThrottledOp')) {
          await pause(pauseAfter(THROTTLED), this.life.signal).catch(() => {});
          this.isScanWanted = true;
        } else this.end(error);
      }
    }
    this.isScanning = false;
  }

  private async scanAll(): Promise<void> {
    this.scan++;
    this.orphans.clear();
    this.failure = undefined;
    let level = [this.path];
    while (level.length > 0 && !this.life.isClosed) {
      await this.reader.readAll(level);
      this.throwFailure();
      level = await this.listBelow(level);
    }
    this.throwFailure();
    if (this.life.isClosed || this.isScanWanted) return;
    this.dropUnseen();
    if (this.isFilled) {
      this.tell('current');
      return;
    }
    this.isFilled = true;
    this.tell('initialized');
    this.tell('event', { type: 'initialized' });
  }

  private async listBelow(level: readonly string[]): Promise<string[]> {
    const below: string[] = [];
    const calls: Promise<void>[] = [];
    for (const parent of level) {
      const isLast = depthOf(parent) - this.depthOfRoot >= (this.options.maxDepth ?? Number.POSITIVE_INFINITY);
      if (isLast || !this.nodes.get(parent)?.hasChildren) continue;
      calls.push(this.list(parent, below));
      await this.client.drained();
      if (this.failure !== undefined) break;
    }
    await Promise.all(calls);
    this.throwFailure();
    return below;
  }

  /** Adds the paths of the children. Never rejects: who asks for many awaits none before there is room for the next. */
  private async list(parent: string, below: string[]): Promise<void> {
    try {
      const { children } = await this.client.getChildren(parent);
      for (const name of children) {
        const path = join(parent, name);
        if (this.options.selector?.(path) ?? true) below.push(path);
      }
    } catch (error) {
      if (!isKeeperError(error, 'NoNode')) this.onFailure(parent, error);
    }
  }

  /** Deepest first, as a server deletes. */
  private dropUnseen(): void {
    const unseen: string[] = [];
    for (const node of this.nodes.values()) if (node.scan !== this.scan) unseen.push(node.path);
    for (const path of unseen.reverse()) this.drop(path);
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private onFailure(path: string, error: unknown): void {
    // Of a node that may not be read others shall not suffer. Without the path itself there is nothing to follow.
    const isOfNode = isKeeperError(error, 'NoAuth') && path !== this.path;
    const isPassing = isKeeperError(error, 'ConnectionLoss') || isSessionOver(error);
    if (this.isScanning && !isOfNode) this.failure ??= error;
    else if (isKeeperError(error, 'ThrottledOp')) this.wantScan();
    else if (!isPassing && !this.life.isClosed) this.fail(error);
  }

  private end(error: unknown): void {
    if (this.life.isClosed) return;
    this.failure = error;
    if (this.isFilled) this.fail(error);
    void this.close();
  }
}

function register(index: Map<string, Set<string>>, path: string): void {
  const parent = parentOf(path);
  const siblings = index.get(parent);
  if (siblings === undefined) index.set(parent, new Set([nameOf(path)]));
  else siblings.add(nameOf(path));
}

function unregister(index: Map<string, Set<string>>, path: string): void {
  const parent = parentOf(path);
  const siblings = index.get(parent);
  siblings?.delete(nameOf(path));
  if (siblings?.size === 0) index.delete(parent);
}

/** How the values of a cache are made. */
interface ValueForm<T> {
  readonly recipe: string;
  readonly serializer: Serializer<T> | undefined;
}

class Entry<T> implements CachedNode<T>, Packed {
  readonly path: string;
  /** The scan that has seen it last. */
  scan: number;
  readonly block: Buffer;
  readonly at: number;
  private readonly form: ValueForm<T>;
  private made: { readonly value: T } | undefined;

  constructor(path: string, { block, at }: Packed, scan: number, form: ValueForm<T>) {
    this.path = path;
    this.block = block;
    this.at = at;
    this.scan = scan;
    this.form = form;
    this.made = undefined;
  }

  get data(): Buffer | null {
    return dataOf(this);
  }

  get stat(): Stat {
    return statOf(this);
  }

  get mzxid(): number {
    return mzxidOf(this);
  }

  get hasChildren(): boolean {
    return numChildrenOf(this) > 0;
  }

  isAsOld(stat: Stat): boolean {
    return this.mzxid === stat.mzxid && pzxidOf(this) === stat.pzxid;
  }

  get value(): T {
    const { recipe, serializer } = this.form;
    if (this.made === undefined) {
      if (serializer === undefined)
        throw new RecipeError('BadArgument', recipe, this.path, 'the cache has no serializer');
      try {
        this.made = { value: serializer.deserialize(this.data ?? Buffer.alloc(0)) };
      } catch (error) {
        throw new RecipeError('BadData', recipe, this.path, `cannot be read: ${error}`, error);
      }
    }
    return this.made.value;
  }
}

function depthOf(path: string): number {
  if (path === '/') return 0;
  let depth = 0;
  for (let i = 0; i < path.length; i++) if (path.charCodeAt(i) === 0x2f) depth++;
  return depth;
}
