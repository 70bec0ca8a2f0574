// A follower that connects again while its former connection still seems to stand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import type { Disk } from '../../dist/storage/disk.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { Ensemble } from './ensemble.js';
import { electServer1 } from './raw-leader.js';
import { learnerInfo, RawLearner } from './raw-learner.js';

/** The real disk; while `held`, what is written to the log waits. */
class SlowDisk {
  held = false;
  private readonly waiting: (() => void)[] = [];
  readonly disk: Disk = {
    ...nodeDisk,
    createLog: (path, durable, done) =>
      nodeDisk.createLog(path, durable, (error, file) => {
        if (file === null) return done(error, file);
        const write: typeof file.write = (parts, position, written) => {
          const now = (): void => file.write(parts, position, written);
          if (this.held) this.waiting.push(now);
          else now();
        };
        done(error, { ...file, write });
      }),
  };

  release(): void {
    this.held = false;
    for (const write of this.waiting.splice(0)) write();
  }
}

test('what a follower acknowledged before it came again, and had to forget, commits nothing', async (t) => {
  const slow = new SlowDisk();
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], { syncLimit: 100 });
  await ensemble.start(1, {}, { disk: slow.disk });
  await electServer1(t, ensemble, [2, 3]);
  const before = await RawLearner.dial(t, ensemble.quorumPortOf(1));
  await before.follow(2, 0);
  const opening = ensemble.client(1);
  const session = await before.until(PacketType.proposal);
  before.send(PacketType.ack, session.zxid);
  const client = await opening;

  slow.held = true;
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
