// Sessions: none is closed by the servers while its client is heard, none goes on once its client was told that it is over.

import type { Finding } from './checks.js';
import type { History, SessionRecord } from './history.js';
import { EPOCH, hex, type Truth } from './truth.js';

/** Clocks run fast by up to this much, and timers are rough. */
const SLACK = 0.9;

/** @param local whether sessions begin as their server's own: such a one ends with it, and nobody else ever knew of it */
export function* checkSessions(history: History, truth: Truth, local: boolean): Generator<Finding> {
  const sessions = new Map(history.sessions.map((session) => [session.id, session]));
  const opened = new Set<bigint>();
  const closed = new Set<bigint>();
  for (const { session: id, cxid, change, zxid, at } of truth.history()) {
    if (change.kind === 'createSession') opened.add(id);
    if (change.kind !== 'closeSession') continue;
    closed.add(id);
    const session = sessions.get(id);
    if (session === undefined || cxid !== 0) continue;
    // What a follower heard the leader may learn late, or if the follower is lost never: the leader's own clients are counted.
    const leader = truth.leaderOf(Math.floor(zxid / EPOCH));
    const heard = lastHeard(session, leader, at);
    if (heard !== undefined && at - heard < session.timeout * SLACK) {
      yield {
        kind: 'sessions',
        message: `session ${hex2(id)} of ${session.client} was closed at ${hex(zxid)}, ${(at - heard).toFixed(0)} ms after it was heard; its timeout is ${session.timeout} ms`,
      };
    }
  }
  for (const { id, client, expiredAt } of history.sessions) {
    // A leader that does not know yet that it was deposed refuses what it wants to close: that is known of ZooKeeper.
    const known = !local || opened.has(id);
    if (expiredAt !== undefined && known && !closed.has(id) && !truth.wasToBeClosed(id))
      yield {
        kind: 'sessions',
        message: `${client} was told that its session ${hex2(id)} is over, but it was never closed`,
      };
  }
}

/** When the session was last heard by the server that closed it, if by that one last. */
function lastHeard(session: SessionRecord, leader: string | undefined, before: number): number | undefined {
  let last: SessionRecord['heard'][number] | undefined;
  for (const one of session.heard) if (one.answeredAt <= before) last = one;
  if (last === undefined || (leader !== undefined && last.server !== leader)) return undefined;
  return last.sentAt;
}

function hex2(id: bigint): string {
  return `0x${id.toString(16)}`;
}
