// The watches of a session: who waits for what, which events concern whom, and what a new connection must be told.
// All paths here are the server's, with the chroot. Source of the rules: ZKWatchManager of Apache's client.

import { AddWatchMode, ErrorCode, type JuteWriter, OpCode, PathLengths, parentPath } from '#protocol';
import { onAbort } from './on-abort.js';
import {
  overSignalOf,
  type PersistentEvent,
  type ResyncEvent,
  type WatchEvent,
  type WatchEventType,
  type Watcher,
} from './watch-events.js';

export type WatchKind = 'data' | 'exists' | 'children';

/** A one-shot watch that its reply will arm. */
export interface WatchRegistration {
  readonly kind: WatchKind;
  readonly path: string;
  readonly watcher: Watcher;
}

/** A persistent watch; several may stand on one path. */
export interface PersistentWatch {
  readonly path: string;
  readonly recursive: boolean;
  /** Whether the server may have been told of it; from then on gaps are told. */
  sent: boolean;
  readonly deliver: (event: PersistentEvent) => void;
}

/** Apache's client splits what it re-arms at this size, so that no frame exceeds jute.maxbuffer. */
export const REARM_CHUNK_BYTES = 128 * 1024;
const MAX_BYTES_PER_CHAR = 3;

interface Rearm {
  readonly data: string[];
  readonly exists: string[];
  readonly children: string[];
  readonly persistent: string[];
  readonly recursive: string[];
}

export interface RearmRequest {
  readonly op: number;
  readonly write: (w: JuteWriter) => void;
}

type Lists = Map<string, Set<Watcher>>;

/** The persistent watches of a path. A server keeps one mode for it, so a recursive watch serves the plain ones too. */
interface PersistentEntry {
  readonly watches: Set<PersistentWatch>;
  /** Whether one of them was recursive. It stays so until all are gone: going back could lose an event. */
  recursive: boolean;
  /** Whether the server may have been told; then every new connection is told as well. */
  sent: boolean;
  /** Whether the server watches recursively already. */
  armedRecursive: boolean;
}

export class WatchRegistry {
  private readonly data: Lists = new Map();
  private readonly exist: Lists = new Map();
  private readonly children: Lists = new Map();
  private readonly persistent = new Map<string, PersistentEntry>();
  /** Of the persistent watches. */
  private readonly lengths = new PathLengths();
  private readonly chroot: string;
  private readonly chunkBytes: number;
  private readonly report: (error: unknown) => void;

  /** `chunkBytes` is how long a request of {@link rearm} may become; `report` gets what a watcher throws. */
  constructor(chroot: string, chunkBytes: number, report: (error: unknown) => void) {
    this.chroot = chroot;
    this.chunkBytes = chunkBytes;
    this.report = report;
  }

  /** Arms a one-shot watch according to the reply: an `exists` of a missing node waits for its creation. */
  replied(watch: WatchRegistration, err: number): void {
    const over = overSignalOf(watch.watcher);
    if (over?.aborted) return;
    const isMissing = err === ErrorCode.NoNode && watch.kind === 'exists';
    if (err !== ErrorCode.Ok && !isMissing) return;
    const kind = isMissing || watch.kind === 'children' ? watch.kind : 'data';
    add(this.lists(kind), watch);
    if (over !== undefined) onAbort(over, () => this.removeOneShot(watch.path, [kind], watch.watcher));
  }

  addPersistent(watch: PersistentWatch): void {
    let entry = this.persistent.get(watch.path);
    if (entry === undefined) {
      entry = { watches: new Set(), recursive: false, sent: false, armedRecursive: false };
      this.persistent.set(watch.path, entry);
      this.lengths.add(watch.path);
    }
    entry.watches.add(watch);
    entry.recursive ||= watch.recursive;
  }

  /** Returns whether the server must be told: this was the last persistent watch of a path that it knows. */
  removePersistent(watch: PersistentWatch): boolean {
    const entry = this.persistent.get(watch.path);
    if (entry === undefined || !entry.watches.delete(watch) || entry.watches.size > 0) return false;
    this.persistent.delete(watch.path);
    this.lengths.delete(watch.path);
    return entry.sent;
  }

  /** The request that sets this watch leaves now. */
  sending(watch: PersistentWatch): void {
    watch.sent = true;
    const entry = this.persistent.get(watch.path);
    if (entry !== undefined) entry.sent = true;
  }

  /** The mode in which the server is to watch the path. */
  modeOf(path: string): number {
    const entry = this.persistent.get(path);
    return entry === undefined ? AddWatchMode.persistent : modeOf(entry);
  }

  /** The server has set a watch in this mode; its events follow. */
  armed(path: string, mode: number): void {
    const entry = this.persistent.get(path);
    if (entry !== undefined) entry.armedRecursive ||= mode === AddWatchMode.persistentRecursive;
  }

