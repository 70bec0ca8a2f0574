// Requests that stop ensembles of Apache's servers when a client sends them to one of those (ZooKeeper 3.8.0 and 3.9.5, measured).
// Sent to a member of ours they are answered there, or become a plain error, and the ensemble lives on whoever leads it.

import { CreateMode, type JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import type { Member } from '../member.js';
import type { Scenario } from '../scenario.js';
import { ok, Session } from '../session.js';
import { assertEqualTrees, assertNoMismatches } from '../tree.js';

/** Of the node below which the writes between them go. */
const COUNTS = '/zookeeper/quota/q/zookeeper_stats';
const CONTAINER = 'a container by way of create';
const POISON: readonly [name: string, op: number, body: (w: JuteWriter) => void][] = [
  ['a truncated create', OpCode.create, (w) => w.string('/truncated').int(5)],
  ['a create without a body', OpCode.create2, () => undefined],
  ['a truncated setData', OpCode.setData, (w) => w.int(100)],
  ['a truncated delete', OpCode.delete, (w) => w.string('/x')],
  ['a truncated setACL', OpCode.setACL, (w) => w.string('/x').int(3)],
  ['a reconfig that cannot be read', OpCode.reconfig, (w) => w.int(100)],
  ['a multi with a null path', OpCode.multi, (w) => multi(w, (m) => m.string(null).buffer(null))],
  ['a multi with a null ACL', OpCode.multi, (w) => multiNullAcl(w)],
  ['a multi that ends in the middle', OpCode.multi, (w) => w.int(OpCode.create).bool(false).int(-1).int(50)],
  ['a create with a null path', OpCode.create, (w) => create(w.string(null).buffer(null)).int(0)],
  ['a create with a null ACL', OpCode.create, (w) => w.string('/null-acl').buffer(null).int(-1).int(0)],
  ['a lone check that succeeds', OpCode.check, (w) => w.string('/').int(-1)],
  [
    'a createTTL whose mode is none of TTL nodes',
    OpCode.createTTL,
    (w) => create(w.string('/ttl').buffer(null)).int(CreateMode.persistent).long(-1n),
  ],
  [
    'a createTTL with a negative time',
    OpCode.createTTL,
    (w) => create(w.string('/ttl').buffer(null)).int(CreateMode.persistentWithTtl).long(-1n),
  ],
  [
    'a container by way of create',
    OpCode.create,
    (w) => create(w.string('/container').buffer(null)).int(CreateMode.container),
  ],
  ['a multi with a createTTL of another mode', OpCode.multi, (w) => multiTtl(w, CreateMode.persistent, -1n)],
  ['a multi with a createTTL of a negative time', OpCode.multi, (w) => multiTtl(w, CreateMode.persistentWithTtl, -1n)],
  ['a create with flags that mean nothing', OpCode.create, (w) => create(w.string('/flags').buffer(null)).int(100)],
  ['a createSession', OpCode.createSession, (w) => w.int(4000)],
  ['a deleteContainer', OpCode.deleteContainer, (w) => w.string('/zookeeper')],
  ['an error', OpCode.error, (w) => w.int(-101)],
  ['an unknown operation', 4711, () => undefined],
  [
    'a quota for the root',
    OpCode.create,
    (w) => create(w.string('/zookeeper/quota/zookeeper_limits').buffer(null)).int(0),
  ],
  ['counts of a quota that are none', OpCode.setData, (w) => w.string(COUNTS).buffer(Buffer.from('count=x')).int(-1)],
  ['counts of a quota that are null', OpCode.setData, (w) => w.string(COUNTS).buffer(null).int(-1)],
  ['counts of a quota that end early, in a multi', OpCode.multi, (w) => multiSet(w, COUNTS, 'count=')],
];

function multiTtl(w: JuteWriter, flags: number, ttl: bigint): void {
  w.int(OpCode.createTTL).bool(false).int(-1);
  create(w.string('/multi-ttl').buffer(null)).int(flags).long(ttl);
  w.int(-1).bool(true).int(-1);
}

/** Ends the followers of a leader of 3.9.5: its answer has the zxid of the transaction before. */
function multiNullAcl(w: JuteWriter): void {
  w.int(OpCode.create).bool(false).int(-1).string('/null-acl').buffer(null).int(-1).int(0);
  w.int(-1).bool(true).int(-1);
}

function multiSet(w: JuteWriter, path: string, data: string): void {
  w.int(OpCode.setData).bool(false).int(-1).string(path).buffer(Buffer.from(data)).int(-1);
  w.int(-1).bool(true).int(-1);
}

function create(w: JuteWriter): JuteWriter {
  writeAclList(w, OPEN_ACL_UNSAFE);
  return w;
}

function multi(w: JuteWriter, first: (w: JuteWriter) => JuteWriter): void {
  w.int(OpCode.create).bool(false).int(-1);
  create(first(w)).int(0);
  w.int(-1).bool(true).int(-1);
}

export const poison: Scenario = {
  id: 'poison',
  title: 'requests that are known to stop ensembles don’t, when they come to a member of ours',
  casts: ['N/NN', 'N/AN', 'N/AA', 'A/AN', 'A/NN'],
  async run(stage) {
    const ensemble = await stage.three();
    const leader = await ensemble.leader();
    const pids = ensemble.members.map((m) => m.pid).join();
    let n = 0;
    const session = await Session.open(leader.ports.client);
    const unlimited = 'count=-1,bytes=-1';
    ok(await session.create('/q', ''), 'a node with a quota');
    ok(await session.create('/zookeeper/quota/q', ''), 'its quota');
    ok(await session.create('/zookeeper/quota/q/zookeeper_limits', unlimited), 'its limits');
    ok(await session.create(COUNTS, ''), 'its counts');
    await session.close();
    for (const member of ensemble.members.filter((m) => m.kind === 'nodekeeper')) {
      for (const [name, op, body] of POISON) {
        // The node is a plain one, and Apache's leader reckons its digest as if it were a container (3.8.0, measured).
        if (name === CONTAINER && leader.kind === 'apache') continue;
        await swallow(member, op, body);
        for (const each of ensemble.members) await writes(each, `/q/n${n++}`, `${name}, sent to server ${member.id},`);
      }
    }
    if (ensemble.members.map((m) => m.pid).join() !== pids) throw new Error('a member has ended');
    if ((await ensemble.leader()) !== leader) throw new Error('the leader has changed');
    await assertEqualTrees(ensemble.members);
    for (const member of ensemble.members) {
      await assertNoMismatches(member);
    }
    // What is on their disks must not keep them from starting.
    await Promise.all(ensemble.members.map((m) => m.stop()));
    await ensemble.startAll();
    await assertEqualTrees(ensemble.members);
  },
};

/** Sends the request; an answer or the end of the connection is awaited. */
async function swallow(member: Member, op: number, body: (w: JuteWriter) => void): Promise<void> {
  const session = await Session.open(member.ports.client, { timeout: 4000 });
  const answer = session.request(op, body).catch(() => undefined);
  await Promise.race([answer, session.exists('/').catch(() => undefined)]);
  await session.close();
}

async function writes(member: Member, path: string, after: string): Promise<void> {
  const session = await Session.open(member.ports.client);
  const late = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`after ${after} server ${member.id} answers no write`)), 60_000);
    timer.unref();
  });
  ok(await Promise.race([session.create(path, 'x'), late]), `a write through server ${member.id} after ${after}`);
  await session.close();
}
