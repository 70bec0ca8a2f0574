// The orders of durable steps whose violation lost data in Apache ZooKeeper, by the number of the issue: each test sees the order of
// what a learner does, step by step, and fails on the historic one.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { Learner, type LearnerHost } from '../../dist/broadcast/learner.js';
import { PacketReader, PacketType, writePacket } from '../../dist/broadcast/packet.js';
import { PacketLink } from '../../dist/broadcast/packet-link.js';
import { ReplyBuffer } from '../../dist/request/reply-buffer.js';
import { openDataDir } from '../../dist/storage/data-dir.js';
import { Epochs } from '../../dist/storage/epochs.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';

const EPOCH = 4294967296;
const NAMES = new Map<number, string>(Object.entries(PacketType).map(([name, type]) => [type, name]));

function entry(zxid: number): Buffer {
  const w = new JuteWriter().long(7n).int(1).long53(zxid).long53(0).int(OpCode.create);
  w.string(`/n${zxid}`).buffer(Buffer.from('x'));
  writeAclList(w, OPEN_ACL_UNSAFE);
  return Buffer.from(w.bool(false).int(-1).bytes());
}

/** A learner with everything around it written down in order; disks finish when they are told to. */
class Bench {
  readonly steps: string[] = [];
  private readonly waiting: (() => void)[] = [];
  private readonly learner: Learner;
  private feed: (chunk: Buffer) => void = () => {};
  private drop: () => void = () => {};
  private readonly wire = {
    remoteAddress: 'leader',
    writableLength: 0,
    destroyed: false,
    on: (event: string, listener: (argument: never) => void): void => {
      if (event === 'data') this.feed = listener as (chunk: Buffer) => void;
      if (event === 'close') this.drop = listener as () => void;
    },
    write: (bytes: Buffer): boolean => {
      this.told.feed(Buffer.from(bytes));
      return true;
    },
    pause: (): void => {},
    resume: (): void => {},
    destroy: (): void => {},
    destroySoon: (): void => {},
  };
  private readonly told = new PacketReader(1 << 20, ({ type, zxid }) =>
    this.steps.push(`send ${NAMES.get(type)} ${zxid.toString(16)}`),
  );
  private dirty: { flush(): void }[] = [];
  private accepted: number;
  private current: number;
  lastZxid: number;
  needsAll: boolean;
  endsAlike = false;

  constructor(options: { accepted?: number; current?: number; lastZxid?: number; needsAll?: boolean } = {}) {
    this.needsAll = options.needsAll ?? false;
    this.accepted = options.accepted ?? 1;
    this.current = options.current ?? 1;
    this.lastZxid = options.lastZxid ?? EPOCH + 5;
    const outbox = {
      takeBuffer: () => new ReplyBuffer(1024),
      giveBack: () => {},
      gather: (taker: { flush(): void }) => this.dirty.push(taker),
    };
    this.learner = new Learner(
      this.host(),
      (events) => new PacketLink(this.wire, outbox, 1 << 20, (run) => run(), events),
    );
    this.flush();
  }

  private host(): LearnerHost {
    const bench = this;
    const step = (text: string): void => {
      this.steps.push(text);
    };
    const timer = { cancel: () => {} };
    return {
      id: 1,
      runtime: { now: () => 0, after: () => timer, every: () => timer },
      observer: false,
      get endsAlike() {
        return bench.endsAlike;
      },
      set endsAlike(alike) {
        bench.endsAlike = alike;
      },
      tickTime: 2000,
      initLimit: 10,
      syncLimit: 5,
      stats: {
        onProposal() {},
        onCommit() {},
        onAck() {},
        onCaughtUp() {},
        onRevalidation() {},
        onProposalReceived() {},
        onCommitReceived() {},
      },
      wallTime: 0,
      get acceptedEpoch() {
        return bench.accepted;
      },
      get currentEpoch() {
        return bench.current;
      },
      setAcceptedEpoch: (epoch) => {
        this.accepted = epoch;
        step(`accepted epoch ${epoch}`);
      },
      setCurrentEpoch: (epoch) => {
        this.current = epoch;
        step(`current epoch ${epoch}`);
      },
      get lastZxid() {
        return bench.lastZxid;
      },
      configVersion: 0,
      maxEntry: 2 ** 20,
      get needsAll() {
        return bench.needsAll;
      },
      askForAll: () => {
        this.needsAll = true;
        step('ask for all');
      },
      digestMismatches: 0,
      digestComparisons: 0,
      beginSnapshot: () => ({ session() {}, acl() {}, node() {} }),
      snapshotReceived: (zxid) => step(`tree replaced ${zxid.toString(16)}`),
      saveSnapshot: (done) => this.later('snapshot durable', done),
      truncate: (zxid, done) => this.later(`cut at ${zxid.toString(16)}`, () => done(true)),
      append: (_entry, zxid) => step(`log ${zxid.toString(16)}`),
      flushLog: (done) => this.later('log durable', done),
      apply: (_entry, zxid) => step(`apply ${zxid.toString(16)}`),
      newLeaderConfig: () => {},
      proposeConfig: () => {},
      activateConfig: () => false,
      established: () => {
        step('serve');
        return true;
      },
      committed: (_entry, zxid) => step(`commit ${zxid.toString(16)}`),
      validated: () => {},
      synced: () => {},
      takeTouched: () => [],
      ended: (reason) => step(`ended: ${reason}`),
      guard: (run) => run(),
      info: () => {},
      warn: () => {},
    };
  }

