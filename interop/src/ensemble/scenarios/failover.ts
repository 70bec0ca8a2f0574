// Members that die while clients write, and come back.

import { audit } from '../audit.js';
import type { Ensemble } from '../ensemble.js';
import { Load } from '../load.js';
import type { Member } from '../member.js';
import type { Scenario, Stage } from '../scenario.js';
import { Session } from '../session.js';
import { assertEqualTrees } from '../tree.js';
import { until } from '../until.js';

export const leaderKilled: Scenario = {
  id: 'leader-killed',
  bothWays: true,
  title: 'the leader is killed under load, comes back as a follower, and so does the next',
  async run(stage) {
    const ensemble = await stage.three();
    const load = await Load.start(ensemble.members);
    await load.more(300);
    for (let i = 0; i < 3; i++) {
      const leader = await ensemble.leader();
      await timed(stage, `server ${leader.id} (${leader.kind}) leads no more`, leader, () => leader.kill(), ensemble);
      await load.more(200);
      leader.start();
      await leader.inRole('follower');
      await load.more(200);
    }
    await settle(ensemble, load);
  },
};

export const leaderStopped: Scenario = {
  id: 'leader-stopped',
  title: 'the leader is stopped by SIGTERM under load and another takes over',
  async run(stage) {
    const ensemble = await stage.three();
    const load = await Load.start(ensemble.members);
    await load.more(300);
    const leader = await ensemble.leader();
    await timed(stage, `server ${leader.id} (${leader.kind}) is stopped`, leader, () => leader.stop(), ensemble);
    await load.more(200);
    leader.start();
    await leader.inRole('follower');
    await settle(ensemble, load);
  },
};

export const followerKilled: Scenario = {
  id: 'follower-killed',
  title: 'followers are killed under load, one after the other, and the leader stays',
  async run(stage) {
    const ensemble = await stage.three();
    const leader = await ensemble.leader();
    const load = await Load.start(ensemble.members);
    await load.more(300);
    for (const follower of await ensemble.followers()) {
      await follower.kill();
      await load.more(200);
      follower.start();
      await follower.inRole('follower');
    }
    if ((await ensemble.leader()) !== leader) throw new Error('the leader has changed');
    await settle(ensemble, load);
  },
};

export const majorityLost: Scenario = {
  id: 'majority-lost',
  title: 'without a majority nothing is acknowledged; with it, sessions and their nodes are there again',
  async run(stage) {
    const ensemble = await stage.three();
    const load = await Load.start(ensemble.members);
    await load.more(300);
    const [one, other] = await ensemble.followers();
    const leader = await ensemble.leader();
    await one.kill();
    await other.kill();
    await until('the leader serves no more', 20_000, async () => (await leader.mode()) === undefined);
    const before = load.acknowledged;
    await until('a client is turned away', 10_000, () => turnedAway(leader));
    if (load.acknowledged !== before) throw new Error('a write was acknowledged by a minority');
    one.start();
    await one.inRole('leader', 'follower');
    await load.more(200);
    other.start();
    await other.inRole('follower');
    await settle(ensemble, load);
  },
};

export const rollingRestart: Scenario = {
  id: 'rolling-restart',
  title: 'every member is stopped and started again under load, twice',
  async run(stage) {
    const ensemble = await stage.three();
    const load = await Load.start(ensemble.members);
    await load.more(300);
    for (let round = 0; round < 2; round++) {
      for (const member of ensemble.members) await restart(member, load);
    }
    await settle(ensemble, load);
  },
};

export const rollingReplacement: Scenario = {
  id: 'rolling-replacement',
  title: 'every member is replaced by the other implementation under load, on the same data, and replaced back',
  casts: ['A/AA', 'N/NN'], // each goes through all mixtures
  async run(stage) {
    const ensemble = await stage.three();
    const load = await Load.start(ensemble.members);
    await load.more(300);
    for (let round = 0; round < 2; round++) {
      for (const member of ensemble.members) {
        await restart(member, load, () => {
          member.kind = member.kind === 'apache' ? 'nodekeeper' : 'apache';
        });
      }
      audit(load, await pausedTree(ensemble, load));
    }
    await settle(ensemble, load);
  },
};

async function restart(member: Member, load: Load, between: () => void = () => undefined): Promise<void> {
  await member.stop();
  between();
  await load.more(100);
  member.start();
  await member.inRole('leader', 'follower');
  await load.more(100);
}

/** The tree that all members have in common while nobody writes. */
async function pausedTree(ensemble: Ensemble, load: Load) {
  await load.stop();
  const tree = await assertEqualTrees(ensemble.members);
  load.resume();
  return tree;
}

/** Ends the load and examines what it left. */
export async function settle(ensemble: Ensemble, load: Load): Promise<void> {
  await load.more(100);
  await load.stop();
  await ensemble.ready();
  audit(load, await assertEqualTrees(ensemble.running));
  await load.close();
}

/** Ends a member and notes the longest time in which a client of another one, that writes without a pause, had to wait. */
async function timed(stage: Stage, what: string, gone: Member, end: () => Promise<void>, all: Ensemble): Promise<void> {
  const others = all.running.filter((m) => m !== gone);
  const session = await Session.open(others[0].ports.client);
  let longest = 0;
  let last = performance.now();
  let ended = false;
  const over = end().then(async () => {
    await all.leader();
    ended = true;
  });
  for (let i = 0, sinceEnd = 0; sinceEnd < 10; i++) {
    try {
      if (!session.attached) await session.attach(others[i % others.length].ports.client);
      const { error } = await session.set('/', `${i}`);
      if (error !== 0) continue;
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      if (ended) sinceEnd += 1;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  stage.note(`${what}: the longest wait for a write is ${Math.round(longest)} ms`);
  await over;
  await session.close();
}

async function turnedAway(member: Member): Promise<boolean> {
  try {
    const session = await Session.open(member.ports.client, { timeout: 1000 });
    await session.close();
    return false;
  } catch {
    return true;
  }
}
