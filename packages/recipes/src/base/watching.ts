// One-shot watches that leave nothing behind when nobody waits for them any more.

import {
  type Client,
  isKeeperError,
  type NodeChildren,
  type NodeData,
  type Stat,
  type Watcher,
} from '@nodekeeper/client';
import { persist } from './persist.js';
import { deferred, unlessAborted } from './wait.js';

/** The reads that a watch can belong to, and what they give. */
export interface WatchedReads {
  readonly data: NodeData;
  readonly exists: Stat | null;
  readonly children: NodeChildren;
}

export type WatchedRead = keyof WatchedReads;

const REMOVAL = { data: 'data', exists: 'data', children: 'children' } as const;

/**
 * Makes the read with a watch, and resolves when that has fired, with true; with false at once if there is no such node.
 * `onRead` gets what was read before; if it returns false, nothing is waited for.
 * Rejects with the read's error, or with the signal's reason; then the watch is removed.
 */
export async function changed<K extends WatchedRead>(
  client: Client,
  path: string,
  read: K,
  signal: AbortSignal | undefined,
  onRead: (value: WatchedReads[K]) => unknown = () => {},
): Promise<boolean> {
  const fired = deferred();
  const watcher: Watcher = () => fired.resolve();
  const reading = persist(() => readWith(client, path, read, watcher), signal);
  try {
    const isAwaited = onRead((await unlessAborted(reading, signal)) as WatchedReads[K]);
    if (isAwaited === false) {
      void forget(client, path, read, watcher);
      return true;
    }
    await unlessAborted(fired.promise, signal);
    return true;
  } catch (error) {
    if (isKeeperError(error, 'NoNode')) return false;
    void reading.then(() => forget(client, path, read, watcher)).catch(() => {});
    throw error;
  }
}

function readWith(client: Client, path: string, read: WatchedRead, watcher: Watcher): Promise<unknown> {
  if (read === 'data') return client.getData(path, { watcher });
  return read === 'exists' ? client.exists(path, { watcher }) : client.getChildren(path, { watcher });
}

/** Removes a watch, if it is still there. Resolves also if it cannot be. */
export async function forget(client: Client, path: string, read: WatchedRead, watcher: Watcher): Promise<void> {
  await client.removeWatches(path, { type: REMOVAL[read], watcher }).catch(() => {});
}
