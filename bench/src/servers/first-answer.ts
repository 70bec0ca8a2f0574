// Waits for the first handshake that a starting server answers. As Apache 3.8.0 sometimes leaves a connection unread for
// good if it comes in the moment the server starts, further attempts are made beside one that is still waiting.

import { setTimeout as delay } from 'node:timers/promises';
import { type Address, RawConnection } from '../driver/raw-connection.js';

const HANDSHAKE_LIMIT = 5000;
// Milliseconds until the next attempt: after one that was refused, and beside one that waits.
const RETRY_PAUSE = 2;
const NEXT_ATTEMPT = 20;

/** Resolves to the first session that opens; rejects with the last failure once `hopeless` says so. */
export async function firstAnswer(address: Address, hopeless: () => boolean): Promise<RawConnection> {
  let first: RawConnection | undefined;
  let failure: unknown;
  const attempt = async (): Promise<void> => {
    try {
      const connection = await RawConnection.open(address, HANDSHAKE_LIMIT);
      if (first === undefined) first = connection;
      else await connection.closeSession();
    } catch (error) {
      failure = error;
      await delay(RETRY_PAUSE);
    }
  };
  while (first === undefined) {
    if (hopeless()) throw failure;
    await Promise.race([attempt(), delay(NEXT_ATTEMPT)]);
  }
  return first;
}
