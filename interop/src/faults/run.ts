// One run: an ensemble, clients, faults for a while, and then, with everything healed, whether all of it fits together.

import { setTimeout as delay } from 'node:timers/promises';
import { Ensemble } from '../ensemble/ensemble.js';
import type { Member } from '../ensemble/member.js';
import { Session } from '../ensemble/session.js';
import { assertEqualTrees, readTree, type Tree } from '../ensemble/tree.js';
import { until } from '../ensemble/until.js';
import type { Kind } from '../servers/index.js';
import { Changes } from './changes.js';
import { Client, COUNTER, REGISTERS } from './client.js';
import { Clocks } from './clocks.js';
import { History, told } from './history.js';
import { FAULTS, heal, possibleOf, type Stage } from './nemesis.js';
import { SmallDisks } from './small-disks.js';
import { Wires } from './wires.js';

const SESSION_MS = 4000;
const PAUSE_MS = 6;
/** Longer than sessions and links between servers may be silent. */
const LONGEST_FAULT_MS = 6000;
const SETTLED_MS = 90_000;

/** Quick to find out that something is wrong, and with many files and snapshots. */
const CFG = {
  tickTime: '300',
  initLimit: '20',
  syncLimit: '6',
  minSessionTimeout: '1000',
  snapCount: '1000',
  preAllocSize: '256',
  'autopurge.snapRetainCount': '3',
};

/** A Java virtual machine that has just started on a busy machine takes seconds for what it does in milliseconds later. */
const SLOWER_CFG = { ...CFG, tickTime: '600' };

export interface RunSettings {
  /** A letter for each server, N or A; those behind a plus sign are observers. */
  readonly cast: string;
  /** Of the faults. */
  readonly names: readonly string[];
  readonly seconds: number;
  readonly clients: number;
  readonly seed: number;
  readonly keep: boolean;
  /** Whether members change; the network between servers is then left alone. */
  readonly changes: boolean;
  readonly tell: (text: string) => void;
}

export interface RunResult {
  readonly faults: readonly string[];
  readonly summary: string;
  readonly dir: string;
}

export async function run(settings: RunSettings): Promise<RunResult> {
  const { cast, names, seconds, seed, tell } = settings;
  const random = chance(seed);
  const [kinds, observers] = cast.split('+').map(kindsOf);
  const ensemble = await Ensemble.create({
    kinds,
    observers: observers ?? [],
    cfg: cast.includes('A') ? SLOWER_CFG : CFG,
  });
  const changes = settings.changes ? Changes.of(ensemble) : undefined;
  const wires = settings.changes ? undefined : await Wires.between(ensemble);
  const disks = names.includes('disk') ? SmallDisks.of(ensemble) : undefined;
  const clocks = names.includes('clock') ? Clocks.of(ensemble) : undefined;
  const stage: Stage = { ensemble, wires, changes, clocks, disks, random };
  const possible = possibleOf(names, stage);
  const history = new History();
  const clients: Client[] = [];
  let done = 0;
  let failed = true;
  try {
    await ensemble.startAll();
    await prepare(ensemble);
    for (let number = 0; number < settings.clients; number++) {
      const { members } = ensemble;
      clients.push(new Client({ number, members, history, random, timeout: SESSION_MS, pause: PAUSE_MS }));
    }
    for (const client of clients) client.start();
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end && history.faults.length === 0) {
      await delay(500 + random() * 1500);
      const name = possible[Math.floor(random() * possible.length)];
      const what = await FAULTS[name](stage);
      done += 1;
      const ms = Math.round(random() * LONGEST_FAULT_MS);
      tell(`${new Date().toISOString().slice(11, 23)} ${what}, for ${ms} ms (${history.acknowledged} writes)`);
      await delay(ms);
      await heal(stage);
      // Now and then the next fault comes while the servers are still finding together.
      if (random() < 0.6) await ensemble.ready();
    }
    await heal(stage);
    await ensemble.ready();
    for (const client of clients) await client.stop();
    await Promise.all(clients.map((client) => limited(client.settle())));
    const faults = history.check();
    const live = new Set(clients.map((c) => c.session));
    await until('ephemeral nodes go with their sessions', SETTLED_MS, () => onlyOf(ensemble.members[0], live));
    faults.push(...inTheEnd(history, await assertEqualTrees(ensemble.members)));
    failed = faults.length > 0;
    const unknown = history.writes.filter((w) => w.error === undefined).length;
    const sum = (of: (client: Client) => number) => clients.reduce((all, client) => all + of(client), 0);
    const summary =
      `${done} faults, ${history.acknowledged} writes acknowledged and ${unknown} unknown, ${history.reads.length} reads, ` +
      `${sum((c) => c.watchesFired)} watches, ${sum((c) => c.moves)} moves, ${sum((c) => c.expired)} of ${sum((c) => c.sessions)} sessions expired`;
    return { faults, summary, dir: ensemble.dir };
  } catch (error) {
    return {
      faults: [...history.faults, (error as Error).stack ?? ''],
      summary: 'it did not come to an end',
      dir: ensemble.dir,
    };
  } finally {
    for (const client of clients) client.abandon();
    const keep = failed && settings.keep;
    await ensemble.close(true);
    await wires?.stop();
    disks?.unmount(keep);
    if (!keep) await ensemble.close();
  }
}

const kindsOf = (letters: string): Kind[] => [...letters].map((one) => (one === 'A' ? 'apache' : 'nodekeeper'));

async function prepare(ensemble: Ensemble): Promise<void> {
  const session = await Session.open(ensemble.members[0].ports.client);
  for (const path of ['/u', '/eph', '/lock', COUNTER, ...REGISTERS]) await session.create(path, 'new');
  await session.close();
}

/** What must be there once everything has come to rest. */
function* inTheEnd(history: History, tree: Tree): Generator<string> {
  const sets = new Map<string, number>();
  const unknown = new Map<string, number>();
  for (const write of history.writes) {
    const { kind, key, error, zxid } = write;
    if (kind === 'set') {
      const counts = error === 0 ? sets : unknown;
      if (error === 0 || error === undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
      const now = tree.get(key)?.stat.version ?? -1;
      if (error === 0 && write.version > now) yield `lost: ${told(write)}; ${key} has version ${now}`;
    }
    if (kind !== 'create' || !key.startsWith('/u/')) continue;
    const node = tree.get(key);
    if (error === 0 && node === undefined) yield `lost: ${told(write)}`;
    if (error === 0 && node !== undefined && node.stat.czxid !== zxid)
      yield `${told(write)} was made by ${node.stat.czxid.toString(16)}`;
    if (error !== 0 && error !== undefined && node !== undefined)
      yield `refused with ${error}, and there: ${told(write)}`;
  }
  for (const [key, sure] of sets) {
    const version = tree.get(key)?.stat.version ?? -1;
    if (version < sure || version > sure + (unknown.get(key) ?? 0))
      yield `${key} has version ${version} after ${sure} acknowledged and ${unknown.get(key) ?? 0} unknown writes`;
  }
}

/** Whether every ephemeral node is one of these sessions'. */
async function onlyOf(member: Member, live: ReadonlySet<bigint>): Promise<boolean> {
  const tree = await readTree(member.ports.client).catch(() => undefined); // one of them went while it was read
  if (tree === undefined) return false;
  return [...tree.values()].every(({ stat: { ephemeralOwner: owner } }) => owner === 0n || live.has(owner));
}

async function limited(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a client does not settle within ${SETTLED_MS / 1000} s`)), SETTLED_MS);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Random numbers from 0 to 1 that a seed decides (mulberry32). */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
