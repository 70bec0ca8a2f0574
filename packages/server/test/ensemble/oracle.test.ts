// Two servers that vote, and an oracle that says which of them may go on without the other.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PacketType } from '../../dist/broadcast/packet.js';
import { Ensemble } from './ensemble.js';
import { learnerInfo, RawLearner } from './raw-learner.js';

interface Pair {
  readonly ensemble: Ensemble;
  /** Writes a server's oracle. */
  say(id: number, word: string): void;
  begin(id: number): Promise<void>;
}

/** Servers 1 and 2, each with its own oracle's file. */
async function pair(t: TestContext, words: Record<number, string>): Promise<Pair> {
  const ensemble = await Ensemble.of(t, ['participant', 'participant']);
  const path = (id: number): string => join(ensemble.dir, `oracle-${id}`);
  const say = (id: number, word: string): void => writeFileSync(path(id), word);
  for (const [id, word] of Object.entries(words)) say(Number(id), word);
  return { ensemble, say, begin: (id) => ensemble.start(id, { oraclePath: path(id) }) };
}

test('of two servers the one that the oracle names goes on alone, and the other finds it again', async (t) => {
  const { ensemble, say, begin } = await pair(t, { 1: '0', 2: '0' });
  await Promise.all([begin(1), begin(2)]);
  for (const alone of [1, 2]) {
    const other = 3 - alone;
    await ensemble.settled();
    const client = await ensemble.client(alone);
    await client.create(`/before-${alone}`);
    say(alone, '1');
    await ensemble.stop(other);
    assert.equal(await ensemble.settled(), alone, 'it leads, whether it led before or not');
    const again = await ensemble.client(alone);
    assert.equal((await again.create(`/alone-${alone}`)).error, 0);
    await begin(other);
    assert.equal(await ensemble.settled(), alone, 'the other one follows');
    say(alone, '0');
    assert.equal((await again.create(`/together-${alone}`)).error, 0);
    await ensemble.level();
    assert.equal(ensemble.digests().size, 1);
  }
});

test('without the oracle’s leave neither of two servers leads alone, and it may come later', async (t) => {
  const { ensemble, say, begin } = await pair(t, { 2: 'no' });
  await begin(2);
  await begin(1);
  await ensemble.settled();
  await ensemble.stop(1);
  const left = ensemble.server(2);
  while (left.notReady === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(left.oracle.grants, false);
  say(2, '1\n');
  assert.equal(await ensemble.settled(), 2);
  assert.equal((await (await ensemble.client(2)).create('/n')).error, 0);
});

test('what the leader has proposed when its only follower is lost is committed once the oracle says so', async (t) => {
  const { ensemble, say, begin } = await pair(t, { 1: '0', 2: '0' });
  await Promise.all([begin(1), begin(2)]);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  say(leader, '1');
  const created = Promise.all(Array.from({ length: 50 }, (_, i) => client.create(`/n/${i}`)));
  await ensemble.stop(3 - leader);
  for (const { error } of await created) assert.equal(error, 0);
});

test('who leads alone goes on while the other catches up, and commits with it', async (t) => {
  const { ensemble, say, begin } = await pair(t, { 1: '0', 2: '0' });
  await Promise.all([begin(1), begin(2)]);
  await ensemble.settled();
  say(1, '1');
  await ensemble.stop(2);
  assert.equal(await ensemble.settled(), 1);
  const client = await ensemble.client(1);
  const leader = ensemble.server(1);
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(1));
  learner.send(PacketType.followerInfo, 0, learnerInfo(2));
  const { zxid } = await learner.until(PacketType.leaderInfo);
  learner.send(PacketType.ackEpoch, leader.lastZxid, Buffer.alloc(4));
  await learner.until(PacketType.newLeader);
  const ticks = learner.pings + 5;
  while (learner.pings < ticks && !learner.closed) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(leader.mode, 'leader');
  const created = client.create('/n');
  const proposal = await learner.until(PacketType.proposal);
  learner.send(PacketType.ack, zxid);
  learner.send(PacketType.ack, proposal.zxid);
  assert.equal((await created).error, 0);
});

test('an oracle has no say among three', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  const oraclePath = join(ensemble.dir, 'oracle');
  writeFileSync(oraclePath, '1');
  await ensemble.start(1, { oraclePath });
  assert.equal(ensemble.server(1).oracle.counts, false);
  assert.equal(ensemble.server(1).oracle.grants, false);
});
