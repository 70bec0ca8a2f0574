// Holding several things at once: all or none, also if one of them is lost while the next one is waited for.

import { type Client, onAbort } from '@nodekeeper/client';
import { whileConnected } from '../base/persist.js';

/** What is held as one of several. */
export interface Releasable {
  readonly fencingToken: number;
  readonly signal: AbortSignal;
  readonly isHeld: boolean;
  release(): Promise<void>;
}

/**
 * Obtains one after the other. If one is lost on the way all are released, and it begins anew. Rejects as `steps` do; then none
 * is held.
 */
export async function collect<H extends Releasable>(
  client: Client,
  steps: readonly ((signal: AbortSignal) => Promise<H>)[],
  limit: AbortSignal | undefined,
): Promise<H[]> {
  for (;;) {
    const holds = await collectOnce(client, steps, limit);
    if (holds !== undefined) return holds;
  }
}

/** Undefined if one was lost on the way. */
async function collectOnce<H extends Releasable>(
  client: Client,
  steps: readonly ((signal: AbortSignal) => Promise<H>)[],
  limit: AbortSignal | undefined,
): Promise<H[] | undefined> {
  limit?.throwIfAborted();
  const stop = new AbortController();
  const lost = new Error('one of them was lost');
  const forgets = limit === undefined ? [] : [onAbort(limit, () => stop.abort(limit.reason))];
  const holds: H[] = [];
  try {
    for (const obtain of steps) {
      const hold = await obtain(stop.signal);
      holds.push(hold);
      forgets.push(onAbort(hold.signal, () => stop.abort(lost)));
      if (!holds.every(({ isHeld }) => isHeld)) throw lost;
    }
    return holds;
  } catch (error) {
    await whileConnected(client, releaseAll(holds)).catch(() => {}); // why it failed says more
    if (error !== lost) throw error;
    return undefined;
  } finally {
    for (const forget of forgets) forget();
  }
}

/** The last one first. Rejects with the first error; the others are released all the same. */
export async function releaseAll(holds: readonly Releasable[]): Promise<void> {
  const errors: unknown[] = [];
  for (const hold of holds.toReversed()) await hold.release().catch((error) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}
