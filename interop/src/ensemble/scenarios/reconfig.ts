// Dynamic reconfiguration: an ensemble grows from one server to five and shrinks again, and servers change their roles.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ErrorCode, readStat } from '@nodekeeper/protocol';
import type { Kind } from '../../servers/index.js';
import { audit } from '../audit.js';
import type { Ensemble } from '../ensemble.js';
import { Load } from '../load.js';
import type { Member } from '../member.js';
import { HOST, nextPort } from '../ports.js';
import type { Scenario, Stage } from '../scenario.js';
import { Session } from '../session.js';
import { assertEqualTrees } from '../tree.js';
import { until } from '../until.js';
import { modeOf } from '../words.js';
import { settle } from './failover.js';

export type Role = 'participant' | 'observer';

const CFG = { reconfigEnabled: 'true', standaloneEnabled: 'false' };
const LIMIT_MS = 30_000;

/** The line of a dynamic configuration about this member. */
export function lineOf({ id, ports }: Member, role: Role, clientPort = ports.client): string {
  return `server.${id}=${HOST}:${ports.quorum}:${ports.election}:${role};${HOST}:${clientPort}`;
}

/** A member that knows the servers of these lines from its dynamicConfigFile. */
export async function addDynamic(ensemble: Ensemble, id: number, kind: Kind): Promise<Member> {
  const ports = { client: await nextPort(), quorum: await nextPort(), election: await nextPort() };
  const member = ensemble.addMember(id, kind, ports, CFG);
  delete member.cfg.clientPort;
  delete member.cfg.clientPortAddress;
  member.cfg.dynamicConfigFile = join(member.dir, 'members.dynamic');
  return member;
}

export function startWith(member: Member, lines: readonly string[]): void {
  writeFileSync(join(member.dir, 'members.dynamic'), `${lines.join('\n')}\n`);
  member.start();
}

/** Three voters with dynamic configurations. */
export async function dynamicThree(stage: Stage): Promise<Ensemble> {
  const ensemble = await stage.prepare({ kinds: [] });
  const kinds = [...stage.cast.followers, stage.cast.leader];
  for (const [i, kind] of kinds.entries()) await addDynamic(ensemble, i + 1, kind);
  const lines = ensemble.members.map((m) => lineOf(m, 'participant'));
  for (const member of ensemble.members.slice(1)) startWith(member, lines);
  for (const member of ensemble.members.slice(1)) await member.inRole();
  startWith(ensemble.members[0], lines);
  await ensemble.members[0].inRole();
  return ensemble;
}

export const resizing: Scenario = {
  id: 'resizing',
  title: 'an ensemble grows from 1 to 5 servers and shrinks to another 1, under load',
  async run(stage) {
    const { leader: kind, followers } = stage.cast;
    const ensemble = await stage.prepare({ kinds: [] });
    const first = await addDynamic(ensemble, 1, kind);
    startWith(first, [lineOf(first, 'participant')]);
    await first.inRole('leader');
    const load = await Load.start(ensemble.members, { pause: 10 });
    await load.more(200);
    const voters = [first];
    for (const [i, joining] of [...followers, ...followers].entries()) {
      const member = await addDynamic(ensemble, i + 2, joining);
      startWith(member, [...voters.map((v) => lineOf(v, 'participant')), lineOf(member, 'observer')]);
      await member.inRole('observer', 'follower');
      await load.more(50);
      await reconfig(voters, { joining: lineOf(member, 'participant') });
      await member.inRole('follower', 'leader');
      voters.push(member);
      await load.more(100);
    }
    await load.stop();
    audit(load, await assertEqualTrees(voters));
    load.resume();
    while (voters.length > 1) {
      const gone = voters.shift() as Member;
      await reconfig(voters, { leaving: String(gone.id) });
      await load.more(50);
      await gone.stop();
      await load.more(50);
    }
    await voters[0].inRole('leader');
    await settle(ensemble, load);
  },
};

