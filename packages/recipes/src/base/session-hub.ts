// The state of a client's session for many recipes at once, over one listener on the client.

import type { Client, StateChange } from '@nodekeeper/client';

type Listener = (change: StateChange) => void;

const hubs = new WeakMap<Client, Set<Listener>>();

/** Calls `listener` with every change of state. Returns what ends that; the last one to end leaves nothing on the client. */
export function onStateChange(client: Client, listener: Listener): () => void {
  let listeners = hubs.get(client);
  if (listeners === undefined) {
    const created = new Set<Listener>();
    listeners = created;
    const tell = (change: StateChange): void => {
      for (const each of [...created]) each(change);
    };
    hubs.set(client, created);
    client.on('state', tell);
    releases.set(created, () => {
      client.removeListener('state', tell);
      hubs.delete(client);
    });
  }
  const own: Listener = (change) => listener(change);
  const all = listeners;
  all.add(own);
  return () => {
    if (all.delete(own) && all.size === 0) {
      releases.get(all)?.();
      releases.delete(all);
    }
  };
}

/** Calls `action` when the client is at its end, once; now if it is already. Returns what ends that. */
export function onClientEnd(client: Client, action: () => void): () => void {
  const look = (): void => {
    if (!client.isOver) return;
    forget();
    action();
  };
  const forget = onStateChange(client, look);
  look();
  return forget;
}

const releases = new WeakMap<Set<Listener>, () => void>();
