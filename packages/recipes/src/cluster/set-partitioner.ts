// A set that members of a party divide among them: every item has one member, again when the members change.
// Source: SetPartitioner of kazoo, with its layout.

import { hostname } from 'node:os';
import { type Client, isKeeperError } from '@nodekeeper/client';
import { Callback } from '../base/callback.js';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, nodeName, recipePath } from '../base/paths.js';
import { whileConnected } from '../base/persist.js';
import { AnyOf, aborted, pause, startOrClose, type WaitOptions } from '../base/wait.js';
import { changed, readWatched, type Watched } from '../base/watching.js';
import type { LockHold } from '../locks/hold.js';
import { InterProcessMutex } from '../locks/mutex.js';
import { ShallowParty } from '../nodes/party.js';

const RECIPE = 'SetPartitioner';

export interface SetPartitionerOptions {
  /** Of this member; another than the others'. Host and process if not given. */
  readonly identifier?: string | undefined;
  /** For so many milliseconds the party must not change before its members take their shares; 30 000 if not given. */
  readonly timeBoundary?: number | undefined;
  /** Which items this member gets. All members must decide alike. */
  readonly partition?:
    | ((identifier: string, members: readonly string[], items: readonly string[]) => readonly string[])
    | undefined;
}

/** Works on its items until `signal` is aborted; then they go to others as soon as it returns. */
export type WorkOnItems = (items: readonly string[], signal: AbortSignal) => void | Promise<void>;

/** Of sorted items every so many-th, from this member's place among the sorted members on. */
function everyNth(identifier: string, members: readonly string[], items: readonly string[]): readonly string[] {
  const first = [...members].sort().indexOf(identifier);
  return first < 0 ? [] : [...items].sort().filter((_, i) => i % members.length === first);
}

/**
 * Takes part from `start` to `close`. Every item is held by a lock, so that it has one member at any time. What keeps it from going on
 * is told by the event `error`; it has left the party then.
 */
export class SetPartitioner extends RecipeEmitter<Record<never, never>> implements AsyncDisposable {
  readonly path: string;
  readonly identifier: string;
  private readonly client: Client;
  private readonly items: readonly string[];
  private readonly work: WorkOnItems;
  private readonly options: SetPartitionerOptions;
  private readonly life: Lifecycle;
  private readonly party: ShallowParty;
  private readonly callback = new Callback();
  private held: readonly string[] = [];
  private running: Promise<void> | undefined;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(
    client: Client,
    path: string,
    items: Iterable<string>,
    work: WorkOnItems,
    options: SetPartitionerOptions = {},
  ) {
    super();
    this.path = recipePath(RECIPE, path);
    this.client = client.untimed;
    this.items = [...new Set(items)].map((item) => nodeName(RECIPE, path, item));
    this.work = work;
    this.options = options;
    this.life = new Lifecycle(RECIPE, path);
    this.identifier = options.identifier ?? `${hostname()}-${process.pid}`;
    this.party = new ShallowParty(client, join(path, 'party'), this.identifier);
    this.party.on('error', (error) => this.fail(error));
  }

  /** Joins the party. Rejects with AlreadyStarted, Closed, or the server's error. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    await startOrClose(this, wait, { recipe: RECIPE, path: this.path }, () => this.begin());
    return this;
  }

  private async begin(): Promise<void> {
    await this.party.join();
    this.life.check();
    this.running = this.run().catch(async (error) => {
      if (!this.life.isClosed) this.fail(error);
      await this.party.leave(); // what nobody works on here is for the others
    });
  }

  /** What this member works on. */
  get current(): readonly string[] {
    return this.held;
  }

  /** Tells the work to stop, waits for it unless this is called by itself, and leaves the party. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    if (!this.callback.isInside) await this.running;
    await this.party.leave();
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async run(): Promise<void> {
    while (!this.life.isClosed) {
      try {
        await this.takeShare();
      } catch (error) {
        if (this.life.isClosed) return;
        if (!isKeeperError(error, 'SessionExpired') || this.client.isOver) throw error;
      }
    }
  }

  private async takeShare(): Promise<void> {
    const party = await this.stableParty();
    const over = new AbortController();
    const end = (): void => over.abort(new RecipeError('Lost', RECIPE, this.path, 'the shares are divided anew'));
    void party.fired.then(end);
    this.life.signal.addEventListener('abort', end, { once: true });
    const holds: LockHold[] = [];
    try {
      const members = party.value.children.map((name) => name.slice(name.indexOf('-') + 1));
      const share = (this.options.partition ?? everyNth)(this.identifier, members, this.items);
      for (const item of share) holds.push(await this.lock(item, over.signal));
      for (const hold of holds) hold.signal.addEventListener('abort', end, { once: true });
      if (holds.every((hold) => hold.isHeld)) await this.workOn(share, over.signal);
    } catch (error) {
      if (!over.signal.aborted) throw error;
    } finally {
      party.forget();
      this.life.signal.removeEventListener('abort', end);
      await whileConnected(this.client, Promise.all(holds.map((hold) => hold.release())));
    }
  }

  private lock(item: string, signal: AbortSignal): Promise<LockHold> {
    return new InterProcessMutex(this.client, join(join(this.path, 'locks'), item), { layout: 'kazoo' }).acquire({
      signal,
    });
  }

  /** Resolves when the shares are to be divided anew, and the work has ended. */
  private async workOn(share: readonly string[], over: AbortSignal): Promise<void> {
    this.held = share;
    try {
      await this.callback.run(() => this.work(share, over));
    } catch (error) {
      if (!over.aborted) this.fail(error);
    }
    await aborted(over); // who has nothing more to do keeps its share all the same
    this.held = [];
  }

  /** The party, once it has not changed for a while, with a watch for its next change. */
  private async stableParty(): Promise<Watched<'children'>> {
    const { timeBoundary = 30_000 } = this.options;
    for (;;) {
      const at = join(this.path, 'party');
      const party = await readWatched(this.client, at, 'children', this.life.signal).catch((error) => {
        if (!isKeeperError(error, 'NoNode')) throw error;
      });
      if (party === undefined) {
        // A container that was left empty has gone; it comes back with the own node.
        await changed(this.client, at, 'exists', this.life.signal, (stat) => stat === null);
        continue;
      }
      const unstable = new AbortController();
      using over = new AnyOf(unstable.signal, this.life.signal);
      void party.fired.then(() => unstable.abort());
      try {
        await pause(timeBoundary, over.signal);
        return party;
      } catch (error) {
        party.forget();
        if (this.life.isClosed) throw error;
      }
    }
  }
}
