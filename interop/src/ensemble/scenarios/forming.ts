// An ensemble forms, serves, and forms again after all of it was down.

import { audit } from '../audit.js';
import { diskTrees } from '../disk.js';
import { Load } from '../load.js';
import type { Scenario } from '../scenario.js';
import { assertEqualTrees, assertNoMismatches } from '../tree.js';

export const forming: Scenario = {
  id: 'forming',
  title: 'an ensemble forms, takes writes on all members, and nothing is lost when all of them are killed',
  async run(stage) {
    const ensemble = await stage.three();
    const roles = await Promise.all(ensemble.members.map((m) => m.mode()));
    if (roles.join() !== 'follower,follower,leader') throw new Error(`the roles are ${roles.join()}`);
    const load = await Load.start(ensemble.members);
    await load.more(1000);
    await load.stop();
    audit(load, await assertEqualTrees(ensemble.members));
    for (const member of ensemble.members) {
      await assertNoMismatches(member);
    }
    await Promise.all(ensemble.members.map((m) => m.kill()));
    await diskTrees(ensemble.members);
    // A session must not wait for the last member: it would end before.
    await Promise.all([ensemble.startAll(), load.attach()]);
    audit(load, await assertEqualTrees(ensemble.members));
    await load.close();
  },
};
