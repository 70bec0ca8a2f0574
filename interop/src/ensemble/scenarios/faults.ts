// Members that stand still and connections that break, under load.

import { setTimeout as delay } from 'node:timers/promises';
import { Load } from '../load.js';
import type { Scenario } from '../scenario.js';
import { Session } from '../session.js';
import { until } from '../until.js';
import { settle } from './failover.js';

const epochOf = (zxid: number): number => Math.floor(zxid / 2 ** 32);

export const frozenLeader: Scenario = {
  id: 'frozen-leader',
  title: 'a leader that stands still is replaced, and acknowledges nothing when it wakes up',
  async run(stage) {
    const ensemble = await stage.three({ cfg: { syncLimit: '8' } });
    const old = await ensemble.leader();
    const load = await Load.start(await ensemble.followers());
    await load.more(200);
    const session = await Session.open(old.ports.client, { pings: false });
    await session.create('/before');
    const epoch = epochOf(session.lastZxid);
    old.signal('SIGSTOP');
    await until('it stands still', 5000, () => old.state() === 'T');
    const late = session.create('/late', 'x').catch(() => undefined);
    await until('another server leads', 30_000, async () => {
      for (const m of ensemble.members) if (m !== old && (await m.mode()) === 'leader') return true;
      return false;
    });
    await load.more(300);
    old.signal('SIGCONT');
    const reply = await late;
    // A connection that it kept goes on behind the next leader, who may do what had not been read before.
    const isDone = reply?.error === 0;
    if (isDone && epochOf(reply.zxid) === epoch) throw new Error('the deposed leader has acknowledged a write');
    await old.inRole('follower');
    await settle(ensemble, load);
    for (const member of isDone ? ensemble.members : []) {
      const reader = await Session.open(member.ports.client);
      await reader.sync('/late');
      if ((await reader.exists('/late')) === undefined) throw new Error('an acknowledged write is lost');
      await reader.close();
    }
  },
};

export const frozenFollower: Scenario = {
  id: 'frozen-follower',
  title: 'a follower that stands still for a short and for a long time holds nobody up and catches up',
  async run(stage) {
    const ensemble = await stage.three({ cfg: { syncLimit: '8' } });
    const leader = await ensemble.leader();
    for (const [still, pause] of [
      [300, 0],
      [8000, 5],
    ]) {
      for (const follower of await ensemble.followers()) {
        const load = await Load.start(
          ensemble.members.filter((m) => m !== follower),
          { pause, root: `/load-${follower.id}-${still}` },
        );
        follower.signal('SIGSTOP');
        await delay(still);
        await load.more(200);
        follower.signal('SIGCONT');
        await until('the follower follows', 30_000, async () => (await follower.mode()) === 'follower');
        await settle(ensemble, load);
      }
    }
    if ((await ensemble.leader()) !== leader) throw new Error('the leader has changed');
  },
};

export const linksCut: Scenario = {
  id: 'links-cut',
  title: 'connections between leader and followers break again and again under load',
  async run(stage) {
    const ensemble = await stage.three({ tapped: true });
    const load = await Load.start(ensemble.members);
    for (let i = 0; i < 12; i++) {
      await load.more(100);
      const leader = await ensemble.leader();
      const learners = ensemble.members.filter((m) => m !== leader);
      // One of them, the other, both.
      for (const [n, learner] of learners.entries())
        if (i % 3 === 2 || i % 3 === n) ensemble.tap(learner, leader).cut();
    }
    await settle(ensemble, load);
  },
};
