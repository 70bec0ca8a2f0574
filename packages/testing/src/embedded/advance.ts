// Lets time pass for embedded servers, in steps small enough that they stay together: between two steps they hear each other.

import type { TestClock } from './clock.js';
import type { Member } from './member.js';
import { performance, setImmediate, setTimeout } from './real-time.js';

export interface AdvanceOptions {
  /** Whether connected clients count as silent, so that their sessions expire too. */
  readonly silent?: boolean | undefined;
}

/** The interval of a server's finest timers: session expiry and the deletion of containers. */
const FINEST_MS = 100;
/** A long time is not passed in more steps than these, if nothing else demands them. */
const MOST_STEPS = 2000;
/** Turns of the event loop in which a ping between servers goes to and fro. */
const ROUND_TRIP = 8;
const SETTLE_TIMEOUT_MS = 30_000;

/** Resolves when what the time brought about is committed and applied everywhere. @throws if it is not within half a minute */
export async function advance(
  clock: TestClock,
  running: () => readonly Member[],
  ms: number,
  { silent = false }: AdvanceOptions,
): Promise<void> {
  if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) throw new RangeError(`time can't pass by ${ms} ms`);
  const hear = (): void => {
    // The leader learns at once of the others' clients: pings between servers may take longer than time does now.
    const heard = silent ? [] : running().flatMap((member) => member.heardSessions);
    for (const member of running()) member.hear(heard);
  };
  for (let left = ms; left > 0; ) {
    const members = running();
    const step = Math.ceil(Math.min(left, Math.max(FINEST_MS, ms / MOST_STEPS), ...members.map(longestStep)));
    clock.pass(step, hear);
    const turns = members.length > 1 ? ROUND_TRIP : 1;
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    // The system delivers what is sent on loopback when it gets to it: on a busy machine, not while this process runs.
    if (members.length > 1) await new Promise((resolve) => setTimeout(resolve, 1));
    left -= step;
  }
  clock.passed();
  await settled(running);
}

/**
 * How long a server may stand still without others, or its clients' sessions, being lost to it. A client's ping is known to the leader
 * a ping between servers later.
 */
function longestStep({ server }: Member): number {
  const { ensemble, tickTime } = server.config;
  if (ensemble === undefined) return Number.POSITIVE_INFINITY;
  const sessions = server.port.serving?.sessions.values() ?? [];
  const shortest = Math.min(...Array.from(sessions, ({ timeout }) => timeout));
  return Math.max(1, Math.min(shortest / 3, (ensemble.syncLimit * tickTime) / 8));
}

async function settled(running: () => readonly Member[]): Promise<void> {
  const until = performance.now() + SETTLE_TIMEOUT_MS;
  for (;;) {
    const serving = running().filter(({ isReachable, server }) => isReachable && server.notReady === undefined);
    const made = serving.find(({ server }) => server.mode === 'leader' || server.mode === 'standalone');
    const last = made?.server.log.lastZxid ?? 0;
    const behind = serving.filter(({ server }) => server.lastZxid < last);
    if (made === undefined || behind.length === 0) return;
    if (performance.now() > until)
      throw new Error(`servers that did not take in what time brought about: ${behind.map(({ id }) => id).join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