  /**
   * Whether a persistent watch brings the events of a one-shot watch already. The server must then not be asked for the
   * latter: before 3.9 (ZOOKEEPER-4466) it keeps one watch of a path, and the one-shot would take the persistent one's
   * place and be gone with its first event. A recursive watch hears of children otherwise, so `children` is asked for.
   */
  isCovered({ kind, path }: Pick<WatchRegistration, 'kind' | 'path'>): boolean {
    const entry = this.persistent.get(path);
    if (entry === undefined || !entry.sent) return false;
    return kind !== 'children' || !entry.recursive;
  }

  hasPersistent(path: string): boolean {
    return this.persistent.has(path);
  }

  /** How many one-shot watchers of a path there are: of one watcher, or of all. */
  countOneShot(path: string, kinds: readonly WatchKind[], watcher: Watcher | undefined): number {
    let count = 0;
    for (const kind of kinds) {
      const set = this.lists(kind).get(path);
      if (set === undefined) continue;
      if (watcher === undefined) count += set.size;
      else if (set.has(watcher)) count++;
    }
    return count;
  }

  /** Forgets one-shot watchers of a path: one of them, or all. */
  removeOneShot(path: string, kinds: readonly WatchKind[], watcher: Watcher | undefined): void {
    for (const kind of kinds) {
      const lists = this.lists(kind);
      const set = lists.get(path);
      if (watcher === undefined) set?.clear();
      else set?.delete(watcher);
      if (set?.size === 0) lists.delete(path);
    }
  }

  private lists(kind: WatchKind): Lists {
    if (kind === 'data') return this.data;
    return kind === 'exists' ? this.exist : this.children;
  }

  /** Hands an event of the server to everybody it concerns. */
  notify(type: WatchEventType, path: string, zxid: number | undefined): void {
    const event: WatchEvent = { type, state: 'connected', path: this.visible(path), zxid };
    const watchers = new Set<Watcher>();
    if (type !== 'nodeChildrenChanged') {
      take(this.data, path, watchers);
      take(this.exist, path, watchers);
    }
    if (type === 'nodeChildrenChanged' || type === 'nodeDeleted') take(this.children, path, watchers);
    for (const watcher of watchers) this.call(watcher, event);
    if (this.persistent.size === 0) return;
    this.notifyPersistent(event, path);
    if (type === 'nodeCreated' || type === 'nodeDeleted') this.notifyChildren(event, path);
  }

  /** Servers before 3.9 forget a one-shot watch of children when a recursive watch comes to stand on its path. */
  private notifyChildren(event: WatchEvent, path: string): void {
    const above = path === '/' ? undefined : parentPath(path);
    if (above === undefined || this.persistent.get(above)?.armedRecursive !== true) return;
    const watchers = new Set<Watcher>();
    take(this.children, above, watchers);
    const changed: WatchEvent = { ...event, type: 'nodeChildrenChanged', path: this.visible(above) };
    for (const watcher of watchers) this.call(watcher, changed);
  }

  private notifyPersistent(event: WatchEvent, path: string): void {
    const own = this.persistent.get(path);
    if (event.type === 'nodeChildrenChanged') {
      // Where the server watches recursively, the events of the children stand for this one.
      if (own === undefined || own.armedRecursive) return;
      for (const watch of own.watches) if (!watch.recursive) this.call(watch.deliver, event);
      return;
    }
    for (const watch of own?.watches ?? []) this.call(watch.deliver, event);
    if (path === '/') return;
    const above = parentPath(path);
    const parent = this.persistent.get(above);
    if (event.type !== 'nodeDataChanged' && parent?.armedRecursive) {
      const changed: WatchEvent = { ...event, type: 'nodeChildrenChanged', path: this.visible(above) };
      for (const watch of parent.watches) if (!watch.recursive) this.call(watch.deliver, changed);
    }
    for (let end = above.length; end > 0; end = path.lastIndexOf('/', end - 1)) this.notifyAbove(event, path, end);
    if (above !== '/') this.notifyAbove(event, '/', 1);
  }

  /** Tells the recursive watches of the first `length` characters of the path. */
  private notifyAbove(event: WatchEvent, path: string, length: number): void {
    if (!this.lengths.has(length)) return;
    for (const watch of this.persistent.get(path.slice(0, length))?.watches ?? [])
      if (watch.recursive) this.call(watch.deliver, event);
  }

