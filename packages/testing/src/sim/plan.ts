// What is going to happen in a run, drawn from its seed before it begins: settings, what clients ask for, and the faults. A plan can
// be cut down, fault by fault and operation by operation, to the little that a failure needs.

import { type Fault, makeFaults } from './fault-plan.js';
import { Random } from './random.js';
import { type RecipeName, SCENARIOS } from './recipes/index.js';
import { makeGrouping, makeOperations, type PlannedOperation } from './workload.js';

export interface Plan {
  readonly seed: string;
  /** Servers that vote; one alone is no ensemble. */
  readonly servers: number;
  readonly observers: number;
  /** Machines that wait to be taken in: members change in the run if there are some. */
  readonly spares: number;
  readonly settings: {
    readonly tickTime: number;
    readonly snapCount: number;
    readonly preAllocKb: number;
    readonly initLimit: number;
    readonly syncLimit: number;
    /** Transactions kept in memory for learners. */
    readonly commitLogCount: number;
    /** Transactions after which a leader begins a new epoch. */
    readonly epochLength: number;
    /** How much of the log, against a snapshot's size, is sent instead of one; below 0 none. */
    readonly snapshotSizeFactor: number;
    /** Whether learners get a snapshot whatever they have: also those that have more than the leader. */
    readonly alwaysSnapshots: boolean;
    /** Whether followers serve the observers. */
    readonly observerMasters: boolean;
    /** Whether observers write a log. */
    readonly observersLog: boolean;
    /** How many times slower than usual each server's disk is. */
    readonly diskSlowness: readonly number[];
    /** Milliseconds by which everything to and from each server is later. */
    readonly farness: readonly number[];
    /** How fast each server's clock runs. */
    readonly clockRates: readonly number[];
    /** Whether each server keeps digests: always, never, or at every other start. */
    readonly digests: readonly ('on' | 'off' | 'changing')[];
    /** Whether sessions begin as their server's own. */
    readonly localSessions: boolean;
    /** Whether one of two servers may decide alone when an oracle says so. */
    readonly oracle: boolean;
    /** `group.N=` and `weight.N=` lines of the first members; none where the majority decides. */
    readonly grouping: readonly string[];
    /** Whether disks of fewer voters than decide are lost for good in the end. */
    readonly lostDisks: boolean;
  };
  readonly clients: readonly ClientPlan[];
  /** What clients do that are programs with recipes; nothing if clients make single calls. */
  readonly recipes: readonly RecipeName[];
  readonly operations: readonly PlannedOperation[];
  readonly faults: readonly Fault[];
  /** When everything is made well. Milliseconds. */
  readonly healAt: number;
}

export interface ClientPlan {
  readonly sessionTimeout: number;
  /** Requests in flight at once. */
  readonly window: number;
  /** Milliseconds after which it goes to another server of its own accord, again and again; 0 for never. */
  readonly stay: number;
}

/** What few runs have, and which share of those that can. */
const TRAITS = {
  /** One of two servers may decide alone when an oracle says so. */
  oracle: 0.8,
  /** Groups decide, and weights. */
  groups: 0.1,
  /** Sessions begin as their server's own. */
  localSessions: 0.1,
  /** Some servers keep no digests, or not always. */
  mixedDigests: 0.1,
  /** Disks of fewer voters than decide are lost for good, while everybody has everything. */
  lostDisks: 0.25,
} as const;
export type Trait = keyof typeof TRAITS;

/** What the command line says: names. @throws Error for names that are none */
export function traitsFrom(text: string): Trait[] {
  const all = Object.keys(TRAITS) as Trait[];
  return text.split(',').map((name) => {
    const known = all.find((one) => one === name);
    if (known === undefined) throw new Error(`there is no '${name}'; there are ${all.join(', ')}`);
    return known;
  });
}

/** What is not drawn from the seed. */
export interface PlanOptions {
  readonly servers?: number;
  readonly observers?: number;
  readonly spares?: number;
  /** How many clients there are; 2 to 4. */
  readonly clients?: number;
  /** What the run has for certain if its size allows it; drawn for each if not named. */
  readonly traits?: readonly Trait[];
  /** Recipes that the clients use; `none` for single calls, `own` for a program of the caller's. */
  readonly recipes?: readonly RecipeName[] | 'none' | 'own';
}

type Size = Required<Pick<PlanOptions, 'servers' | 'observers' | 'spares'>>;

/** The share of the runs that have two servers. Only an oracle makes more of them than one. */
const PAIRS = 0.05;

