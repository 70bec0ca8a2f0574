// Watches: who waits for a change of which path, and in which order changes are told. Kept in memory only, per server.
// Follows Apache ZooKeeper 3.9: several modes of one connection on one path stand side by side.

import { AddWatchMode, EventType, encodedLength, encodeString, PathLengths, Xid } from '@nodekeeper/protocol';

/** The bits of a registration. */
export const WatchMode = { standard: 1, persistent: 2, recursive: 4 } as const;
const ALL_MODES = 7;
/** So many paths of those who left are gone through at a time, in about 2 ms. */
const SWEPT_AT_ONCE = 2000;
/** What a path that somebody watches takes beside its characters, about. */
const BYTES_BESIDE = 256;

/** A change to tell: one object for all watchers, so that its frame is encoded once. */
export class WatchEvent {
  readonly type: number;
  readonly path: string;
  /** The transaction that caused it; -1 for events that setWatches makes up. */
  readonly zxid: number;
  private encoded: Buffer | undefined;

  constructor(type: number, path: string, zxid: number) {
    this.type = type;
    this.path = path;
    this.zxid = zxid;
  }

  /** The notification with its length prefix. ReplyHeader(xid -1, zxid, err 0), WatcherEvent(int type, int state, ustring path). */
  get frame(): Buffer {
    this.encoded ??= encode(this);
    return this.encoded;
  }
}

const FRAME_HEAD = 32;

// Without a writer: a setWatches of 1 MB can ask for 200,000 of them at once, and what each leaves behind is collected in that time.
function encode({ type, path, zxid }: WatchEvent): Buffer {
  const length = encodedLength(path);
  const frame = Buffer.allocUnsafe(FRAME_HEAD + length);
  const hi = Math.floor(zxid / 4294967296);
  frame.writeInt32BE(FRAME_HEAD - 4 + length, 0);
  frame.writeInt32BE(Xid.notification, 4);
  frame.writeInt32BE(hi, 8);
  frame.writeInt32BE((zxid - hi * 4294967296) | 0, 12);
  frame.writeInt32BE(0, 16);
  frame.writeInt32BE(type, 20);
  frame.writeInt32BE(3, 24);
  frame.writeInt32BE(length, 28);
  encodeString(frame, FRAME_HEAD, path);
  return frame;
}

/** Somebody who watches: a client connection. */
export interface Watcher {
  /** Whether the watcher, with the identities it has now, may read a node with this ACL; events it may not see are dropped. */
  mayRead(aclId: number): boolean;
  onEvent(event: WatchEvent): void;
}

type Registrations = Map<Watcher, number>;

class WatchTable {
  readonly byPath = new Map<string, Registrations>();
  /** Registrations: pairs of watcher and path. */
  size = 0;

  add(path: string, watcher: Watcher, mode: number): boolean {
    let at = this.byPath.get(path);
    if (at === undefined) {
      at = new Map();
      this.byPath.set(path, at);
    }
    const before = at.get(watcher) ?? 0;
    if (before === 0) this.size++;
    at.set(watcher, before | mode);
    return (before & mode) === 0;
  }

  modes(path: string, watcher: Watcher): number {
    return this.byPath.get(path)?.get(watcher) ?? 0;
  }

  /** Takes modes away; returns those that were there. */
  remove(path: string, watcher: Watcher, modes: number): number {
    const at = this.byPath.get(path);
    const before = at?.get(watcher) ?? 0;
    if (at === undefined || before === 0) return 0;
    const rest = before & ~modes;
    if (rest === 0) {
      at.delete(watcher);
      this.size--;
      if (at.size === 0) this.byPath.delete(path);
    } else {
      at.set(watcher, rest);
    }
    return before & modes;
  }
}

/** What one watcher is registered at. */
class Watched {
  readonly paths = new Set<string>();
  bytes = 0;
}

