// Take-over of a running Apache ensemble by servers beside it, in the steps of docs/takeover.md, backing out of each once. Clients
// write all the time; nothing may be lost, and no session.

import { setTimeout as delay } from 'node:timers/promises';
import { audit } from '../audit.js';
import type { Ensemble } from '../ensemble.js';
import { Load } from '../load.js';
import type { Member } from '../member.js';
import type { Scenario } from '../scenario.js';
import { assertEqualTrees, assertNoMismatches } from '../tree.js';
import { until } from '../until.js';
import { ask } from '../words.js';
import { settle } from './failover.js';
import { addDynamic, dynamicThree, lineOf, reconfig, startWith } from './reconfig.js';

const LIMIT_MS = 60_000;

export const takeOver: Scenario = {
  id: 'take-over',
  title: 'servers beside a running ensemble take it over by reconfiguration, in steps that are all taken back once',
  casts: ['A/AA'],
  async run(stage) {
    const ensemble = await dynamicThree(stage);
    const voters = [...ensemble.members];
    const load = await Load.start(voters, { pause: 10 });
    await load.more(200);
    for (const [i, old] of [...voters].entries()) {
      const fresh = await addDynamic(ensemble, voters.length + 1 + i, 'nodekeeper');
      const tookBack = i > 0; // once is enough
      const observer = lineOf(fresh, 'observer');
      const participant = lineOf(fresh, 'participant');
      const steps: readonly Step[] = [
        {
          what: 'it observes, known to itself only',
          take: () => begin(fresh, voters),
          back: () => fresh.stop(),
        },
        {
          what: 'the members know it as an observer',
          take: () => reconfig(voters, { joining: observer }),
          back: () => reconfig(voters, { leaving: String(fresh.id) }),
        },
        {
          what: 'it has the same digests',
          take: () => sameDigests(fresh, voters),
          back: async () => {},
        },
        {
          what: 'it votes',
          take: () => reconfig([...voters], { joining: participant }),
          back: () => reconfig([...voters], { joining: observer }),
        },
        {
          what: 'an old one does not any more',
          take: () => reconfig([fresh, ...voters], { leaving: String(old.id) }),
          back: () => reconfig([fresh, ...voters], { joining: lineOf(old, 'participant') }),
        },
      ];
      for (const [n, step] of tookBack ? [] : steps.entries()) {
        // All steps up to this one, and back to where it began.
        for (const { take } of steps.slice(0, n + 1)) await doing(load, take);
        for (const { back } of steps.slice(0, n + 1).reverse()) await doing(load, back);
        await check(load, voters);
        stage.note(`taken back: ${step.what}`);
      }
      for (const { take } of steps) await doing(load, take);
      await old.stop();
      voters.splice(voters.indexOf(old), 1, fresh);
      await until('there is a leader', LIMIT_MS, () => anyLeads(voters));
      await check(load, voters);
      stage.note(`server ${fresh.id} has taken the place of server ${old.id}`);
    }
    if (voters.some(({ kind }) => kind !== 'nodekeeper')) throw new Error('there is still one of Apache’s servers');
    await settle(ensemble, load);
  },
};

interface Step {
  readonly what: string;
  take(): Promise<void>;
  back(): Promise<void>;
}

async function doing(load: Load, action: () => Promise<void>): Promise<void> {
  await action();
  await load.more(30);
}

async function begin(fresh: Member, voters: readonly Member[]): Promise<void> {
  startWith(fresh, [...voters.map((v) => lineOf(v, 'participant')), lineOf(fresh, 'observer')]);
  await fresh.inRole('observer', 'follower');
}

/** Nothing written so far is lost, and all members have the same. */
async function check(load: Load, members: readonly Member[]): Promise<void> {
  await load.stop();
  audit(load, await assertEqualTrees(members));
  load.resume();
}

async function anyLeads(members: Ensemble['members']): Promise<boolean> {
  const modes = await Promise.all(members.map((m) => m.mode()));
  return modes.includes('leader');
}

/** Compares what `hash` tells of the two trees, of which some zxids are the same; and no server has found a digest wrong. */
async function sameDigests(fresh: Member, voters: readonly Member[]): Promise<void> {
  await until('both tell a digest of the same zxid', LIMIT_MS, async () => {
    const [own, other] = await Promise.all([fresh, voters[0]].map((m) => digests(m)));
    const both = [...own].filter(([zxid]) => other.has(zxid));
    for (const [zxid, digest] of both)
      if (other.get(zxid) !== digest) throw new Error(`at 0x${zxid} the digests differ`);
    if (both.length === 0) await delay(100);
    return both.length > 0;
  });
  for (const member of [fresh, ...voters]) {
    await assertNoMismatches(member);
  }
}

async function digests({ ports }: Member): Promise<ReadonlyMap<string, string>> {
  const lines = ((await ask(ports.client, 'hash')) ?? '').matchAll(/^([0-9a-f]+): (-?\d+)$/gm);
  return new Map([...lines].map((match) => [match[1], match[2]]));
}
