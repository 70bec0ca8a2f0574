// The node by which something is held: watching it, and giving it back.

import type { Client, NodeData } from '@nodekeeper/client';
import { deleteForSure, deleteSoon } from './persist.js';
import type { Tenure } from './tenure.js';
import { unlessAborted } from './wait.js';
import { changed } from './watching.js';

/** Until the tenure is over, tells what the node holds, and again when that changes. If somebody deletes it, it is lost. */
export function watchOwnNode(client: Client, tenure: Tenure, onData: (data: NodeData) => void = () => {}): void {
  // What rejects is the end of the tenure or of the session; both are told elsewhere.
  void watchUntilOver(client, tenure, onData).catch(() => {});
}

async function watchUntilOver(client: Client, tenure: Tenure, onData: (data: NodeData) => void): Promise<void> {
  while (await changed(client, tenure.seat.path, 'data', tenure.over, (data) => void onData(data)));
  tenure.lose('its node was deleted');
}

/**
 * Ends the tenure. Resolves when the node is gone; or, for want of a connection, when it could be held no longer anyway: then the
 * node goes as soon as there is one, or with its session. Rejects with the server's error.
 */
export async function giveBack(client: Client, tenure: Tenure): Promise<void> {
  const { path } = tenure.seat;
  const wasLost = tenure.isLost;
  tenure.end();
  if (wasLost) {
    await deleteSoon(client, path);
    return;
  }
  const patience = tenure.renewed();
  try {
    await unlessAborted(deleteForSure(client, path), patience.signal);
  } catch (error) {
    if (!patience.signal.aborted) throw error;
  } finally {
    patience.end();
  }
}
