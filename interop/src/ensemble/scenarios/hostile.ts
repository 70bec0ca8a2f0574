// What should not come in on the election and quorum ports: junk, half-open connections, sizes beyond all bounds, ids that are
// wrong or somebody else's, servers of other ensembles, data that is gone.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { JuteWriter } from '@nodekeeper/protocol';
import { Load } from '../load.js';
import type { Member } from '../member.js';
import { HOST, nextPort } from '../ports.js';
import type { Scenario } from '../scenario.js';
import { ok, Session } from '../session.js';
import { assertEqualTrees } from '../tree.js';
import { until } from '../until.js';
import { settle } from './failover.js';

const ONE_ADDRESS = -65536n;
const FOLLOWER_INFO = 11;
const ACK = 3;
const REQUEST = 1;
const ACK_EPOCH = 18;
/** What a connection that is neither closed nor used is left to be. */
const LINGER_MS = 500;

export const hostile: Scenario = {
  id: 'hostile',
  title: 'junk, half-open and oversized connections and false ids on the election and quorum ports do no harm',
  async run(stage) {
    const ensemble = await stage.three();
    const leader = await ensemble.leader();
    const load = await Load.start(ensemble.members);
    await load.more(200);
    const held: Socket[] = [];
    try {
      for (const member of ensemble.members) {
        for (const bytes of electionAttacks(member.id)) held.push(await attack(member.ports.election, bytes));
        for (const bytes of quorumAttacks()) held.push(await attack(leader.ports.quorum, bytes));
        await load.more(100);
      }
      await delay(LINGER_MS);
      await load.more(300);
      if ((await ensemble.leader()) !== leader) throw new Error('the leader has changed');
      // With those connections still open the members must find each other.
      await leader.kill();
      await load.more(100);
      leader.start();
      await leader.inRole('follower');
      await settle(ensemble, load);
    } finally {
      for (const socket of held) socket.destroy();
    }
  },
};

/** Sends the bytes and leaves the connection open. */
async function attack(port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect({ port, host: HOST });
  socket.on('error', () => undefined);
  socket.resume();
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  if (bytes.length > 0) socket.write(bytes);
  return socket;
}

function electionAttacks(own: number): Buffer[] {
  const greeting = (id: bigint, address = `${HOST}:1`): JuteWriter =>
    new JuteWriter().long(ONE_ADDRESS).long(id).buffer(Buffer.from(address));
  const vote = notification({
    state: 0,
    leader: 99n,
    zxid: 0x7fffffff_00000000n,
    round: 1_000_000n,
    epoch: 0x7fffffffn,
  });
  const framed = (id: bigint, ...parts: Buffer[]): Buffer => Buffer.concat([greeting(id).bytes(), ...parts]);
  return [
    Buffer.alloc(0),
    randomBytes(10_000),
    Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    Buffer.from('ffffffff', 'hex'),
    new JuteWriter().long(ONE_ADDRESS).long(99n).int(0x7fffffff).bytes(),
    new JuteWriter().long(ONE_ADDRESS).long(99n).int(-1).bytes(),
    new JuteWriter().long(-77n).long(99n).int(3).bytes(),
    greeting(BigInt(own)).bytes(),
    greeting(0x7fffffffffffffffn).bytes(),
    greeting(-5n).bytes(),
    greeting(99n, 'no address').bytes(),
    greeting(99n, `${'x'.repeat(2000)}:1`).bytes(),
    framed(99n, Buffer.from('7fffffff', 'hex')),
    framed(99n, Buffer.from('ffffffff', 'hex')),
    framed(99n, Buffer.from('00000003ffffff', 'hex')),
    framed(99n, frame(randomBytes(60))),
    framed(99n, frame(vote)),
    // Those of somebody who claims to be a member.
    framed(3n, frame(vote)),
    framed(3n, frame(randomBytes(60))),
    framed(2n, frame(vote), frame(vote)),
    framed(1n, frame(vote)),
  ];
}

function quorumAttacks(): Buffer[] {
  const info = (id: bigint, zxid: bigint, version = 0x10000): Buffer =>
    packet(FOLLOWER_INFO, zxid, new JuteWriter().long(id).int(version).long(0n).bytes());
  const far = 0x7fffffff_00000000n;
  return [
    Buffer.alloc(0),
    randomBytes(10_000),
    Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    Buffer.from('0000000b', 'hex'),
    new JuteWriter().int(FOLLOWER_INFO).long(0n).int(0x7fffffff).bytes(),
    new JuteWriter().int(FOLLOWER_INFO).long(0n).int(-5).bytes(),
    new JuteWriter().int(FOLLOWER_INFO).long(0n).int(-1).int(0x7fffffff).bytes(),
    packet(FOLLOWER_INFO, 0n, Buffer.alloc(3)),
    packet(999, 0n, null),
    packet(ACK, far, null),
    info(99n, far),
    Buffer.concat([info(99n, 0n), packet(ACK_EPOCH, far, Buffer.from('7fffffff', 'hex'))]),
    Buffer.concat([info(99n, 0n), packet(ACK_EPOCH, 0n, null)]),
    Buffer.concat([info(99n, 0n), packet(REQUEST, -1n, Buffer.alloc(4))]),
    // Somebody who claims to be a member and to have what nobody has.
    info(1n, far),
    Buffer.concat([info(1n, 0n), packet(ACK_EPOCH, far, Buffer.from('00000001', 'hex'))]),
  ];
}

