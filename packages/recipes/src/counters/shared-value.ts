// A value in a node that every process follows. Source: SharedValue, SharedCount of Apache Curator.

import { type Client, type EventStream, isKeeperError, type NodeData } from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { followData } from '../base/follow.js';
import { Lifecycle } from '../base/lifecycle.js';
import { parentOf, recipePath } from '../base/paths.js';
import { persistUntil, persistWrite } from '../base/persist.js';
import { int32Serializer, type Serializer } from '../base/serializer.js';
import { LATEST } from '../base/unread.js';
import { deferred, startOrClose, unlessAborted, type WaitOptions, type Who, withLimit } from '../base/wait.js';
import { setIfVersion } from './set-if-version.js';

/** A value as it was at one time. */
export interface VersionedValue<T> {
  readonly value: T;
  /** Of the node; -1 for the seed, before the node was read. */
  readonly version: number;
  /** zxid of the change that brought it. */
  readonly zxid: number;
}

export interface SharedValueEvents<T> {
  /** Another value was seen, whoever wrote it. */
  change: [value: VersionedValue<T>];
}

export class SharedValue<T> extends RecipeEmitter<SharedValueEvents<T>> implements AsyncDisposable {
  readonly path: string;
  private readonly who: Who;
  private readonly client: Client;
  private readonly seed: T;
  private readonly serializer: Serializer<T>;
  private readonly life: Lifecycle;
  private current: VersionedValue<T>;
  private following: Promise<void> | undefined;

  /** @param seed what the node gets if there is none; @throws RecipeError BadPath */
  constructor(client: Client, path: string, seed: T, serializer: Serializer<T>, recipe = 'SharedValue') {
    super();
    this.path = recipePath(recipe, path);
    this.who = { recipe, path };
    this.client = client.untimed;
    this.seed = seed;
    this.serializer = serializer;
    this.life = new Lifecycle(recipe, path);
    this.current = { value: seed, version: -1, zxid: 0 };
  }

  /** Resolves when the value was read. Rejects with AlreadyStarted, Closed, BadData, or the server's error. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    await startOrClose(this, wait, this.who, () => this.begin());
    // It ends with the client, too.
    this.following?.catch((error) => this.fail(error)).finally(() => this.endStreams());
    return this;
  }

  private async begin(): Promise<void> {
    const first = deferred();
    let isFirst = true;
    await unlessAborted(this.ensureNode(this.life.signal), this.life.signal);
    this.following = followData(this.client, this.path, this.life.signal, (data) => {
      this.take(data, (bad) => (isFirst ? first.reject(bad) : this.fail(bad)));
      isFirst &&= data === null;
      if (!isFirst) first.resolve();
    });
    this.following.then(() => first.reject(this.life.signal.reason), first.reject);
    await first.promise;
  }

  /** As last seen. Others may have changed it since; see {@link refresh}. */
  get value(): T {
    return this.current.value;
  }

  get versionedValue(): VersionedValue<T> {
    return this.current;
  }

  /** Reads the node, with all that the leader has committed before. */
  async refresh(wait: WaitOptions = {}): Promise<VersionedValue<T>> {
    this.life.check();
    await withLimit(wait, this.who, (signal) => this.readAgain(signal));
    return this.current;
  }

  private async readAgain(signal: AbortSignal | undefined): Promise<void> {
    const reads = () => Promise.all([this.client.sync(this.path), this.client.getData(this.path)]);
    const [, data] = await persistUntil(this.client, reads, signal);
    this.take(data, (error) => {
      throw error;
    });
  }

  /** Writes the value whatever it was. A lost connection may have it written twice. */
  async setValue(value: T, wait: WaitOptions = {}): Promise<void> {
    this.life.check();
    const bytes = this.serializer.serialize(value);
    const write = () => this.client.setData(this.path, bytes);
    const stat = await withLimit(wait, this.who, (signal) => persistWrite(this.client, write, { signal }));
    this.update({ value, version: stat.version, zxid: stat.mzxid });
  }

  /**
   * Writes the value if the node's version is still that of `previous`. Resolves with whether it was. Rejects with the
   * KeeperError of a lost connection, `outcomeUnknown`, if even reading the node again cannot tell who wrote it.
   */
  async trySetValue(previous: VersionedValue<T>, value: T, wait: WaitOptions = {}): Promise<boolean> {
    this.life.check();
    const bytes = this.serializer.serialize(value);
    return withLimit(wait, this.who, async (signal) => {
      const stat = await setIfVersion(this.client, this.path, bytes, previous.version, signal);
      if (stat === undefined) await this.readAgain(signal);
      else this.update({ value, version: stat.version, zxid: stat.mzxid });
      return stat !== undefined;
    });
  }

  /** The values from now on, until it is closed. Of more than 100 that were not read the oldest go. */
  changes(): EventStream<VersionedValue<T>> {
    this.life.check();
    return this.streamOf('change', LATEST);
  }

  /** Ends the following; the node stays. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    this.endStreams();
    await this.following?.catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async ensureNode(signal: AbortSignal): Promise<void> {
    const data = this.serializer.serialize(this.seed);
    for (;;) {
      try {
        await persistWrite(this.client, () => this.client.create(this.path, { data }), { signal });
        return;
      } catch (error) {
        if (isKeeperError(error, 'NodeExists')) return;
        if (!isKeeperError(error, 'NoNode')) throw error;
        await persistUntil(this.client, () => ensureContainers(this.client, parentOf(this.path)), signal);
      }
    }
  }

  private take(read: NodeData | null, onBad: (error: RecipeError) => void): void {
    if (read === null) return; // somebody has deleted it; the last value stays
    const { data, stat } = read;
    try {
      const value = this.serializer.deserialize(data ?? Buffer.alloc(0));
      this.update({ value, version: stat.version, zxid: stat.mzxid });
    } catch (error) {
      onBad(new RecipeError('BadData', this.who.recipe, this.path, `cannot be read: ${error}`, error));
    }
  }

  private update(next: VersionedValue<T>): void {
    if (next.zxid <= this.current.zxid) return; // a newer one was seen already
    this.current = next;
    this.tell('change', next);
  }
}

/** A shared int of 32 bits, laid out as Curator's; kazoo's Counter with `support_curator` counts in it too. */
export class SharedCount extends SharedValue<number> {
  constructor(client: Client, path: string, seed = 0) {
    super(client, path, seed, int32Serializer, 'SharedCount');
  }

  get count(): number {
    return this.value;
  }

  setCount(count: number, wait: WaitOptions = {}): Promise<void> {
    return this.setValue(count, wait);
  }

  trySetCount(previous: VersionedValue<number>, count: number, wait: WaitOptions = {}): Promise<boolean> {
    return this.trySetValue(previous, count, wait);
  }
}
