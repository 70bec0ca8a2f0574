// Sessions whose connection changes while a write is on its way: clients such as kazoo count their requests from 1 again on each
// connection, so a commit must not be taken for that of a later request with the same number.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, JuteReader, JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import { TxnHeaderAt } from '../../dist/tree/txn-types.js';
import { until } from '../server/until.js';
import { Ensemble, PATIENT } from './ensemble.js';
import { RawLearner } from './raw-learner.js';

/** Keeps a server's log from being written; call what it returns to let it go on. */
function holdLog(ensemble: Ensemble, id: number): () => void {
  const { log } = ensemble.server(id);
  const flush = log.flush.bind(log);
  log.flush = () => {};
  return () => {
    log.flush = flush;
    flush();
  };
}

async function turns(count: number, until: () => boolean): Promise<void> {
  for (let i = 0; i < count && !until(); i++) await new Promise((resolve) => setImmediate(resolve));
}

const XID = 77;
const setData = (w: JuteWriter): void => {
  w.string('/n').buffer(Buffer.from('x')).int(-1);
};
const createExisting = (w: JuteWriter): void => {
  w.string('/n').buffer(Buffer.alloc(0));
  writeAclList(w, OPEN_ACL_UNSAFE);
  w.int(0);
};

for (const where of [
  'the same follower',
  'the same follower, known to that one alone',
  'another follower',
  'an observer',
  'a follower, from the leader',
]) {
  test(`a session that goes on at ${where} is not answered with what its former connection asked for`, async (t) => {
    const localSessionsEnabled = where.endsWith('alone');
    const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'observer'], {
      localSessionsEnabled,
    });
    await Promise.all([1, 2, 3, 4].map((id) => ensemble.start(id)));
    const leader = await ensemble.settled();
    const [follower = 0, other = 0] = [1, 2, 3].filter((id) => id !== leader);
    const from = where.endsWith('leader') ? leader : follower;
    const to = where.startsWith('another') ? other : where === 'an observer' ? 4 : follower;
    const first = await ensemble.client(from);
    await first.create('/n');
    await ensemble.level();

    const { log } = ensemble.server(leader);
    const release = [leader, follower, other].map((id) => holdLog(ensemble, id));
    first.send(OpCode.setData, setData, XID);
    await turns(100_000, () => log.batch.count > 0);
    first.socket.destroy();
    const answer = ensemble.client(to, { id: first.id, password: first.password }).then((second) => {
      second.send(OpCode.create, createExisting, XID);
      return second.reply();
    });
    await turns(3000, () => log.batch.count > 1);
    for (const go of release) go();
    const { xid, error } = await answer;
    assert.equal(xid, XID);
    assert.equal(error, -110, 'the answer is that of the create');
  });
}

/** What becomes of a create that comes from a learner: the type of the transaction, and the error in it. */
async function proposedFor(learner: RawLearner, session: bigint): Promise<number[]> {
  const late = new JuteWriter();
  createExisting(late);
  learner.request(session, XID, OpCode.create, Buffer.from(late.bytes()));
  const { data } = await learner.until(PacketType.proposal);
  const r = new JuteReader(data ?? Buffer.alloc(0), TxnHeaderAt.type);
  return [r.int(), r.int()];
}

test('what a session asked for where it was before is refused, though its newer connection has ended too', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  await ensemble.level();
  const before = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  await before.follow(4, ensemble.server(leader).lastZxid);
  client.socket.destroy();
  const { port } = ensemble.server(leader);
  await turns(100_000, () => [...port.connections].length === 0);
  assert.deepEqual(await proposedFor(before, client.id), [OpCode.error, ErrorCode.SessionMoved]);
});

/** Asks whether the session goes on at this learner, `ifFree` unless it is at home elsewhere. */
async function claims(learner: RawLearner, session: bigint, ifFree: boolean): Promise<boolean> {
  const question = Buffer.alloc(ifFree ? 13 : 12, 1);
  question.writeBigInt64BE(session);
  question.writeInt32BE(10_000, 8);
  learner.send(PacketType.revalidate, -1, question);
  return (await learner.until(PacketType.revalidate)).data?.[8] === 1;
}

test('a session that goes on elsewhere leaves no connection at the leader, which it could keep for the next one', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  await learner.follow(4, ensemble.server(leader).lastZxid);
  assert.equal(await claims(learner, client.id, true), false);
  assert.equal(await claims(learner, client.id, false), true);
  assert.equal(await client.frame(), undefined);
});

