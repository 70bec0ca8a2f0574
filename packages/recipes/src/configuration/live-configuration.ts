// A typed configuration that every process has as it is now, with its history.

import { randomUUID } from 'node:crypto';
import {
  type Client,
  type EventStream,
  isKeeperError,
  type NodeData,
  type Stat,
  type Transaction,
} from '@nodekeeper/client';
import { ensureContainers } from '../base/create.js';
import { RecipeEmitter } from '../base/emitter.js';
import { isRecipeError, RecipeError } from '../base/errors.js';
import { followData } from '../base/follow.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, parentOf, recipePath } from '../base/paths.js';
import {
  isPassing,
  lossesAllowed,
  pauseAfter,
  persistOverSessions,
  persistUntil,
  untilConnected,
} from '../base/persist.js';
import { LATEST } from '../base/unread.js';
import { deferred, pause, startOrClose, unlessAborted, type WaitOptions, withLimit } from '../base/wait.js';
import { SyncedFile, type SyncedFileOptions } from './file-sync.js';
import { type StandardSchema, validated } from './schema.js';

const RECIPE = 'LiveConfiguration';
const HISTORY = 'history';

export interface LiveConfigurationOptions<T> {
  /** Judges every document before it is written, and before it is taken over from others. */
  readonly schema: StandardSchema<T>;
  /** Is written if there is no configuration yet. */
  readonly initial?: T | undefined;
  /** How many versions are kept; 10 if not given. */
  readonly historySize?: number | undefined;
  /** Who changes it, for the history. */
  readonly author?: string | undefined;
  /** Holds the configuration as JSON, for programs that read files. */
  readonly file?: (SyncedFileOptions & { readonly path: string }) | undefined;
}

/** A version that was. */
export interface ConfigurationVersion<T> {
  readonly version: number;
  /** By the clock of who wrote it. */
  readonly time: Date;
  readonly author: string;
  readonly values: T;
}

export interface LiveConfigurationEvents<T> {
  change: [values: T, previous: T];
  /** Somebody has written what the schema refuses; the last good configuration stays. */
  invalid: [error: RecipeError];
}

interface Entry {
  readonly id: string;
  readonly time: number;
  readonly author: string;
  readonly values: unknown;
}

interface Draft<T> {
  readonly node: NodeData | null;
  readonly values: T;
}

/** Makes new values of what the node holds. */
type Change<T> = (node: NodeData | null) => T | Promise<T>;

/**
 * One JSON document in one node, so that all of it changes at once. A change is made on the version that it was computed
 * from, together with its history entry, in one transaction; after a lost connection that entry tells whether it was made.
 * Other programs may write the node too. A change carries the document and its entry in one request, which may have 1 MB: so
 * the document may have some 520 kB, and should be far smaller.
 */
