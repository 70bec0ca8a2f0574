// A follower returns after an absence: brought up to date by DIFF from the leader's memory or log, by SNAP, or by TRUNC.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskTrees } from '../disk.js';
import type { Ensemble } from '../ensemble.js';
import { Load, type LoadOptions } from '../load.js';
import type { Member } from '../member.js';
import type { Scenario, Stage } from '../scenario.js';
import { ok, Session } from '../session.js';
import { assertEqualTrees, differences } from '../tree.js';
import { until } from '../until.js';
import { settle } from './failover.js';

export const diff: Scenario = {
  id: 'diff',
  bothWays: true,
  title: 'a follower that was away for a moment gets a DIFF',
  // The leader remembers all that is written until a follower is back, however long that takes to start.
  run: (stage) =>
    absence(stage, { 'zookeeper.commitLogCount': '100000' }, 100, 'DIFF', '400', { writers: 2, window: 1, pause: 25 }),
};

export const diffFromLog: Scenario = {
  id: 'diff-from-log',
  bothWays: true,
  title: 'a follower that was away for more than the leader remembers gets a DIFF from the leader’s log',
  // With one log file, as the files behind the first may have a third of the snapshot's size.
  run: (stage) => absence(stage, {}, 900, 'DIFF', '100000'),
};

export const snap: Scenario = {
  id: 'snap',
  bothWays: true,
  title: 'a follower that was away for longer than the leader looks back gets a SNAP',
  run: (stage) => absence(stage, { 'zookeeper.snapshotSizeFactor': '-1' }, 900, 'SNAP', '400'),
};

/** Each follower is away for a while, by a stop and by a kill, and comes back under load. */
async function absence(
  stage: Stage,
  props: Record<string, string>,
  writes: number,
  expected: string,
  snapCount: string,
  options: LoadOptions = { pause: 0 },
): Promise<void> {
  const ensemble = await stage.three({ tapped: true, props, cfg: { snapCount } });
  const leader = await ensemble.leader();
  const load = await Load.start(ensemble.members, options);
  await load.more(100);
  for (const follower of await ensemble.followers()) {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await follower.stop(signal);
      await load.more(writes);
      await rejoin(ensemble, follower, leader, [expected]);
      await load.more(100);
    }
  }
  await settle(ensemble, load);
  await compareDisks(ensemble);
}

/** Stops all members: what they showed last is what each has on its disk. */
async function compareDisks(ensemble: Ensemble): Promise<void> {
  const tree = await assertEqualTrees(ensemble.members);
  await Promise.all(ensemble.members.map((m) => m.stop()));
  const found = differences(tree, await diskTrees(ensemble.members));
  if (found.length > 0) throw new Error(`the disks differ from what was served:\n    ${found.join('\n    ')}`);
}

export const empty: Scenario = {
  id: 'empty',
  title: 'a follower whose data is gone gets all of it',
  async run(stage) {
    const ensemble = await stage.three({ tapped: true });
    const leader = await ensemble.leader();
    const load = await Load.start(ensemble.members, { pause: 0 });
    await load.more(700);
    for (const follower of await ensemble.followers()) {
      await follower.kill();
      follower.wipe();
      await rejoin(ensemble, follower, leader, ['SNAP', 'DIFF']);
    }
    await settle(ensemble, load);
    await compareDisks(ensemble);
  },
};

export const trunc: Scenario = {
  id: 'trunc',
  bothWays: true,
  title:
    'a leader that is killed with proposals nobody else has loses them when it returns after others were committed',
  // Apache's rule gives no TRUNC across epochs: such a server gets everything anew.
  run: (stage) => deposed(stage, 50, ['SNAP', 'TRUNC', 'TRUNC DIFF']),
};

export const truncAtOnce: Scenario = {
  id: 'trunc-at-once',
  bothWays: true,
  title: 'it gets a TRUNC if nothing was committed meanwhile',
  run: (stage) => deposed(stage, 0, ['TRUNC']),
};

async function deposed(stage: Stage, writesAfter: number, expected: readonly string[]): Promise<void> {
  const ensemble = await stage.three({ tapped: true });
  const old = await ensemble.leader();
  const session = await Session.open(old.ports.client);
  for (let i = 0; i < 20; i++) ok(await session.create(`/before-${i}`, 'x'), 'a write');
  for (const follower of await ensemble.followers()) ensemble.tap(follower, old).hold();
  const unheard = Array.from({ length: 10 }, (_, i) => session.create(`/unheard-${i}`, 'of'));
  await until('the leader has logged what nobody else has', 20_000, () => logHas(old, '/unheard-9'));
  await old.kill();
  for (const outcome of await Promise.allSettled(unheard)) {
    if (outcome.status === 'fulfilled') throw new Error('a write was acknowledged that only the leader had');
  }
  for (const tap of ensemble.taps.values()) tap.release();
  const leader = await ensemble.leader();
  const moving = () => session.move(leader.ports.client); // that can be a transaction, too
  if (writesAfter > 0) await moving();
  for (let i = 0; i < writesAfter; i++) ok(await session.create(`/after-${i}`, 'x'), 'a write');
  await rejoin(ensemble, old, leader, expected);
  if (writesAfter === 0) await moving();
  ok(await session.create('/last', 'x'), 'a write');
  const tree = await assertEqualTrees(ensemble.members);
  const ghost = [...tree.keys()].find((path) => path.startsWith('/unheard'));
  if (ghost !== undefined) throw new Error(`${ghost} is there, although nobody but the deposed leader had it`);
  await session.close();
  await compareDisks(ensemble);
}

/** Starts the learner and checks by what it is brought up to date at first. */
async function rejoin(ensemble: Ensemble, learner: Member, leader: Member, expected: readonly string[]): Promise<void> {
  const tap = ensemble.tap(learner, leader);
  const before = tap.connections.length;
  learner.start();
  await learner.inRole('follower');
  const syncs = tap.syncs(before);
  if (!expected.includes(syncs[0]))
    throw new Error(`server ${learner.id} (${learner.kind}) was brought up to date by ${syncs}, not by ${expected}`);
}

/** Whether a path stands in a member's transaction log. */
function logHas(member: Member, path: string): boolean {
  const dir = join(member.dataDir, 'version-2');
  const logs = readdirSync(dir).filter((name) => name.startsWith('log.'));
  return logs.some((name) => readFileSync(join(dir, name)).includes(path));
}
