// Publish and subscribe: messages in one order for all, kept for those who were away for a while.

import { type Client, EventStream, isKeeperError, onAbort } from '@nodekeeper/client';
import { createOnce, protectedName } from '../base/create.js';
import { RecipeError } from '../base/errors.js';
import { followChildren } from '../base/follow.js';
import { join, recipePath } from '../base/paths.js';
import { persistOverSessions, persistUntil } from '../base/persist.js';
import { compareSequences, sequenceAfter } from '../base/sequence.js';
import type { Serializer } from '../base/serializer.js';
import { deferred, type WaitOptions, withLimit } from '../base/wait.js';

const RECIPE = 'Topic';
const MARK = 'message-';
/** So many messages wait for a slow reader in its memory. */
const UNREAD = 256;

export interface TopicOptions {
  /** How many messages are kept, more or less; 1000 if not given. Who was away for longer misses some, and is told. */
  readonly retention?: number | undefined;
}

export type Delivery<T> =
  | {
      readonly type: 'message';
      /** Position in the topic; the next message's is greater by one. */
      readonly sequence: number;
      readonly value: T;
      /** When it was published, by the server's clock. */
      readonly time: Date;
    }
  /** Messages were dropped before this subscriber has read them. */
  | { readonly type: 'gap'; readonly missed: number }
  /** A message that the serializer cannot read. */
  | { readonly type: 'unreadable'; readonly sequence: number; readonly error: RecipeError };

export interface SubscribeOptions {
  /**
   * `new`: what is published from now on; `oldest`: all that is kept; or what is after a sequence; all, if the topic was made anew since
   * and has not come as far. `new` if not given.
   */
  readonly from?: 'new' | 'oldest' | number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Kept {
  readonly name: string;
  readonly sequence: number;
}

/** A topic is a node, a message a sequential child. All subscribers see the same messages in the same order. */
export class Topic<T> {
  readonly path: string;
  private readonly client: Client;
  private readonly serializer: Serializer<T>;
  private readonly retention: number;
  private isMade = false;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, serializer: Serializer<T>, { retention = 1000 }: TopicOptions = {}) {
    this.path = recipePath(RECIPE, path);
    if (!(Number.isInteger(retention) && retention >= 1)) {
      throw new RecipeError('BadArgument', RECIPE, path, `cannot keep ${retention} messages`);
    }
    this.client = client.untimed;
    this.serializer = serializer;
    this.retention = retention;
  }

  /** Publishes a message once, also over lost connections and sessions. Resolves with its sequence. */
  async publish(value: T, wait: WaitOptions = {}): Promise<number> {
    const data = this.serializer.serialize(value);
    return withLimit(wait, { recipe: RECIPE, path: this.path }, (signal) => this.publishWithin(data, signal));
  }

  private async publishWithin(data: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    // A container would go when it is empty, and the next message would have a number that was used.
    if (!this.isMade) await persistUntil(this.client, () => this.client.ensurePath(this.path), signal);
    this.isMade = true;
    const settings = { mode: 'persistentSequential', data } as const;
    const { path } = await createOnce(this.client, this.path, protectedName(MARK), settings, signal);
    const sequence = sequenceAfter(path, MARK) ?? 0;
    // Every tenth of what is kept somebody clears away what is too old.
    // The message is there, whatever becomes of that.
    if (sequence % Math.ceil(this.retention / 10) === 0) await this.trim(signal).catch(() => {});
    return sequence;
  }

  /** The messages, in order, until the signal is aborted, the reader leaves, or the client is closed. The reader gets
   * the error if they may not be read.
   */
  subscribe({ from = 'new', signal }: SubscribeOptions = {}): Subscription<T> {
    return new Subscription(this.client, this.path, this.serializer, from, signal);
  }

  /** Messages that are kept, the oldest first. */
  async sequences(wait: WaitOptions = {}): Promise<number[]> {
    const kept = await withLimit(wait, { recipe: RECIPE, path: this.path }, (signal) => this.kept(signal));
    return kept.map(({ sequence }) => sequence);
  }

  private async trim(signal: AbortSignal | undefined): Promise<void> {
    const kept = await this.kept(signal);
    const old = kept.slice(0, Math.max(0, kept.length - this.retention));
    await Promise.all(old.map(({ name }) => this.client.delete(join(this.path, name)).catch(() => {})));
  }

  private async kept(signal: AbortSignal | undefined): Promise<Kept[]> {
    try {
      const { children } = await persistUntil(this.client, () => this.client.getChildren(this.path), signal);
      return messagesAmong(children);
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }
}

function messagesAmong(children: readonly string[]): Kept[] {
  const found: Kept[] = [];
  for (const name of children) {
    const sequence = sequenceAfter(name, MARK);
    if (sequence !== undefined) found.push({ name, sequence });
  }
  return found.sort((a, b) => compareSequences(a.sequence, b.sequence));
}

/** What a subscriber reads with `for await`. */
export class Subscription<T> implements AsyncIterableIterator<Delivery<T>, undefined> {
  /** Resolves when everything that is published from then on is delivered. Rejects if the topic may not be read. */
  readonly ready: Promise<void>;
  private readonly client: Client;
  private readonly path: string;
  private readonly serializer: Serializer<T>;
  private readonly stream: EventStream<Delivery<T>>;
  private readonly stop = new AbortController();
  /** What the topic has, as last seen. */
  private listed: readonly Kept[] = [];
  /** The last sequence that was seen, and the last that was read; undefined before the first look. */
  private seen: number | undefined;
  private last: number | undefined;
  private isReading = false;
  /** Called when the reader has taken something. */
  private onTaken: () => void = () => {};
  private readonly from: 'new' | 'oldest' | number;

