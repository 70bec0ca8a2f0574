// The watches that were set in the shell, by path, and what their events look like.

import type { Client, PersistentEvent, PersistentWatchHandle, WatchEvent, WatchEventType } from '@nodekeeper/client';
import { isKeeperError } from '@nodekeeper/client';
import { CommandError } from './failure.js';

export type WatchKind = 'data' | 'children' | 'any' | 'persistent' | 'persistentRecursive';

const NAMES: Readonly<Record<WatchEventType, string>> = {
  none: 'None',
  nodeCreated: 'NodeCreated',
  nodeDeleted: 'NodeDeleted',
  nodeDataChanged: 'NodeDataChanged',
  nodeChildrenChanged: 'NodeChildrenChanged',
};

/** An event as zkCli names its parts. */
export interface ShownEvent {
  readonly state: string;
  readonly type: string;
  readonly path: string | null;
  readonly zxid?: number | undefined;
}

export class WatchBook {
  private readonly client: Client;
  private readonly show: (event: ShownEvent) => void;
  private readonly persistent = new Map<string, Set<{ handle: PersistentWatchHandle; recursive: boolean }>>();
  private last: WatchEvent | undefined;

  constructor(client: Client, show: (event: ShownEvent) => void) {
    this.client = client;
    this.show = show;
  }

  /** Shows an event of a watch; once, if several watches of the shell are told of it. */
  readonly told = (event: PersistentEvent): void => {
    if (event.type === 'resync') {
      this.show({ state: 'SyncConnected', type: `Resync (${event.reason})`, path: event.path });
      return;
    }
    if (event === this.last || event.type === 'none') return;
    this.last = event;
    this.show({ state: 'SyncConnected', type: NAMES[event.type], path: event.path, zxid: event.zxid });
  };

  async add(path: string, recursive: boolean): Promise<void> {
    const handle = await this.client.addWatch(path, this.told, { recursive });
    const all = this.persistent.get(path) ?? new Set();
    this.persistent.set(path, all.add({ handle, recursive }));
  }

  /**
   * Removes the watches of a kind, and shows that they are gone.
   * @param isLocal also without a connection; then nothing is waited for
   * @throws CommandError in zkCli's words if there is none
   */
  async remove(path: string, kind: WatchKind, isLocal: boolean): Promise<void> {
    const gone: string[] = [];
    if ((kind === 'children' || kind === 'any') && (await this.removeOneShot(path, 'children', isLocal)))
      gone.push('ChildWatchRemoved');
    if ((kind === 'data' || kind === 'any') && (await this.removeOneShot(path, 'data', isLocal)))
      gone.push('DataWatchRemoved');
    if (this.removePersistent(path, kind)) gone.push('PersistentWatchRemoved');
    if (gone.length === 0) throw new CommandError(`KeeperErrorCode = No such watcher for ${path}`);
    for (const type of gone) this.show({ state: 'SyncConnected', type, path });
  }

  private async removeOneShot(path: string, type: 'data' | 'children', isLocal: boolean): Promise<boolean> {
    const isOff = isLocal && !this.client.isConnected;
    try {
      await this.client.removeWatches(path, { type, ...(isOff ? { timeout: 1 } : {}) });
      return true;
    } catch (error) {
      if (isKeeperError(error, 'NoWatcher')) return false;
      if (isOff && isKeeperError(error, 'OperationTimeout')) return true;
      throw error;
    }
  }

  private removePersistent(path: string, kind: WatchKind): boolean {
    let isAny = false;
    for (const one of this.persistent.get(path) ?? []) {
      if (kind !== 'any' && kind !== (one.recursive ? 'persistentRecursive' : 'persistent')) continue;
      one.handle.close();
      this.persistent.get(path)?.delete(one);
      isAny = true;
    }
    return isAny;
  }
}
