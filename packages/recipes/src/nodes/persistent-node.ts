// A node that is there as long as it is meant to be: made again whenever it goes. Source: PersistentNode of Apache Curator.

import { type Acl, type Client, type CreateModeName, type Data, isKeeperError, type Stat } from '@nodekeeper/client';
import { createOnce, ensureContainers, protectedName } from '../base/create.js';
import { RecipeEmitter } from '../base/emitter.js';
import { Lifecycle } from '../base/lifecycle.js';
import { nameOf, parentOf, recipePath } from '../base/paths.js';
import {
  deleteForSure,
  lossesAllowed,
  persistOverSessions,
  persistWrite,
  untilConnected,
  whileConnected,
} from '../base/persist.js';
import { deferred, startOrClose, unlessAborted, type WaitOptions, type Who, withLimit } from '../base/wait.js';
import { changed } from '../base/watching.js';

export interface PersistentNodeOptions {
  /** `ephemeral` if not given. A sequential node gets another number each time. */
  readonly mode?: Exclude<CreateModeName, 'persistentWithTtl' | 'persistentSequentialWithTtl'> | undefined;
  readonly data?: Data | undefined;
  readonly acl?: readonly Acl[] | undefined;
  /** Puts `_c_<uuid>-` before the name, so that a node whose creation was not answered is recognised. Sequential ones have it. */
  readonly protect?: boolean | undefined;
  /** Whether the node goes with `close`. True if not given. */
  readonly deleteOnClose?: boolean | undefined;
}

export interface PersistentNodeEvents {
  /** The node was made, the first time or again. */
  created: [path: string];
}

/**
 * Keeps a node there from `start` to `close`, over deletions by others and ends of sessions. A node that is there already is
 * taken over: its data is written; one of another session is made anew when that session ends.
 */
