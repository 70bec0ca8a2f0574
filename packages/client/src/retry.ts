// Retry policies: how often a call is tried again, and after how long. The names are Curator's.

import { performance } from 'node:perf_hooks';
import { clearTimeout } from 'node:timers';
import { KeeperError } from './errors.js';
import { onAbort } from './on-abort.js';
import type { CallOptions } from './options.js';
import { after } from './timers.js';

/** Says how long to wait before try number `attempt` + 1, in milliseconds; undefined to give up. */
export interface RetryPolicy {
  /** @param attempt failed tries so far, from 1; @param elapsed milliseconds since the first one began */
  delay(attempt: number, elapsed: number): number | undefined;
}

export const noRetry: RetryPolicy = { delay: () => undefined };

/** `times` further tries, `pause` ms apart. */
export function retryNTimes(times: number, pause: number): RetryPolicy {
  return { delay: (attempt) => (attempt <= times ? pause : undefined) };
}

/** Tries `pause` ms apart, without end. */
export function retryForever(pause: number): RetryPolicy {
  return { delay: () => pause };
}

/** Tries `pause` ms apart, until `limit` ms have passed. */
export function retryUntilElapsed(limit: number, pause: number): RetryPolicy {
  return { delay: (_attempt, elapsed) => (elapsed + pause < limit ? pause : undefined) };
}

/** Up to `times` further tries; the pauses grow from `base` ms at random, doubling in the mean, up to `max` ms. */
export function exponentialBackoff(base: number, times: number, max = Number.MAX_SAFE_INTEGER): RetryPolicy {
  return {
    delay(attempt) {
      if (attempt > times) return undefined;
      const span = 2 ** Math.min(attempt, 30);
      return Math.min(max, base * Math.max(1, Math.floor(Math.random() * span)));
    },
  };
}

/** As {@link exponentialBackoff}, with the bound as an argument that must be given. */
export function boundedExponentialBackoff(base: number, max: number, times: number): RetryPolicy {
  return exponentialBackoff(base, times, max);
}

/** Resolves after `ms`; rejects with the signal's reason if that is aborted first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = after(ms, () => {
      release?.();
      resolve();
    });
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const release = signal && onAbort(signal, abort);
  });
}

/** Waits before the next try of a call, and no longer than the call may take: that try then finds its time over. */
export function pauseWithin(ms: number, { signal, timeout = Number.POSITIVE_INFINITY }: CallOptions): Promise<void> {
  return pause(Math.min(ms, timeout), signal);
}

/**
 * Calls `action` until it succeeds, fails with an error that `isRetryable` does not know, or the policy gives up. The last
 * error tells if any of the tries may have been executed.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  isRetryable: (error: unknown) => boolean,
  action: () => Promise<T>,
  call: CallOptions,
): Promise<T> {
  const began = performance.now();
  let isInDoubt = false;
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (error instanceof KeeperError) {
        isInDoubt ||= error.outcomeUnknown;
        error.outcomeUnknown = isInDoubt;
      }
      if (!isRetryable(error)) throw error;
      const delay = policy.delay(attempt, performance.now() - began);
      if (delay === undefined) throw error;
      await pauseWithin(delay, call);
    }
  }
}
