// What the clients of a run ask for, and when: some of it spread over the run, most of it where faults strike.

import type { Fault } from './fault-plan.js';
import { serverLine } from './hosts.js';
import type { WriteOp } from './model.js';
import type { Operation } from './operations.js';
import type { Random } from './random.js';

export interface PlannedOperation {
  /** Milliseconds. */
  readonly at: number;
  readonly client: number;
  readonly op: Operation;
}

const PARENTS = ['/a', '/b'];
/** Watched persistently, and only so: one-shot watches at the same path could pass for them. */
const WATCHED = '/p';
const NAMES = ['x', 'y', 'z'];

/** Every path that operations may name. */
export const PATHS = [...PARENTS, WATCHED].flatMap((parent) => [parent, ...NAMES.map((name) => `${parent}/${name}`)]);

/** Milliseconds. */
const BURST = 30;
/** Operations of which a sync has to show the outcome. */
const CHANGING: ReadonlySet<Operation['kind']> = new Set(['create', 'set', 'delete', 'multi']);
/** Milliseconds in which a write is usually answered, or nearly. */
const SOON = 12;
/** Bytes of data. */
const LARGEST = 200_000;

/** What may become of the members. */
export interface Changes {
  /** Machines there are. */
  readonly machines: number;
  /** Whether some wait to become members, and others may leave. */
  readonly change: boolean;
  /** Whether groups decide, not the majority. */
  readonly grouped: boolean;
}

export function makeOperations(
  random: Random,
  duration: number,
  clients: number,
  faults: readonly Fault[],
  { machines, change, grouped }: Changes,
): PlannedOperation[] {
  const times: number[] = [];
  for (let i = 20 + random.int(60); i > 0; i--) times.push(random.between(50, duration));
  for (const { at } of faults) {
    for (let i = random.int(10); i > 0; i--) times.push(at + random.between(-BURST, BURST));
  }
  times.sort((a, b) => a - b);
  const out: PlannedOperation[] = [];
  // Something to work on.
  [...PARENTS, WATCHED].forEach((path, i) => {
    out.push({ at: i, client: 0, op: create(path, `first${i}`) });
  });
  const writes = random.between(0.3, 0.9);
  const large = random.pick([0, 0.02, 0.1]);
  const behind = random.fork('behind');
  times.forEach((at, i) => {
    const client = random.int(clients);
    // Some data fill many sectors and packets.
    const data = `v${i} `.padEnd(random.chance(large) ? random.int(LARGEST) : 0, '.').trimEnd();
    const op = makeOperation(random, data, writes, client);
    out.push({ at, client, op });
    // Another client asks for all that is written by then, of a server that may not have it yet.
    if (CHANGING.has(op.kind) && behind.chance(0.4))
      out.push({ at: at + behind.between(0, SOON), client: behind.int(clients), op: { kind: 'sync', path: '/' } });
  });
  if (change || grouped) {
    const whole = random.fork('whole');
    const hurry = random.fork('hurry');
    const changed = (server: number): Operation =>
      grouped || whole.chance(0.1) ? makeMembers(whole, machines, change) : makeReconfig(random, machines, server);
    for (let i = 1 + random.int(6); i > 0; i--) {
      const at = random.between(200, duration);
      const server = random.int(machines);
      out.push({ at, client: random.int(clients), op: changed(server) });
      // The next one often while this one is on its way, and often of the same server.
      if (hurry.chance(0.5)) {
        const next = hurry.chance(0.5) ? server : hurry.int(machines);
        out.push({ at: at + hurry.between(0, 100), client: hurry.int(clients), op: changed(next) });
      }
    }
  }
  return out.sort((a, b) => a.at - b.at);
}

/** The server joins, leaves, or changes its role. */
function makeReconfig(random: Random, machines: number, server: number): Operation {
  if (random.chance(0.4)) return { kind: 'reconfig', joining: null, leaving: `${server + 1}`, members: null };
  const role = random.chance(0.7) ? 'participant' : 'observer';
  const leaving = random.chance(0.4) ? `${random.int(machines) + 1}` : null;
  return { kind: 'reconfig', joining: serverLine(server, role), leaving, members: null };
}

/** All members anew, with groups and weights or without. */
function makeMembers(random: Random, machines: number, change: boolean): Operation {
  const roles = Array.from({ length: machines }, () => {
    if (change && random.chance(0.2)) return undefined;
    return random.chance(0.9) ? 'participant' : 'observer';
  });
  const lines = roles.flatMap((role, server) => (role === undefined ? [] : serverLine(server, role)));
  const voters = roles.flatMap((role, server) => (role === 'participant' ? server + 1 : []));
  const grouping = random.chance(0.7) ? makeGrouping(random, voters) : [];
  return { kind: 'reconfig', joining: null, leaving: null, members: [...lines, ...grouping].join('\n') };
}

/** Voters in groups, with weights or without: `group.N=` and `weight.N=` lines. */
export function makeGrouping(random: Random, voters: readonly number[]): string[] {
  const groups: number[][] = Array.from({ length: 1 + random.int(3) }, () => []);
  for (const id of shuffled(random, voters)) random.pick(groups).push(id);
  const there = groups.filter((ids) => ids.length > 0);
  const weightOf = random.pick([
    () => undefined,
    () => (random.chance(0.5) ? random.int(4) : undefined),
    // One of each group is all that counts.
    (place: number) => (place === 0 ? 1 : 0),
  ]);
  const weights = there.flatMap((ids) => {
    const each = ids.map((id, place) => ({ id, weight: weightOf(place) }));
    // A group without any weight does not count, and at least one has to.
    if (each.every(({ weight }) => weight === 0)) return [];
    return each.flatMap(({ id, weight }) => (weight === undefined ? [] : `weight.${id}=${weight}`));
  });
  return [...there.map((ids, i) => `group.${i + 1}=${ids.join(':')}`), ...weights];
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const left = [...list];
  return Array.from({ length: left.length }, () => left.splice(random.int(left.length), 1)).flat();
}

function create(path: string, data: string, ephemeral = false, sequential = false): WriteOp {
  return { kind: 'create', path, data, ephemeral, sequential };
}

function makeOperation(random: Random, data: string, writes: number, client: number): Operation {
  const path = random.pick(PATHS);
  if (random.chance(writes)) {
    if (random.chance(0.02)) return { kind: 'closeSession' };
    if (random.chance(0.85)) return makeWrite(random, data);
    return {
      kind: 'multi',
      ops: Array.from({ length: 1 + random.int(3) }, (_, i) => makeWrite(random, `${data}.${i}`)),
    };
  }
  const watch = random.chance(0.4) && !path.startsWith(WATCHED);
  switch (random.int(9)) {
    case 8:
      return { kind: 'addWatch', path: WATCHED, recursive: client % 2 === 0 };
    case 0:
      return { kind: 'sync', path };
    case 1:
    case 2:
      return { kind: 'exists', path, watch };
    case 3:
    case 4:
      return { kind: 'children', path: random.pick(PARENTS), watch: random.chance(0.4) };
    default:
      return { kind: 'get', path, watch };
  }
}

function makeWrite(random: Random, data: string): WriteOp {
  const path = random.pick(PATHS);
  const dice = random.next();
  const version = random.chance(0.8) ? -1 : random.int(4);
  if (dice < 0.35) return { kind: 'set', path, data, version };
  if (dice < 0.5) return { kind: 'delete', path, version };
  if (dice < 0.7) return create(`${random.pick([...PARENTS, WATCHED])}/n-`, data, random.chance(0.5), true);
  return create(path, data, random.chance(0.3) && path.lastIndexOf('/') > 0);
}
