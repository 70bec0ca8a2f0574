// What watches tell: the server's events by name, and the client's own word that some may have been missed.

import { EventType } from '#protocol';
import { limited } from './limits.js';
import type { CallOptions } from './options.js';

/** `none` tells the end of the watch by the state of the session; see {@link WatchEvent}. */
export type WatchEventType = keyof typeof EventType;

export interface WatchEvent {
  readonly type: WatchEventType;
  /** `connected` with a change of a node; `expired` or `closed` with type `none`: the watch is gone, nothing will come. */
  readonly state: 'connected' | 'expired' | 'closed';
  /** Without the chroot. */
  readonly path: string;
  /** Of the transaction, if the server told it (3.9 does, but not for what happened during a reconnect). */
  readonly zxid: number | undefined;
}

/**
 * Events of a persistent watch may have been missed here: read the nodes again. Later events follow without a gap.
 * `reconnected`: the connection was away; `newSession`: so was the session; `overflow`: the reader was too slow.
 */
export interface ResyncEvent {
  readonly type: 'resync';
  readonly reason: 'reconnected' | 'newSession' | 'overflow';
  /** The path that is watched, without the chroot. */
  readonly path: string;
}

export type Watcher = (event: WatchEvent) => void;
export type PersistentEvent = WatchEvent | ResyncEvent;
export type PersistentWatcher = (event: PersistentEvent) => void;

const names = new Map<number, WatchEventType>(
  Object.entries(EventType).map(([name, code]) => [code, name as WatchEventType]),
);

/** Undefined for a type that no server sends. */
export function eventTypeName(code: number): WatchEventType | undefined {
  return names.get(code);
}

/** A one-shot watch as a promise: give `watcher` to a read, and await `event`. */
export interface NextEvent {
  readonly watcher: Watcher;
  /** Resolves once, at the latest with type `none` when the session has expired or was closed. */
  readonly event: Promise<WatchEvent>;
}

/** Of the watchers of {@link nextEvent}. */
const overSignals = new WeakMap<Watcher, AbortSignal>();

/** Aborted when nobody waits for this watcher any more; undefined if that is not known. */
export function overSignalOf(watcher: Watcher): AbortSignal | undefined {
  return overSignals.get(watcher);
}

/**
 * Makes a one-shot watch to await: `const next = nextEvent(); await client.getData(p, { watcher: next.watcher })`.
 * With limits, `event` rejects with the signal's reason, or with OperationTimeout after `timeout` ms. The client has forgotten the
 * watch then. The server keeps it until something happens, and no second one if the same is asked again.
 */
export function nextEvent(limits: Pick<CallOptions, 'signal' | 'timeout'> = {}): NextEvent {
  let happened: WatchEvent | undefined;
  let wake = (): void => {};
  const watcher: Watcher = (told) => {
    happened ??= told;
    wake();
  };
  const begin = (resolve: () => void): (() => void) => {
    wake = resolve;
    return () => {};
  };
  const over = new AbortController();
  overSignals.set(watcher, over.signal);
  const event = limited('watch', limits, begin)
    .finally(() => over.abort())
    .then(() => happened as WatchEvent);
  event.catch(() => {}); // it may be over before it is awaited
  return { watcher, event };
}
