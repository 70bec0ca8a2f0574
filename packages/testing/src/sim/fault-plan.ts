// What goes wrong in a run, and when. Each run has a mix of some kinds of faults only: what is rare in a mix of everything shows in
// one of few. Faults come in chains, as the worst of them do: a machine that is just back goes again, two go at once.

import { clientHost, serverHost } from './hosts.js';
import type { Random } from './random.js';

/** A server by its number, or by what it is when the fault strikes. */
export type Victim = number | 'leader' | 'follower';

export type Fault = { readonly at: number } & (
  | {
      readonly kind: 'crash';
      readonly server: Victim;
      /** Whether the machine goes, and with it what was not synced; else only the process. */
      readonly power: boolean;
      /** Milliseconds until it starts again. */
      readonly back: number;
      /** In the midst of the so-many-th thing it does to its disk or the network from now on; 0 for at once. */
      readonly operation: number;
    }
  /** The process is asked to end; `back` milliseconds after it has it starts again. */
  | { readonly kind: 'stop'; readonly server: Victim; readonly back: number }
  | { readonly kind: 'pause'; readonly server: Victim; readonly ms: number }
  | {
      readonly kind: 'cut';
      readonly from: string;
      readonly to: string;
      readonly bothWays: boolean;
      readonly ms: number;
    }
  | { readonly kind: 'reset'; readonly from: string; readonly to: string }
  | { readonly kind: 'loss'; readonly probability: number; readonly ms: number }
  | { readonly kind: 'delay'; readonly from: string; readonly to: string; readonly by: number; readonly ms: number }
  | { readonly kind: 'slowDisk'; readonly server: Victim; readonly factor: number; readonly ms: number }
  | { readonly kind: 'diskError'; readonly server: Victim; readonly on: 'write' | 'sync'; readonly code: string }
  | { readonly kind: 'fullDisk'; readonly server: Victim; readonly ms: number }
  | {
      readonly kind: 'flip';
      readonly server: number;
      readonly what: 'log' | 'snapshot';
      /** Which file, and where in it: 0 to 1. */
      readonly where: number;
    }
  | { readonly kind: 'forget'; readonly from: string; readonly to: string }
  | { readonly kind: 'clockJump'; readonly server: Victim; readonly by: number }
  | { readonly kind: 'oracleTurns'; readonly to: number }
  | { readonly kind: 'clientMoves'; readonly client: number }
  | { readonly kind: 'clientDies'; readonly client: number }
  | { readonly kind: 'clientPauses'; readonly client: number; readonly ms: number }
  | {
      readonly kind: 'clientLoses';
      readonly client: number;
      readonly step: Step;
      /** The so-many-th write from now on. */
      readonly writes: number;
    }
);

/**
 * `beforeSend`: what is to be written does not leave. `midway`: half of it does. `afterSend`: all of it does, and nobody waits for
 * the answer. `afterReply`: the answer comes, and is lost.
 */
export type Step = 'beforeSend' | 'midway' | 'afterSend' | 'afterReply';
export const STEPS: readonly Step[] = ['beforeSend', 'midway', 'afterSend', 'afterReply'];

type Kind = Fault['kind'];
type Maker = (random: Random, at: number, world: World) => Fault[];

interface World {
  readonly servers: number;
  readonly clients: number;
  /** Milliseconds. */
  readonly duration: number;
  /** The server whose disk decays, if one does. */
  readonly rotten: number;
}

function victim(random: Random, { servers }: World): Victim {
  if (servers > 1 && random.chance(0.4)) return random.pick(['leader', 'follower'] as const);
  return random.int(servers);
}

type Crash = Extract<Fault, { kind: 'crash' }>;

function crash(random: Random, at: number, server: Victim, power: boolean): Crash {
  const back = random.chance(0.6) ? random.between(5, 200) : random.between(200, 3000);
  const operation = random.chance(0.5) ? 0 : 1 + random.int(random.pick([4, 15, 60]));
  return { at, kind: 'crash', server, power, back, operation };
}

