// Lets time pass for embedded servers, in steps small enough that they stay together: between two steps they hear each other.

import type { TestClock } from './clock.js';
import type { Member } from './member.js';

export interface AdvanceOptions {
  /** Whether connected clients count as silent, so that their sessions expire too. */
  readonly silent?: boolean;
}

/** The interval of a server's finest timers: session expiry and the deletion of containers. */
const FINEST_MS = 100;
/** A server alone hears its clients in every step; of a long time it takes this many steps. */
const MOST_STEPS = 20_000;
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
    if (!silent) for (const member of running()) member.hearClients();
  };
  const { step, turns } = paceOf(running(), ms);
  for (let left = ms; left > 0; left -= step) {
    clock.pass(Math.min(step, left), hear);
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  await settled(running);
}

function paceOf(members: readonly Member[], ms: number): { step: number; turns: number } {
  const ensemble = members.find(({ server }) => server.config.ensemble !== undefined);
  if (ensemble === undefined) return { step: Math.max(FINEST_MS, Math.ceil(ms / MOST_STEPS)), turns: 1 };
  return { step: Math.max(1, Math.min(FINEST_MS, ensemble.server.config.tickTime / 2)), turns: ROUND_TRIP };
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
