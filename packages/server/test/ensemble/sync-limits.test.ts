// Learners beyond those that are brought up to date at once: observers have to come again, participants never.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketType } from '../../dist/broadcast/packet.js';
import { Ensemble } from './ensemble.js';
import { type Got, learnerInfo, RawLearner } from './raw-learner.js';

test('an observer is refused while as many as may be are brought up to date, a participant is not', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { 'leader.maxConcurrentDiffSyncs': 1 });
  const leader = await ensemble.settled();
  await ensemble.level();
  const { lastZxid } = ensemble.server(leader);
  /** What a learner gets first. */
  const come = async (
    id: number,
    type: number,
  ): Promise<{ learner: RawLearner; epoch: number; first: Got | undefined }> => {
    const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
    learner.send(type, 0, learnerInfo(id));
    const { zxid: epoch } = await learner.until(PacketType.leaderInfo);
    learner.send(PacketType.ackEpoch, lastZxid, Buffer.alloc(4));
    return { learner, epoch, first: await learner.next() };
  };
  const { learner: slow, epoch, first } = await come(11, PacketType.observerInfo);
  assert.equal(first?.type, PacketType.diff);
  assert.equal((await come(12, PacketType.observerInfo)).first, undefined);
  const participant = await come(13, PacketType.followerInfo);
  assert.equal(participant.first?.type, PacketType.diff);
  // One has what it needs, the other goes.
  slow.send(PacketType.ack, epoch);
  await slow.until(PacketType.upToDate);
  participant.learner.socket.destroy();
  for (;;) {
    const learners = ensemble.server(leader).currentRole?.leading?.learners ?? [];
    if (![...learners].some(({ id }) => id === 13)) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await come(12, PacketType.observerInfo)).first?.type, PacketType.diff);
});
