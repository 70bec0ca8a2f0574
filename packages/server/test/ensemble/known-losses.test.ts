// Losses of Apache ZooKeeper that came of what a server keeps between two leaders, by the number of the issue: each test fails on the
// historic order. Those of a single synchronization are in test/broadcast/known-losses.test.ts.
import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PacketType } from '../../dist/broadcast/packet.js';
import { Ensemble, writeLog } from './ensemble.js';
import { createEntry, type FollowerEnd, RawLeader, setDataEntry } from './raw-leader.js';
import { EPOCH } from './raw-learner.js';

const COMMITTED = EPOCH + 1;
const UNCOMMITTED = EPOCH + 2;

/** Server 1, which follows a leader and has one committed transaction. */
async function following(t: TestContext): Promise<{ ensemble: Ensemble; leader: RawLeader; follower: FollowerEnd }> {
  const { ensemble, leader, follower } = await RawLeader.ofOne(t);
  follower.commit(COMMITTED, createEntry(COMMITTED, '/n'));
  await follower.newLeader(1);
  await follower.upToDate();
  return { ensemble, leader, follower };
}

function snapshots(ensemble: Ensemble, id: number): string[] {
  return readdirSync(join(ensemble.dataDirOf(id), 'version-2')).filter((name) => name.startsWith('snapshot.'));
}

test('ZOOKEEPER-1549: what was never committed is in no snapshot, and TRUNC takes it from disk and memory', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  await ensemble.level();
  const last = ensemble.server(1).lastZxid;
  await ensemble.close();
  // Server 1 led, logged a proposal, and was lost before anybody else had it.
  const vain = [{ zxid: last + 1, entry: createEntry(last + 1, '/vain') }];
  writeLog(join(ensemble.dataDirOf(1), 'version-2'), vain);
  const before = snapshots(ensemble, 1);
  await Promise.all([2, 3].map((id) => ensemble.start(id)));
  await ensemble.settled();
  await ensemble.level();
  await ensemble.start(1, { snapCount: 2 });
  await assert.rejects(ensemble.server(1).takeSnapshot(), /no part in an ensemble/);
  await ensemble.settled();
  await ensemble.level();
  const added = snapshots(ensemble, 1).filter((name) => !before.includes(name));
  assert.ok(!added.includes(`snapshot.${(last + 1).toString(16)}`), added.join());
  for (const time of ['now', 'after a restart']) {
    assert.equal(await (await ensemble.client(1)).getData('/vain'), undefined, time);
    assert.equal(ensemble.digests().size, 1, time);
    await ensemble.stop(1);
    await ensemble.start(1);
    await ensemble.settled();
    await ensemble.level();
  }
});

test('ZOOKEEPER-2845: a server that loses its leader has what it logged in its history, not on its disk alone', async (t) => {
  const { ensemble, leader, follower: before } = await following(t);
  before.send(PacketType.proposal, UNCOMMITTED, setDataEntry(UNCOMMITTED, '/n', 1));
  assert.equal((await before.until(PacketType.ack)).zxid, UNCOMMITTED);
  before.socket.destroy();

  // The next leader has to know of it, to commit it or to have it cut.
  leader.peerEpoch = 1;
  const after = await leader.follower();
  await after.discover(2);
  assert.equal(after.peerZxid, UNCOMMITTED);
  after.send(PacketType.trunc, COMMITTED);
  await after.newLeader(2);
  await after.upToDate();
  assert.equal(ensemble.server(1).lastZxid, 2 * EPOCH);
  await ensemble.stop(1);
  await ensemble.start(1);
  assert.equal(ensemble.server(1).lastZxid, COMMITTED);
});

test('ZOOKEEPER-4541, 4712: a role that ends waits for its log: no transaction reaches the disk behind the next vote', async (t) => {
  const { ensemble, leader, follower: before } = await following(t);
  const { log } = ensemble.server(1);
  // The transaction has come and is not written yet.
  let asked = (): void => {};
  const proposed = new Promise<void>((resolve) => {
    asked = resolve;
  });
  log.flush = asked;
  const whenDurable = log.whenDurable.bind(log);
  const waiting: (() => void)[] = [];
  log.whenDurable = (action) => waiting.push(action);
  before.send(PacketType.proposal, UNCOMMITTED, setDataEntry(UNCOMMITTED, '/n', 1));
  await proposed;
  before.socket.destroy();
  leader.peerEpoch = 1;
  const next = leader.follower();
  while (!ensemble.said(1, /no longer follower/)) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(waiting.length, 1, 'it waits for its log');
  assert.equal(ensemble.server(1).lastZxid, COMMITTED, 'it is not known yet whether the disk has it');
  for (const action of waiting) whenDurable(action);
  const after = await next;
  await after.discover(2);
  assert.equal(after.peerZxid, UNCOMMITTED);
});

for (const more of [false, true])
  test(`servers of two leaders who had one epoch, as a member was started with an older copy of its data, end with one tree (the second has ${more ? 'more' : 'fewer'} transactions)`, async (t) => {
    const ensemble = await Ensemble.ofThree(t);
    const away = await ensemble.settled();
    const [other, restored] = [1, 2, 3].filter((id) => id !== away) as [number, number];
    const data = join(ensemble.dataDirOf(restored), 'version-2');
    const copy = join(ensemble.dir, 'copy');
    await ensemble.stop(restored);
    cpSync(data, copy, { recursive: true });
    await ensemble.start(restored);
    await ensemble.settled();
    await ensemble.stop(away);
    await ensemble.settled();
    const client = await ensemble.client(other);
    for (let i = 0; i < 5; i++) await client.create(`/lost${i}`);
    const seen = ensemble.server(other).lastZxid;
    await ensemble.close();

    rmSync(data, { recursive: true });
    cpSync(copy, data, { recursive: true });
    await Promise.all([away, restored].map((id) => ensemble.start(id)));
    const leader = await ensemble.settled();
    let later = await ensemble.client(leader);
    for (let i = 0; i < (more ? 20 : 1); i++) await later.create(`/kept${i}`);
    assert.equal(ensemble.server(leader).epochs.current, 2);
    await ensemble.start(other);
    // Who has seen what is lost is taken again.
    while (Math.min(...ensemble.running.map((id) => ensemble.server(id).lastZxid)) <= seen)
      await new Promise((resolve) => setTimeout(resolve, 2));
    later = await ensemble.client(await ensemble.settled());
    await later.create('/after');
    const isLevel = (): boolean => ensemble.digests().size === 1 && ensemble.server(other).notReady === undefined;
    while (!isLevel()) await new Promise((resolve) => setTimeout(resolve, 2));
    await ensemble.level();
    assert.ok((await (await ensemble.client(other)).getData('/kept0')) !== undefined);
    if (more) assert.ok(ensemble.said(other, /by its digest .* follows on another tree/));
    else assert.ok(ensemble.said(leader, new RegExp(`server ${other} has 0x\\w+, which was never proposed`)));
  });
