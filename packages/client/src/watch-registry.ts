// The watches of a session: who waits for what, which events concern whom, and what a new connection must be told.
// All paths here are the server's, with the chroot. Source of the rules: ZKWatchManager of Apache's client.

import { AddWatchMode, ErrorCode, type JuteWriter, OpCode, parentPath } from '#protocol';
import type { PersistentEvent, ResyncEvent, WatchEvent, WatchEventType, Watcher } from './watch-events.js';

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
  /** Whether the server may have been told of it; from then on every new connection is told as well. */
  sent: boolean;
  readonly deliver: (event: PersistentEvent) => void;
}

/** Apache's client splits what it re-arms at this size, so that no frame exceeds jute.maxbuffer. */
const CHUNK_BYTES = 128 * 1024;
const MAX_BYTES_PER_CHAR = 3;

interface Rearm {
  readonly data: string[];
  readonly exists: string[];
  readonly children: string[];
  readonly persistent: string[];
  readonly recursive: string[];
}

type Lists = Map<string, Set<Watcher>>;

/** The persistent watches of a path. A server keeps one mode for it, so a recursive watch serves the plain ones too. */
interface PersistentEntry {
  readonly watches: Set<PersistentWatch>;
  /** Whether one of them was recursive. It stays so until all are gone: going back could lose an event. */
  recursive: boolean;
  /** Whether the server watches recursively already. */
  armedRecursive: boolean;
}

export class WatchRegistry {
  private readonly data: Lists = new Map();
  private readonly exist: Lists = new Map();
  private readonly children: Lists = new Map();
  private readonly persistent = new Map<string, PersistentEntry>();
  private readonly chroot: string;
  private readonly report: (error: unknown) => void;

  /** `report` gets what a watcher throws. */
  constructor(chroot: string, report: (error: unknown) => void) {
    this.chroot = chroot;
    this.report = report;
  }

  /** Arms a one-shot watch according to the reply: an `exists` of a missing node waits for its creation. */
  replied(watch: WatchRegistration, err: number): void {
    if (err === ErrorCode.Ok) add(watch.kind === 'children' ? this.children : this.data, watch);
    else if (err === ErrorCode.NoNode && watch.kind === 'exists') add(this.exist, watch);
  }

  addPersistent(watch: PersistentWatch): void {
    let entry = this.persistent.get(watch.path);
    if (entry === undefined) {
      entry = { watches: new Set(), recursive: false, armedRecursive: false };
      this.persistent.set(watch.path, entry);
    }
    entry.watches.add(watch);
    entry.recursive ||= watch.recursive;
  }

  /** Returns the mode in which the server watches the path, if this was the last persistent watch of it. */
  removePersistent(watch: PersistentWatch): number | undefined {
    const entry = this.persistent.get(watch.path);
    if (entry === undefined || !entry.watches.delete(watch) || entry.watches.size > 0) return undefined;
    this.persistent.delete(watch.path);
    return modeOf(entry);
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

  hasPersistent(path: string): boolean {
    return this.persistent.has(path);
  }

  hasOneShot(path: string): boolean {
    return this.data.has(path) || this.exist.has(path) || this.children.has(path);
  }

  /** Forgets one-shot watchers of a path: one of them, or all. Returns whether any are left. */
  removeOneShot(path: string, kinds: readonly WatchKind[], watcher: Watcher | undefined): boolean {
    let left = false;
    for (const kind of kinds) {
      const lists = kind === 'data' ? this.data : kind === 'exists' ? this.exist : this.children;
      const set = lists.get(path);
      if (set === undefined) continue;
      if (watcher === undefined) set.clear();
      else set.delete(watcher);
      if (set.size === 0) lists.delete(path);
      else left = true;
    }
    return left;
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
    if (this.persistent.size > 0) this.notifyPersistent(event, path);
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
    let above = parentPath(path);
    const parent = this.persistent.get(above);
    if (event.type !== 'nodeDataChanged' && parent?.armedRecursive) {
      const changed: WatchEvent = { ...event, type: 'nodeChildrenChanged', path: this.visible(above) };
      for (const watch of parent.watches) if (!watch.recursive) this.call(watch.deliver, changed);
    }
    for (;;) {
      for (const watch of this.persistent.get(above)?.watches ?? [])
        if (watch.recursive) this.call(watch.deliver, event);
      if (above === '/') return;
      above = parentPath(above);
    }
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
   * The requests that arm everything again on a new connection. setWatches2 came with persistent watches in 3.6; without
   * any, setWatches does, which 3.5 knows too.
   */
  rearm(lastZxid: number): { op: number; write: (w: JuteWriter) => void }[] {
    for (const entry of this.persistent.values()) entry.armedRecursive = entry.recursive && isSent(entry);
    const needsSecond = [...this.persistent.values()].some(isSent);
    return [...this.chunks()].map((lists) => ({
      op: needsSecond ? OpCode.setWatches2 : OpCode.setWatches,
      // SetWatches: long relativeZxid, vector<ustring> dataWatches, existWatches, childWatches;
      // SetWatches2: the same, vector<ustring> persistentWatches, persistentRecursiveWatches
      write: (w: JuteWriter) => {
        w.long53(lastZxid);
        const all = [lists.data, lists.exists, lists.children];
        if (needsSecond) all.push(lists.persistent, lists.recursive);
        for (const paths of all) w.vector(paths, (writer, path) => writer.string(path));
      },
    }));
  }

  private *chunks(): Generator<Rearm> {
    let chunk = emptyChunk();
    let bytes = 0;
    for (const [list, path] of this.toArm()) {
      chunk[list].push(path);
      bytes += 4 + path.length * MAX_BYTES_PER_CHAR;
      if (bytes < CHUNK_BYTES) continue;
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
      if (isSent(entry)) yield [entry.recursive ? 'recursive' : 'persistent', path];
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

function modeOf(entry: PersistentEntry): number {
  return entry.recursive ? AddWatchMode.persistentRecursive : AddWatchMode.persistent;
}

function isSent(entry: PersistentEntry): boolean {
  return [...entry.watches].some((watch) => watch.sent);
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
