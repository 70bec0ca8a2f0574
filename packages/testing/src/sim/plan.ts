// What is going to happen in a run, drawn from its seed before it begins: settings, what clients ask for, and the faults. A plan can
// be cut down, fault by fault and operation by operation, to the little that a failure needs.

import type { WriteOp } from './model.js';
import type { Operation } from './operations.js';
import { Random } from './random.js';

export type Fault = { readonly at: number } & (
  | {
      readonly kind: 'crash';
      readonly server: number;
      /** Whether the machine goes, and with it what was not synced; else only the process. */
      readonly power: boolean;
      /** Milliseconds until it starts again. */
      readonly back: number;
      /** In the midst of the so-many-th disk operation from now on; 0 for at once. */
      readonly operation: number;
    }
  | { readonly kind: 'pause'; readonly server: number; readonly ms: number }
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
  | { readonly kind: 'slowDisk'; readonly server: number; readonly factor: number; readonly ms: number }
  | { readonly kind: 'diskError'; readonly server: number; readonly on: 'write' | 'sync'; readonly code: string }
  | { readonly kind: 'clockJump'; readonly server: number; readonly by: number }
  | { readonly kind: 'clientMoves'; readonly client: number }
  | { readonly kind: 'clientDies'; readonly client: number }
);

export interface Plan {
  readonly seed: string;
  /** Servers that vote; one alone is no ensemble. */
  readonly servers: number;
  readonly observers: number;
  readonly settings: {
    readonly tickTime: number;
    readonly snapCount: number;
    readonly preAllocKb: number;
    readonly initLimit: number;
    readonly syncLimit: number;
    /** Transactions kept in memory for learners. */
    readonly commitLogCount: number;
    /** How much of the log, against a snapshot's size, is sent instead of one; below 0 none. */
    readonly snapshotSizeFactor: number;
    /** How fast each server's clock runs. */
    readonly clockRates: readonly number[];
  };
  readonly clients: readonly { readonly sessionTimeout: number; readonly window: number }[];
  readonly operations: readonly { readonly at: number; readonly client: number; readonly op: Operation }[];
  readonly faults: readonly Fault[];
  /** When everything is made well. Milliseconds. */
  readonly healAt: number;
}

export interface PlanOptions {
  readonly servers: number;
  readonly observers?: number;
}

export const serverHost = (server: number): string => `10.0.0.${server + 1}`;
export const clientHost = (client: number): string => `10.0.1.${client + 1}`;

const DURATION = 8000;

export function makePlan(seed: string | number, options: PlanOptions): Plan {
  const random = new Random(seed);
  const { servers, observers = 0 } = options;
  const machines = servers + observers;
  const clients = Array.from({ length: 2 + random.int(3) }, () => ({
    sessionTimeout: random.pick([1000, 2000, 4000]),
    window: random.pick([1, 1, 4, 16]),
  }));
  const mayDrift = random.chance(0.5);
  return {
    seed: String(seed),
    servers,
    observers,
    settings: {
      tickTime: random.pick([100, 200, 500]),
      snapCount: random.pick([4, 10, 30, 1000]),
      preAllocKb: random.pick([0, 4, 64]),
      initLimit: 10,
      syncLimit: random.pick([3, 5]),
      commitLogCount: random.pick([2, 10, 500]),
      snapshotSizeFactor: random.pick([-1, 0.33, 100]),
      clockRates: Array.from({ length: machines }, () => (mayDrift ? random.between(0.95, 1.05) : 1)),
    },
    clients,
    operations: makeOperations(random.fork('operations'), clients.length),
    faults: makeFaults(random.fork('faults'), machines, clients.length),
    healAt: DURATION,
  };
}

// ---- operations ----

const PARENTS = ['/a', '/b'];
const NAMES = ['x', 'y', 'z'];

/** Every path that operations may name. */
export const PATHS = [...PARENTS, ...PARENTS.flatMap((parent) => NAMES.map((name) => `${parent}/${name}`))];

function makeOperations(random: Random, clients: number): Plan['operations'] {
  const count = 20 + random.int(100);
  const times = Array.from({ length: count }, () => random.between(50, DURATION)).sort((a, b) => a - b);
  const out: { at: number; client: number; op: Operation }[] = [];
  // Something to work on.
  PARENTS.forEach((path, i) => {
    out.push({ at: i, client: 0, op: create(path, `first${i}`) });
  });
  times.forEach((at, i) => {
    out.push({ at, client: random.int(clients), op: makeOperation(random, `v${i}`) });
  });
  return out;
}