  private later(text: string, done: () => void): void {
    this.waiting.push(() => {
      this.steps.push(text);
      done();
      this.flush();
    });
  }

  /** The disk finishes what it was asked for. */
  disk(): void {
    for (const next of this.waiting.splice(0)) next();
  }

  send(type: number, zxid: number, data: Buffer | null = null): void {
    const out = new ReplyBuffer(1024);
    writePacket(out, type, zxid, data);
    this.receive(Buffer.from(out.buf.subarray(0, out.pos)));
  }

  receive(bytes: Buffer): void {
    this.feed(bytes);
    this.flush();
  }

  durable(zxid: number): void {
    this.learner.onDurable(zxid);
    this.flush();
  }

  lose(): void {
    this.drop();
  }

  private flush(): void {
    for (const taker of this.dirty.splice(0)) taker.flush();
  }

  leaderInfo(epoch: number): void {
    const version = Buffer.alloc(4);
    version.writeInt32BE(0x10000);
    this.send(PacketType.leaderInfo, epoch * EPOCH, version);
  }

  proposal(zxid: number): void {
    this.send(PacketType.proposal, zxid, entry(zxid));
  }

  /** Follows the leader of epoch 2 from (1, 5) on; what was done until then is taken. */
  follow(): void {
    this.leaderInfo(2);
    this.send(PacketType.diff, z(1, 5));
    this.send(PacketType.newLeader, z(2, 0));
    this.disk();
    this.send(PacketType.upToDate, 0);
    this.take();
  }

  /** What was done since the last call. */
  take(): string[] {
    return this.steps.splice(0);
  }
}

const z = (epoch: number, counter: number): number => epoch * EPOCH + counter;
const hex = (epoch: number, counter: number): string => z(epoch, counter).toString(16);

test('ZOOKEEPER-1653: the accepted epoch is durable before it is acknowledged', () => {
  const b = new Bench();
  b.take();
  b.leaderInfo(2);
  assert.deepEqual(b.take(), ['accepted epoch 2', `send ackEpoch ${hex(1, 5)}`]);
});

test('ZOOKEEPER-4643, 4785: the synchronized transactions are durable before the current epoch is', () => {
  const b = new Bench();
  b.leaderInfo(2);
  b.send(PacketType.diff, z(1, 7));
  for (const n of [6, 7]) {
    b.proposal(z(1, n));
    b.send(PacketType.commit, z(1, n));
  }
  b.take();
  b.send(PacketType.newLeader, z(2, 0));
  assert.deepEqual(b.take(), [], 'nothing before the disk has it');
  b.disk();
  assert.deepEqual(b.take(), ['log durable', 'current epoch 2', `send ack ${hex(2, 0)}`]);
});

test('ZOOKEEPER-3911, 4646, 3023: a leader is not acknowledged before what came by DIFF is durable', () => {
  const b = new Bench();
  b.leaderInfo(2);
  b.send(PacketType.diff, z(1, 6));
  b.proposal(z(1, 6));
  b.send(PacketType.commit, z(1, 6));
  b.take();
  b.send(PacketType.newLeader, z(2, 0));
  assert.equal(b.take().filter((step) => step.startsWith('send')).length, 0);
  b.disk();
  const steps = b.take();
  assert.ok(steps.indexOf('log durable') < steps.indexOf(`send ack ${hex(2, 0)}`), steps.join());
});

test('ZOOKEEPER-3911, 4646, 3023: a leader is not acknowledged before what came by SNAP is durable', () => {
  const b = new Bench();
  b.leaderInfo(2);
  b.send(PacketType.snap, z(1, 9));
  const w = new JuteWriter().int(0).int(0).string('/').string('BenWasHere');
  b.steps.length = 0;
  const out = new ReplyBuffer(1024);
  writePacket(out, PacketType.newLeader, z(2, 0), null);
  b.receive(Buffer.concat([Buffer.from(w.bytes()), Buffer.from(out.buf.subarray(0, out.pos))]));
  assert.deepEqual(b.take(), [`tree replaced ${hex(1, 9)}`]);
  b.disk();
  assert.deepEqual(b.take(), ['snapshot durable', 'current epoch 2', `send ack ${hex(2, 0)}`]);
});

test('ZOOKEEPER-4394: a commit behind NEWLEADER of a proposal before it is taken', () => {
  const b = new Bench();
  b.leaderInfo(2);
  b.send(PacketType.diff, z(1, 5));
  b.proposal(z(1, 6));
  b.send(PacketType.newLeader, z(2, 0));
  b.disk();
  b.take();
  b.send(PacketType.commit, z(1, 6));
  b.send(PacketType.upToDate, 0);
  assert.deepEqual(b.take(), [`log ${hex(1, 6)}`, `apply ${hex(1, 6)}`, 'serve', `send ack ${hex(2, 0)}`]);
});

