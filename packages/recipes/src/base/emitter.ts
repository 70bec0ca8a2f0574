// Events of recipes: for listeners, and as streams.

import { EventEmitter } from 'node:events';
import { EventStream, isKeeperError, type UnreadLimit } from '@nodekeeper/client';
import { isRecipeError } from './errors.js';

/**
 * An emitter whose events can also be read with `for await`. A listener that throws is told of by the event `error`; errors
 * nobody listens to are uncaught, as everywhere in Node.
 */
export class RecipeEmitter<E extends Record<keyof E, unknown[]>> extends EventEmitter<E & { error: [error: unknown] }> {
  private readonly streams = new Set<{ end(): void }>();
  private isOver = false;

  constructor() {
    super();
    this.setMaxListeners(0); // many may listen; whoever forgets to stop is not found by counting
  }

  /** Tells listeners now, each on its own. */
  protected tell<K extends keyof E & string>(event: K, ...args: E[K]): void {
    for (const listener of (this as EventEmitter).rawListeners(event)) {
      try {
        listener.apply(this, args);
      } catch (error) {
        this.fail(error);
      }
    }
  }

  /** Reports an error, outside of what is going on. That the client was closed is none. */
  protected fail(error: unknown): void {
    if (isKeeperError(error, 'Closed') || isRecipeError(error, 'Closed')) return;
    queueMicrotask(() => {
      (this as EventEmitter).emit('error', error);
    });
  }

  /** The event's first argument as a stream, which ends with {@link endStreams}. */
  protected streamOf<K extends keyof E & string>(event: K, unread: UnreadLimit): EventStream<E[K][0]> {
    const onReturn = (): void => {
      (this as EventEmitter).removeListener(event, push);
      this.streams.delete(stream);
    };
    const stream: EventStream<E[K][0]> = new EventStream(onReturn, unread);
    const push = (value: E[K][0]): void => stream.push(value);
    (this as EventEmitter).on(event, push);
    this.streams.add(stream);
    if (this.isOver) stream.end();
    return stream;
  }

  /** Those that are there, and all from now on. */
  protected endStreams(): void {
    this.isOver = true;
    for (const stream of [...this.streams]) stream.end();
  }
}
