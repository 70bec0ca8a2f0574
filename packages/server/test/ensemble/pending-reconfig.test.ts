// Reconfigurations that are proposed and not committed: nobody may act by the new members alone, or there are two quorums that do not
// know of each other; and if they are cut, nobody may go on waiting for them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import type { Membership } from '../../dist/membership.js';
import type { Disk } from '../../dist/storage/disk.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { Ensemble, writeLog } from './ensemble.js';
import { createEntry, RawLeader, reconfigEntry } from './raw-leader.js';
import { EPOCH, learnerInfo, RawLearner } from './raw-learner.js';

const SETTINGS = { reconfigEnabled: true, skipACL: 'yes', standaloneEnabled: false };

/** Members as text. */
function members(ensemble: Ensemble, version: number, ids: readonly number[]): string {
  return [...ids.map((id) => `server.${id}=${ensemble.fullLine(id)}`), `version=${version.toString(16)}`].join('\n');
}

async function one(t: TestContext): Promise<{ ensemble: Ensemble; leader: RawLeader; membership: Membership }> {
  const ensemble = await Ensemble.withFiles(t, 5, [1, 2, 3], SETTINGS, [1]);
  const leader = await RawLeader.of(t, ensemble);
  await leader.vote(t, ensemble);
  return { ensemble, leader, membership: ensemble.server(1).membership };
}

const designated = Buffer.from([0, 0, 0, 0, 0, 0, 0, 2]);
const first = EPOCH;
const next = EPOCH + 2;

test('a leader that serves sends the committed members along, and what is proposed as a proposal', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 4, [1, 2, 3], SETTINGS);
  const leader = await ensemble.settled();
  const follower = await ensemble.follower();
  const client = await ensemble.client(leader);
  await client.create('/n');
  await ensemble.level();
  for (const id of [1, 2, 3]) ensemble.server(id).log.flush = () => {};
  const observer = ensemble.fullLine(follower).replace('participant', 'observer');
  client.send(OpCode.reconfig, (w) => w.string(`server.${follower}=${observer}`).string(null).string(null).long53(-1));
  while (!ensemble.server(leader).membership.inProgress) await new Promise((resolve) => setTimeout(resolve, 2));

  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  learner.send(PacketType.followerInfo, 0, learnerInfo(4));
  await learner.until(PacketType.leaderInfo);
  learner.send(PacketType.ackEpoch, ensemble.server(leader).lastZxid, Buffer.alloc(4));
  const newLeader = await learner.until(PacketType.newLeader);
  assert.match(newLeader.data?.toString() ?? '', /version=100000000$/);
  const proposal = await learner.until(PacketType.proposal);
  assert.equal(proposal.data?.readInt32BE(28), OpCode.reconfig);
});

test('members that are proposed before UPTODATE are known as proposed when that is acknowledged, and no more', async (t) => {
  const { ensemble, leader, membership } = await one(t);
  const follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n'));
  await follower.newLeader(1, members(ensemble, first, [1, 2, 3]));
  const reconfig = reconfigEntry(next, members(ensemble, next, [3, 4, 5]));
  follower.send(PacketType.proposal, next, reconfig);
  await follower.upToDate();
  assert.equal(membership.committed.version, first);
  assert.equal((await follower.until(PacketType.ack)).zxid, next);
  assert.equal(membership.committed.version, first);
  assert.equal(membership.proposed.version, next);
  assert.equal(membership.verifiers.length, 2);
  assert.match(readFileSync(`${ensemble.configPath(1)}.dynamic.next`, 'utf8'), /version=100000002$/);
  follower.send(PacketType.commitAndActivate, next, designated);
  while (membership.inProgress) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(membership.committed.version, next);
});

test('members that Apache’s leader sends with NEWLEADER before they are committed are not in force with UPTODATE', async (t) => {
  const { ensemble, leader, membership } = await one(t);
  const follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n'));
  const text = members(ensemble, next, [3, 4, 5]);
  follower.send(PacketType.proposal, next, reconfigEntry(next, text));
  await follower.newLeader(1, text);
  await follower.upToDate();
  assert.equal((await follower.until(PacketType.ack)).zxid, next);
  assert.equal(membership.committed.version, 0);
  assert.equal(membership.proposed.version, next);
  follower.send(PacketType.commitAndActivate, next, designated);
  while (membership.inProgress) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(membership.committed.version, next);
});

