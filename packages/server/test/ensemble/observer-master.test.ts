// Observers behind a follower: they see, ask and are told everything as if they followed the leader.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { JuteWriter, OpCode } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import type { RawClient } from '../server/raw-client.js';
import { until } from '../server/until.js';
import { Ensemble, freePorts } from './ensemble.js';
import { EPOCH, learnerInfo, RawLearner } from './raw-learner.js';

interface Setting {
  readonly ensemble: Ensemble;
  readonly leader: number;
  /** The followers, which serve observers. */
  readonly masters: readonly number[];
  readonly port: number;
}

const OBSERVERS = [4, 5];

/** Three voters. Each server has a loopback address of its own, as the port for observers is the same everywhere. */
async function voters(t: TestContext, settings: Record<string, string | number | boolean> = {}): Promise<Setting> {
  const [port = 0] = await freePorts(1);
  const ensemble = await Ensemble.of(
    t,
    ['participant', 'participant', 'participant', 'observer', 'observer'],
    { observerMasterPort: port, ...settings },
    [1, 2, 3, 4, 5].map((id) => `127.0.0.${id}`),
  );
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  const leader = await ensemble.settled();
  return { ensemble, leader, masters: [1, 2, 3].filter((id) => id !== leader), port };
}

async function five(t: TestContext, settings: Record<string, string | number | boolean> = {}): Promise<Setting> {
  const setting = await voters(t, settings);
  await Promise.all(OBSERVERS.map((id) => setting.ensemble.start(id)));
  await setting.ensemble.settled();
  return setting;
}

/** Whom a server observes. */
function masterOf(ensemble: Ensemble, id: number): number {
  return ensemble.server(id).currentRole?.masterId ?? 0;
}

/** An observer made of packets, behind a follower, and the first zxid of the epoch. */
async function observe(
  t: TestContext,
  ensemble: Ensemble,
  id: number,
  port: number,
): Promise<{ observer: RawLearner; begin: number }> {
  const observer = await RawLearner.dial(t, port, `127.0.0.${id}`);
  observer.send(PacketType.observerInfo, 0, learnerInfo(9));
  const info = await observer.until(PacketType.leaderInfo);
  observer.send(PacketType.ackEpoch, ensemble.server(id).lastZxid, Buffer.alloc(4));
  await observer.until(PacketType.newLeader);
  observer.send(PacketType.ack, info.zxid);
  await observer.until(PacketType.upToDate);
  return { observer, begin: info.zxid };
}

async function sync(client: RawClient): Promise<void> {
  const { error } = await client.request(OpCode.sync, (w) => w.string('/'));
  assert.equal(error, 0);
}