function packet(type: number, zxid: bigint, data: Buffer | null): Buffer {
  return new JuteWriter().int(type).long(zxid).buffer(data).int(-1).bytes();
}

function frame(bytes: Buffer): Buffer {
  return new JuteWriter().buffer(bytes).bytes();
}

function notification(n: { state: number; leader: bigint; zxid: bigint; round: bigint; epoch: bigint }): Buffer {
  const w = new JuteWriter().int(n.state).long(n.leader).long(n.zxid).long(n.round).long(n.epoch);
  return w.int(2).buffer(Buffer.alloc(0)).bytes();
}

export const twins: Scenario = {
  id: 'twins',
  title: 'two servers with one id count as one',
  async run(stage) {
    const ensemble = await stage.three();
    const [one, two, three] = ensemble.members;
    const session = await Session.open(three.ports.client);
    ok(await session.create('/a', 'x'), 'a write');
    const ports = { client: await nextPort(), quorum: await nextPort(), election: await nextPort() };
    const servers: Record<string, string> = { ...one.cfg, 'server.1': `${HOST}:${ports.quorum}:${ports.election}` };
    for (const own of ['dataDir', 'clientPort']) delete servers[own];
    const twin = ensemble.addMember(1, one.kind, ports, servers, 'server-1-twin');
    twin.start();
    await until('the twin follows or is refused for a while', 20_000, async () => {
      await delay(100);
      return (await twin.mode()) !== undefined || twin.log().split('\n').length > 20;
    });
    ok(await session.create('/b', 'x'), 'a write beside the twin');
    await two.kill();
    await three.kill();
    // A quorum of three servers is two; both that are left are server 1.
    for (let i = 0; i < 25; i++) {
      for (const member of [one, twin]) {
        const mode = member.running ? await member.mode() : undefined;
        if (mode === 'leader') throw new Error(`server 1 leads, with nobody but its twin (${member.dir})`);
      }
      await delay(200);
    }
    await twin.kill();
    two.start();
    three.start();
    await session.move(one.ports.client); // before the last member serves: the session would end meanwhile
    for (const member of [one, two, three]) await member.inRole();
    ok(await session.create('/c', 'x'), 'a write after the twin');
    const tree = await assertEqualTrees([one, two, three]);
    for (const path of ['/a', '/b', '/c']) if (!tree.has(path)) throw new Error(`${path} is lost`);
  },
};

export const stranger: Scenario = {
  id: 'stranger',
  title: 'a server of another ensemble, with later epochs, changes nothing',
  async run(stage) {
    const ensemble = await stage.three();
    const leader = await ensemble.leader();
    const load = await Load.start(ensemble.members);
    for (const kind of ['apache', 'nodekeeper'] as const) {
      const ports = { client: await nextPort(), quorum: await nextPort(), election: await nextPort() };
      const id = kind === 'apache' ? 7 : 8;
      const servers: Record<string, string> = { [`server.${id}`]: `${HOST}:${ports.quorum}:${ports.election}` };
      for (const m of ensemble.members.slice(0, 3)) servers[`server.${m.id}`] = m.cfg[`server.${m.id}`];
      const other = ensemble.addMember(id, kind, ports, servers);
      setEpochs(other, 9);
      other.start();
      await until('the stranger has tried', 20_000, () => other.log().split('\n').length > 10);
      await load.more(300);
      await delay(LINGER_MS);
      await other.kill();
    }
    if ((await ensemble.leader()) !== leader) throw new Error('the leader has changed');
    await settle(ensemble, load);
  },
};

function setEpochs(member: Member, epoch: number): void {
  const dir = join(member.dataDir, 'version-2');
  mkdirSync(dir, { recursive: true });
  for (const name of ['acceptedEpoch', 'currentEpoch']) writeFileSync(join(dir, name), String(epoch));
}

export const emptied: Scenario = {
  id: 'emptied',
  title: 'with db.autocreate=false a member that lost its data helps nobody to lead who lacks acknowledged writes',
  async run(stage) {
    const props = { 'zookeeper.db.autocreate': 'false' };
    const ensemble = await stage.three({ props, initialize: true });
    const [one, two, three] = ensemble.members;
    const session = await Session.open(three.ports.client);
    ok(await session.create('/before', 'x'), 'a write');
    await one.kill();
    ok(await session.create('/after', 'x'), 'a write without server 1');
    session.detach();
    await two.kill();
    await three.kill();
    two.wipe();
    one.start();
    two.start();
    for (let i = 0; i < 25; i++) {
      for (const member of [one, two]) {
        if ((await member.mode()) === 'leader')
          throw new Error(`server ${member.id} leads, and a write that only server 3 still has is lost`);
      }
      await delay(200);
    }
    three.start();
    for (const member of ensemble.members) await member.inRole();
    const tree = await assertEqualTrees(ensemble.members);
    for (const path of ['/before', '/after']) if (!tree.has(path)) throw new Error(`${path} is lost`);
  },
};
