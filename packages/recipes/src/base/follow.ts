// Following a node: its data now and after every change, whatever becomes of connections and sessions.

import { type Client, isKeeperError, type NodeChildren, type NodeData } from '@nodekeeper/client';
import { changed } from './watching.js';

/**
 * Calls `onValue` with what the node holds, null if there is none, again whenever that has changed, until the signal is
 * aborted; then it resolves, and no watch is left. States that lasted shorter than it takes to read them are not seen.
 * Rejects with errors that time does not mend: NoAuth, Closed.
 */
export async function followData(
  client: Client,
  path: string,
  signal: AbortSignal,
  onValue: (value: NodeData | null) => void,
): Promise<void> {
  await follow(client, signal, async () => {
    if (await changed(client, path, 'data', signal, (value) => void onValue(value))) return;
    await untilCreated(client, path, signal, () => onValue(null));
  });
}

/** The same with the children's names. */
export async function followChildren(
  client: Client,
  path: string,
  signal: AbortSignal,
  onValue: (value: NodeChildren | null) => void,
): Promise<void> {
  await follow(client, signal, async () => {
    if (await changed(client, path, 'children', signal, (value) => void onValue(value))) return;
    await untilCreated(client, path, signal, () => onValue(null));
  });
}

async function untilCreated(client: Client, path: string, signal: AbortSignal, onMissing: () => void): Promise<void> {
  await changed(client, path, 'exists', signal, (stat) => {
    if (stat === null) onMissing();
    return stat === null; // else it has come into being meanwhile
  });
}

async function follow(client: Client, signal: AbortSignal, once: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await once();
    } catch (error) {
      if (signal.aborted) return;
      if (!isKeeperError(error, 'SessionExpired') || client.isOver) throw error;
    }
  }
}