test('what was kept elsewhere of a session does not go on once that was at the leader', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  await learner.follow(4, ensemble.server(leader).lastZxid);
  client.socket.destroy();
  const { port } = ensemble.server(leader);
  await until(() => port.connections.size === 0);
  assert.equal(await claims(learner, client.id, true), false);
});

for (const where of ['another follower', 'an observer', 'the leader', 'a follower, from the leader']) {
  test(`a session that only reads at ${where} leaves no connection where it was before`, async (t) => {
    const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'observer']);
    await Promise.all([1, 2, 3, 4].map((id) => ensemble.start(id)));
    const leader = await ensemble.settled();
    const [follower = 0, other = 0] = [1, 2, 3].filter((id) => id !== leader);
    const from = where.endsWith('from the leader') ? leader : follower;
    const to = where === 'the leader' ? leader : where === 'an observer' ? 4 : other;
    const first = await ensemble.client(from);
    await first.create('/n');
    await ensemble.level();
    const second = await ensemble.client(to, { id: first.id, password: first.password });
    assert.equal(await second.getData('/n'), '');
    await ensemble.level();
    assert.deepEqual(ensemble.server(from).port.connectedSessions, []);
    assert.equal((await second.create('/m')).error, 0);
  });
}

test('where a session was before it does not go on under the next leader, though that hears of nobody else who has it', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'participant']);
  ensemble.runtime = PATIENT;
  await Promise.all([1, 2, 3, 4].map((id) => ensemble.start(id)));
  const old = await ensemble.settled();
  const [left = 0, last = 0, next = 0] = [1, 2, 3, 4].filter((id) => id !== old);
  const first = await ensemble.client(left);
  await first.create('/n');
  await ensemble.level();
  const second = await ensemble.client(last, { id: first.id, password: first.password });
  assert.equal(await second.getData('/n'), '');
  await ensemble.level();
  const { port } = ensemble.server(last);
  const serve = port.serve.bind(port);
  port.serve = (serving) => serving === null && serve(null); // it does not come to ask for its sessions
  await ensemble.stop(old);
  await until(() => ensemble.server(next).mode === 'leader' && ensemble.server(left).port.serving !== null);
  first.send(OpCode.create, (w) => {
    w.string('/late').buffer(Buffer.alloc(0));
    writeAclList(w, OPEN_ACL_UNSAFE);
    w.int(0);
  });
  assert.equal(await first.frame(), undefined);
  const reader = await ensemble.client(next);
  assert.equal((await reader.request(OpCode.exists, (w) => w.string('/late').bool(false))).error, ErrorCode.NoNode);
});

for (const where of ['the same follower', 'another follower', 'an observer', 'the leader']) {
  test(`a session that is becoming a global one goes on at ${where}`, async (t) => {
    const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'observer'], {
      localSessionsEnabled: true,
      localSessionsUpgradingEnabled: true,
    });
    await Promise.all([1, 2, 3, 4].map((id) => ensemble.start(id)));
    const leader = await ensemble.settled();
    const [follower = 0, other = 0] = [1, 2, 3].filter((id) => id !== leader);
    const to = { 'the same follower': follower, 'another follower': other, 'an observer': 4 }[where] ?? leader;
    await ensemble.level();
    const first = await ensemble.client(follower);

    const { log, ensembleStats } = ensemble.server(leader);
    const release = [leader, follower, other].map((id) => holdLog(ensemble, id));
    first.send(OpCode.create, (w) => {
      w.string('/eph').buffer(Buffer.alloc(0));
      writeAclList(w, OPEN_ACL_UNSAFE);
      w.int(1);
    });
    await turns(100_000, () => log.batch.count > 1); // the session and the node
    first.socket.destroy();
    const asked = ensembleStats.counts.revalidations;
    let answered = false;
    const going = ensemble.client(to, { id: first.id, password: first.password }).finally(() => {
      answered = true;
    });
    await turns(100_000, () => answered || ensembleStats.counts.revalidations > asked);
    for (const go of release) go();
    const second = await going;
    assert.equal(second.id, first.id, 'not told that it has expired');
    assert.equal(
      (await second.request(OpCode.setData, (w) => w.string('/eph').buffer(Buffer.from('x')).int(-1))).error,
      0,
    );
    assert.equal(await second.getData('/eph'), 'x');
  });
}
