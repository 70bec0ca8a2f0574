// Time limits and aborts: of what is awaited without a request of its own, and of operations made of several calls.

import { performance } from 'node:perf_hooks';
import { clearTimeout } from 'node:timers';
import { ErrorCode } from '#protocol';
import { KeeperError } from './errors.js';
import { onAbort } from './on-abort.js';
import type { CallOptions } from './options.js';
import { after, type Timer } from './timers.js';

/** What a call is rejected with whose time-out is no number: a time that is not known would be over at once. */
export function timeoutRefusal(operation: string, timeout: unknown): KeeperError | undefined {
  if (timeout === undefined || (typeof timeout === 'number' && !Number.isNaN(timeout))) return undefined;
  const message = `timeout must be a number of milliseconds, and is ${String(timeout)}`;
  return new KeeperError(ErrorCode.BadArguments, operation, undefined, { message });
}

/**
 * A promise with the limits of a call: rejects with the signal's reason, or with OperationTimeout.
 * @param begin called unless the limit is reached already; returns what is to be done when the promise is settled
 * @param reason what the message of a time-out adds
 */
export function limited(
  operation: string,
  { signal, timeout }: CallOptions = {},
  begin: (resolve: () => void, reject: (error: unknown) => void) => () => void,
  reason?: () => string | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let stop: (() => void) | undefined;
    let release: (() => void) | undefined;
    let timer: Timer;
    let isSettled = false;
    const settle = (action: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      release?.();
      stop?.();
      action();
    };
    const abort = (): void => settle(() => reject(signal?.reason));
    const expire = (): void => {
      const message = reason?.() ?? 'the time limit has passed';
      settle(() => reject(new KeeperError(ErrorCode.OperationTimeout, operation, undefined, { message })));
    };
    const refused = timeoutRefusal(operation, timeout);
    if (refused !== undefined) return reject(refused);
    if (signal?.aborted) return abort();
    if (timeout !== undefined && timeout <= 0) return expire();
    if (timeout !== undefined) timer = after(timeout, expire);
    release = signal && onAbort(signal, abort);
    stop = begin(
      () => settle(resolve),
      (error) => settle(() => reject(error)),
    );
    if (isSettled) stop();
  });
}

/**
 * The options of the calls that an operation is made of. Their `timeout` is, whenever it is read, what is left of the
 * operation's, or of `standard` if that has none.
 */
export function sharedLimit(options: CallOptions | undefined, standard: number | undefined): CallOptions {
  const { signal, retry } = options ?? {};
  const timeout = options?.timeout === undefined ? standard : options.timeout;
  if (typeof timeout !== 'number') return { signal, retry, timeout };
  const until = performance.now() + timeout;
  return {
    signal,
    retry,
    get timeout() {
      return until - performance.now();
    },
  };
}

/** Resolves as `promise` does, and with undefined when the signal is aborted first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) resolve(undefined);
    const release = onAbort(signal, () => resolve(undefined));
    promise.then(resolve, reject).finally(release);
  });
}
