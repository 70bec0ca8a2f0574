// A persistent watch to read with `for await`.

import { EventStream } from './event-stream.js';
import { onAbort } from './on-abort.js';
import type { PersistentEvent } from './watch-events.js';

/**
 * Events of a persistent watch, in order. A gap is told by an event of type `resync`: after a reconnect, and when the
 * reader leaves more than `limit` events unread. Ends when it is closed, or with the session unless that is renewed.
 */
export class WatchStream implements AsyncIterableIterator<PersistentEvent, undefined> {
  readonly path: string;
  readonly recursive: boolean;
  /** Resolves when the server has the watch; what was called after `watch()` is answered after that anyway. */
  readonly ready: Promise<void>;
  private readonly events: EventStream<PersistentEvent>;
  private readonly limit: number;
  private failure: { readonly error: unknown } | undefined;

  constructor(
    path: string,
    recursive: boolean,
    limit: number,
    signal: AbortSignal | undefined,
    open: (deliver: (event: PersistentEvent) => void) => { ready: Promise<void>; close: () => void },
  ) {
    this.path = path;
    this.recursive = recursive;
    this.limit = limit;
    const abort = (): void => this.close();
    let forget: (() => void) | undefined;
    this.events = new EventStream(() => {
      forget?.();
      close();
    });
    const { ready, close } = open((event) => this.deliver(event));
    this.ready = ready;
    if (signal?.aborted) abort();
    else forget = signal && onAbort(signal, abort);
    ready.catch((error) => {
      this.failure = { error };
      this.events.end();
    });
  }

  private deliver(event: PersistentEvent): void {
    if (event.type === 'none') {
      this.events.end();
      return;
    }
    if (this.events.length < this.limit) {
      this.events.push(event);
      return;
    }
    this.events.clear();
    this.events.push({ type: 'resync', reason: 'overflow', path: this.path });
  }

  /** Rejects with the server's error if the watch could not be set. */
  async next(): Promise<IteratorResult<PersistentEvent, undefined>> {
    const result = await this.events.next();
    if (result.done && this.failure !== undefined) throw this.failure.error;
    return result;
  }

  return(): Promise<IteratorResult<PersistentEvent, undefined>> {
    return this.events.return();
  }

  /** Removes the watch. Readers see the end. */
  close(): void {
    this.events.clear();
    this.events.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
