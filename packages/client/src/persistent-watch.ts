// A persistent watch from its setting to its removal, on a server that keeps one watch for many here.

import { WatcherType } from '#protocol';
import { isKeeperError } from './errors.js';
import type { CallOptions } from './options.js';
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
  options?: CallOptions,
): PersistentWatchHandle {
  let isOpen = true;
  let isRemoved = false;
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
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    isRemoved = session.watches.removePersistent(watch);
    if (isRemoved) void removeFromServer(session, path);
  };
  const ready = set(session, watch, () => isOpen, options).then(
    () => {
      // It was closed before the request left, and was not known to the server then.
      if (!isOpen && !isRemoved && !session.watches.hasPersistent(path)) void removeFromServer(session, path);
    },
    (error) => {
      close();
      throw error;
    },
  );
  ready.catch(() => {}); // who does not await it learns from the stream
  return { ready, close };
}

/** A request that was sent and lost needs no other care: every new connection is told of the watch. */
async function set(
  session: Session,
  watch: PersistentWatch,
  isOpen: () => boolean,
  options: CallOptions | undefined,
): Promise<void> {
  while (isOpen()) {
    const mode = session.watches.modeOf(watch.path);
    const onSent = (): void => session.watches.sending(watch);
    const onSet = (): void => session.watches.armed(watch.path, mode);
    try {
      await session.call(addWatch(watch.path, mode, onSent, onSet), options);
      return;
    } catch (error) {
      const isLost = isKeeperError(error, 'ConnectionLoss') || isKeeperError(error, 'SessionExpired');
      if (!isLost || session.isOver) throw error;
    }
  }
}

/**
 * Removes what the server has at the path for this connection. The persistent watch could be named alone from 3.9 on only;
 * so all go, and one-shot watches are set again, with what has changed in between.
 */
async function removeFromServer(session: Session, path: string): Promise<void> {
  // A failure means that there is none: no such watch, or no connection that has one.
  await session.call(removeWatches(path, WatcherType.any, () => session.rearmPath(path))).catch(() => {});
}
