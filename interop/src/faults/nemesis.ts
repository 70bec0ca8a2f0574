// What is done to the servers while clients work: one fault after the other, each for a while, each undone by `heal`.

import { setTimeout as delay } from 'node:timers/promises';
import type { Ensemble } from '../ensemble/ensemble.js';
import type { Member } from '../ensemble/member.js';
import type { Changes } from './changes.js';
import type { Clocks } from './clocks.js';
import type { SmallDisks } from './small-disks.js';
import type { Wires } from './wires.js';

export interface Stage {
  readonly ensemble: Ensemble;
  /** Either the network between servers can be cut, or members can change: relays stand in the configuration. */
  readonly wires: Wires | undefined;
  readonly changes: Changes | undefined;
  readonly clocks: Clocks | undefined;
  readonly disks: SmallDisks | undefined;
  readonly random: () => number;
}

/** Does it and returns what was done, in words. */
type Fault = (stage: Stage) => Promise<string>;

/** By name; what needs the machine's help is left out where that is not there. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  /** kill -9 of one, which comes back after a while. */
  kill: async (stage) => {
    const member = any(stage);
    await member.kill();
    return `kill ${member.id}`;
  },

  'kill-leader': async (stage) => {
    const member = (await leader(stage)) ?? any(stage);
    await member.kill();
    return `kill leader ${member.id}`;
  },

  /** All at once, as when the power fails, but for what the kernel has. */
  'kill-all': async ({ ensemble }) => {
    await Promise.all(ensemble.running.map((member) => member.kill()));
    return 'kill all';
  },

  /** Killed again while it recovers, elects, or is brought up to date. */
  'kill-again': async (stage) => {
    const member = any(stage);
    for (let i = 0; i < 4; i++) {
      await member.kill();
      start(stage, member);
      await delay(150 + stage.random() * 700);
    }
    await member.kill();
    return `kill ${member.id} five times`;
  },

  /** One after the other, each waited for, as an operator would. */
  rolling: async (stage) => {
    for (const member of stage.ensemble.running) {
      await member.stop();
      start(stage, member);
      await member.inRole();
    }
    return 'restart each';
  },

  pause: async (stage) => {
    const member = any(stage);
    member.signal('SIGSTOP');
    return `pause ${member.id}`;
  },

  'pause-leader': async (stage) => {
    const member = (await leader(stage)) ?? any(stage);
    member.signal('SIGSTOP');
    return `pause leader ${member.id}`;
  },

  /** Stands still and wakes up again and again. */
  stutter: async (stage) => {
    const member = (await leader(stage)) ?? any(stage);
    for (let i = 0; i < 6; i++) {
      member.signal('SIGSTOP');
      await delay(stage.random() * 1200);
      member.signal('SIGCONT');
      await delay(stage.random() * 300);
    }
    return `stutter ${member.id}`;
  },

  /** The leader alone, while clients still reach it. */
  'part-leader': async (stage) => {
    const member = (await leader(stage)) ?? any(stage);
    stage.wires?.part([member.id]);
    return `part leader ${member.id}`;
  },

  part: async (stage) => {
    const group = shuffled(stage).slice(0, Math.floor(stage.ensemble.members.length / 2));
    stage.wires?.part(group.map((m) => m.id));
    return `part ${group.map((m) => m.id).join(' ')}`;
  },

  /** One way only, between two servers. */
  silence: async (stage) => {
    const [from, to] = shuffled(stage);
    stage.wires?.silence(from.id, to.id);
    return `silence ${from.id} to ${to.id}`;
  },

  /** The leader hears nobody, or nobody hears it. */
  'silence-leader': async (stage) => {
    const member = (await leader(stage)) ?? any(stage);
    const speaks = stage.random() < 0.5;
    for (const other of stage.ensemble.members) {
      if (other === member) continue;
      if (speaks) stage.wires?.silence(other.id, member.id);
      else stage.wires?.silence(member.id, other.id);
    }
    return speaks ? `leader ${member.id} hears nobody` : `nobody hears leader ${member.id}`;
  },

  /** Two groups that both reach one server. */
  bridge: async (stage) => {
    const [, ...others] = shuffled(stage);
    const half = others.slice(0, others.length >> 1);
    for (const one of half) {
      for (const other of others) {
        if (half.includes(other)) continue;
        stage.wires?.silence(one.id, other.id);
        stage.wires?.silence(other.id, one.id);
      }
    }
    return `bridge ${half.map((m) => m.id).join(' ')}`;
  },

  cut: async (stage) => {
    for (let i = 0; i < 5; i++) {
      const [one, other] = shuffled(stage);
      stage.wires?.cut(one.id, other.id);
      await delay(stage.random() * 500);
    }
    return 'cut';
  },

  clock: async (stage) => {
    const member = shuffled(stage).find((m) => stage.clocks?.members.includes(m)) ?? any(stage);
    const seconds = Math.round((stage.random() - 0.5) * 7200);
    stage.clocks?.set(member, seconds);
    return `clock of ${member.id} ${seconds} s`;
  },

  leave: async (stage) => {
    const member = any(stage);
    await stage.changes?.leave(member);
    return `${member.id} leaves`;
  },

  /** The leader dies in the midst of it. */
  'leave-leaderless': async (stage) => {
    const member = any(stage);
    const leading = (await leader(stage)) ?? any(stage);
    await stage.changes?.leave(member);
    await delay(stage.random() * 30);
    await leading.kill();
    return `${member.id} leaves, kill leader ${leading.id}`;
  },

  disk: async (stage) => {
    const member = any(stage);
    stage.disks?.fill(member);
    return `fill the disk of ${member.id}`;
  },
};

/** Undoes all faults: every server runs and is a member, and everything passes. */
export async function heal(stage: Stage): Promise<void> {
  const { ensemble, wires, changes, clocks, disks } = stage;
  wires?.heal();
  clocks?.reset();
  const full = disks?.free() ?? [];
  for (const member of ensemble.members) {
    if (member.running) member.signal('SIGCONT');
    else start(stage, member);
  }
  for (const member of full) await startIfItEnds(stage, member);
  await changes?.undo();
}

/** Of the faults of these names, those that can be done here. */
export function possibleOf(names: readonly string[], { wires, changes, clocks, disks }: Stage): string[] {
  const needs = (name: string): unknown => {
    if (/^(part|silence|bridge|cut)/.test(name)) return wires;
    if (name.startsWith('leave')) return changes;
    if (name === 'clock') return clocks;
    return name === 'disk' ? disks : true;
  };
  return names.filter((name) => needs(name) !== undefined);
}

/** One that could not write may be about to end: it serves again, or is started. */
async function startIfItEnds(stage: Stage, member: Member): Promise<void> {
  for (let i = 0; i < 100 && member.running; i++) {
    if ((await member.mode()) !== undefined) return;
    await delay(50);
  }
  if (!member.running) start(stage, member);
}

function start({ changes }: Stage, member: Member): void {
  if (changes === undefined) member.start();
  else changes.start(member);
}

async function leader({ ensemble }: Stage): Promise<Member | undefined> {
  for (const member of ensemble.running) if ((await member.mode()) === 'leader') return member;
  return undefined;
}

function shuffled({ ensemble, random }: Stage): Member[] {
  return ensemble.members
    .map((member) => ({ member, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ member }) => member);
}

const any = (stage: Stage): Member => shuffled(stage)[0];