test('a leader who is no voter by the members that are in force is left', async (t) => {
  const { ensemble, leader, membership } = await one(t);
  const follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  const text = members(ensemble, EPOCH, [1, 3]);
  await follower.newLeader(1, text);
  await follower.upToDate();
  await follower.end();
  assert.equal(membership.committed.version, EPOCH);
  while (ensemble.server(1).mode !== 'looking') await new Promise((resolve) => setTimeout(resolve, 2));
});

test('a follower that cannot write down the members that are committed ends, and does not go on without the transaction', async (t) => {
  let full = false;
  const disk: Disk = {
    ...nodeDisk,
    replaceText(path, text) {
      if (full && path.includes('.dynamic.1'))
        throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      nodeDisk.replaceText(path, text);
    },
  };
  let failed = (_error: Error): void => {};
  const fatal = new Promise<Error>((resolve) => {
    failed = resolve;
  });
  const ensemble = await Ensemble.withFiles(t, 5, [1, 2, 3], SETTINGS, []);
  await ensemble.start(1, {}, { disk, onFatal: (error) => failed(error) });
  const leader = await RawLeader.of(t, ensemble);
  await leader.vote(t, ensemble);
  const follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n'));
  await follower.newLeader(1, members(ensemble, first, [1, 2, 3]));
  await follower.upToDate();
  follower.send(PacketType.proposal, next, reconfigEntry(next, members(ensemble, next, [1, 2, 3, 4])));
  await follower.until(PacketType.ack);
  full = true;
  follower.send(PacketType.commitAndActivate, next, designated);
  assert.match((await fatal).message, /ENOSPC/);
});

test('where the configuration cannot be written, an ensemble serves, and ends by a reconfiguration only', async (t) => {
  const disk: Disk = {
    ...nodeDisk,
    replaceText(path, text) {
      if (path.includes('zoo.cfg')) throw Object.assign(new Error('EROFS: read-only'), { code: 'EROFS' });
      nodeDisk.replaceText(path, text);
    },
  };
  let failed = (_error: Error): void => {};
  const fatal = new Promise<Error>((resolve) => {
    failed = resolve;
  });
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS, []);
  const start = (id: number): Promise<void> => ensemble.start(id, {}, { disk, onFatal: (error) => failed(error) });
  await Promise.all([1, 2, 3].map(start));
  const version = async (): Promise<number> => ensemble.server(await ensemble.settled()).membership.committed.version;
  assert.equal(await version(), EPOCH);
  const follower = await ensemble.follower();
  await ensemble.stop(follower);
  await start(follower);
  assert.equal(await version(), EPOCH, 'told by the others');
  await Promise.all([1, 2, 3].map((id) => ensemble.stop(id)));
  await Promise.all([1, 2, 3].map(start));
  assert.equal(await version(), 2 * EPOCH, 'given again');
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  await ensemble.level();
  const observer = ensemble.fullLine(follower).replace('participant', 'observer');
  client.send(OpCode.reconfig, (w) => w.string(`server.${follower}=${observer}`).string(null).string(null).long53(-1));
  assert.match((await fatal).message, /EROFS/);
});

test('members that were proposed and cut are forgotten, and keep nobody from finding the leader', async (t) => {
  const { ensemble, leader, membership } = await one(t);
  let follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n'));
  await follower.newLeader(1, members(ensemble, first, [1, 2, 3]));
  await follower.upToDate();
  follower.send(PacketType.proposal, next, reconfigEntry(next, members(ensemble, next, [3, 4, 5])));
  await follower.until(PacketType.ack);
  assert.equal(membership.proposed.version, next);
  follower.socket.destroy();

  // Servers 4 and 5 are not there: a quorum of the new members cannot be found.
  leader.peerEpoch = 1;
  follower = await leader.follower();
  await follower.discover(2);
  assert.equal(follower.peerZxid, next);
  follower.send(PacketType.trunc, EPOCH + 1);
  await follower.newLeader(2, members(ensemble, first, [1, 2, 3]));
  assert.equal(membership.proposed.version, next, 'until the leader is established');
  await follower.upToDate();
  assert.equal(membership.inProgress, false);
  assert.equal(membership.committed.version, first);
  assert.equal(existsSync(`${ensemble.configPath(1)}.dynamic.next`), false);
});

