// What a leader does with learners that send what it does not expect: the learner may lose its connection, nobody else anything.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import { Ensemble } from './ensemble.js';
import { electServer1 } from './raw-leader.js';
import { EPOCH, learnerInfo, RawLearner } from './raw-learner.js';

for (const [name, op] of [
  ['check, which 3.8 forwards', OpCode.check],
  ['a read', OpCode.getData],
  ['an unknown operation', 4711],
] as const) {
  test(`a forwarded request that is no write is answered with an error: ${name}`, async (t) => {
    const ensemble = await Ensemble.ofThree(t);
    const leader = await ensemble.settled();
    const client = await ensemble.client(leader);
    await client.create('/n');
    await ensemble.level();
    const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
    await learner.follow(9, ensemble.server(leader).lastZxid);
    client.socket.destroy();
    await takeOver(learner, client.id);
    learner.request(client.id, 5, op, Buffer.from([0, 0, 0, 1, 0x2f, 0, 0, 0, 0]));
    const proposal = await learner.until(PacketType.proposal);
    assert.equal(proposal.data?.readInt32BE(8), 5, 'cxid');
    assert.equal(proposal.data?.readInt32BE(28), OpCode.error);
    const other = await ensemble.client(leader);
    assert.equal((await other.create('/later')).error, 0);
    await ensemble.level();
    assert.equal(ensemble.digests().size, 1);
  });
}

/** Makes the learner the home of a session. */
async function takeOver(learner: RawLearner, session: bigint): Promise<void> {
  learner.send(PacketType.revalidate, -1, Buffer.concat([LONG(session), Buffer.from([0, 0, 0x75, 0x30])]));
  const answer = await learner.until(PacketType.revalidate);
  assert.equal(answer.data?.[8], 1, 'the session is taken over');
}

const LONG = (n: bigint): Buffer => {
  const b = Buffer.alloc(8);
  b.writeBigInt64BE(n);
  return b;
};

test('a session that is over makes no ephemerals, though local sessions are known to their own server only', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true, localSessionsUpgradingEnabled: true });
  const leader = await ensemble.settled();
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  await ensemble.level();
  await learner.follow(9, ensemble.server(leader).lastZxid);
  const create = (flags: number): Buffer => {
    const w = new JuteWriter().string(`/n${flags}`).buffer(Buffer.alloc(0));
    writeAclList(w, OPEN_ACL_UNSAFE);
    return Buffer.from(w.int(flags).bytes());
  };
  learner.request(0x900000000000077n, 1, OpCode.create, create(1));
  assert.equal((await learner.until(PacketType.proposal)).data?.readInt32BE(28), OpCode.error);
  learner.request(0x900000000000077n, 2, OpCode.create, create(0));
  assert.equal((await learner.until(PacketType.proposal)).data?.readInt32BE(28), OpCode.create);
});

const JUNK: readonly (readonly [string, Buffer])[] = [
  ['text', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(10))],
  ['zeros', Buffer.alloc(4096)],
  ['ones', Buffer.alloc(4096, 0xff)],
  ['an id beyond 53 bits', packet(PacketType.followerInfo, 0n, learnerInfo(2n ** 63n - 1n))],
  ['a negative id', packet(PacketType.followerInfo, 0n, learnerInfo(-5))],
  ['an impossible epoch', packet(PacketType.followerInfo, 2n ** 63n - 1n, learnerInfo(9))],
  ['a short introduction', packet(PacketType.followerInfo, 0n, Buffer.alloc(9))],
  ['an odd introduction', packet(PacketType.followerInfo, 0n, Buffer.concat([LONG(9n), Buffer.from([0, 1, 0, 0, 7])]))],
];

function packet(type: number, zxid: bigint, data: Buffer): Buffer {
  const out = Buffer.alloc(20 + data.length);
  out.writeInt32BE(type);
  out.writeBigInt64BE(zxid, 4);
  out.writeInt32BE(data.length, 12);
  data.copy(out, 16);
  out.writeInt32BE(-1, 16 + data.length);
  return out;
}

test('epochs are used up neither by strangers nor by members that come one after the other', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'participant', 'participant']);
  await ensemble.start(1);
  await electServer1(t, ensemble, [2, 3, 4, 5]);
  const come = async (id: number, accepted: number): Promise<RawLearner> => {
    const learner = await RawLearner.dial(t, ensemble.quorumPortOf(1));
    learner.send(PacketType.followerInfo, accepted * EPOCH, learnerInfo(id));
    return learner;
  };
  await come(1000, 70_000);
  await come(2, 60_000);
  assert.equal(await (await come(3, 120_000)).next(), undefined);
  const told = await (await come(4, 0)).until(PacketType.leaderInfo);
  assert.equal(told.zxid / EPOCH, 60_001);
});

test('junk at the quorum port ends that connection and nothing else', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  for (const [name, bytes] of JUNK) {
    const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
    learner.socket.write(bytes);
    learner.socket.end();
    while ((await learner.next()) !== undefined);
    assert.notEqual((await client.create('/n')).error, undefined, name);
    assert.equal(await ensemble.settled(), leader, name);
  }
});

test('who comes again and again as a learner does not fill the log', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  for (let i = 0; i < 30; i++) {
    const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
    await learner.follow(9, ensemble.server(leader).lastZxid);
    learner.socket.destroy();
  }
  assert.ok(ensemble.said(leader, /server 9 .*is brought up to date/));
  const times = ensemble.timesSaid(leader, /server 9/);
  assert.ok(times <= 10, `${times} lines`);
});

