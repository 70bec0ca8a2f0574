// What a follower does with a leader that is lost in the midst of things: nothing that was cut may be seen again, nothing that it told
// the leader may be forgotten.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ErrorCode, JuteWriter } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import { bodyPieces } from '../../dist/broadcast/snapshot-stream.js';
import { lockDataDir } from '../../dist/storage/data-lock.js';
import type { Disk } from '../../dist/storage/disk.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { DIGEST_VERSION } from '../../dist/tree/digest.js';
import { SnapshotSource } from '../../dist/tree/snapshot-source.js';
import { Harness } from '../tree/harness.js';
import { Ensemble, writeLog } from './ensemble.js';
import { createEntry, errorEntry, type FollowerEnd, RawLeader } from './raw-leader.js';
import { EPOCH } from './raw-learner.js';

/** Server 1 of three, whose leader is made of packets. */
async function one(
  t: TestContext,
  disk: Disk = nodeDisk,
  settings: Record<string, string | number | boolean> = {},
): Promise<{ ensemble: Ensemble; leader: RawLeader }> {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], settings);
  const leader = await RawLeader.of(t, ensemble);
  await ensemble.start(1, {}, { disk });
  await leader.vote(t, ensemble);
  return { ensemble, leader };
}

/** A disk on which snapshots, once `hold` is called, are not begun until `release` is. */
function slowDisk(): { disk: Disk; hold(): void; release(): void } {
  let gate: Promise<void> = Promise.resolve();
  let release = (): void => {};
  const disk: Disk = {
    ...nodeDisk,
    async create(path) {
      await gate;
      return nodeDisk.create(path);
    },
  };
  return {
    disk,
    hold: () => {
      gate = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
  };
}

async function turns(count: number, until: () => boolean): Promise<void> {
  for (let i = 0; i < count && !until(); i++) await new Promise((resolve) => setImmediate(resolve));
}

const exists = (ensemble: Ensemble, path: string): boolean =>
  ensemble.server(1).database.tree.store.findString(path) !== 0;

test('a snapshot that was being written when the leader was lost holds nothing of the next leader', async (t) => {
  const { disk, hold, release } = slowDisk();
  const { ensemble, leader } = await one(t, disk);
  let follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, EPOCH + 1);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/kept'));
  await follower.newLeader(1);
  await follower.upToDate();
  hold();
  const snapshot = ensemble
    .server(1)
    .takeSnapshot()
    .catch(() => {});
  follower.socket.destroy();

  // The next leader has a transaction that never gets its quorum.
  leader.peerEpoch = 1;
  void turns(3000, () => exists(ensemble, '/cut')).then(release); // the next role may wait for the snapshot
  follower = await leader.follower();
  await follower.discover(2);
  follower.send(PacketType.diff, EPOCH + 2);
  follower.commit(EPOCH + 2, createEntry(EPOCH + 2, '/cut'));
  await follower.newLeader(2);
  assert.ok(exists(ensemble, '/cut'));
  await snapshot;
  follower.socket.destroy();

  follower = await leader.follower();
  await follower.discover(3);
  follower.send(PacketType.trunc, EPOCH + 1);
  await follower.newLeader(3);
  await follower.upToDate();
  assert.ok(exists(ensemble, '/kept'));
  assert.equal(exists(ensemble, '/cut'), false);
});

test('a snapshot that is given up with its leader is no error', async (t) => {
  const { disk, hold, release } = slowDisk();
  const { ensemble, leader } = await one(t, disk);
  let follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n'));
  await follower.newLeader(1);
  await follower.upToDate();
  hold();
  const server = ensemble.server(1);
  server.startSnapshot();
  follower.socket.destroy();
  await turns(3000, () => server.currentRole === undefined);
  release();
  leader.peerEpoch = 1;
  follower = await leader.follower();
  await follower.discover(2);
  assert.ok(ensemble.said(1, /a snapshot was given up/));
  assert.equal(server.stats.snapshotErrors, 0);
  assert.ok(!ensemble.said(1, /could not be written/));
});