function drawSize(random: Random): Size {
  if (random.fork('pair').chance(PAIRS)) return { servers: 2, observers: 0, spares: 0 };
  const servers = random.pick([1, 3, 3, 3, 3, 5, 5, 7]);
  if (servers === 1) return { servers, observers: 0, spares: 0 };
  const observers = random.chance(0.25) ? 1 + random.int(2) : 0;
  return { servers, observers, spares: servers < 7 && random.chance(0.25) ? 1 + random.int(2) : 0 };
}

/** How many machines a run has. */
export function machinesOf({ servers, observers, spares }: Size): number {
  return servers + observers + spares;
}

/** The share of the runs in which clients use recipes. */
const RECIPES = 0.15;

function drawRecipes(random: Random): RecipeName[] {
  if (!random.chance(RECIPES)) return [];
  const names = Object.keys(SCENARIOS) as RecipeName[];
  return Array.from({ length: 1 + random.int(3) }, () => names.splice(random.int(names.length), 1)).flat();
}

/** More transactions than a run has. */
const ENDLESS = 1_000_000;

/** Milliseconds. */
const DURATION = 6000;

export function makePlan(seed: string | number, options: PlanOptions = {}): Plan {
  const random = new Random(seed);
  const { recipes: asked, clients: clientCount, traits, ...sizes } = options;
  const has = (trait: Trait): boolean => traits?.includes(trait) === true || random.fork(trait).chance(TRAITS[trait]);
  const asWanted = { ...drawSize(random.fork('size')), ...sizes };
  const size = asWanted.servers === 1 ? { ...asWanted, observers: 0, spares: 0 } : asWanted;
  const recipes = typeof asked === 'string' ? [] : (asked ?? drawRecipes(random.fork('recipes')));
  const programs = asked === 'own' || recipes.length > 0;
  const machines = machinesOf(size);
  const drawn = 2 + random.int(3);
  const clients = Array.from({ length: clientCount ?? drawn }, () => ({
    sessionTimeout: random.pick([1000, 2000, 4000]),
    window: random.pick([1, 1, 4, 16]),
    stay: random.chance(0.3) ? random.between(50, 1000) : 0,
  }));
  const observing = random.fork('observing');
  const rolling = random.fork('epochs');
  const mayDrift = random.chance(0.5);
  const ensemble = size.servers > 1;
  const voters = Array.from({ length: size.servers }, (_, i) => i + 1);
  const oracle = size.servers === 2 && machines === 2 && has('oracle');
  const grouping = size.servers > 2 && has('groups') ? makeGrouping(random.fork('grouping'), voters) : [];
  const mixed = has('mixedDigests') ? random.fork('digests') : undefined;
  const faults = makeFaults(random.fork('faults'), DURATION, {
    servers: machines,
    clients: clients.length,
    // Where members change, or one's vote weighs more, those that are left may not be enough to make up for a disk.
    decay: size.servers > 2 && size.spares === 0 && grouping.length === 0,
    programs,
    oracle,
  });
  const members = { machines, change: size.spares > 0, grouped: grouping.length > 0 };
  return {
    seed: String(seed),
    ...size,
    settings: {
      tickTime: random.pick([50, 100, 200]),
      snapCount: random.pick([4, 10, 30, 1000]),
      preAllocKb: random.pick([0, 4, 64]),
      initLimit: 10,
      syncLimit: random.pick([3, 5]),
      commitLogCount: random.pick([2, 10, 500]),
      epochLength: rolling.chance(0.25) ? rolling.pick([25, 50, 100]) : ENDLESS,
      snapshotSizeFactor: random.pick([-1, 0.33, 100]),
      alwaysSnapshots: random.fork('snapshots').chance(0.1),
      observerMasters: observing.chance(0.6),
      observersLog: observing.chance(0.6),
      diskSlowness: Array.from({ length: machines }, () => (random.chance(0.3) ? random.between(2, 60) : 1)),
      farness: Array.from({ length: machines }, () => (random.chance(0.15) ? random.between(1, 40) : 0)),
      clockRates: Array.from({ length: machines }, () => (mayDrift ? random.between(0.95, 1.05) : 1)),
      digests: Array.from({ length: machines }, () => mixed?.pick(['on', 'off', 'changing'] as const) ?? 'on'),
      localSessions: ensemble && has('localSessions'),
      oracle,
      grouping,
      // Who is left could otherwise not be enough.
      lostDisks: size.servers > 2 && size.spares === 0 && grouping.length === 0 && has('lostDisks'),
    },
    clients,
    recipes,
    operations: programs ? [] : makeOperations(random.fork('operations'), DURATION, clients.length, faults, members),
    faults,
    healAt: DURATION,
  };
}