test('ZOOKEEPER-4685: no proposal is acknowledged before the leader is', () => {
  const b = new Bench();
  b.leaderInfo(2);
  b.send(PacketType.diff, z(1, 5));
  b.send(PacketType.newLeader, z(2, 0));
  b.proposal(z(2, 1));
  b.disk();
  b.durable(z(2, 1));
  assert.ok(!b.take().includes(`send ack ${hex(2, 1)}`));
  b.send(PacketType.upToDate, 0);
  assert.deepEqual(b.take(), ['serve', `log ${hex(2, 1)}`, `send ack ${hex(2, 0)}`]);
  b.durable(z(2, 1));
  assert.deepEqual(b.take(), [`send ack ${hex(2, 1)}`]);
});

test('a role that ended while the disk worked acknowledges nothing and writes no epoch', () => {
  const b = new Bench();
  b.leaderInfo(2);
  b.send(PacketType.diff, z(1, 6));
  b.proposal(z(1, 6));
  b.send(PacketType.commit, z(1, 6));
  b.send(PacketType.newLeader, z(2, 0));
  b.lose();
  b.take();
  b.disk();
  assert.deepEqual(b.take(), ['log durable']);
});

test('an acknowledgement tells what is durable, and no more', () => {
  const b = new Bench();
  b.follow();
  for (const n of [1, 2, 3]) b.proposal(z(2, n));
  assert.deepEqual(
    b.take().filter((step) => step.startsWith('send')),
    [],
  );
  b.durable(z(2, 2));
  assert.deepEqual(b.take(), [`send ack ${hex(2, 1)}`, `send ack ${hex(2, 2)}`]);
});

test('ZOOKEEPER-4925: a transaction that is missing ends the synchronization, and everything is asked for', () => {
  const b = new Bench();
  b.leaderInfo(2);
  b.send(PacketType.diff, z(1, 8));
  b.proposal(z(1, 7));
  assert.match(b.take().join(), /ask for all,ended: .*something is missing/);
});

test('a transaction that is missing while the leader is followed is no reason to ask for everything', () => {
  const b = new Bench();
  b.follow();
  b.proposal(z(2, 2));
  assert.match(b.take().join(), /^ended: .*something is missing/);
});

test('everything is asked for though another leader came between: with what is here it is counted, and then asks', () => {
  for (const type of [PacketType.diff, PacketType.trunc]) {
    const b = new Bench({ needsAll: true });
    b.take();
    b.leaderInfo(2);
    assert.deepEqual(b.take(), ['accepted epoch 2', `send ackEpoch ${hex(1, 5)}`]);
    b.send(type, z(1, 5));
    assert.match(b.take().join(), /^ask for all,ended/);
  }
});

test('a leader that has not everything to give is not asked again at once', () => {
  const b = new Bench({ accepted: 2, needsAll: true });
  b.take();
  b.leaderInfo(2);
  assert.deepEqual(b.take(), ['send ackEpoch 0']);
  b.lastZxid = 0; // the tree is empty
  b.send(PacketType.diff, z(1, 8));
  b.proposal(z(1, 7));
  assert.match(b.take().join(), /^tree replaced 0,ended: .*something is missing/);
  assert.ok(b.endsAlike);
});

test('a leader of an epoch older than the accepted one is refused', () => {
  const b = new Bench({ accepted: 4, current: 3 });
  b.take();
  b.leaderInfo(3);
  const steps = b.take().join();
  assert.match(steps, /ended: .*older than 4/);
  assert.doesNotMatch(steps, /ackEpoch/);
});

test('a server that had accepted the epoch before is told not to be counted again', () => {
  const b = new Bench({ accepted: 2, current: 1 });
  b.take();
  b.leaderInfo(2);
  assert.deepEqual(b.take(), [`send ackEpoch ${hex(1, 5)}`], 'no file is written for what is written already');
});

test('ZOOKEEPER-1653, 2307: a crash between the two epoch files, or before the second, leaves a server that starts', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const dirs = openDataDir(nodeDisk, dir, dir, true);
  const put = (name: string, text: string): void => writeFileSync(join(dirs.snapshots, name), text);
  put('acceptedEpoch', '3');
  put('currentEpoch', '2');
  assert.deepEqual(read(), { accepted: 3, current: 2 });
  // Transactions of epoch 3 were durable, the epoch was not yet: the server votes with what it has.
  assert.deepEqual(read(z(3, 4)), { accepted: 3, current: 2 });
  put('currentEpoch.tmp', '3');
  assert.deepEqual(read(z(3, 4)), { accepted: 3, current: 3 });
  put('currentEpoch', '5');
  assert.throws(() => read(), /less than currentEpoch/);

  function read(lastZxid = z(2, 1)): { accepted: number; current: number } {
    const { accepted, current } = new Epochs(nodeDisk, dirs, lastZxid, () => {});
    return { accepted, current };
  }
});