function create(path: string, data: string, ephemeral = false, sequential = false): WriteOp {
  return { kind: 'create', path, data, ephemeral, sequential };
}

function makeOperation(random: Random, data: string): Operation {
  const path = random.pick(PATHS);
  const dice = random.next();
  if (dice < 0.4) return makeWrite(random, data);
  if (dice < 0.55) return { kind: 'get', path, watch: random.chance(0.4) };
  if (dice < 0.7) return { kind: 'exists', path, watch: random.chance(0.4) };
  if (dice < 0.85) return { kind: 'children', path: random.pick(PARENTS), watch: random.chance(0.4) };
  if (dice < 0.9) return { kind: 'sync', path };
  if (dice < 0.98) {
    return {
      kind: 'multi',
      ops: Array.from({ length: 1 + random.int(3) }, (_, i) => makeWrite(random, `${data}.${i}`)),
    };
  }
  return { kind: 'closeSession' };
}

function makeWrite(random: Random, data: string): WriteOp {
  const path = random.pick(PATHS);
  const dice = random.next();
  const version = random.chance(0.8) ? -1 : random.int(4);
  if (dice < 0.35) return { kind: 'set', path, data, version };
  if (dice < 0.55) return { kind: 'delete', path, version };
  if (dice < 0.7) return create(`${random.pick(PARENTS)}/n-`, data, random.chance(0.5), true);
  return create(path, data, random.chance(0.3) && !PARENTS.includes(path));
}

// ---- faults ----

type Maker = (random: Random, at: number, servers: number, clients: number) => Fault;

const back = (random: Random): number => random.between(20, random.chance(0.3) ? 4000 : 500);

const MAKERS: readonly Maker[] = [
  (random, at, servers) => ({
    at,
    kind: 'crash',
    server: random.int(servers),
    power: random.chance(0.5),
    back: back(random),
    operation: random.chance(0.5) ? 0 : 1 + random.int(30),
  }),
  (random, at, servers) => ({ at, kind: 'pause', server: random.int(servers), ms: random.between(10, 3000) }),
  (random, at, servers, clients) => ({
    at,
    kind: 'cut',
    ...pair(random, servers, clients),
    bothWays: random.chance(0.5),
    ms: random.between(50, 4000),
  }),
  (random, at, servers, clients) => ({ at, kind: 'reset', ...pair(random, servers, clients) }),
  (random, at) => ({ at, kind: 'loss', probability: random.between(0.01, 0.3), ms: random.between(100, 3000) }),
  (random, at, servers, clients) => ({
    at,
    kind: 'delay',
    ...pair(random, servers, clients),
    by: random.between(5, 300),
    ms: random.between(100, 3000),
  }),
  (random, at, servers) => ({
    at,
    kind: 'slowDisk',
    server: random.int(servers),
    factor: random.between(5, 200),
    ms: random.between(100, 3000),
  }),
  (random, at, servers) => ({
    at,
    kind: 'diskError',
    server: random.int(servers),
    on: random.pick(['write', 'sync']),
    code: random.pick(['EIO', 'ENOSPC']),
  }),
  (random, at, servers) => ({ at, kind: 'clockJump', server: random.int(servers), by: random.between(-1e6, 1e6) }),
  (random, at, _servers, clients) => ({ at, kind: 'clientMoves', client: random.int(clients) }),
  (random, at, _servers, clients) => ({ at, kind: 'clientDies', client: random.int(clients) }),
];

function pair(random: Random, servers: number, clients: number): { from: string; to: string } {
  const a = serverHost(random.int(servers));
  if (servers === 1 || random.chance(0.3)) {
    const b = clientHost(random.int(clients));
    return random.chance(0.5) ? { from: a, to: b } : { from: b, to: a };
  }
  let b = a;
  while (b === a) b = serverHost(random.int(servers));
  return { from: a, to: b };
}

/** A mix of some kinds of faults, each run another. */
function makeFaults(random: Random, servers: number, clients: number): Fault[] {
  const kinds = MAKERS.filter(() => random.chance(0.4));
  if (kinds.length === 0) return [];
  const count = random.int(16);
  const out: Fault[] = [];
  for (let i = 0; i < count; i++)
    out.push(random.pick(kinds)(random, random.between(100, DURATION - 500), servers, clients));
  return out.sort((a, b) => a.at - b.at);
}
