// Compare-and-set that knows whether it was executed, as far as that can be known.

import { type Client, isKeeperError, type NodeData, type Stat } from '@nodekeeper/client';
import { isPassing, MAX_LOST_WRITES, persist, untilConnected, untilNextTry } from '../base/persist.js';
import { unlessAborted } from '../base/wait.js';

/**
 * Writes if the node has this version. Resolves with the Stat, or undefined if the version was another or the node is gone.
 * After a lost connection the node is read: what it holds can prove that the write was executed, or was not. If it proves
 * neither (the bytes are these, or somebody has written since), rejects with the error, whose `outcomeUnknown` is true.
 * The signal ends the waiting for a connection, and the tries: nothing is written then.
 */
export async function setIfVersion(
  client: Client,
  path: string,
  bytes: Uint8Array,
  version: number,
  signal?: AbortSignal,
): Promise<Stat | undefined> {
  let lost = 0;
  if (signal !== undefined) await untilConnected(client, signal);
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.setData(path, bytes, { version });
    } catch (error) {
      if (isKeeperError(error, 'BadVersion') || isKeeperError(error, 'NoNode')) return undefined;
      const isNextSession = isKeeperError(error, 'SessionExpired') && !client.isOver; // it was not executed in the last one
      if (!isNextSession && !isPassing(error)) throw error;
      if (error.outcomeUnknown) {
        if (++lost === MAX_LOST_WRITES) throw error; // as it is with a write that is larger than the server takes
        const found = await unlessAborted(readAgain(client, path), signal).catch(() => undefined);
        if (found === undefined) throw error;
        const fate = fateOf(found, bytes, version);
        if (fate === 'refused') return undefined;
        if (fate === 'unknown') throw error;
      }
      await untilNextTry(client, attempt, signal);
    }
  }
}

/** In the same session: once another server answers it, what the old one had not passed on is no longer executed. */
async function readAgain(client: Client, path: string): Promise<NodeData | null> {
  try {
    const [, data] = await persist(() => Promise.all([client.sync(path), client.getData(path)]));
    return data;
  } catch (error) {
    if (isKeeperError(error, 'NoNode')) return null;
    throw error;
  }
}

function fateOf(found: NodeData | null, bytes: Uint8Array, version: number): 'refused' | 'notExecuted' | 'unknown' {
  if (found === null) return 'unknown';
  const { data, stat } = found;
  if (stat.version === version) return 'notExecuted';
  if (stat.version < version) return 'unknown'; // deleted and created anew, perhaps after our write
  if (stat.version === version + 1 && !data?.equals(bytes)) return 'refused';
  return 'unknown';
}
