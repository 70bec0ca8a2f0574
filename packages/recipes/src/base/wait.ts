// Waiting that can be given up: pauses, limits in time, and events from elsewhere.

import { clearTimeout } from 'node:timers';
import { after, onAbort, type Timer } from '@nodekeeper/client';
import { RecipeError } from './errors.js';

export { pause } from '@nodekeeper/client';

/** How long a call may wait. */
export interface WaitOptions {
  /**
   * Gives the call up with the signal's reason. Nothing of it is left on the server: the answer to that is waited for as long as there
   * is a connection, with a server that has fallen silent until the client finds that out, after two thirds of the session time-out.
   * So it is with a change that was sent: it is not given up, as it may be made; without an answer the call rejects with the
   * KeeperError whose `outcomeUnknown` is true.
   */
  readonly signal?: AbortSignal | undefined;
  /** The same after so many milliseconds, with a `Timeout` error. */
  readonly timeout?: number | undefined;
}

/** Whose call it is, for errors. */
export interface Who {
  readonly recipe: string;
  readonly path: string;
}

/** One signal from a caller's signal and time-out. It must be disposed, so that no timer and no listener stays. */
export class Limit {
  private readonly controller = new AbortController();
  private readonly timer: Timer;
  private readonly forget: (() => void) | undefined;

  constructor({ signal, timeout }: WaitOptions, who: Who) {
    if (signal?.aborted) this.controller.abort(signal.reason);
    else this.forget = signal && onAbort(signal, () => this.controller.abort(signal.reason));
    if (timeout !== undefined) {
      this.timer = after(timeout, () => {
        const message = `not obtained within ${timeout} ms`;
        this.controller.abort(new RecipeError('Timeout', who.recipe, who.path, message));
      });
    }
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    this.forget?.();
  }
}

/** Makes a call with the caller's limits, if there are any: `action` gets a signal that is aborted as they say. */
export async function withLimit<T>(
  wait: WaitOptions,
  who: Who,
  action: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (wait.signal === undefined && wait.timeout === undefined) return action(undefined);
  using limit = new Limit(wait, who);
  return await action(limit.signal);
}

/** What a recipe does to start, with the caller's limits. If it fails or is given up the recipe is closed. */
export async function startOrClose(
  recipe: { close(): Promise<void> },
  wait: WaitOptions,
  who: Who,
  begin: () => Promise<unknown>,
): Promise<void> {
  try {
    await withLimit(wait, who, (signal) => unlessAborted(begin(), signal));
  } catch (error) {
    await recipe.close();
    throw error;
  }
}

/**
 * A signal that is aborted as the first of several is. It must be disposed. Not AbortSignal.any: of signals that live long Node 20 keeps
 * what was made of them.
 */
export class AnyOf implements Disposable {
  private readonly controller = new AbortController();
  private readonly forgets: readonly (() => void)[];

  constructor(...signals: readonly AbortSignal[]) {
    this.forgets = signals.map((signal) => onAbort(signal, () => this.controller.abort(signal.reason)));
    const over = signals.find(({ aborted }) => aborted);
    if (over !== undefined) this.controller.abort(over.reason);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  [Symbol.dispose](): void {
    for (const forget of this.forgets) forget();
  }
}

/** Settles as the promise does, or rejects with the signal's reason if that comes first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => {});
      abort();
      return;
    }
    const forget = onAbort(signal, abort);
    promise.then(resolve, reject).finally(forget);
  });
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else onAbort(signal, resolve);
  });
}

/** A promise that is settled from outside. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