export class LiveConfiguration<T extends object>
  extends RecipeEmitter<LiveConfigurationEvents<T>>
  implements AsyncDisposable
{
  readonly path: string;
  private readonly client: Client;
  private readonly options: LiveConfigurationOptions<T>;
  private readonly life: Lifecycle;
  private readonly file: SyncedFile | undefined;
  private known: { readonly values: T; readonly version: number; readonly zxid: number } | undefined;
  private taking: Promise<unknown> = Promise.resolve();
  private following: Promise<void> | undefined;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, options: LiveConfigurationOptions<T>) {
    super();
    this.path = recipePath(RECIPE, path);
    const { historySize = 10, file } = options;
    if (!(Number.isInteger(historySize) && historySize >= 1)) {
      throw new RecipeError('BadArgument', RECIPE, path, `cannot keep ${historySize} versions`);
    }
    this.client = client.untimed;
    this.options = options;
    this.life = new Lifecycle(RECIPE, path);
    this.file = file === undefined ? undefined : new SyncedFile(file.path, file);
  }

  /**
   * Resolves when there is a valid configuration, and its file is written. Without `initial` that may need somebody to write
   * one. Rejects with AlreadyStarted, Closed, BadData, or the server's error.
   */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    await startOrClose(this, wait, { recipe: RECIPE, path: this.path }, () => this.begin());
    // It ends with the client, too.
    this.following?.catch((error) => this.fail(error)).finally(() => this.endStreams());
    return this;
  }

  private async begin(): Promise<void> {
    const { signal } = this.life;
    const first = deferred();
    let isStarting = true;
    const { initial } = this.options;
    if (initial !== undefined) {
      const { node } = await this.change((node) => (node === null ? initial : this.parse(node.data)), signal);
      await unlessAborted(this.take(node), signal);
    }
    this.following = followData(this.client, this.path, signal, (node) => {
      if (node === null) return;
      this.take(node).then(first.resolve, (error) => {
        if (isStarting) first.reject(error);
        else this.notTaken(error);
      });
    });
    this.following.then(() => first.reject(signal.reason), first.reject);
    await first.promise;
    isStarting = false;
  }

  /** The configuration as last seen. @throws RecipeError NotStarted */
  get values(): T {
    if (this.known === undefined) throw new RecipeError('NotStarted', RECIPE, this.path, 'it was not read yet');
    return this.known.values;
  }

  /** Of the node, as last seen. */
  get version(): number {
    return this.known?.version ?? -1;
  }

  /** Sets some keys, all at once; the others stay. Rejects with BadData if the schema refuses the result. */
  update(values: Partial<T>, wait: WaitOptions = {}): Promise<T> {
    return this.edit((before) => ({ ...before, ...values }), wait);
  }

  /**
   * Makes a new configuration of the current one. `change` is called again if somebody else was quicker. Resolves when it is
   * made, and the file written; if that fails, or its hook does, that is told by the event `error`. Called by the hook it does not
   * wait for the file.
   */
  edit(change: (values: T) => T, wait: WaitOptions = {}): Promise<T> {
    this.life.check();
    const changeNode = async (node: NodeData | null): Promise<T> => {
      if (node === null) throw new RecipeError('BadData', RECIPE, this.path, 'there is no configuration');
      return change(await this.parse(node.data));
    };
    return withLimit(wait, { recipe: RECIPE, path: this.path }, (signal) => this.changeAndTake(changeNode, signal));
  }

  /**
   * The versions that are kept, the latest first. Those that other programs wrote are there if they were replaced here. Rejects with
   * BadData, and the path, where they wrote something else into the history.
   */
  history(wait: WaitOptions = {}): Promise<ConfigurationVersion<T>[]> {
    return withLimit(wait, { recipe: RECIPE, path: this.path }, async (signal) => {
      const names = (await this.historyNames(signal)).reverse();
      const entries = await Promise.all(names.map((name) => this.readEntry(name, signal)));
      return entries.flatMap((entry, i) => {
        if (entry === undefined) return [];
        const { time, author, values } = entry;
        return [{ version: Number(names[i]), time: new Date(time), author, values: values as T }];
      });
    });
  }

  /**
   * Makes a version of the history the current one, as a new version, also if the schema refuses what is there. Rejects with
   * BadArgument if it is not kept, with BadData if other programs wrote something else in its place.
   */
  rollBack(version: number, wait: WaitOptions = {}): Promise<T> {
    this.life.check();
    return withLimit(wait, { recipe: RECIPE, path: this.path }, async (signal) => {
      const entry = await this.readEntry(nameOf(version), signal);
      if (entry === undefined)
        throw new RecipeError('BadArgument', RECIPE, this.path, `version ${version} is not kept`);
      return this.changeAndTake(() => entry.values as T, signal);
    });
  }

  /** Configurations from now on, until it is closed. Of more than 100 that were not read the oldest go. */
  changes(): EventStream<T> {
    this.life.check();
    return this.streamOf('change', LATEST) as EventStream<T>;
  }

  async close(): Promise<void> {
    if (!this.life.close()) return;
    this.endStreams();
    if (this.file?.isInHook) return; // it would wait for itself
    await this.taking.catch(() => {});
    await this.file?.written();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- reading ----

  /** One after the other, as schemas may take their time. Resolves when the file is written. */
  private async take(node: NodeData): Promise<void> {
    const taken = this.taking.catch(() => false).then(() => this.takeNow(node));
    this.taking = taken;
    const isNew = await taken;
    const { file, known } = this;
    if (file === undefined || known === undefined || this.life.isClosed) return;
    // Whoever has taken it hears of a failure.
    const written = isNew ? file.write(Buffer.from(`${JSON.stringify(known.values, null, 2)}\n`)) : file.written();
    if (file.isInHook)
      written.catch(() => {}); // so does whoever the hook runs for
    else await written;
  }

  /** Resolves with whether it was not known yet. */
  private async takeNow({ data, stat }: NodeData): Promise<boolean> {
    if (this.known !== undefined && stat.mzxid <= this.known.zxid) return false;
    const values = await this.parse(data);
    const previous = this.known?.values;
    this.known = { values, version: stat.version, zxid: stat.mzxid };
    if (previous !== undefined && !this.life.isClosed) this.tell('change', values, previous);
    return true;
  }

  private async parse(data: Buffer | null): Promise<T> {
    try {
      return await validated(this.options.schema, JSON.parse(data?.toString() ?? ''));
    } catch (error) {
      throw this.badData(error);
    }
  }

  private notTaken(error: unknown): void {
    if (error instanceof RecipeError) this.tell('invalid', error);
    else this.fail(error);
  }

  private badData(error: unknown): RecipeError {
    return new RecipeError('BadData', RECIPE, this.path, error instanceof Error ? error.message : String(error), error);
  }

  // ---- writing ----

  private async changeAndTake(change: Change<T>, signal: AbortSignal | undefined): Promise<T> {
    const { node, values } = await this.change(change, signal);
    await this.take(node).catch((error) => this.notTaken(error)); // it is made all the same
    return values;
  }

  /** Who gives up by the signal has changed nothing. */
  private async change(change: Change<T>, signal: AbortSignal | undefined): Promise<{ node: NodeData; values: T }> {
    let lost = 0;
    // A document that is larger than the server takes costs the connection each time.
    const mayGoOn = (data: Buffer): boolean => ++lost < lossesAllowed(data);
    for (let attempt = 1; ; attempt++) {
      const draft = await this.draft(change, signal);
      if (draft === undefined) continue;
      if (signal !== undefined) await untilConnected(this.client, signal);
      const node = await this.commit(draft, mayGoOn, signal);
      if (node !== undefined) return { node, values: draft.values };
      await pause(pauseAfter(Math.min(attempt, 5)), signal);
    }
  }

  private async draft(change: Change<T>, signal: AbortSignal | undefined): Promise<Draft<T> | undefined> {
    const node = await this.read(signal);
    const values = await change(node);
    try {
      return { node, values: await validated(this.options.schema, values) };
    } catch (error) {
      throw this.badData(error);
    }
  }

  private async read(signal: AbortSignal | undefined): Promise<NodeData | null> {
    try {
      const reads = () => Promise.all([this.client.sync(this.path), this.client.getData(this.path)]);
      const [, node] = await persistUntil(this.client, reads, signal);
      return node;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return null;
      throw error;
    }
  }

  /**
   * The node since it was written; undefined if somebody else was quicker, so that all is to be looked at again.
   * @param mayGoOn asked after a lost connection that has left nothing of the change
   */
  private async commit(
    { node, values }: Draft<T>,
    mayGoOn: (data: Buffer) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<NodeData | undefined> {
    const data = Buffer.from(JSON.stringify(values));
    if (node?.data?.equals(data)) return node;
    const id = randomUUID();
    const entry = this.entryOf(values, id);
    const version = node === null ? 0 : node.stat.version + 1;
    try {
      const stat = node === null ? await this.createAll(data, entry) : await this.replace(node, data, entry, signal);
      return stat === undefined ? undefined : { data, stat };
    } catch (error) {
      if (isKeeperError(error, 'SessionExpired') && !this.client.isOver) return undefined; // it was never sent
      if (!isPassing(error)) throw error;
      if (!error.outcomeUnknown) return undefined;
      const [now, made] = await this.lookAgain(version, signal).catch((reason) => {
        // Where others have written over the version nothing tells whether it was this change.
        throw signal?.aborted || isRecipeError(reason, 'BadData') ? error : reason;
      });
      if (made?.id === id && now !== null) return now; // others may have written since
      const isOpen = now !== null && now.stat.version > version && made === undefined;
      if (isOpen) throw error; // so much was written since that the history does not tell any more
      if (!mayGoOn(data)) throw error;
      return undefined;
    }
  }

  /** The node, and then what the history has of a version. */
  private async lookAgain(
    version: number,
    signal: AbortSignal | undefined,
  ): Promise<[NodeData | null, Entry | undefined]> {
    const now = await this.read(signal);
    return [now, await this.readEntry(nameOf(version), signal)];
  }

  private entryOf(values: unknown, id: string): Buffer {
    const entry: Entry = { id, time: Date.now(), author: this.options.author ?? '', values };
    return Buffer.from(JSON.stringify(entry));
  }

  private async createAll(data: Buffer, entry: Buffer): Promise<Stat | undefined> {
    try {
      const [{ stat }] = await this.client
        .transaction()
        .create(this.path, { data })
        .create(join(this.path, HISTORY))
        .create(this.entryPath(nameOf(0)), { data: entry })
        .commit();
      return stat ?? (await persistOverSessions(this.client, () => this.client.exists(this.path))) ?? undefined;
    } catch (error) {
      if (isKeeperError(error, 'NodeExists')) return undefined;
      if (!isKeeperError(error, 'NoNode')) throw error;
      await ensureContainers(this.client, parentOf(this.path));
      return undefined;
    }
  }

  private async replace(
    node: NodeData,
    data: Buffer,
    entry: Buffer,
    signal: AbortSignal | undefined,
  ): Promise<Stat | undefined> {
    const { version } = node.stat;
    const names = await this.historyNames(signal);
    let transaction: Transaction<[Stat, ...unknown[]]> = this.client
      .transaction()
      .setData(this.path, data, { version });
    const look = () => this.client.exists(join(this.path, HISTORY));
    if (names.length === 0 && (await persistUntil(this.client, look, signal)) === null) {
      transaction = transaction.create(join(this.path, HISTORY));
    }
    const added = [nameOf(version + 1)];
    // What another program wrote has no entry yet.
    const before = this.entryOf(jsonOf(node.data), '');
    if (!names.includes(nameOf(version))) added.unshift(nameOf(version));
    for (const name of added) {
      const content = name === nameOf(version) ? before : entry;
      const path = this.entryPath(name);
      // There can be one of an earlier node of this path.
      if (names.includes(name)) transaction = transaction.setData(path, content);
      else transaction = transaction.create(path, { data: content });
    }
    const kept = [...new Set([...names, ...added])].sort();
    const { historySize = 10 } = this.options;
    for (const name of kept.slice(0, -historySize)) {
      if (names.includes(name)) transaction = transaction.delete(this.entryPath(name));
    }
    try {
      return (await transaction.commit())[0];
    } catch (error) {
      // Whoever was quicker has changed the history as well.
      const codes = ['BadVersion', 'NoNode', 'NodeExists'] as const;
      if (codes.some((code) => isKeeperError(error, code))) return undefined;
      throw error;
    }
  }

  private async historyNames(signal: AbortSignal | undefined): Promise<string[]> {
    try {
      const reads = () => this.client.getChildren(join(this.path, HISTORY));
      const { children } = await persistUntil(this.client, reads, signal);
      return children.sort();
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }

  private async readEntry(name: string, signal: AbortSignal | undefined): Promise<Entry | undefined> {
    try {
      const { data } = await persistUntil(this.client, () => this.client.getData(this.entryPath(name)), signal);
      const entry = jsonOf(data);
      if (isEntry(entry)) return entry;
      throw new RecipeError('BadData', RECIPE, this.entryPath(name), 'what another program wrote here is no version');
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return undefined;
      throw error;
    }
  }

  private entryPath(name: string): string {
    return join(join(this.path, HISTORY), name);
  }
}

function nameOf(version: number): string {
  return String(version).padStart(10, '0');
}

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && 'time' in value && 'values' in value;
}

/** What others wrote need not be JSON. */
function jsonOf(data: Buffer | null): unknown {
  try {
    return JSON.parse(data?.toString() ?? '');
  } catch {
    return data?.toString() ?? null;
  }
}