export const roles: Scenario = {
  id: 'roles',
  title: 'the leader becomes an observer and a voter again; a client port changes; what is wrong is refused',
  async run(stage) {
    const ensemble = await dynamicThree(stage);
    const { members } = ensemble;
    const load = await Load.start(members, { pause: 10 });
    await load.more(200);
    for (const role of ['observer', 'participant'] as const) {
      const [third] = members.slice(-1);
      await reconfig(members, { joining: lineOf(third, role) });
      await third.inRole(...(role === 'observer' ? (['observer'] as const) : (['follower', 'leader'] as const)));
      await load.more(100);
    }
    const session = await Session.openSuper(members[1].ports.client);
    const version = Number.parseInt(/version=([0-9a-f]+)/.exec(await configOf(session))?.[1] ?? '', 16);
    const absent = [7, 8, 9, 10].map((id) => `server.${id}=${HOST}:1${id}:2${id}:participant;${HOST}:3${id}`).join();
    const refused: readonly [what: string, change: Change, error: number][] = [
      ['another version', { joining: lineOf(members[0], 'participant'), version: version - 1 }, ErrorCode.BadVersion],
      ['a majority of servers that are not there', { joining: absent }, ErrorCode.NewConfigNoQuorum],
      ['a line that cannot be read', { joining: 'server.5=nonsense' }, ErrorCode.BadArguments],
      ['nobody left', { leaving: '1,2,3' }, ErrorCode.BadArguments],
    ];
    for (const [what, change, error] of refused) {
      const reply = await session.reconfig(change.joining, change.leaving, change.members, change.version);
      if (reply.error !== error) throw new Error(`${what}: error ${reply.error} instead of ${error}`);
    }
    const plain = await Session.open(members[1].ports.client);
    const unauthorized = await plain.reconfig('', '3', undefined);
    if (unauthorized.error !== ErrorCode.NoAuth) throw new Error(`without rights: error ${unauthorized.error}`);
    await plain.close();
    const moved = await nextPort();
    const all = members.map((m) => lineOf(m, 'participant', m === members[0] ? moved : m.ports.client)).join('\n');
    const reply = await session.reconfig(undefined, undefined, all, version);
    if (reply.error !== 0) throw new Error(`a whole new configuration: error ${reply.error}`);
    await until('the client port is another', LIMIT_MS, async () => (await modeOf(moved)) !== undefined);
    await until('the old client port is closed', LIMIT_MS, async () => (await members[0].mode()) === undefined);
    const back = members.map((m) => lineOf(m, 'participant')).join('\n');
    const undone = await session.reconfig(undefined, undefined, back, -1);
    if (undone.error !== 0) throw new Error(`back to the old port: error ${undone.error}`);
    await members[0].inRole();
    await session.close();
    await settle(ensemble, load);
    // What each has written down is what it starts on.
    await Promise.all(members.map((m) => m.stop()));
    for (const member of members) member.startOnOwnConfig();
    for (const member of members) await member.inRole();
    await assertEqualTrees(members);
  },
};

export interface Change {
  readonly joining?: string;
  readonly leaving?: string;
  readonly members?: string;
  readonly version?: number;
}

/** Makes the change through any of the members; waits until all of them know it. */
export async function reconfig(members: readonly Member[], change: Change): Promise<void> {
  const version = await until('the change is accepted', LIMIT_MS, async () => {
    for (const member of members) {
      const done = await tryReconfig(member, change).catch(() => undefined);
      if (done !== undefined) return done;
    }
    return undefined;
  });
  for (const member of members) {
    await until(`server ${member.id} knows version ${version.toString(16)}`, LIMIT_MS, async () => {
      const session = await Session.open(member.ports.client).catch(() => undefined);
      const text = session === undefined ? '' : await configOf(session).catch(() => '');
      await session?.close();
      return Number.parseInt(/version=([0-9a-f]+)/.exec(text)?.[1] ?? '0', 16) >= version;
    });
  }
}

/** The version of the new configuration; undefined if the member could not do it now. */
async function tryReconfig(
  member: Member,
  { joining, leaving, members, version }: Change,
): Promise<number | undefined> {
  const session = await Session.openSuper(member.ports.client);
  try {
    const { error, body } = await session.reconfig(joining, leaving, members, version);
    if (error === ErrorCode.ReconfigInProgress || error === ErrorCode.NewConfigNoQuorum) return undefined;
    if (error !== 0) throw new Error(`reconfig: error ${error}`);
    body.buffer();
    return readStat(body).mzxid;
  } finally {
    await session.close();
  }
}

async function configOf(session: Session): Promise<string> {
  return (await session.text('/zookeeper/config')) ?? '';
}
