// What a follower sends its leader with a sync.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import { RawLeader } from './raw-leader.js';
import { EPOCH } from './raw-learner.js';

test('a sync carries no identities: a leader that takes fewer would end the connection', async (t) => {
  const { ensemble, leader, follower } = await RawLeader.ofOne(t);
  await follower.newLeader(1);
  await follower.upToDate();
  const opening = ensemble.client(1);
  await leader.session(follower, EPOCH + 1);
  const client = await opening;
  client.send(OpCode.sync, (w) => w.string('/'));
  const request = await follower.until(PacketType.request);
  assert.equal(request.data?.readInt32BE(12), OpCode.sync);
  assert.deepEqual(request.identities, []);
});
