// Learners that take their time: as long as they may, nobody gives them up; and what they do not take has a bound.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { PacketType } from '../../dist/broadcast/packet.js';
import { PacketLink } from '../../dist/broadcast/packet-link.js';
import { ReplyBuffer } from '../../dist/request/reply-buffer.js';
import { HeldDisk } from '../server/held-disk.js';
import { until } from '../server/until.js';
import { Ensemble } from './ensemble.js';
import { electServer1 } from './raw-leader.js';
import { learnerInfo, RawLearner } from './raw-learner.js';

async function ofFive(t: TestContext, settings: Record<string, string | number | boolean>): Promise<Ensemble> {
  const ensemble = await Ensemble.of(
    t,
    Array.from({ length: 5 }, () => 'participant' as const),
    settings,
  );
  await ensemble.start(1);
  await electServer1(t, ensemble, [2, 3, 4]);
  return ensemble;
}

async function introduce(t: TestContext, ensemble: Ensemble, id: number): Promise<RawLearner> {
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(1));
  learner.send(PacketType.followerInfo, 0, learnerInfo(id));
  return learner;
}

test('a learner that has followed is not given up while others are still brought up to date', async (t) => {
  const ensemble = await ofFive(t, { tickTime: 100, syncLimit: 2, initLimit: 50 });
  const quick = await introduce(t, ensemble, 2);
  const slow = await introduce(t, ensemble, 3);
  for (const learner of [quick, slow]) {
    await learner.until(PacketType.leaderInfo);
    learner.send(PacketType.ackEpoch, 0, Buffer.alloc(4));
  }
  const newLeader = await quick.until(PacketType.newLeader);
  quick.send(PacketType.ack, newLeader.zxid);
  // Pings come twice a tick, and are not answered before UPTODATE.
  while (quick.pings < 12 && !quick.closed) await setTimeout(2);
  assert.equal(quick.closed, false);
  slow.send(PacketType.ack, newLeader.zxid);
  await slow.until(PacketType.upToDate);
  await quick.until(PacketType.upToDate);
});

test('a learner may take longer for a snapshot than the limit for one answer', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { tickTime: 100, syncLimit: 40, initLimit: 40 });
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  const nodes = 24;
  for (let i = 0; i < nodes; i++) await client.create(`/${i}`, 'x'.repeat(1_000_000));
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  learner.send(PacketType.followerInfo, 0, learnerInfo(9));
  await learner.until(PacketType.leaderInfo);
  const { socket } = learner;
  socket.removeAllListeners('data').pause();
  learner.send(PacketType.ackEpoch, 0, Buffer.alloc(4));
  // Taken at a steady pace, however fast the machine is: the whole needs half as long again as the limit allows for one answer.
  const size = nodes * 1_000_000;
  const duration = 6000;
  let taken = 0;
  const began = performance.now();
  while (taken < size && !learner.closed) {
    const due = Math.min(size, (size * (performance.now() - began)) / duration);
    while (taken < due) {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) break;
      taken += chunk.length;
    }
    await setTimeout(5);
  }
  assert.equal(learner.closed, false);
  assert.ok(performance.now() - began > 4000, 'it took longer than the limit');
});

test('a follower that lives but acknowledges nothing is let go, though others make up the quorum', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { tickTime: 100, syncLimit: 5 });
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  await learner.follow(9, ensemble.server(leader).lastZxid);
  await client.create('/m');
  await learner.end();
  assert.ok(ensemble.said(leader, /server 9 is gone: it has acknowledged nothing/));
  assert.equal(await ensemble.settled(), leader);
});

test('a follower that acknowledges stays', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { tickTime: 400, syncLimit: 5 });
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  await learner.follow(9, ensemble.server(leader).lastZxid);
  await client.create('/m');
  const { zxid } = await learner.until(PacketType.proposal);
  learner.send(PacketType.ack, zxid);
  const { pings } = learner;
  while (learner.pings < pings + 12 && !learner.closed) await setTimeout(2);
  assert.equal(learner.closed, false);
});

test('a learner for which too much has come while it takes a snapshot is given up', () => {
  let destroyed = false;
  const wire = {
    writableLength: 2 ** 21,
    destroyed: false,
    destroySoon: () => {},
    on: () => {},
    write: () => true,
    pause: () => {},
    resume: () => {},
    destroy: () => {
      destroyed = true;
    },
  };
  const outbox = { takeBuffer: () => new ReplyBuffer(64), giveBack: () => {}, gather: () => {} };
  let reason = '';
  const events = {
    onPacket: () => {},
    onClosed: (why: string) => {
      reason = why;
    },
  };
  const link = new PacketLink(wire, outbox, 1000, (action) => action(), events, 10_000);
  link.cork();
  for (let i = 0; i < 75; i++) link.send(PacketType.proposal, i, Buffer.alloc(100));
  assert.equal(link.isClosed, false);
  for (let i = 0; i < 25; i++) link.send(PacketType.proposal, i, Buffer.alloc(100));
  assert.equal(destroyed, true);
  assert.match(reason, /too much/);
});

test('a leader whose disk stands still gives way once too much waits for it', async (t) => {
  const disks = new Map([1, 2, 3].map((id) => [id, new HeldDisk()]));
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], { tickTime: 100 });
  await Promise.all([...disks].map(([id, { disk }]) => ensemble.start(id, {}, { disk })));
  const leader = await ensemble.settled();
  const [other = 0] = [1, 2, 3].filter((id) => id !== leader);
  const client = await ensemble.client(other);
  disks.get(leader)?.hold();
  await client.create('/n', 'x');
  const { log } = ensemble.server(leader);
  assert.ok(log.unwritten > 50 && log.unwritten < 1000, `${log.unwritten} bytes`);
  Object.defineProperty(log, 'unwritten', { value: 513 * 1024 * 1024, configurable: true });
  await until(() => [1, 2, 3].some((id) => id !== leader && ensemble.server(id).mode === 'leader'));
  assert.ok(ensemble.said(leader, /no longer leader: the own disk has not taken the last 512 MB/));
  assert.equal(ensemble.server(leader).mode, 'looking', 'it has no vote before its log is written');
  await until(() => ensemble.said(leader, /not serving for \d+ s: waiting for the disk to take the log/));
  Reflect.deleteProperty(log, 'unwritten');
  disks.get(leader)?.release();
  await ensemble.settled();
  await ensemble.level();
  assert.equal(log.unwritten, 0);
  assert.equal(await (await ensemble.client(leader)).getData('/n'), 'x');
});
