// Standing in line: a sequential ephemeral node per contender, each one watching the one that it waits for.
// Source: LockInternals of Apache Curator, and the lock recipe of kazoo, whose nodes are understood as well.

import { type Client, type CreatedNode, type Data, isKeeperError } from '@nodekeeper/client';
import { createOnce, giveUp } from '../base/create.js';
import { join, nameOf } from '../base/paths.js';
import { deleteSoon, persist } from '../base/persist.js';
import { onStateChange } from '../base/session-hub.js';
import type { Seat } from '../base/tenure.js';
import { unlessAborted } from '../base/wait.js';
import { readWatched, type Watched } from '../base/watching.js';
import { canLeaveReader } from './names.js';

export interface Contest {
  /** The parent of the contenders. */
  readonly path: string;
  /** A new name, which begins with a mark of its own. */
  readonly newName: () => string;
  /** `ephemeralSequential` unless the name has a number already. */
  readonly mode?: 'ephemeral' | 'ephemeralSequential' | undefined;
  readonly data?: Data | undefined;
  /** Of all children, those that have to go before it is `own`'s turn, in order. */
  readonly ahead: (children: readonly string[], own: string) => readonly string[];
  /** Whose place in line the own node takes, if it takes one. */
  readonly heir?: Inheritance | undefined;
}

/** A place in line that is taken over from a node that holds. */
export interface Inheritance {
  /** That node. If it is gone when the own one is there, others may hold already: then the place is worth nothing. */
  readonly of: string;
  /** Its fencing token, which stays. */
  readonly fencingToken: number;
  /** What takes the end of the line instead. */
  readonly otherwise: Contest;
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
  for (let now = contest; ; now = now.heir?.otherwise ?? now) {
    signal?.throwIfAborted();
    try {
      const result = await contendOnce(client, now, wait, signal);
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
  const seat = {
    path: created.path,
    token: contest.heir?.fencingToken ?? created.stat.czxid,
    session: created.stat.ephemeralOwner,
  };
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
      const listed = await unlessAborted(
        persist(() => client.getChildren(contest.path), signal),
        signal,
      ).catch((error) => {
        if (!isKeeperError(error, 'NoNode')) throw error;
      });
      if (listed === undefined) return 'again'; // a container that was left empty has gone, and the own node with it
      children = listed.children;
    }
    if (client.sessionId !== seat.session || !children.includes(own)) return 'again';
    if (contest.heir !== undefined) return children.includes(contest.heir.of) ? 'turn' : 'again';
    const ahead = contest.ahead(children, own);
    const blocker = ahead.at(-1);
    if (blocker === undefined) return 'turn';
    if (!wait) return 'taken';
    const isGone = await waitFor(client, join(contest.path, blocker), seat, signal);
    // Nobody comes in ahead later, but for a reader in the place of a writer.
    if (isGone && ahead.length === 1 && !canLeaveReader(blocker)) return 'turn';
    children = undefined;
  }
}

/**
 * Resolves when the blocker has gone, or when that is to be looked at. True is certain: the blocker has gone, and the own node
 * had not when it did. The server tells events in their order, so the own node is watched as well; but for those that
 * happened during a reconnect.
 */
async function waitFor(client: Client, blocker: string, seat: Seat, signal: AbortSignal | undefined): Promise<boolean> {
  let isUnbroken = true;
  const forgetState = onStateChange(client, () => {
    isUnbroken = false;
  });
  const watched: Watched<'data'>[] = [];
  try {
    // In one packet. Reading leaves no watch behind on a node that has gone.
    const reads = [seat.path, blocker].map((path) => readWatched(client, path, 'data', signal));
    const results = await Promise.allSettled(reads);
    for (const result of results) if (result.status === 'fulfilled') watched.push(result.value);
    for (const result of results) {
      if (result.status === 'rejected' && !isKeeperError(result.reason, 'NoNode')) throw result.reason;
    }
    const [ownWatch, blockerWatch] = watched;
    if (ownWatch === undefined || blockerWatch === undefined) return false;
    const event = await unlessAborted(Promise.race([blockerWatch.fired, ownWatch.fired]), signal);
    const isGone = event.path === blocker && event.type === 'nodeDeleted' && isUnbroken && !ownWatch.hasFired();
    // The watch of the own node goes with it, and so costs nothing more.
    if (isGone) watched.shift();
    return isGone;
  } finally {
    for (const { forget } of watched) forget();
    forgetState();
  }
}

async function leave(client: Client, seat: Seat): Promise<void> {
  if (client.sessionId === seat.session) await deleteSoon(client, seat.path);
}
