// Two servers that vote, with an oracle that says which of them may go on without the other.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Member } from '../member.js';
import type { Scenario } from '../scenario.js';
import { ok, Session } from '../session.js';
import { assertEqualTrees } from '../tree.js';
import { until } from '../until.js';

export const two: Scenario = {
  id: 'two',
  title: 'of two servers the one that its oracle names goes on alone, and the other one finds it again',
  casts: ['N/AN', 'A/NN'], // one of each: the leader and the first follower
  bothWays: true,
  async run(stage) {
    const { leader: kind, followers } = stage.cast;
    const ensemble = await stage.prepare({ kinds: [followers[0], kind] });
    const oracle = (member: Member): string => join(member.dir, 'oracle');
    for (const member of ensemble.members) {
      member.cfg.oraclePath = oracle(member);
      writeFileSync(oracle(member), '0');
    }
    await ensemble.startAll();
    const [one, other] = ensemble.members;
    for (const [alone, gone] of [
      [one, other],
      [other, one],
    ]) {
      const session = await Session.open(alone.ports.client);
      ok(await session.create(`/before-${alone.id}`, 'x'), 'a write of both');
      writeFileSync(oracle(alone), '1');
      await gone.kill();
      await alone.inRole('leader');
      await session.move(alone.ports.client);
      ok(await session.create(`/alone-${alone.id}`, 'x'), `a write of server ${alone.id} alone`);
      gone.start();
      await gone.inRole('follower');
      writeFileSync(oracle(alone), '0');
      ok(await session.create(`/together-${alone.id}`, 'x'), 'a write of both again');
      await session.close();
      await assertEqualTrees(ensemble.members);
    }
    await other.stop();
    await until('server 1 does not go on alone', 30_000, async () => (await one.mode()) === undefined);
  },
};
