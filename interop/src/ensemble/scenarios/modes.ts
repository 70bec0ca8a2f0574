// What an ensemble can be configured to be: servers of different weight, sessions known to one server only, servers that go on
// serving reads without a quorum.

import { setTimeout as delay } from 'node:timers/promises';
import { CreateMode, ErrorCode } from '@nodekeeper/protocol';
import type { Ensemble } from '../ensemble.js';
import type { Member } from '../member.js';
import type { Scenario } from '../scenario.js';
import { ConnectionLost, ok, Session, SessionExpired } from '../session.js';
import { until } from '../until.js';

/** How long something that must not happen is looked for. */
const WATCHED_MS = 4000;

export const weights: Scenario = {
  id: 'weights',
  title: 'a server without weight never leads and its death costs nothing; without the weight of others nobody leads',
  async run(stage) {
    const { leader: kind, followers } = stage.cast;
    const cfg = { 'group.1': '1:2:3', 'weight.1': '1', 'weight.2': '1', 'weight.3': '0' };
    const ensemble = await stage.prepare({ kinds: [followers[0], kind, followers[1]], cfg });
    const [one, two, three] = ensemble.members;
    for (const member of ensemble.members) member.start();
    await ensemble.ready();
    if ((await ensemble.leader()) !== two) throw new Error('server 2 does not lead');
    const session = await Session.open(one.ports.client);
    await three.kill();
    ok(await session.create('/without-3', 'x'), 'a write without server 3');
    three.start();
    await three.inRole('follower');
    await two.kill();
    await neverServes(ensemble, [one, three]);
    two.start();
    await ensemble.ready();
    if ((await ensemble.leader()) !== two) throw new Error('server 2 does not lead again');
    await session.move(three.ports.client);
    ok(await session.create('/again', 'x'), 'a write');
    await session.close();
  },
};

async function neverServes(ensemble: Ensemble, members: readonly Member[]): Promise<void> {
  await until('nobody serves', 20_000, async () => {
    const modes = await Promise.all(ensemble.running.map((m) => m.mode()));
    return modes.every((mode) => mode === undefined);
  });
  const end = performance.now() + WATCHED_MS;
  while (performance.now() < end) {
    for (const member of members) {
      if ((await member.mode()) !== undefined) throw new Error(`server ${member.id} serves without enough weight`);
    }
    await delay(100);
  }
}

export const localSessions: Scenario = {
  id: 'local-sessions',
  title: 'a local session is known to its server only, writes, and becomes global with its first ephemeral node',
  async run(stage) {
    const ensemble = await stage.three({
      cfg: { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' },
    });
    for (const [i, member] of ensemble.members.entries()) {
      const other = ensemble.members[(i + 1) % 3];
      const local = await Session.open(member.ports.client);
      ok(await local.create(`/local-${i}`, 'x'), 'a write of a local session');
      await local.move(member.ports.client);
      const elsewhere = await Session.open(other.ports.client);
      await elsewhere.sync();
      if ((await elsewhere.text(`/local-${i}`)) !== 'x') throw new Error('the write is not known elsewhere');
      await refused(local, other);
      const upgraded = await Session.open(member.ports.client);
      const { id } = upgraded;
      ok(await upgraded.create(`/global-${i}`, 'x', CreateMode.ephemeral), 'an ephemeral node of a local session');
      await upgraded.move(other.ports.client);
      const owner = (await upgraded.exists(`/global-${i}`))?.ephemeralOwner;
      if (upgraded.id !== id || owner !== id)
        throw new Error(`session ${id} became ${upgraded.id}, the node is ${owner}'s`);
      await upgraded.close();
      await elsewhere.sync();
      if ((await elsewhere.exists(`/global-${i}`)) !== undefined) throw new Error('the node outlives its session');
      await elsewhere.close();
    }
  },
};

async function refused(session: Session, member: Member): Promise<void> {
  try {
    await session.move(member.ports.client);
  } catch (error) {
    if (error instanceof SessionExpired) return;
    throw error;
  }
  throw new Error(`server ${member.id} has taken a local session of another`);
}

export const readOnly: Scenario = {
  id: 'read-only',
  title: 'a server that lost its quorum serves reads to those who accept that, and all again when the quorum is back',
  async run(stage) {
    const ensemble = await stage.three({
      cfg: { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' },
      props: { 'readonlymode.enabled': 'true' },
    });
    for (const member of [ensemble.members[0], ensemble.members[2]]) {
      const writer = await Session.open(member.ports.client);
      ok(await writer.create(`/kept-${member.id}`, 'kept'), 'a write');
      writer.detach();
      const others = ensemble.members.filter((m) => m !== member);
      for (const other of others) await other.kill();
      await member.inRole('read-only');
      const strict = await Session.open(member.ports.client).catch((error: Error) => error);
      if (!(strict instanceof ConnectionLost)) throw new Error('a client that wants to write was let in');
      const reader = await Session.open(member.ports.client, { readOnly: true });
      if (!reader.readOnly) throw new Error('the client is not told that the server serves reads only');
      if ((await reader.text(`/kept-${member.id}`)) !== 'kept') throw new Error('what was written cannot be read');
      const { error } = await reader.create('/no', 'x');
      if (error !== ErrorCode.NotReadOnly)
        throw new Error(`a write: error ${error} instead of ${ErrorCode.NotReadOnly}`);
      for (const other of others) other.start();
      for (const each of ensemble.members) await each.inRole('leader', 'follower');
      const again = await Session.open(member.ports.client);
      ok(await again.set(`/kept-${member.id}`, 'changed'), 'a write with the quorum');
      await again.close();
      reader.detach();
    }
  },
};
