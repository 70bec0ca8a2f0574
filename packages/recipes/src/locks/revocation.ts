// Asking the holder of a lock to give it back. Source: Revoker of Apache Curator.

import { type Client, isKeeperError } from '@nodekeeper/client';
import { watchOwnNode } from '../base/own-node.js';
import { recipePath } from '../base/paths.js';
import { persistWrite } from '../base/persist.js';
import type { Tenure } from '../base/tenure.js';
import { type WaitOptions, withLimit } from '../base/wait.js';

const REVOKE = Buffer.from('__REVOKE__');

/**
 * Asks whoever holds a lock by the node at `path` (see `getParticipantNodes`) to give it back. A holder that has not made
 * its lock revocable does not hear it. Resolves also if the node is gone. Rejects with BadPath, or the server's error.
 */
export async function attemptRevoke(client: Client, path: string, wait: WaitOptions = {}): Promise<void> {
  recipePath('attemptRevoke', path);
  const ask = () => client.untimed.setData(path, REVOKE);
  try {
    await withLimit(wait, { recipe: 'attemptRevoke', path }, (signal) =>
      persistWrite(client, ask, { losses: Number.POSITIVE_INFINITY, signal }),
    );
  } catch (error) {
    if (!isKeeperError(error, 'NoNode')) throw error;
  }
}

/**
 * Calls `onRevoke` each time the holder is asked, until the tenure is over; a node that others delete ends it. What it throws is told by
 * the client's event `watcherError`, as with watchers; without a listener it is uncaught.
 */
export function watchForRevocation(client: Client, tenure: Tenure, onRevoke: () => void): void {
  let seen = 0;
  watchOwnNode(client, tenure, ({ data, stat }) => {
    if (data?.equals(REVOKE) && stat.mzxid !== seen) queueMicrotask(() => call(client, onRevoke));
    seen = stat.mzxid;
  });
}

function call(client: Client, onRevoke: () => unknown): void {
  try {
    onRevoke();
  } catch (error) {
    if (client.listenerCount('watcherError') === 0) throw error;
    client.emit('watcherError', error);
  }
}
