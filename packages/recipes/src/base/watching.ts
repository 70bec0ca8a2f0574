// One-shot watches that leave nothing behind when nobody waits for them any more.

import {
  type Client,
  isKeeperError,
  type NodeChildren,
  type NodeData,
  type Stat,
  type WatchEvent,
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

/** A read whose result is watched. */
export interface Watched<K extends WatchedRead> {
  readonly value: WatchedReads[K];
  /** Resolves when the watch has fired: with a change, or with type `none` when the session has ended. */
  readonly fired: Promise<WatchEvent>;
  hasFired(): boolean;
  /** Removes the watch, if it has not fired. */
  forget(): void;
}

/**
 * Makes the read with a watch. Rejects with the read's error, or with the signal's reason; then no watch stays. Whoever does
 * not wait until it fires must call `forget`.
 */
export async function readWatched<K extends WatchedRead>(
  client: Client,
  path: string,
  read: K,
  signal: AbortSignal | undefined,
): Promise<Watched<K>> {
  const fired = deferred<WatchEvent>();
  let hasFired = false;
  const watcher: Watcher = (event) => {
    hasFired = true;
    fired.resolve(event);
  };
  const forget = (): void => {
    // Resolves also if it cannot be removed: then it goes with the session, and nobody hears it.
    if (!hasFired) void client.removeWatches(path, { type: REMOVAL[read], watcher }).catch(() => {});
  };
  const reading = persist(() => readWith(client, path, read, watcher), signal);
  try {
    const value = (await unlessAborted(reading, signal)) as WatchedReads[K];
    return { value, fired: fired.promise, hasFired: () => hasFired, forget };
  } catch (error) {
    void reading.then(forget).catch(() => {});
    throw error;
  }
}

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
  let watched: Watched<K> | undefined;
  try {
    watched = await readWatched(client, path, read, signal);
    if (onRead(watched.value) !== false) await unlessAborted(watched.fired, signal);
    return true;
  } catch (error) {
    if (watched === undefined && isKeeperError(error, 'NoNode')) return false;
    throw error;
  } finally {
    watched?.forget();
  }
}

function readWith(client: Client, path: string, read: WatchedRead, watcher: Watcher): Promise<unknown> {
  if (read === 'data') return client.getData(path, { watcher });
  return read === 'exists' ? client.exists(path, { watcher }) : client.getChildren(path, { watcher });
}