test('what is to be forgotten and stands in an earlier log, too, does not come back: all is asked for', async (t) => {
  const { ensemble, leader } = await one(t);
  let follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  const again = [2, 3].map((n) => ({ zxid: EPOCH + n, entry: createEntry(EPOCH + n, `/n${n}`) }));
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n1'));
  for (const { zxid, entry } of again) follower.commit(zxid, entry);
  await follower.newLeader(1);
  await follower.upToDate();
  // As a follower of Apache's leaves it that was sent proposals twice, and began a new file between.
  writeLog(join(ensemble.dataDirOf(1), 'version-2'), again);
  follower.socket.destroy();

  leader.peerEpoch = 1;
  follower = await leader.follower();
  await follower.discover(2);
  follower.send(PacketType.trunc, EPOCH + 2);
  await assert.rejects(follower.newLeader(2), /closed before packet/);
  follower = await leader.follower();
  await follower.discover(2);
  assert.equal(follower.peerZxid, 0);
  await ensemble.stop(1);
});

/** The same behind its first epoch, in which it got /n. */
async function withFirstEpoch(t: TestContext) {
  const { ensemble, leader } = await one(t);
  const follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n'));
  await follower.newLeader(1);
  await follower.upToDate();
  follower.socket.destroy();
  leader.peerEpoch = 1;
  return { ensemble, leader };
}

test('a leader that sends nonsense loses the follower’s connection, and the follower nothing', async (t) => {
  const { ensemble, leader } = await withFirstEpoch(t);
  const nonsense: readonly (readonly [string, (end: FollowerEnd) => void])[] = [
    ['no transaction', (end) => end.send(PacketType.proposal, EPOCH + 2, Buffer.alloc(3))],
    ['nothing', (end) => end.send(PacketType.proposal, EPOCH + 2)],
    ['another transaction', (end) => end.send(PacketType.proposal, EPOCH + 2, createEntry(EPOCH + 3, '/x'))],
    ['a commit of nothing', (end) => end.send(PacketType.commit, EPOCH + 2)],
    ['members', (end) => end.send(PacketType.informAndActivate, EPOCH + 2, Buffer.alloc(9))],
    ['bytes', (end) => end.socket.write(Buffer.alloc(100, 0x55))],
  ];
  let epoch = 2;
  for (const [name, send] of nonsense) {
    const follower = await leader.follower();
    await follower.discover(epoch++);
    assert.equal(follower.peerZxid, EPOCH + 1, `before ${name}`);
    follower.send(PacketType.diff, EPOCH + 1);
    send(follower);
    await follower.end();
  }
  const bodies: readonly (readonly [string, Buffer])[] = [
    ['ones', Buffer.alloc(200, 0xff)],
    [
      'a node without its parent',
      Buffer.concat([Buffer.alloc(8), Buffer.from([0, 0, 0, 4]), Buffer.from('/x/y'), Buffer.alloc(80)]),
    ],
  ];
  for (const [name, body] of bodies) {
    const follower = await leader.follower();
    await follower.discover(epoch++);
    assert.equal(follower.peerZxid, EPOCH + 1, `before ${name}`);
    follower.send(PacketType.snap, EPOCH + 9);
    follower.socket.write(body);
    await follower.end();
  }
  let follower = await leader.follower();
  await follower.until(PacketType.followerInfo);
  follower.send(PacketType.leaderInfo, 2 ** 62, Buffer.from([0, 1, 0, 0]));
  await follower.end();
  follower = await leader.follower();
  await follower.discover(epoch);
  assert.equal(follower.peerZxid, EPOCH + 1);
  follower.send(PacketType.diff, EPOCH + 1);
  await follower.newLeader(epoch);
  await follower.upToDate();
  assert.ok(exists(ensemble, '/n'));
});

/** A transaction that tells a digest which no tree has. */
function ofAnotherTree(zxid: number, path = '/x'): Buffer {
  const digest = Buffer.alloc(12, 7);
  digest.writeInt32BE(DIGEST_VERSION);
  return Buffer.concat([createEntry(zxid, path), digest]);
}