test('who claims to be a member that is far ahead takes no epochs away', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const missed = await ensemble.follower();
  await ensemble.stop(missed);
  await ensemble.settled();
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  learner.socket.write(packet(PacketType.followerInfo, 200_000n << 32n, learnerInfo(missed)));
  while ((await learner.next()) !== undefined);
  assert.ok(ensemble.said(leader, /has accepted epoch 200000, which cannot be/));
  assert.equal(await ensemble.settled(), leader);
  assert.equal(ensemble.server(leader).epochs.accepted, 1);
});

test('junk behind a good handshake ends that connection and nothing else', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  const moving = await ensemble.client(leader);
  moving.socket.destroy();
  const session = LONG(moving.id);
  const bad: readonly (readonly [string, Buffer])[] = [
    ['an empty request', packet(PacketType.request, -1n, Buffer.alloc(0))],
    [
      'a request without a body',
      packet(PacketType.request, -1n, Buffer.concat([session, Buffer.alloc(4), Buffer.from([0, 0, 0, 1])])),
    ],
    [
      'an empty session',
      packet(
        PacketType.request,
        -1n,
        Buffer.concat([LONG(99n), Buffer.alloc(4), Buffer.from([0xff, 0xff, 0xff, 0xf6])]),
      ),
    ],
    ['an ack of what was never proposed', packet(PacketType.ack, 2n ** 60n, Buffer.alloc(0))],
    ['a short revalidation', packet(PacketType.revalidate, -1n, Buffer.alloc(3))],
    ['a ping with half a session', packet(PacketType.ping, 0n, Buffer.alloc(17))],
    ['a second introduction', packet(PacketType.followerInfo, 0n, learnerInfo(9))],
    ['junk', Buffer.alloc(1000, 0x7f)],
  ];
  for (const [name, bytes] of bad) {
    const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
    await learner.follow(9, ensemble.server(leader).lastZxid);
    await takeOver(learner, moving.id);
    learner.socket.write(bytes);
    learner.socket.end();
    while ((await learner.next()) !== undefined);
    assert.equal(
      (await client.request(OpCode.setData, (w) => w.string('/n').buffer(Buffer.from(name)).int(-1))).error,
      0,
      name,
    );
    assert.equal(await ensemble.settled(), leader, name);
  }
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('who comes again counts as a follower again once it has the history again: its data may be gone', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'participant', 'participant']);
  await ensemble.start(1);
  await electServer1(t, ensemble, [2, 3, 4, 5]);
  const port = ensemble.quorumPortOf(1);
  const come = async (id: number): Promise<RawLearner> => {
    const learner = await RawLearner.dial(t, port);
    learner.send(PacketType.followerInfo, 0, learnerInfo(id));
    await learner.until(PacketType.leaderInfo);
    learner.send(PacketType.ackEpoch, 0, Buffer.alloc(4));
    return learner;
  };
  const introduced = [2, 3].map(async (id) => {
    const learner = await RawLearner.dial(t, port);
    learner.send(PacketType.followerInfo, 0, learnerInfo(id));
    return learner;
  });
  const [second, third] = (await Promise.all(introduced)) as [RawLearner, RawLearner];
  for (const learner of [second, third]) {
    await learner.until(PacketType.leaderInfo);
    learner.send(PacketType.ackEpoch, 0, Buffer.alloc(4));
  }
  for (const learner of [second, third]) await learner.until(PacketType.newLeader);
  second.send(PacketType.ack, EPOCH);
  const again = await come(2);
  await again.until(PacketType.newLeader);
  third.send(PacketType.ack, EPOCH);
  await (await come(4)).until(PacketType.newLeader);
  assert.equal(ensemble.server(1).currentRole?.serving, false);
  again.send(PacketType.ack, EPOCH);
  await again.until(PacketType.upToDate);
});

test('what a learner acknowledges before it follows counts as far as it was proposed', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  await ensemble.start(1);
  await electServer1(t, ensemble, [2, 3]);
  const port = ensemble.quorumPortOf(1);
  const [second, third] = await Promise.all([2, 3].map(() => RawLearner.dial(t, port)));
  assert.ok(second !== undefined && third !== undefined);
  const following = second.follow(2, 0);
  third.send(PacketType.followerInfo, 0, learnerInfo(3));
  await third.until(PacketType.leaderInfo);
  third.send(PacketType.ackEpoch, 0, Buffer.alloc(4));
  await third.until(PacketType.newLeader);
  await following;
  third.send(PacketType.ack, EPOCH + 100);
  // The second one has nothing on its disk yet.
  const client = ensemble.client(1);
  await second.until(PacketType.proposal);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(ensemble.server(1).lastZxid, EPOCH, 'only the leader has the transaction');
  // As 3.8.0 acknowledges what it gets with the synchronization.
  third.send(PacketType.ack, EPOCH + 1);
  second.send(PacketType.ack, EPOCH + 1);
  await client;
  assert.equal(ensemble.server(1).lastZxid, EPOCH + 1);
});

test('of connections that say nothing some are kept, and learners get in all the same', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const silent: RawLearner[] = [];
  for (let i = 0; i < 1050; i++) silent.push(await RawLearner.dial(t, ensemble.quorumPortOf(leader)));
  await Promise.all(silent.slice(0, 49).map((learner) => learner.end()));
  assert.ok(silent.slice(50).every((learner) => !learner.closed));
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  assert.equal(await learner.follow(9, ensemble.server(leader).lastZxid), ensemble.server(leader).epochs.current);
});