export class PersistentNode extends RecipeEmitter<PersistentNodeEvents> implements AsyncDisposable {
  readonly path: string;
  private readonly client: Client;
  private readonly who: Who;
  private readonly options: PersistentNodeOptions;
  private readonly life: Lifecycle;
  private content: Data;
  /** What the node was made with, or written last. */
  private written: Data;
  private actual: string | undefined;
  private owner: bigint | undefined;
  private running: Promise<void> | undefined;

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, options: PersistentNodeOptions = {}, recipe = 'PersistentNode') {
    super();
    this.path = recipePath(recipe, path);
    this.who = { recipe, path };
    this.client = client.untimed;
    this.options = options;
    this.life = new Lifecycle(recipe, path);
    this.content = options.data ?? '';
    this.written = this.content;
  }

  /** Resolves when the node is there. Rejects with AlreadyStarted, Closed, or the server's error. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    const first = deferred();
    this.running = this.run(first.resolve);
    this.running.catch(first.reject);
    await startOrClose(this, wait, this.who, () => unlessAborted(first.promise, this.life.signal));
    this.running.catch((error) => this.fail(error));
    return this;
  }

  /** Where the node is; undefined while it is not there. Differs from `path` if it is sequential or protected. */
  get actualPath(): string | undefined {
    return this.actual;
  }

  /** What the node holds, or is made with. */
  get data(): Data {
    return this.content;
  }

  /** Writes the node, now and whenever it is made again. If that fails it is made with what it was before. */
  async setData(data: Data, wait: WaitOptions = {}): Promise<void> {
    this.life.check();
    this.content = data;
    const at = this.actual;
    const isAway = at === undefined || (this.isEphemeral && this.client.sessionId === 0n);
    if (isAway) return; // it is about to be made
    try {
      await withLimit(wait, this.who, (signal) => this.write(at, signal));
    } catch (error) {
      if (isKeeperError(error, 'NoNode') || isKeeperError(error, 'SessionExpired')) return; // it is made anew
      if (this.content === data) this.content = this.written;
      throw error;
    }
  }

  /** Ends the care. The node is gone when it resolves, unless there is no connection or it belongs to another session. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    await whileConnected(this.client, this.clear());
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async clear(): Promise<void> {
    await this.running?.catch(() => {});
    const { deleteOnClose = true } = this.options;
    const { actual, owner, client } = this;
    const isOwn = owner === 0n || owner === client.sessionId;
    if (deleteOnClose && actual !== undefined && isOwn) await this.erase(actual, owner).catch(() => {});
    this.actual = undefined;
  }

  private async run(onReady: () => void): Promise<void> {
    while (!this.life.isClosed) {
      try {
        await untilConnected(this.client, this.life.signal); // who closes before that has left nothing
        await this.make(this.content);
        if (this.content !== this.written) await this.setData(this.content); // it was changed on the way
        onReady();
        while (await this.stays());
      } catch (error) {
        if (this.life.isClosed) return;
        if (!isKeeperError(error, 'SessionExpired') || this.client.isOver) throw error;
      }
      if (!this.life.isClosed) this.actual = undefined;
    }
  }

  /** In the next session there may be another's node of this name. */
  private async erase(at: string, owner: bigint | undefined): Promise<void> {
    if (owner !== 0n) await deleteForSure(this.client, at, owner);
    else await persistOverSessions(this.client, () => this.client.delete(at));
  }

  private async write(at: string, signal: AbortSignal | undefined): Promise<void> {
    const session = this.isEphemeral ? this.client.sessionId : undefined;
    let content = this.content;
    const write = (): Promise<Stat> => {
      content = this.content; // a repetition must not undo a later change
      return this.client.setData(at, content);
    };
    await persistWrite(this.client, write, { session, losses: lossesAllowed(content), signal });
    this.written = content;
  }

  private get isEphemeral(): boolean {
    return (this.options.mode ?? 'ephemeral').startsWith('ephemeral');
  }

  /** Resolves with true if the node was changed, or is to be looked at again; with false if it is gone. */
  private async stays(): Promise<boolean> {
    const at = this.actual ?? this.path;
    try {
      return await changed(this.client, at, 'data', this.life.signal, ({ stat }) => {
        this.owner = stat.ephemeralOwner;
      });
    } catch (error) {
      // What is not ephemeral outlives the session, and must not be made a second time.
      if (this.isEphemeral || !isKeeperError(error, 'SessionExpired') || this.client.isOver) throw error;
      return true;
    }
  }

  private async make(content: Data): Promise<void> {
    const { mode = 'ephemeral', acl, protect = false } = this.options;
    const settings = { mode, data: content, ...(acl === undefined ? {} : { acl }) };
    if (protect || mode.endsWith('Sequential')) {
      const name = protectedName(nameOf(this.path));
      const { path, stat } = await createOnce(this.client, parentOf(this.path), name, settings);
      this.made(path, stat.ephemeralOwner, content);
      return;
    }
    for (;;) {
      try {
        const create = () => this.client.create(this.path, settings);
        const { stat } = await persistWrite(this.client, create, { losses: lossesAllowed(content) });
        this.made(this.path, stat.ephemeralOwner, content);
        return;
      } catch (error) {
        if (isKeeperError(error, 'NoNode')) await ensureContainers(this.client, parentOf(this.path), acl);
        else if (!isKeeperError(error, 'NodeExists')) throw error;
        else if (await this.takeOver(content)) return;
      }
    }
  }

  /** False if the node has gone meanwhile. */
  private async takeOver(content: Data): Promise<boolean> {
    try {
      const write = () => this.client.setData(this.path, content);
      const options = { losses: lossesAllowed(content) };
      const { ephemeralOwner } = await persistWrite(this.client, write, options);
      this.made(this.path, ephemeralOwner, content);
      return true;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return false;
      throw error;
    }
  }

  private made(path: string, owner: bigint, content: Data): void {
    this.actual = path;
    this.written = content;
    this.owner = owner;
    this.tell('created', path);
  }
}