/** The same after a leader that seems to have left out what the first epoch ended with; it is asked for everything. */
async function withAnotherTree(t: TestContext) {
  const { ensemble, leader } = await withFirstEpoch(t);
  let follower = await leader.follower();
  await follower.discover(2);
  assert.equal(follower.peerZxid, EPOCH + 1);
  follower.send(PacketType.diff, 2 * EPOCH + 1);
  follower.commit(2 * EPOCH + 1, ofAnotherTree(2 * EPOCH + 1));
  await follower.end();
  assert.ok(ensemble.said(1, /by its digest 0x200000001 follows on another tree/));
  follower = await leader.follower();
  return { ensemble, leader, follower };
}

test('a leader whose history goes on from another tree is asked for all of it', async (t) => {
  const { follower } = await withAnotherTree(t);
  await follower.discover(2);
  assert.deepEqual([follower.peerEpoch, follower.peerZxid], [-1, 0]);
});

for (const when of ['is brought up to date', 'follows'])
  test(`a server that ${when} asks for everything once a digest of its leader's epoch tells of another tree`, async (t) => {
    const { leader } = await withFirstEpoch(t);
    let follower = await leader.follower();
    await follower.discover(1);
    assert.equal(follower.peerZxid, EPOCH + 1);
    follower.send(PacketType.diff, EPOCH + 1);
    if (when === 'follows') {
      await follower.newLeader(1);
      await follower.upToDate();
      follower.commit(EPOCH + 2, errorEntry(EPOCH + 2, ErrorCode.NoNode));
      follower.commit(EPOCH + 3, ofAnotherTree(EPOCH + 3));
    } else follower.commit(EPOCH + 2, ofAnotherTree(EPOCH + 2));
    await follower.end();
    follower = await leader.follower();
    await follower.discover(1);
    assert.deepEqual([follower.peerEpoch, follower.peerZxid], [-1, 0]);
  });

test('a server whose digests do not match those in its own log takes others as they are', async (t) => {
  const { ensemble, leader } = await withFirstEpoch(t);
  await ensemble.stop(1);
  const entry = ofAnotherTree(EPOCH + 2);
  writeLog(join(ensemble.dataDirOf(1), 'version-2'), [{ zxid: EPOCH + 2, entry }]);
  await ensemble.start(1);
  await leader.vote(t, ensemble);
  const follower = await leader.follower();
  await follower.discover(1);
  assert.equal(follower.peerZxid, EPOCH + 2);
  follower.send(PacketType.diff, EPOCH + 2);
  await follower.newLeader(1);
  await follower.upToDate();
  follower.commit(EPOCH + 3, ofAnotherTree(EPOCH + 3, '/y'));
  follower.commit(EPOCH + 4, createEntry(EPOCH + 4, '/seen'));
  while (!exists(ensemble, '/seen')) await follower.until(PacketType.ack);
});

test('a leader that has not all that was committed is followed, and it is told what is lost', async (t) => {
  const { ensemble, leader } = await one(t);
  let follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  for (const n of [1, 2, 3]) follower.commit(EPOCH + n, createEntry(EPOCH + n, `/n${n}`));
  await follower.newLeader(1);
  await follower.upToDate();
  follower.socket.destroy();
  leader.peerEpoch = 1;
  for (const [epoch, end] of [
    [2, 3],
    [3, 1],
  ] as const) {
    follower = await leader.follower();
    await follower.discover(epoch);
    follower.send(PacketType.trunc, EPOCH + end);
    await follower.newLeader(epoch);
    follower.socket.destroy();
    assert.equal(ensemble.said(1, /acknowledged writes are lost.*"0x100000001".*"0x100000003"/), end === 1);
  }
});

test('what came while the leader sent its snapshot does not look like damage after a restart', async (t) => {
  const { ensemble, leader } = await one(t);
  const follower = await leader.follower();
  await follower.discover(1);
  const h = new Harness();
  h.zxid = EPOCH;
  h.create('/a');
  const body = new SnapshotSource(h.tree, []);
  for (const path of ['/b', '/c']) h.create(path);
  follower.send(PacketType.snap, body.zxid);
  for (const piece of bodyPieces(body, new JuteWriter(), 1000)) follower.socket.write(Buffer.from(piece));
  await follower.newLeader(1);
  await follower.upToDate();
  h.create('/d');
  let zxid = body.zxid;
  for (const entry of h.entries.slice(1)) follower.commit(++zxid, entry);
  while (!exists(ensemble, '/d')) await follower.until(PacketType.ack);
  await ensemble.stop(1);
  await ensemble.start(1);
  assert.ok(exists(ensemble, '/d'));
  assert.equal(ensemble.said(1, /digests/), false);
  assert.equal(ensemble.server(1).database.digestMismatches, 0);
  assert.equal(ensemble.server(1).database.tree.digestComparedFrom, EPOCH + 3, 'from where nothing is ahead any more');
});

