// Watch events, watcher types and watch modes. Source: Watcher.Event, Watcher.WatcherType, AddWatchMode of Apache ZooKeeper.

export const EventType = {
  none: -1,
  nodeCreated: 1,
  nodeDeleted: 2,
  nodeDataChanged: 3,
  nodeChildrenChanged: 4,
} as const;

export const KeeperState = {
  disconnected: 0,
  syncConnected: 3,
  authFailed: 4,
  connectedReadOnly: 5,
  expired: -112,
} as const;

/** The kinds of registration that checkWatches and removeWatches can name; 4 and 5 since 3.9. */
export const WatcherType = { children: 1, data: 2, any: 3, persistent: 4, persistentRecursive: 5 } as const;

export const AddWatchMode = { persistent: 0, persistentRecursive: 1 } as const;