  /** The session is no more: tells the one-shot watches their end. Persistent ones go on if there is a next session. */
  endOneShots(state: 'expired' | 'closed'): void {
    for (const lists of [this.data, this.exist, this.children]) {
      const ended = [...lists];
      lists.clear();
      for (const [path, watchers] of ended) {
        const event: WatchEvent = { type: 'none', state, path: this.visible(path), zxid: undefined };
        for (const watcher of watchers) this.call(watcher, event);
      }
    }
  }

  endPersistent(state: 'expired' | 'closed'): void {
    const ended = [...this.persistent.values()];
    this.persistent.clear();
    this.lengths.clear();
    for (const { watches } of ended) {
      for (const watch of watches) {
        const event: WatchEvent = { type: 'none', state, path: this.visible(watch.path), zxid: undefined };
        this.call(watch.deliver, event);
      }
    }
  }

  /** Tells persistent watches that were armed before that there is a gap. */
  resync(reason: ResyncEvent['reason']): void {
    for (const { watches } of this.persistent.values()) {
      for (const watch of watches) {
        if (watch.sent) this.call(watch.deliver, { type: 'resync', reason, path: this.visible(watch.path) });
      }
    }
  }

  /**
   * The requests that arm everything again on a new connection, and have the server tell what has changed since `zxid`.
   * setWatches2 came with persistent watches in 3.6; without any, setWatches does, which 3.5 knows too.
   */
  rearm(zxid: number): RearmRequest[] {
    for (const entry of this.persistent.values()) entry.armedRecursive = entry.recursive && entry.sent;
    const needsSecond = [...this.persistent.values()].some((entry) => entry.sent);
    return [...this.chunks()].map((lists) => setWatches(lists, zxid, needsSecond));
  }

  /** The same for the one-shot watches of one path, after a persistent watch that stood for them is gone. */
  rearmPath(path: string, zxid: number): RearmRequest | undefined {
    const lists = emptyChunk();
    for (const kind of ['data', 'exists', 'children'] as const) {
      if (this.lists(kind).has(path)) lists[kind].push(path);
    }
    const isNone = lists.data.length + lists.exists.length + lists.children.length === 0;
    const entry = this.persistent.get(path);
    // Behind the others, so that it is the mode that older servers keep.
    if (entry?.sent) lists[entry.recursive ? 'recursive' : 'persistent'].push(path);
    return isNone ? undefined : setWatches(lists, zxid, entry?.sent === true);
  }

  private *chunks(): Generator<Rearm> {
    let chunk = emptyChunk();
    let bytes = 0;
    for (const [list, path] of this.toArm()) {
      chunk[list].push(path);
      bytes += 4 + path.length * MAX_BYTES_PER_CHAR;
      if (bytes < this.chunkBytes) continue;
      yield chunk;
      chunk = emptyChunk();
      bytes = 0;
    }
    if (bytes > 0) yield chunk;
  }

  private *toArm(): Generator<[keyof Rearm, string]> {
    for (const path of this.data.keys()) yield ['data', path];
    for (const path of this.exist.keys()) yield ['exists', path];
    for (const path of this.children.keys()) yield ['children', path];
    for (const [path, entry] of this.persistent) {
      if (entry.sent) yield [entry.recursive ? 'recursive' : 'persistent', path];
    }
  }

  private visible(path: string): string {
    if (path === this.chroot) return '/';
    return path.startsWith(`${this.chroot}/`) ? path.slice(this.chroot.length) : path;
  }

  private call<E>(watcher: (event: E) => void, event: E): void {
    try {
      watcher(event);
    } catch (error) {
      this.report(error);
    }
  }
}

// SetWatches: long relativeZxid, vector<ustring> dataWatches, existWatches, childWatches;
// SetWatches2: the same, vector<ustring> persistentWatches, persistentRecursiveWatches
function setWatches(lists: Rearm, zxid: number, isSecond: boolean): RearmRequest {
  return {
    op: isSecond ? OpCode.setWatches2 : OpCode.setWatches,
    write: (w) => {
      w.long53(zxid);
      const all = [lists.data, lists.exists, lists.children];
      if (isSecond) all.push(lists.persistent, lists.recursive);
      for (const paths of all) w.vector(paths, (writer, path) => writer.string(path));
    },
  };
}

function modeOf(entry: PersistentEntry): number {
  return entry.recursive ? AddWatchMode.persistentRecursive : AddWatchMode.persistent;
}

function emptyChunk(): Rearm {
  return { data: [], exists: [], children: [], persistent: [], recursive: [] };
}

function add(lists: Lists, { path, watcher }: WatchRegistration): void {
  const set = lists.get(path);
  if (set === undefined) lists.set(path, new Set([watcher]));
  else set.add(watcher);
}

function take(lists: Lists, path: string, into: Set<Watcher>): void {
  const set = lists.get(path);
  if (set === undefined) return;
  lists.delete(path);
  for (const watcher of set) into.add(watcher);
}