test('who stops while it writes down what the leader sent keeps others from its data until that is done', async (t) => {
  const { ensemble, leader } = await one(t);
  const follower = await leader.follower();
  await follower.discover(1);
  const server = ensemble.server(1);
  const write = server.writeSnapshot.bind(server);
  let isBegun = false;
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  server.writeSnapshot = async () => {
    isBegun = true;
    await gate;
    return write();
  };
  const h = new Harness();
  h.zxid = EPOCH;
  h.create('/a');
  follower.send(PacketType.snap, h.zxid);
  for (const piece of bodyPieces(new SnapshotSource(h.tree, []), new JuteWriter(), 1000))
    follower.socket.write(Buffer.from(piece));
  follower.send(PacketType.newLeader, EPOCH);
  await turns(3000, () => isBegun);
  assert.ok(isBegun);
  const stopped = ensemble.stop(1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await assert.rejects(lockDataDir(ensemble.dataDirOf(1)), /another server uses this data directory/);
  release();
  await stopped;
  await (await lockDataDir(ensemble.dataDirOf(1)))?.release();
});

test('what a leader left out shows in its first digest, be there errors before it, which have none', async (t) => {
  const { ensemble, leader } = await withFirstEpoch(t);
  const follower = await leader.follower();
  await follower.discover(2);
  follower.send(PacketType.diff, 2 * EPOCH + 2);
  follower.commit(2 * EPOCH + 1, errorEntry(2 * EPOCH + 1, ErrorCode.NoNode));
  follower.commit(2 * EPOCH + 2, ofAnotherTree(2 * EPOCH + 2));
  await follower.end();
  assert.ok(ensemble.said(1, /by its digest 0x200000002 follows on another tree/));
});

test('a leader that is lost while it sends all of its history leaves what was whole before, of which nobody is elected', async (t) => {
  const { ensemble, leader, follower: before } = await withAnotherTree(t);
  await before.discover(2);
  before.send(PacketType.snap, 2 * EPOCH + 1);
  before.socket.end(Buffer.alloc(6));
  const follower = await leader.follower();
  assert.ok(ensemble.said(1, /elects nobody until then/));
  assert.ok(exists(ensemble, '/n'));
  assert.equal(exists(ensemble, '/x'), false);
  assert.equal(ensemble.server(1).historyEnd, -1);
  await follower.discover(3);
});

test('clients are answered again if a leader of Apache’s does not begin the epoch that is due', async (t) => {
  const { ensemble, leader } = await one(t, nodeDisk, { epochLength: 3 });
  const follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n'));
  await follower.newLeader(1);
  await follower.upToDate();
  const opening = ensemble.client(1);
  await leader.session(follower, EPOCH + 2);
  const client = await opening;
  follower.commit(EPOCH + 3, createEntry(EPOCH + 3, '/m'));
  while (!ensemble.server(1).port.holding) await new Promise((resolve) => setTimeout(resolve, 2));
  // Its pings are not read now.
  for (const asked of [follower.pings + 1, follower.pings + 2]) {
    follower.send(PacketType.ping, EPOCH + 3);
    while (follower.pings < asked) await new Promise((resolve) => setTimeout(resolve, 2));
    assert.equal(follower.lastPing.length > 0 && follower.lastPing.readBigInt64BE(0), client.id);
  }
  const pings = setInterval(() => follower.send(PacketType.ping, EPOCH + 3), 100);
  t.after(() => clearInterval(pings));
  assert.equal(await client.getData('/m'), 'x');
  follower.commit(EPOCH + 4, createEntry(EPOCH + 4, '/o'));
  while (!exists(ensemble, '/o')) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(await client.getData('/o'), 'x');
});