/** Both directions between a server and another server or a client. */
function pair(random: Random, { servers, clients }: World): { from: string; to: string } {
  const a = serverHost(random.int(servers));
  if (servers === 1 || random.chance(0.25)) {
    const b = clientHost(random.int(clients));
    return random.chance(0.5) ? { from: a, to: b } : { from: b, to: a };
  }
  let b = a;
  while (b === a) b = serverHost(random.int(servers));
  return { from: a, to: b };
}

const MAKERS: readonly (readonly [Kind, Maker])[] = [
  [
    'crash',
    (random, at, world) => {
      const server = victim(random, world);
      const out = [crash(random, at, server, random.chance(0.5))];
      // Often again soon after it is back, while it takes part again.
      while (random.chance(0.4)) {
        const last = out[out.length - 1] as Crash;
        out.push(crash(random, last.at + last.back + random.between(0, 120), server, random.chance(0.5)));
      }
      return out;
    },
  ],
  [
    'crash',
    (random, at, world) => {
      // Several lose power at the same moment; who comes back first has to have everything.
      const out: Fault[] = [];
      for (let server = 0; server < world.servers; server++)
        if (random.chance(0.7)) out.push({ ...crash(random, at, server, true), operation: 0 });
      return out;
    },
  ],
  [
    'pause',
    (random, at, world) => [{ at, kind: 'pause', server: victim(random, world), ms: random.between(10, 2000) }],
  ],
  [
    'cut',
    (random, at, world) => [
      { at, kind: 'cut', ...pair(random, world), bothWays: random.chance(0.5), ms: random.between(50, 3000) },
    ],
  ],
  [
    'cut',
    (random, at, { servers, clients }) => {
      // One server against all others.
      const alone = random.int(servers);
      const ms = random.between(50, 3000);
      const out: Fault[] = [];
      for (let other = 0; other < servers; other++) {
        if (other !== alone)
          out.push({ at, kind: 'cut', from: serverHost(alone), to: serverHost(other), bothWays: true, ms });
      }
      if (servers === 1)
        out.push({ at, kind: 'cut', from: serverHost(0), to: clientHost(random.int(clients)), bothWays: true, ms });
      return out;
    },
  ],
  ['reset', (random, at, world) => [{ at, kind: 'reset', ...pair(random, world) }]],
  [
    'loss',
    (random, at) => [{ at, kind: 'loss', probability: random.between(0.01, 0.3), ms: random.between(100, 2000) }],
  ],
  [
    'delay',
    (random, at, world) => [
      { at, kind: 'delay', ...pair(random, world), by: random.between(2, 300), ms: random.between(100, 3000) },
    ],
  ],
  [
    'slowDisk',
    (random, at, world) => [
      {
        at,
        kind: 'slowDisk',
        server: victim(random, world),
        factor: random.between(5, 200),
        ms: random.between(50, 2000),
      },
    ],
  ],
  [
    'diskError',
    (random, at, world) => [
      {
        at,
        kind: 'diskError',
        server: victim(random, world),
        on: random.pick(['write', 'sync']),
        code: random.pick(['EIO', 'ENOSPC']),
      },
    ],
  ],
  [
    'fullDisk',
    (random, at, world) => [{ at, kind: 'fullDisk', server: victim(random, world), ms: random.between(50, 2000) }],
  ],
  [
    'flip',
    (random, at, { rotten }) => {
      // One server's disk only: of three, two have to be whole. It shows when the server starts.
      const what = random.pick(['log', 'snapshot'] as const);
      return [
        { at, kind: 'flip', server: rotten, what, where: random.next() },
        { ...crash(random, at, rotten, random.chance(0.5)), operation: 0 },
      ];
    },
  ],
  ['forget', (random, at, world) => [{ at, kind: 'forget', ...pair(random, world) }]],
  [
    'clockJump',
    (random, at, world) => [{ at, kind: 'clockJump', server: victim(random, world), by: random.between(-1e6, 1e6) }],
  ],
  ['clientMoves', (random, at, { clients }) => [{ at, kind: 'clientMoves', client: random.int(clients) }]],
  ['clientDies', (random, at, { clients }) => [{ at, kind: 'clientDies', client: random.int(clients) }]],
];