export class Watches {
  private readonly onTriggered: (eventType: number, watchers: number) => void;
  private readonly data = new WatchTable();
  private readonly child = new WatchTable();
  private readonly watchedBy = new Map<Watcher, Watched>();
  /** What all paths of all watchers take, about; those of who has left aside. */
  bytes = 0;
  /** Who has left, with the paths at which it may still be registered. */
  private readonly leaving = new Map<Watcher, IterableIterator<string>>();
  /** Of the recursive registrations. */
  private readonly recursive = new PathLengths();

  /** @param onTriggered is told how many watchers of a node, or of its children, hear of an event */
  constructor(onTriggered: (eventType: number, watchers: number) => void = () => {}) {
    this.onTriggered = onTriggered;
  }

  /** Registrations in both tables, as zk_watch_count counts them. */
  get count(): number {
    return this.data.size + this.child.size;
  }

  /** What the paths of one watcher take, about. */
  bytesOf(watcher: Watcher): number {
    return this.watchedBy.get(watcher)?.bytes ?? 0;
  }

  addData(path: string, watcher: Watcher): void {
    this.data.add(path, watcher, WatchMode.standard);
    this.remember(path, watcher);
  }

  addChild(path: string, watcher: Watcher): void {
    this.child.add(path, watcher, WatchMode.standard);
    this.remember(path, watcher);
  }

  /** A registration that outlives events; `mode` as in an addWatch request. */
  addPersistent(path: string, watcher: Watcher, mode: number): void {
    this.remember(path, watcher);
    if (mode === AddWatchMode.persistentRecursive) {
      if (this.data.add(path, watcher, WatchMode.recursive)) this.recursive.add(path);
    } else {
      this.data.add(path, watcher, WatchMode.persistent);
      this.child.add(path, watcher, WatchMode.persistent);
    }
  }

  /** Whether a registration of the type (1..5 as in checkWatches) exists. */
  has(path: string, watcher: Watcher, type: number): boolean {
    const [data, child] = modesOfType(type);
    return ((this.data.modes(path, watcher) & data) | (this.child.modes(path, watcher) & child)) !== 0;
  }

  /** Removes registrations of the type; false if there were none. */
  remove(path: string, watcher: Watcher, type: number): boolean {
    const [data, child] = modesOfType(type);
    const gone = this.removeData(path, watcher, data) | this.child.remove(path, watcher, child);
    if (gone === 0) return false;
    if ((this.data.modes(path, watcher) | this.child.modes(path, watcher)) === 0) this.forget(path, watcher);
    return true;
  }

  /**
   * Drops everything a closing connection had registered. It is told nothing more; of very many registrations, and of connections
   * that leave together, the last go with {@link sweep}: true if that is to be called.
   */
  removeWatcher(watcher: Watcher): boolean {
    const watched = this.watchedBy.get(watcher);
    if (watched === undefined) return false;
    this.watchedBy.delete(watcher);
    this.bytes -= watched.bytes;
    this.leaving.set(watcher, watched.paths.values());
    return this.leaving.size > 1 || this.sweep();
  }

  /** Removes some of what those who left had registered. True if more is left. */
  sweep(): boolean {
    let left = SWEPT_AT_ONCE;
    for (const [watcher, paths] of this.leaving) {
      for (let path = paths.next(); path.done !== true; path = paths.next()) {
        this.removeData(path.value, watcher, ALL_MODES);
        this.child.remove(path.value, watcher, ALL_MODES);
        if (--left === 0) return true;
      }
      this.leaving.delete(watcher);
    }
    return false;
  }

  nodeCreated(path: string, parent: string, zxid: number, aclId: number, parentAclId: number): void {
    this.trigger(this.data, EventType.nodeCreated, path, zxid, aclId);
    this.trigger(this.child, EventType.nodeChildrenChanged, parent, zxid, parentAclId);
  }

  nodeDeleted(path: string, parent: string, zxid: number, aclId: number, parentAclId: number): void {
    const told = this.trigger(this.data, EventType.nodeDeleted, path, zxid, aclId);
    this.trigger(this.child, EventType.nodeDeleted, path, zxid, aclId, told);
    this.trigger(this.child, EventType.nodeChildrenChanged, parent, zxid, parentAclId);
  }

