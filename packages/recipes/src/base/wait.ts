// Waiting that can be given up: pauses, limits in time, and events from elsewhere.

import { RecipeError } from './errors.js';

/** How long a call may wait. */
export interface WaitOptions {
  /** Gives the call up with the signal's reason. Nothing of it is left on the server. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the call up with a `Timeout` error after so many milliseconds. */
  readonly timeout?: number | undefined;
}

/** Resolves after `ms`; rejects with the signal's reason if that is aborted first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** One signal from a caller's signal and time-out. It must be disposed, so that no timer and no listener stays. */
export class Limit {
  private readonly controller = new AbortController();
  private readonly timer: ReturnType<typeof setTimeout> | undefined;
  private readonly outer: AbortSignal | undefined;
  private readonly onAbort = (): void => this.controller.abort(this.outer?.reason);

  /** @param what for the error: the recipe and path that is waited for */
  constructor({ signal, timeout }: WaitOptions, what: { readonly recipe: string; readonly path: string }) {
    this.outer = signal;
    if (signal?.aborted) this.controller.abort(signal.reason);
    else signal?.addEventListener('abort', this.onAbort, { once: true });
    if (timeout !== undefined && Number.isFinite(timeout)) {
      this.timer = setTimeout(() => {
        const message = `not obtained within ${timeout} ms`;
        this.controller.abort(new RecipeError('Timeout', what.recipe, what.path, message));
      }, timeout);
    }
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    this.outer?.removeEventListener('abort', this.onAbort);
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
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
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
