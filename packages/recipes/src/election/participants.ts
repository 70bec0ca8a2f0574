// Who takes part in an election, and who leads: for participants and for those who only look on.

import { type Client, EventStream, isKeeperError, onAbort } from '@nodekeeper/client';
import { RecipeError } from '../base/errors.js';
import { join, recipePath } from '../base/paths.js';
import { persistUntil } from '../base/persist.js';
import { compareSequences, sequenceAfter } from '../base/sequence.js';
import { LATEST } from '../base/unread.js';
import { type WaitOptions, type Who, withLimit } from '../base/wait.js';
import { changed } from '../base/watching.js';
import { contendersAmong } from '../locks/names.js';

export interface Participant {
  /** As the participant calls itself. */
  readonly id: string;
  readonly path: string;
  readonly isLeader: boolean;
  /** Of the participant's node; with the leader, the fencing token of its leadership. */
  readonly fencingToken: number;
}

/** How the participants among a node's children are found: in order, the leader first. */
export type Order = (children: readonly string[]) => string[];

export const LATCH_MARK = 'latch-';

/** Of a LeaderLatch. */
export function latchOrder(children: readonly string[]): string[] {
  return children
    .flatMap((name) => {
      const sequence = sequenceAfter(name, LATCH_MARK);
      return sequence === undefined ? [] : [{ name, sequence }];
    })
    .sort((a, b) => compareSequences(a.sequence, b.sequence))
    .map(({ name }) => name);
}

/** Of a LeaderSelector, and of kazoo's Election: a lock decides. */
export function selectorOrder(children: readonly string[]): string[] {
  return contendersAmong(children).map(({ name }) => name);
}

/** All participants, the leader first. */
export function getParticipants(client: Client, who: Who, order: Order, wait: WaitOptions): Promise<Participant[]> {
  return withLimit(wait, who, async (signal) => {
    const names = order(await childrenOf(client, who.path, signal));
    const found = await Promise.all(names.map((name) => read(client, join(who.path, name), signal)));
    return found.flatMap((one) => (one === undefined ? [] : [one])).map((one, i) => ({ ...one, isLeader: i === 0 }));
  });
}

async function childrenOf(client: Client, path: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  try {
    return (await persistUntil(client, () => client.getChildren(path), signal)).children;
  } catch (error) {
    if (isKeeperError(error, 'NoNode')) return [];
    throw error;
  }
}

async function read(client: Client, path: string, signal: AbortSignal | undefined): Promise<Participant | undefined> {
  try {
    const { data, stat } = await persistUntil(client, () => client.getData(path), signal);
    return { id: data?.toString() ?? '', path, isLeader: false, fencingToken: stat.czxid };
  } catch (error) {
    if (isKeeperError(error, 'NoNode')) return undefined;
    throw error;
  }
}

export interface FollowLeaderOptions {
  /** Ends the stream. */
  readonly signal?: AbortSignal | undefined;
  /** What decides: a `latch` (LeaderLatch; the default), or a `selector` (LeaderSelector, kazoo's Election). */
  readonly election?: 'latch' | 'selector' | undefined;
}

/**
 * The leader now, and each one that follows; undefined while there is none. For those who do not take part. It costs one
 * watch, which fires when the leader goes. Of more than 100 that were not read the oldest go. Ends with the signal, with
 * `return`, or with the client; with an error if the path may not be read.
 * @throws RecipeError BadPath
 */
export function followLeader(
  client: Client,
  path: string,
  { signal, election = 'latch' }: FollowLeaderOptions = {},
): AsyncIterableIterator<Participant | undefined, undefined> {
  recipePath('followLeader', path);
  const stop = new AbortController();
  const onReturn = (): void => {
    forget?.();
    stop.abort(new RecipeError('Closed', 'followLeader', path, 'it was ended'));
  };
  const stream = new EventStream<Participant | undefined>(onReturn, LATEST);
  const forget = signal && onAbort(signal, () => stream.end());
  if (signal?.aborted) stream.end();
  const order = election === 'latch' ? latchOrder : selectorOrder;
  void follow(client.untimed, path, order, stop.signal, (one) => stream.push(one))
    .catch((error) => {
      // Calls are refused from the moment that the client is to be closed.
      if (!client.isOver && !isKeeperError(error, 'Closed')) stream.fail(error);
    })
    .finally(() => stream.end());
  return stream;
}

async function follow(
  client: Client,
  path: string,
  order: Order,
  signal: AbortSignal,
  tell: (leader: Participant | undefined) => void,
): Promise<void> {
  let known: string | null | undefined = null;
  const onLeader = (leader: Participant | undefined): void => {
    if (leader?.path !== known) tell(leader);
    known = leader?.path;
  };
  while (!signal.aborted) {
    try {
      await untilNext(client, path, order, signal, onLeader);
    } catch (error) {
      if (!isKeeperError(error, 'SessionExpired') || client.isOver) throw error;
    }
  }
}

/** Returns when somebody else may lead. */
async function untilNext(
  client: Client,
  path: string,
  order: Order,
  signal: AbortSignal,
  onLeader: (leader: Participant | undefined) => void,
): Promise<void> {
  const [first] = order(await childrenOf(client, path, signal));
  if (first !== undefined) {
    const own = join(path, first);
    await changed(client, own, 'data', signal, ({ data, stat }) => {
      onLeader({ id: data?.toString() ?? '', path: own, isLeader: true, fencingToken: stat.czxid });
    });
    return;
  }
  const isThere = await changed(client, path, 'children', signal, ({ children }) => {
    const isEmpty = order(children).length === 0;
    if (isEmpty) onLeader(undefined);
    return isEmpty;
  });
  if (isThere) return;
  await changed(client, path, 'exists', signal, (stat) => {
    if (stat === null) onLeader(undefined);
    return stat === null;
  });
}
