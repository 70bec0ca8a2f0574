// The watches that a simulated client believes to have, as clients keep them: restored after a reconnect.

import { ErrorCode, EventType, JuteWriter, OpCode, Xid } from '@nodekeeper/protocol';
import type { Operation } from './operations.js';

export class WatchTable {
  private readonly data = new Set<string>();
  private readonly exist = new Set<string>();
  private readonly child = new Set<string>();
  private readonly persistent = new Set<string>();
  private readonly recursive = new Set<string>();

  clear(): void {
    for (const set of [this.data, this.exist, this.child, this.persistent, this.recursive]) set.clear();
  }

  /** An operation was answered that may have set a watch. */
  registered(op: Operation, error: number): void {
    if (op.kind === 'addWatch' && error === ErrorCode.Ok)
      (op.recursive ? this.recursive : this.persistent).add(op.path);
    if ((op.kind !== 'get' && op.kind !== 'exists' && op.kind !== 'children') || !op.watch) return;
    if (error === ErrorCode.Ok) (op.kind === 'children' ? this.child : this.data).add(op.path);
    else if (error === ErrorCode.NoNode && op.kind === 'exists') this.exist.add(op.path);
  }

  fired(type: number, path: string): void {
    switch (type) {
      case EventType.nodeChildrenChanged:
        this.child.delete(path);
        break;
      case EventType.nodeDeleted:
        this.child.delete(path);
        this.data.delete(path);
        this.exist.delete(path);
        break;
      default:
        this.data.delete(path);
        this.exist.delete(path);
    }
  }

  // SetWatches2: long relativeZxid, vector<ustring> dataWatches, existWatches, childWatches, persistentWatches,
  // persistentRecursiveWatches; SetWatches ends before the last two
  /** The request that sets them again on another connection; undefined if there are none. */
  restoration(lastZxid: number): Buffer | undefined {
    const oneShot = [this.data, this.exist, this.child];
    const lasting = [this.persistent, this.recursive];
    if ([...oneShot, ...lasting].every((set) => set.size === 0)) return undefined;
    const all = lasting.some((set) => set.size > 0);
    const w = new JuteWriter();
    w.int(Xid.setWatches)
      .int(all ? OpCode.setWatches2 : OpCode.setWatches)
      .long53(lastZxid);
    for (const set of all ? [...oneShot, ...lasting] : oneShot) w.vector([...set], (out, path) => out.string(path));
    return w.bytes();
  }
}