test('a server that has another role by the members of NEWLEADER comes again in that role', async (t) => {
  const { ensemble, leader } = await one(t);
  const follower = await leader.follower();
  await follower.discover(1);
  follower.send(PacketType.diff, 0);
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n'));
  const text = members(ensemble, first, [1, 2, 3]);
  await follower.newLeader(1, text.replace('participant', 'observer'));
  await follower.upToDate();
  await (await leader.follower()).until(PacketType.observerInfo);
  assert.ok(ensemble.said(1, /this server has another role/), 'at once, not when it had heard nothing for too long');
});

test('a leader who is no member by what it begins with hands over to one who is', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  await ensemble.level();
  const zxid = ensemble.server(1).lastZxid + 1;
  await ensemble.close();
  ensemble.lines.clear(); // what is said from now on counts
  // All have logged the reconfiguration that removes server 3, and were stopped before it was committed.
  const text = members(ensemble, zxid, [1, 2]);
  for (const id of [1, 2, 3]) {
    writeFileSync(`${ensemble.configPath(id)}.dynamic.next`, text);
    writeLog(join(ensemble.dataDirOf(id), 'version-2'), [{ zxid, entry: reconfigEntry(zxid, text) }]);
  }
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  while (!ensemble.said(3, /serving as leader/)) await new Promise((resolve) => setTimeout(resolve, 2));
  while (!ensemble.said(3, /serving as follower/)) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.notEqual(await ensemble.settled(), 3);
  assert.deepEqual(ensemble.server(3).membership.committed.verifier.voters, [1, 2]);
  assert.equal((await (await ensemble.client(3)).create('/m')).error, 0);
});

test('who alone may lead does not wait for members that were proposed in what its disk lost', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1], SETTINGS);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  const zxid = ensemble.server(1).lastZxid + 1;
  await ensemble.close();
  // Its disk failed before the log had the reconfiguration; the members that it adds are not there.
  writeFileSync(`${ensemble.configPath(1)}.dynamic.next`, members(ensemble, zxid, [2, 3]));
  await ensemble.start(1);
  assert.equal(await ensemble.settled(), 1);
  assert.equal((await (await ensemble.client(1)).create('/m')).error, 0);
  assert.ok(ensemble.said(1, /the log does not have the reconfiguration that was under way/));
  assert.equal(existsSync(`${ensemble.configPath(1)}.dynamic.next`), false);
});

test('one that is being added leads, if those who vote already have lost what came behind that', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1], SETTINGS);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  for (const id of [2, 3]) await ensemble.startJoiner(id);
  await ensemble.settled();
  await ensemble.level();
  const zxid = ensemble.server(1).lastZxid + 1;
  for (const id of [1, 2, 3]) await ensemble.stop(id);
  // The leader stopped when the others had logged one more.
  const text = members(ensemble, zxid, [1, 2, 3]);
  const proposed = { zxid, entry: reconfigEntry(zxid, text) };
  const behind = { zxid: zxid + 1, entry: createEntry(zxid + 1, '/behind') };
  for (const id of [1, 2, 3]) {
    writeFileSync(`${ensemble.configPath(id)}.dynamic.next`, text);
    writeLog(join(ensemble.dataDirOf(id), 'version-2'), id === 1 ? [proposed] : [proposed, behind]);
  }
  await ensemble.start(1);
  for (const id of [2, 3]) await ensemble.startJoiner(id);
  assert.notEqual(await ensemble.settled(), 1);
  assert.notEqual(await (await ensemble.client(1)).getData('/behind'), undefined);
  assert.deepEqual(ensemble.server(1).membership.committed.verifier.voters, [1, 2, 3]);
});
