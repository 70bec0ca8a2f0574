// Standing in line: a sequential ephemeral node per contender, each one watching the one that it waits for.
// Source: LockInternals of Apache Curator, and the lock recipe of kazoo, whose nodes are understood as well.

import { type Client, type CreatedNode, type Data, isKeeperError } from '@nodekeeper/client';
import { createOnce, giveUp } from '../base/create.js';
import { join, nameOf } from '../base/paths.js';
import { deleteSoon, persist } from '../base/persist.js';
import type { Seat } from '../base/tenure.js';
import { unlessAborted } from '../base/wait.js';
import { changed } from '../base/watching.js';

export interface Contest {
  /** The parent of the contenders. */
  readonly path: string;
  /** A new name, which begins with a mark of its own. */
  readonly newName: () => string;
  /** `ephemeralSequential` unless the name has a number already. */
  readonly mode?: 'ephemeral' | 'ephemeralSequential' | undefined;
  readonly data?: Data | undefined;
  /** Of all children, the one that has to go before it is `own`'s turn; undefined if it is. */
  readonly blocker: (children: readonly string[], own: string) => string | undefined;
}

/**
 * Resolves when it is this contender's turn. A session that ends on the way costs the place in line: the contender joins
 * again at the end. Resolves with undefined if `wait` is false and it is somebody else's turn.
 * Rejects with the signal's reason, or the server's error; then the contender's node is gone, or on its way out if there is no
 * connection.
 */
export async function contend(
  client: Client,
  contest: Contest,
  wait: boolean,
  signal: AbortSignal | undefined,
): Promise<Seat | undefined> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      const result = await contendOnce(client, contest, wait, signal);
      if (result !== 'again') return result;
    } catch (error) {
      if (!isKeeperError(error, 'SessionExpired') || client.isOver) throw error;
    }
  }
}

async function contendOnce(
  client: Client,
  contest: Contest,
  wait: boolean,
  signal: AbortSignal | undefined,
): Promise<Seat | undefined | 'again'> {
  const mode = contest.mode ?? 'ephemeralSequential';
  const creating = createOnce(client, contest.path, contest.newName(), { mode, data: contest.data ?? '' });
  // In the same packet: if nobody else is there, this is all that it takes.
  const listing = client.getChildren(contest.path).catch(() => undefined);
  let created: CreatedNode;
  try {
    created = await unlessAborted(creating, signal);
  } catch (error) {
    await giveUp(client, creating);
    throw error;
  }
  const seat = { path: created.path, czxid: created.stat.czxid, session: created.stat.ephemeralOwner };
  try {
    const result = await takeTurn(client, contest, seat, await unlessAborted(listing, signal), wait, signal);
    if (result !== 'turn') await leave(client, seat);
    return result === 'turn' ? seat : result === 'taken' ? undefined : 'again';
  } catch (error) {
    await leave(client, seat);
    throw error;
  }
}

async function takeTurn(
  client: Client,
  contest: Contest,
  seat: Seat,
  firstListing: { readonly children: readonly string[] } | undefined,
  wait: boolean,
  signal: AbortSignal | undefined,
): Promise<'turn' | 'taken' | 'again'> {
  const own = nameOf(seat.path);
  let children = firstListing?.children;
  for (;;) {
    // The first listing can be older than the node, if the connection was lost between.
    if (children === undefined || !children.includes(own)) {
      const { children: now } = await unlessAborted(
        persist(() => client.getChildren(contest.path), signal),
        signal,
      );
      children = now;
    }
    if (client.sessionId !== seat.session || !children.includes(own)) return 'again';
    const blocker = contest.blocker(children, own);
    if (blocker === undefined) return 'turn';
    if (!wait) return 'taken';
    await changed(client, join(contest.path, blocker), 'data', signal);
    children = undefined;
  }
}

async function leave(client: Client, seat: Seat): Promise<void> {
  if (client.sessionId === seat.session) await deleteSoon(client, seat.path);
}