/** Of programs that use recipes, beside all others. */
const PROGRAM_MAKERS: readonly (readonly [Kind, Maker])[] = [
  [
    'clientPauses',
    (random, at, { clients }) => [
      { at, kind: 'clientPauses', client: random.int(clients), ms: random.between(10, 5000) },
    ],
  ],
  [
    'clientDies',
    // So late that its session ends when the others have nothing new to do.
    (random, _at, { clients, duration }) => [
      { at: duration - random.between(1, 1500), kind: 'clientDies', client: random.int(clients) },
    ],
  ],
  [
    'clientLoses',
    (random, at, { clients }) =>
      Array.from({ length: 1 + random.int(6) }, () => ({
        at: at + random.between(0, 500),
        kind: 'clientLoses',
        client: random.int(clients),
        step: random.pick(STEPS),
        writes: 1 + random.int(12),
      })),
  ],
];

export interface FaultSettings {
  /** Machines that servers run on. */
  readonly servers: number;
  readonly clients: number;
  /** Whether a disk may decay. */
  readonly decay: boolean;
  /** Whether clients are programs that use recipes. */
  readonly programs: boolean;
  /** Whether an oracle says which of two servers may decide alone. */
  readonly oracle: boolean;
}

/** The share of the runs in which servers are asked to end. */
const STOPS = 0.2;

/** One alone, or one after the other, as for a new version: the next one may be asked while the last one still ends or comes back. */
function makeStops(random: Random, duration: number, world: World): Fault[] {
  const out: Fault[] = [];
  for (let n = 1 + random.int(3); n > 0; n--) {
    const at = random.between(60, duration - 300);
    const back = random.between(5, 300);
    if (random.chance(0.6)) {
      out.push({ at, kind: 'stop', server: victim(random, world), back });
      continue;
    }
    const gap = random.between(0, 800);
    for (let server = 0; server < world.servers; server++)
      out.push({ at: at + server * gap, kind: 'stop', server, back });
  }
  return out;
}

/** A mix of some kinds of faults, each run another. */
export function makeFaults(random: Random, duration: number, settings: FaultSettings): Fault[] {
  const { servers, clients, decay, programs, oracle } = settings;
  const world = { servers, clients, duration, rotten: random.int(servers) };
  const makers = programs ? [...MAKERS, ...PROGRAM_MAKERS, ...PROGRAM_MAKERS] : MAKERS;
  const mix = makers.filter(([kind]) => (decay || kind !== 'flip') && random.chance(kind === 'crash' ? 0.6 : 0.3));
  const out: Fault[] = oracle ? makeOracle(random.fork('oracle'), duration) : [];
  const stops = random.fork('stops');
  if (stops.chance(STOPS)) out.push(...makeStops(stops, duration, world));
  for (let i = mix.length === 0 ? 0 : random.int(14); i > 0; i--) {
    const crashes = mix.filter(([kind]) => kind === 'crash');
    const [, make] = random.pick(crashes.length > 0 && random.chance(0.4) ? crashes : mix);
    out.push(...make(random, random.between(60, duration - 300), world));
  }
  return out.filter(({ at }) => at < duration).sort((a, b) => a.at - b.at);
}

/** The oracle's word, which it gives when it may, is wanted from the beginning, and now and then for the other one. */
function makeOracle(random: Random, duration: number): Fault[] {
  const turn = (at: number): Fault => ({ at, kind: 'oracleTurns', to: random.int(2) });
  return [turn(50), ...Array.from({ length: random.int(6) }, () => turn(random.between(100, duration)))];
}
