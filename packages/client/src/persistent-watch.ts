// A persistent watch from its setting to its removal, on a server that keeps one watch for many here.

import { AddWatchMode, WatcherType } from '#protocol';
import { isKeeperError } from './errors.js';
import { addWatch, removeWatches } from './requests.js';
import type { Session } from './session.js';
import type { PersistentWatcher } from './watch-events.js';
import type { PersistentWatch } from './watch-registry.js';

export interface PersistentWatchHandle {
  /** Resolves when the server has the watch. */
  readonly ready: Promise<void>;
  /** No event is delivered after this. */
  close(): void;
}

export function openPersistentWatch(
  session: Session,
  path: string,
  recursive: boolean,
  deliver: PersistentWatcher,
): PersistentWatchHandle {
  let isOpen = true;
  const watch: PersistentWatch = {
    path,
    recursive,
    sent: false,
    deliver: (event) => {
      if (event.type === 'none') isOpen = false;
      deliver(event);
    },
  };
  session.watches.addPersistent(watch);
  const ready = set(session, watch, () => isOpen).catch((error) => {
    session.watches.removePersistent(watch);
    throw error;
  });
  ready.catch(() => {}); // who does not await it learns from the stream
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    const mode = session.watches.removePersistent(watch);
    if (mode !== undefined && watch.sent) void removeFromServer(session, path, mode);
  };
  return { ready, close };
}

/** A request that was sent and lost needs no other care: every new connection is told of the watch. */
async function set(session: Session, watch: PersistentWatch, isOpen: () => boolean): Promise<void> {
  while (isOpen()) {
    const mode = session.watches.modeOf(watch.path);
    const onSent = (): void => {
      watch.sent = true;
    };
    try {
      await session.call(addWatch(watch.path, mode, onSent, () => session.watches.armed(watch.path, mode)));
      return;
    } catch (error) {
      const isLost = isKeeperError(error, 'ConnectionLoss') || isKeeperError(error, 'SessionExpired');
      if (!isLost || session.isOver) throw error;
    }
  }
}

/**
 * Servers from 3.9 on can be told to remove the persistent watch alone. Older ones remove all of the path; so they are
 * asked only if nobody else watches it, else the watch stays and what it tells is ignored.
 */
async function removeFromServer(session: Session, path: string, mode: number): Promise<void> {
  const type = mode === AddWatchMode.persistentRecursive ? WatcherType.persistentRecursive : WatcherType.persistent;
  try {
    await session.call(removeWatches(path, type));
  } catch (error) {
    if (!isKeeperError(error, 'MarshallingError') || isWatched(session, path)) return;
    await session.call(removeWatches(path, WatcherType.any)).catch(() => {});
  }
}

function isWatched(session: Session, path: string): boolean {
  return session.watches.hasPersistent(path) || session.watches.hasOneShot(path) || session.isWatchUnderWay(path);
}
