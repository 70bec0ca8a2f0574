// What goes wrong with an ensemble under a user's test, drawn from a seed before it begins: the same seed, the same faults at the
// same times.

import { Random } from '../sim/random.js';

/** What happens to one server for a while; see the methods of the ensemble that have these names. */
export const CHAOS_KINDS = [
  'kill',
  'stop',
  'partition',
  'freeze',
  'slowDisk',
  'delayReplies',
  'dropNextReply',
] as const;

export type ChaosKind = (typeof CHAOS_KINDS)[number];

export interface ChaosFault {
  /** Milliseconds from the beginning. */
  readonly at: number;
  readonly kind: ChaosKind;
  /** A server's id, or who leads when the fault strikes. */
  readonly server: number | 'leader';
  /** Milliseconds until it is made well. */
  readonly ms: number;
  /** Milliseconds by which a slow disk or a late reply is late. */
  readonly by: number;
}

/** Times in milliseconds. */
export interface ChaosOptions {
  /** Any text or number; drawn and told if not given. */
  readonly seed?: string | number | undefined;
  /** How long faults go on; 10 000. */
  readonly duration?: number | undefined;
  /** The longest time that one fault lasts; 3000. */
  readonly longest?: number | undefined;
  /** The longest time between two faults; 1000. */
  readonly pause?: number | undefined;
  /** Kinds of faults; all. */
  readonly kinds?: readonly ChaosKind[] | undefined;
  /** How many servers may be hurt at the same time; as many as leave a majority. */
  readonly atOnce?: number | undefined;
}

/** How often a fault is the leader's. */
const LEADER = 0.4;
const SHORTEST_MS = 50;

/** @throws TypeError for kinds that are none, RangeError for numbers that cannot be */
function check({ kinds = CHAOS_KINDS, duration = 0, longest = 0, pause = 0, atOnce = 1 }: ChaosOptions): void {
  const none = kinds.find((kind) => !CHAOS_KINDS.includes(kind));
  if (none !== undefined || kinds.length === 0)
    throw new TypeError(`kinds: ${none === undefined ? 'none' : `'${none}'`} is given, of ${CHAOS_KINDS.join(', ')}`);
  for (const [name, ms] of Object.entries({ duration, longest, pause }))
    if (!(ms >= 0 && ms < 2 ** 31)) throw new RangeError(`${name}: ${ms}: from 0 to ${2 ** 31 - 1} ms are expected`);
  if (!(Number.isInteger(atOnce) && atOnce >= 1)) throw new RangeError(`atOnce: ${atOnce}: 1 or more are expected`);
}

/**
 * Lanes of faults: those of one lane come one after the other.
 * @param ids all servers
 * @param voters how many of them vote
 */
export function planChaos(ids: readonly number[], voters: number, options: ChaosOptions): ChaosFault[][] {
  const { seed = 0, duration = 10_000, longest = 3000, pause = 1000, kinds = CHAOS_KINDS } = options;
  const { atOnce = Math.floor((voters - 1) / 2) } = options;
  check(options);
  const random = new Random(seed);
  return Array.from({ length: Math.max(1, atOnce) }, (_, lane) => {
    const chance = random.fork(lane);
    const faults: ChaosFault[] = [];
    for (let at = chance.between(0, pause); at < duration; ) {
      const ms = Math.round(chance.between(Math.min(SHORTEST_MS, longest), longest));
      const kind = chance.pick(kinds);
      const server = chance.chance(LEADER) ? 'leader' : chance.pick(ids);
      faults.push({ at: Math.round(at), kind, server, ms, by: Math.round(chance.between(1, longest / 4)) });
      at += ms + chance.between(0, pause);
    }
    return faults;
  });
}
