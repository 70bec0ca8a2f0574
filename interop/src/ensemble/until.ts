// Waiting for a condition on other processes, which tell nobody when it begins to hold.

import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 20;

/**
 * Asks again and again until the answer is neither undefined nor false, and returns it.
 * @throws Error saying `what`, after `limitMs`
 */
export async function until<T>(
  what: string,
  limitMs: number,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const result = await condition();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs / 1000} s`);
    await delay(PAUSE_MS);
  }
}