  constructor(
    client: Client,
    path: string,
    serializer: Serializer<T>,
    from: 'new' | 'oldest' | number,
    signal: AbortSignal | undefined,
  ) {
    this.client = client;
    this.path = path;
    this.serializer = serializer;
    this.from = from;
    const { stop } = this;
    const forget = signal && onAbort(signal, () => this.stream.end());
    this.stream = new EventStream<Delivery<T>>(() => {
      forget?.();
      stop.abort(new RecipeError('Closed', RECIPE, path, 'the subscription was ended'));
    });
    if (signal?.aborted) this.stream.end();
    const first = deferred();
    this.ready = first.promise;
    this.ready.catch(() => {}); // the reader gets it as well
    void followChildren(client, path, stop.signal, (found) => {
      this.look(found?.children);
      first.resolve();
    })
      .catch((error) => {
        if (!this.isEnd(error)) first.reject(error);
        this.end(error);
      })
      .finally(() => {
        first.resolve();
        this.stream.end();
      });
  }

  next(): Promise<IteratorResult<Delivery<T>, undefined>> {
    const result = this.stream.next();
    this.onTaken();
    return result;
  }

  return(): Promise<IteratorResult<Delivery<T>, undefined>> {
    return this.stream.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @param children undefined if there is no topic */
  private look(children: readonly string[] | undefined): void {
    const kept = messagesAmong(children ?? []);
    this.listed = kept;
    const newest = kept.at(-1)?.sequence;
    if (this.seen === undefined) {
      if (typeof this.from === 'number') this.last = this.from;
      if (this.from === 'new') this.last = newest ?? -1;
      this.seen = this.last;
    }
    const isAnew = newest === undefined ? children === undefined : compareSequences(newest, this.seen ?? 0) < 0;
    if (this.seen !== undefined && isAnew) {
      // The topic was deleted, and begins anew.
      const lost = compareSequences(this.seen, this.last ?? this.seen);
      if (lost > 0) this.stream.push({ type: 'gap', missed: lost });
      this.last = -1;
    }
    this.seen = newest ?? (isAnew ? -1 : (this.seen ?? -1));
    if (!this.isReading) void this.readOn().catch((error) => this.end(error));
  }

  /** Reads what is new, and no more at a time than the reader takes: the rest stays with the servers as long as it is kept. */
  private async readOn(): Promise<void> {
    this.isReading = true;
    while (!this.stop.signal.aborted) {
      const room = UNREAD - this.stream.length;
      const { last } = this;
      const isFresh = ({ sequence }: Kept): boolean => last === undefined || compareSequences(sequence, last) > 0;
      const fresh = this.listed.filter(isFresh).slice(0, Math.max(0, room));
      const [first] = fresh;
      if (first !== undefined) {
        this.last = fresh.at(-1)?.sequence ?? last;
        await this.deliver(fresh, last === undefined ? 0 : compareSequences(first.sequence, last) - 1);
      } else if (room <= 0) await this.untilTaken();
      else break;
    }
    this.last ??= -1;
    this.isReading = false;
  }

  private async untilTaken(): Promise<void> {
    const taken = deferred();
    this.onTaken = () => {
      if (this.stream.length <= UNREAD / 2) taken.resolve();
    };
    const forget = onAbort(this.stop.signal, taken.resolve);
    await taken.promise;
    forget();
    this.onTaken = () => {};
  }

  private end(error: unknown): void {
    if (this.isEnd(error)) this.stream.end();
    else this.stream.fail(error);
  }

  /** That the client is at its end, or about to be, is no failure. */
  private isEnd(error: unknown): boolean {
    return this.client.isOver || isKeeperError(error, 'Closed');
  }

  private async deliver(fresh: readonly Kept[], missed: number): Promise<void> {
    const reads = fresh.map(({ name }) =>
      persistOverSessions(this.client, () => this.client.getData(join(this.path, name))).catch((error) => {
        if (!isKeeperError(error, 'NoNode')) throw error;
      }),
    );
    let gap = missed;
    for (const [i, node] of (await Promise.all(reads)).entries()) {
      const { sequence } = fresh[i] as Kept;
      if (node === undefined) {
        gap++; // it was dropped before it could be read
        continue;
      }
      if (gap > 0) this.stream.push({ type: 'gap', missed: gap });
      gap = 0;
      this.push(sequence, node.data, node.stat.ctime);
    }
    if (gap > 0) this.stream.push({ type: 'gap', missed: gap });
  }

  private push(sequence: number, data: Buffer | null, ctime: number): void {
    try {
      const value = this.serializer.deserialize(data ?? Buffer.alloc(0));
      this.stream.push({ type: 'message', sequence, value, time: new Date(ctime) });
    } catch (cause) {
      const error = new RecipeError('BadData', RECIPE, this.path, `message ${sequence}: ${cause}`, cause);
      this.stream.push({ type: 'unreadable', sequence, error });
    }
  }
}