  dataChanged(path: string, zxid: number, aclId: number): void {
    this.trigger(this.data, EventType.nodeDataChanged, path, zxid, aclId);
  }

  /** For wchs, wchc, wchp: paths of the data-watch table with their watchers, as Apache reports them. */
  *byPath(): Generator<readonly [string, IterableIterator<Watcher>]> {
    for (const [path, at] of this.data.byPath) yield [path, at.keys()];
  }

  get dataWatchCount(): number {
    return this.data.size;
  }

  get dataPathCount(): number {
    return this.data.byPath.size;
  }

  private trigger(
    table: WatchTable,
    type: number,
    path: string,
    zxid: number,
    aclId: number,
    told?: ReadonlySet<Watcher>,
  ): ReadonlySet<Watcher> | undefined {
    const watchers = new Set<Watcher>();
    const own = table.byPath.get(path);
    if (own !== undefined) {
      for (const [watcher, modes] of own) {
        if (type !== EventType.nodeChildrenChanged || modes !== WatchMode.recursive) watchers.add(watcher);
        if ((modes & WatchMode.standard) === 0) continue;
        table.remove(path, watcher, WatchMode.standard);
        if (modes === WatchMode.standard) this.forgetIfGone(path, watcher);
      }
    }
    if (!this.recursive.empty && table === this.data) this.collectRecursive(path, watchers);
    if (this.leaving.size > 0) for (const watcher of watchers) if (this.leaving.has(watcher)) watchers.delete(watcher);
    if (watchers.size === 0) return undefined;
    this.onTriggered(type, watchers.size);
    const event = new WatchEvent(type, path, zxid);
    for (const watcher of watchers) {
      if (told?.has(watcher) || !watcher.mayRead(aclId)) continue;
      watcher.onEvent(event);
    }
    return watchers;
  }

  private collectRecursive(path: string, into: Set<Watcher>): void {
    for (let end = path.length; end > 0; ) {
      end = path.lastIndexOf('/', end - 1);
      if (end < 0) return;
      if (!this.recursive.has(end === 0 ? 1 : end)) continue;
      const at = this.data.byPath.get(end === 0 ? '/' : path.slice(0, end));
      if (at === undefined) continue;
      for (const [watcher, modes] of at) if (modes & WatchMode.recursive) into.add(watcher);
    }
  }

  private removeData(path: string, watcher: Watcher, modes: number): number {
    const gone = this.data.remove(path, watcher, modes);
    if (gone & WatchMode.recursive) this.recursive.delete(path);
    return gone;
  }

  private remember(path: string, watcher: Watcher): void {
    let watched = this.watchedBy.get(watcher);
    if (watched === undefined) {
      watched = new Watched();
      this.watchedBy.set(watcher, watched);
    }
    const { paths } = watched;
    const before = paths.size;
    paths.add(path);
    if (paths.size > before) this.weigh(watched, path.length + BYTES_BESIDE);
  }

  private weigh(watched: Watched, bytes: number): void {
    watched.bytes += bytes;
    this.bytes += bytes;
  }

  private forgetIfGone(path: string, watcher: Watcher): void {
    if ((this.data.modes(path, watcher) | this.child.modes(path, watcher)) === 0) this.forget(path, watcher);
  }

  private forget(path: string, watcher: Watcher): void {
    const watched = this.watchedBy.get(watcher);
    if (watched?.paths.delete(path) !== true) return;
    this.weigh(watched, -path.length - BYTES_BESIDE);
    if (watched.paths.size === 0) this.watchedBy.delete(watcher);
  }
}

/** The modes that a watcher type covers in the data and in the child table. */
function modesOfType(type: number): readonly [number, number] {
  switch (type) {
    case 1:
      return [0, WatchMode.standard];
    case 2:
      return [WatchMode.standard, 0];
    case 3:
      return [ALL_MODES, ALL_MODES];
    case 4:
      return [WatchMode.persistent, WatchMode.persistent];
    default:
      return [WatchMode.recursive, 0];
  }
}