test('observers follow followers, and the leader serves none', async (t) => {
  const { ensemble, leader, masters } = await five(t);
  for (const id of OBSERVERS) assert.ok(masters.includes(masterOf(ensemble, id)));
  const { leading } = ensemble.server(leader).currentRole ?? {};
  assert.deepEqual([...(leading?.learners ?? [])].map(({ id }) => id).sort(), masters);
  const served = masters.flatMap((id) => [...(ensemble.server(id).currentRole?.observers ?? [])].map((o) => o.id));
  assert.deepEqual(served.sort(), OBSERVERS);

  const client = await ensemble.client(4);
  assert.equal((await client.create('/a', 'x')).error, 0);
  const other = await ensemble.client(5);
  await sync(other);
  assert.equal(await other.getData('/a', true), 'x');
  await client.request(OpCode.setData, (w) => w.string('/a').buffer(Buffer.from('y')).int(-1));
  await sync(other);
  assert.deepEqual(
    other.events.map(({ path }) => path),
    ['/a'],
  );
  assert.equal(await other.getData('/a'), 'y');
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('when a follower is lost its observers go to another one, and their clients notice nothing', async (t) => {
  const { ensemble, masters } = await five(t);
  const client = await ensemble.client(4);
  await client.create('/watched', 'a');
  await client.create('/own', '', 1);
  await client.getData('/watched', true);
  const lost = masterOf(ensemble, 4);
  await ensemble.stop(lost);
  await ensemble.settled();
  const [other] = masters.filter((id) => id !== lost);
  assert.equal(masterOf(ensemble, 4), other);
  const writer = await ensemble.client(5);
  await writer.request(OpCode.setData, (w) => w.string('/watched').buffer(Buffer.from('b')).int(-1));
  await sync(client);
  assert.equal(client.events.length, 1);
  assert.equal(await client.getData('/own'), '');
  assert.equal((await client.create('/after')).error, 0);
});

test('when the leader is lost observers find the followers of the next one', async (t) => {
  const { ensemble, leader } = await five(t);
  await (await ensemble.client(4)).create('/a');
  await ensemble.stop(leader);
  await ensemble.settled();
  const client = await ensemble.client(5);
  assert.equal((await client.create('/b')).error, 0);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('a session that moves between two observers of one follower belongs to the second', async (t) => {
  const { ensemble, masters, port } = await voters(t);
  const [master = 0, other = 0] = masters;
  await ensemble.stop(other);
  await Promise.all(OBSERVERS.map((id) => ensemble.start(id)));
  await ensemble.settled();
  assert.deepEqual(
    OBSERVERS.map((id) => masterOf(ensemble, id)),
    [master, master],
  );
  const first = await ensemble.client(4);
  await first.create('/n', 'first');
  const { id, password } = first;
  const second = await ensemble.client(5, { id, password });
  assert.equal(second.id, id);
  await first.closed();
  assert.equal((await second.create('/m')).error, 0);
  // What comes from where it was before must not be done any more.
  const { observer: before } = await observe(t, ensemble, master, port);
  const question = Buffer.alloc(12);
  question.writeBigInt64BE(id);
  question.writeInt32BE(10_000, 8);
  before.send(PacketType.revalidate, -1, question);
  await before.until(PacketType.revalidate);
  await second.closed();
  const again = await ensemble.client(5, { id, password });
  before.request(
    id,
    1,
    OpCode.setData,
    Buffer.from(new JuteWriter().string('/n').buffer(Buffer.from('late')).int(-1).bytes()),
  );
  before.request(id, 2, OpCode.sync, Buffer.from(new JuteWriter().string('/').bytes()));
  await before.until(PacketType.sync);
  assert.equal(await again.getData('/n'), 'first');
  // On to the follower itself, and back.
  const third = await ensemble.client(master, { id, password });
  assert.equal((await third.create('/at-master', '', 1)).error, 0);
  const fourth = await ensemble.client(4, { id, password });
  await third.closed();
  assert.equal(fourth.id, id);
  // It counts its requests from 1 again: that of a number which was dropped is answered, too.
  for (const path of ['/f1', '/f2', '/f3']) assert.equal((await fourth.create(path)).error, 0);
  assert.equal((await fourth.request(OpCode.closeSession)).error, 0);
  const reader = await ensemble.client(5);
  await sync(reader);
  assert.equal(await reader.getData('/at-master'), undefined);
});

test('a session at an observer lives as long as its client is heard of', async (t) => {
  const { ensemble } = await five(t);
  const alive = await ensemble.client(4, { timeout: 2000 });
  const silent = await ensemble.client(4, { timeout: 2000 });
  await alive.create('/alive', '', 1);
  await silent.create('/silent', '', 1);
  const there = (path: string): boolean => ensemble.server(4).database.tree.store.findString(path) !== 0;
  const began = performance.now();
  const pings = setInterval(() => alive.send(OpCode.ping, () => {}, -2), 100);
  t.after(() => clearInterval(pings));
  await until(() => !there('/silent') && performance.now() - began > 4000);
  assert.ok(there('/alive'));
});

for (const [how, settings, said] of [
  ['from memory', {}, /brought up to date by the transactions after it/],
  ['from the log', { commitLogCount: 2, snapshotSizeFactor: 100 }, /from the log on disk/],
  ['by a snapshot', { commitLogCount: 2, snapshotSizeFactor: -1 }, /by a snapshot/],
] as const) {
  test(`an observer that was away catches up at a follower ${how}`, async (t) => {
    const { ensemble, leader, masters } = await five(t, settings);
    const client = await ensemble.client(leader);
    await client.create('/before');
    await ensemble.level();
    await ensemble.stop(4);
    for (let i = 0; i < 20; i++) await client.create(`/n${i}`, 'x'.repeat(1000));
    const lines = (): number =>
      masters.reduce((n, id) => n + (ensemble.lines.get(id) ?? []).filter((l) => said.test(l.message)).length, 0);
    const before = lines();
    await ensemble.start(4);
    await ensemble.settled();
    assert.equal(lines(), before + 1);
    await client.create('/last');
    await ensemble.level();
    assert.equal(ensemble.digests().size, 1);
  });
}

test('transactions that a follower has logged and not committed are not given to observers', async (t) => {
  const { ensemble, masters, port, leader } = await voters(t);
  const [id = 0, second = 0] = masters;
  const client = await ensemble.client(leader);
  await client.create('/a');
  await ensemble.level();
  const last = ensemble.server(id).lastZxid;
  // Neither the leader nor the other follower writes its log: nothing more is committed.
  for (const other of [leader, second]) ensemble.server(other).log.flush = () => {};
  const { log } = ensemble.server(id);
  const acknowledged = new Promise<void>((resolve) => {
    const append = log.append.bind(log);
    log.append = (entry, zxid) => {
      const length = append(entry, zxid);
      log.whenDurable(resolve);
      return length;
    };
  });
  client.send(OpCode.delete, (w) => w.string('/a').int(-1));
  await acknowledged;
  // Nothing in memory, so that the log is read.
  ensemble.server(id).recent.clear();
  const observer = await RawLearner.dial(t, port, `127.0.0.${id}`);
  observer.send(PacketType.observerInfo, 0, learnerInfo(9));
  await observer.until(PacketType.leaderInfo);
  observer.send(PacketType.ackEpoch, last - 1, Buffer.alloc(4));
  const got: (readonly [number | undefined, number | undefined])[] = [];
  for (let i = 0; i < 4; i++) {
    const packet = await observer.next();
    got.push([packet?.type, packet?.zxid]);
  }
  assert.deepEqual(got, [
    [PacketType.diff, last],
    [PacketType.proposal, last],
    [PacketType.commit, last],
    [PacketType.newLeader, EPOCH * Math.floor(last / EPOCH)],
  ]);
});

test('an observer that has more than a follower is not set back: it waits until the follower has it too', async (t) => {
  const { ensemble, masters, port, leader } = await voters(t);
  const [id = 0] = masters;
  const client = await ensemble.client(leader);
  const idle = await ensemble.client(id);
  await ensemble.level();
  const next = ensemble.server(id).lastZxid + 1;
  const observer = await RawLearner.dial(t, port, `127.0.0.${id}`);
  observer.send(PacketType.observerInfo, 0, learnerInfo(9));
  await observer.until(PacketType.leaderInfo);
  observer.send(PacketType.ackEpoch, next, Buffer.alloc(4));
  const first = observer.next();
  const waited = Promise.race([first, idle.ping().then(() => 'nothing')]);
  assert.equal(await waited, 'nothing');
  await client.create('/b');
  const got = await first;
  assert.deepEqual([got?.type, got?.zxid], [PacketType.diff, next]);
});

test('a follower serves observers only, and takes no acknowledgements', async (t) => {
  const { ensemble, masters, port } = await voters(t);
  const [id = 0] = masters;
  await ensemble.level();
  const follower = await RawLearner.dial(t, port, `127.0.0.${id}`);
  follower.send(PacketType.followerInfo, 0, learnerInfo(9));
  await follower.end();
  const { observer, begin } = await observe(t, ensemble, id, port);
  observer.send(PacketType.ack, begin);
  observer.send(PacketType.ack, begin + 1);
  await observer.end();
  assert.equal(begin % EPOCH, 0);
});

test('an observer that does not read what it is sent is let go', async (t) => {
  const { ensemble, masters, port, leader } = await voters(t, { 'observerMaster.sizeLimit': 300_000 });
  const [id = 0] = masters;
  const { observer } = await observe(t, ensemble, id, port);
  observer.socket.pause();
  const client = await ensemble.client(leader);
  await client.create('/large');
  const data = Buffer.alloc(400_000);
  for (let i = 0; i < 60 && !ensemble.said(id, /bytes behind/); i++)
    await client.request(OpCode.setData, (w) => w.string('/large').buffer(data).int(-1));
  assert.ok(ensemble.said(id, /observer 9 is gone: it is more than 300000 bytes behind/));
});

test('an observer that reads is not let go for transactions larger than the limit', async (t) => {
  const { ensemble, masters } = await voters(t, { 'observerMaster.sizeLimit': 300_000 });
  await ensemble.start(4);
  await ensemble.settled();
  const client = await ensemble.client(4);
  await client.create('/large');
  const data = Buffer.alloc(400_000);
  for (let i = 0; i < 5; i++)
    assert.equal((await client.request(OpCode.setData, (w) => w.string('/large').buffer(data).int(-1))).error, 0);
  for (const id of masters) assert.equal(ensemble.said(id, /bytes behind/), false);
});

test('an observer goes to the leader where no follower serves it', async (t) => {
  const { ensemble, leader, port } = await voters(t, { observerMasterPort: 0 });
  await ensemble.start(4, { observerMasterPort: port, 'observer.reconnectDelayMs': 100 });
  await ensemble.settled();
  assert.equal(masterOf(ensemble, 4), leader);
  const client = await ensemble.client(4);
  assert.equal((await client.create('/a')).error, 0);
});
