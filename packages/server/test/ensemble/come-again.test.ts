// A follower that connects again while its former connection still seems to stand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import { HeldDisk } from '../server/held-disk.js';
import { Ensemble } from './ensemble.js';
import { electServer1 } from './raw-leader.js';
import { learnerInfo, RawLearner } from './raw-learner.js';

test('what a follower acknowledged before it came again, and had to forget, commits nothing', async (t) => {
  const slow = new HeldDisk();
  // No tick comes while the follower is between its connections, as the leader would find itself without a quorum.
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], { tickTime: 5000 });
  await ensemble.start(1, {}, { disk: slow.disk });
  await electServer1(t, ensemble, [2, 3]);
  const before = await RawLearner.dial(t, ensemble.quorumPortOf(1));
  await before.follow(2, 0);
  const opening = ensemble.client(1);
  const session = await before.until(PacketType.proposal);
  before.send(PacketType.ack, session.zxid);
  const client = await opening;

  slow.hold();
  let answered = false;
  const reply = client.create('/n').then((r) => {
    answered = true;
    return r;
  });
  const { zxid } = await before.until(PacketType.proposal);
  before.send(PacketType.ack, zxid);
  // The leader has the acknowledgement when it has answered something that was sent behind it.
  before.request(client.id, 1, OpCode.sync, Buffer.from('\0\0\0\x01/'));

  const after = await RawLearner.dial(t, ensemble.quorumPortOf(1));
  after.send(PacketType.followerInfo, zxid, learnerInfo(2));
  const info = await after.until(PacketType.leaderInfo);
  const counted = Buffer.alloc(4);
  counted.writeInt32BE(-1);
  after.send(PacketType.ackEpoch, zxid, counted);
  assert.equal((await after.until(PacketType.trunc)).zxid, zxid - 1);
  await before.end();
  slow.release();
  const newLeader = await after.until(PacketType.newLeader);
  assert.equal((await after.until(PacketType.proposal)).zxid, zxid);
  after.send(PacketType.ack, newLeader.zxid);
  await after.until(PacketType.upToDate);
  // Only the leader has it by now: it is on its disk as soon as something later is.
  await new Promise<void>((resolve) => ensemble.server(1).log.whenDurable(resolve));
  assert.equal(answered, false);
  after.send(PacketType.ack, info.zxid);
  after.send(PacketType.ack, zxid);
  assert.equal((await reply).zxid, zxid);
});
