// Observers: they serve reads and writes, never vote, and are brought up to date like followers.

import { audit } from '../audit.js';
import { Load } from '../load.js';
import { nextPort } from '../ports.js';
import type { Scenario } from '../scenario.js';
import { assertEqualTrees } from '../tree.js';
import { until } from '../until.js';
import { monitored } from '../words.js';
import { settle } from './failover.js';

export const observing: Scenario = {
  id: 'observing',
  title: 'observers of both kinds serve clients, follow a new leader, and don’t count',
  async run(stage) {
    const { leader: kind, followers } = stage.cast;
    const ensemble = await stage.start({ kinds: [...followers, kind], observers: ['apache', kind] });
    const observers = ensemble.members.slice(3);
    const modes = await Promise.all(observers.map((m) => m.mode()));
    if (modes.some((mode) => mode !== 'observer')) throw new Error(`the observers' modes are ${modes.join()}`);
    const load = await Load.start(observers);
    await load.more(300);
    await load.stop();
    audit(load, await assertEqualTrees(ensemble.members));
    load.resume();
    const first = await ensemble.leader();
    await first.kill();
    await load.more(100);
    await observers[0].kill();
    await load.more(600);
    observers[0].start();
    await observers[0].inRole('observer');
    // Two of three voters are gone: two observers and one voter are no quorum.
    const leader = await ensemble.leader();
    await leader.kill();
    await until('no member serves', 30_000, async () => {
      const left = await Promise.all(ensemble.running.map((m) => m.mode()));
      return left.every((mode) => mode === undefined);
    });
    leader.start();
    first.start();
    await ensemble.ready();
    await load.more(100);
    await settle(ensemble, load);
  },
};

export const observingAFollower: Scenario = {
  id: 'observing-a-follower',
  title: 'observers of both kinds follow a follower, and go on when it is lost and back',
  async run(stage) {
    const { leader: kind, followers } = stage.cast;
    const ensemble = await stage.prepare({ kinds: [...followers, kind], observers: ['apache', 'nodekeeper'] });
    const [master, second, leader, ...observers] = ensemble.members;
    const port = String(await nextPort());
    for (const member of [master, ...observers]) member.cfg.observerMasterPort = port;
    // Who serves observers is there before them: they don't wait for long.
    for (const members of [[second, leader], [master], observers]) {
      for (const member of members) member.start();
      for (const member of members) await member.inRole();
    }
    const served = async (count: number): Promise<void> => {
      await until('the observers follow the follower', 60_000, async () => {
        const all = await Promise.all([master, leader].map((m) => monitored(m.ports.client)));
        return all.map((words) => Number(words.get('synced_observers'))).join() === `${count},${2 - count}`;
      });
    };
    await served(2);
    const load = await Load.start(observers);
    await load.more(300);
    // One is away for a while, and brought up to date.
    await observers[0].kill();
    await load.more(300);
    observers[0].start();
    await observers[0].inRole('observer');
    await load.stop();
    await served(2);
    audit(load, await assertEqualTrees(ensemble.members));
    load.resume();
    await master.kill();
    await load.more(300);
    master.start();
    await ensemble.ready();
    await load.more(300);
    await settle(ensemble, load);
  },
};
